"""A real HTTP proxy on loopback: forwards plain requests, tunnels the others (CONNECT), and remembers what it saw."""

import base64
import contextlib
import select
import socket
import threading
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass
class ProxyServer:
    """Serves until the block ends.

    Attributes:
        user: `user:password` that it wants; "": it lets everybody through.
        tunnels: Host and port of each CONNECT.
        forwarded: The address and the headers of each plain request.
        names: Host name -> where it really is, for names that only the proxy knows.
    """

    user: str = ""
    tunnels: list[str] = field(default_factory=list)
    forwarded: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="proxy-server")

    @property
    def url(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"http://{user}127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def allows(self, authorization: str) -> bool:
        return not self.user or authorization == "Basic " + base64.b64encode(self.user.encode()).decode()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away."""


def _handler_of(owner: ProxyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            if not self._let_in():
                return
            owner.tunnels.append(self.path)
            host, _, port = self.path.rpartition(":")
            try:
                beyond = socket.create_connection((owner.names.get(host, host), int(port)), 5)
            except OSError:
                self.send_error(502)
                return
            self.send_response(200)
            self.end_headers()
            with beyond:
                _pump(self.connection, beyond, owner.over)
            self.close_connection = True

        def do_GET(self) -> None:
            if not self._let_in():
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            owner.forwarded.append((self.path, headers))
            parts = urlsplit(self.path)
            host = owner.names.get(parts.hostname or "", parts.hostname or "")
            with contextlib.closing(HTTPConnection(host, parts.port or 80, timeout=120)) as beyond:
                kept = {name: value for name, value in headers.items() if not name.startswith("proxy-")}
                beyond.request("GET", f"{parts.path}?{parts.query}".rstrip("?"), headers=kept)
                answer = beyond.getresponse()
                body = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _let_in(self) -> bool:
            if owner.allows(self.headers.get("Proxy-Authorization", "")):
                return True
            self.send_response(407)
            self.send_header("Proxy-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler


def _pump(one: socket.socket, other: socket.socket, over: threading.Event) -> None:
    """Carry bytes both ways until one side ends."""
    ways = {one: other, other: one}
    while not over.is_set():
        ready, _, _ = select.select(list(ways), [], [], 0.05)
        for source in ready:
            data = source.recv(65_536)
            if not data:
                return
            ways[source].sendall(data)
