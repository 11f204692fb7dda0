"""A small real FTP server on loopback: passive mode, MLSD, RETR, one user; enough for a client that only reads."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

USER, PASSWORD = "partner", "ftp-secret"


@dataclass(frozen=True)
class FtpServer:
    """Where it listens, and the folder it serves as `/`."""

    port: int
    root: Path


class _Session(socketserver.StreamRequestHandler):
    root: Path
    timeout = 120

    def handle(self) -> None:
        self.name, self.listener = "", None
        self.say("220 ready")
        while line := self.next_line():
            verb, _, argument = line.partition(" ")
            reply = getattr(self, f"on_{verb.lower()}", None)
            if verb.upper() == "QUIT":
                self.say("221 bye")
                return
            if reply is None:
                self.say("502 not known here")
            else:
                reply(argument)

    def finish(self) -> None:
        if self.listener is not None:
            self.listener.close()
        super().finish()

    def next_line(self) -> str:
        try:
            return self.rfile.readline().decode().strip()
        except OSError:
            return ""

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
        self.wfile.flush()

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def on_user(self, name: str) -> None:
        self.name = name
        self.say("331 password, please")

    def on_pass(self, password: str) -> None:
        right = (self.name, password) == (USER, PASSWORD)
        self.say("230 welcome" if right else "530 Login incorrect.")

    def on_type(self, _kind: str) -> None:
        self.say("200 fine")

    def on_pasv(self, _nothing: str) -> None:
        if self.listener is not None:
            self.listener.close()
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        self.say(f"227 here (127,0,0,1,{port // 256},{port % 256})")

    def on_mlsd(self, path: str) -> None:
        if not self.at(path).is_dir():
            self.say("550 No such folder.")
            return
        lines = []
        for entry in sorted(self.at(path).iterdir()):
            figures = entry.stat()
            kind = "dir" if entry.is_dir() else "file"
            time = datetime.fromtimestamp(figures.st_mtime, UTC).strftime("%Y%m%d%H%M%S")
            lines.append(f"type={kind};size={figures.st_size};modify={time}; {entry.name}\r\n")
        self.send("".join(lines).encode())

    def on_retr(self, path: str) -> None:
        if not self.at(path).is_file():
            self.say("550 No such file.")
            return
        self.send(self.at(path).read_bytes())

    def send(self, content: bytes) -> None:
        assert self.listener is not None
        self.say("150 here it comes")
        connection, _ = self.listener.accept()
        connection.sendall(content)
        connection.close()
        self.listener.close()
        self.say("226 done")


@pytest.fixture
def ftp_server(tmp_path: Path) -> Iterator[FtpServer]:
    """A server for one test."""
    root = tmp_path / "ftp"
    root.mkdir()
    session = type("Session", (_Session,), {"root": root})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), session) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield FtpServer(server.server_address[1], root)
        server.shutdown()
        thread.join(120)
