"""A real server on loopback that accepts connections and says nothing: a canary that a test can stop and start."""

import socket
import threading
from types import TracebackType
from typing import Self


class Listener:
    """Accepts connections on one port while it is open; `connected` counts them."""

    def __init__(self) -> None:
        self.connected = 0
        self._seen = threading.Condition()
        self._server: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self.start()

    port = 0

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to listen, at the port it had before."""
        server = socket.create_server(("127.0.0.1", self.port))
        self.port = server.getsockname()[1]
        self._server = server
        self._thread = threading.Thread(target=self._accept, args=(server,), name="listener")
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is None or self._thread is None:
            return
        server, self._server = self._server, None
        server.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._thread.join()
        server.close()

    def seen(self, count: int, timeout: float = 120.0) -> bool:
        """Whether so many connections came in, at the latest after `timeout` seconds."""
        with self._seen:
            return self._seen.wait_for(lambda: self.connected >= count, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.close()
            with self._seen:
                self.connected += 1
                self._seen.notify_all()
