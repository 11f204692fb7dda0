"""What stands at the address of a Redis and is none: for tests of a client that must survive it."""

import socket
import threading

PASSWORD = "hunter2-and-more"


class NoRedis:
    """Listens on loopback, counts who comes, and answers each with `answer`, whatever was asked; `None`: nothing.

    A polite one lets everybody in, as Redis does, and answers one question after the other.
    """

    def __init__(self, answer: bytes | None, *, polite: bool = False) -> None:
        self._answer = answer
        self._polite = polite
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.callers = 0
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "NoRedis":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for caller in self._open:
            caller.close()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            self.callers += 1
            self._open.append(caller)
            if self._answer is not None and self._polite:
                while asked := caller.recv(1000):
                    caller.sendall(b"+OK\r\n" if b"AUTH" in asked or b"CLIENT" in asked else self._answer)
            elif self._answer is not None:
                caller.recv(1000)
                caller.sendall(self._answer)
                caller.shutdown(socket.SHUT_WR)
