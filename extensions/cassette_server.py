"""Plays a cassette over real HTTP on loopback, with faults at the requests you say.

    with CassetteServer("orders.json", faults=[Fault(at=2, status=503), Fault(at=3, do="reset")]) as server:
        ...                       # collect from server.url, with the code and configuration that you run in production

It is an ordinary HTTP server: what is tested is the real collector, with its retries, limits and fallbacks.
"""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from data_pipeline.collect.cassette import Cassette, Exchange, Player, query_of


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong at the requests numbered `at` (from 1) to `until`; `until=0`: for ever.

    `do`: `status` answers with `status` and no body, `hang` never answers, `reset` breaks the connection, `half` sends
    half of the body under the length of the whole, `garbage` sends a login page with status 200.
    """

    at: int
    do: Literal["status", "hang", "reset", "half", "garbage"] = "status"
    status: int = 503
    until: int | None = None
    retry_after: int | None = None

    def hits(self, number: int) -> bool:
        """Whether the request of this number goes wrong."""
        last = self.at if self.until is None else self.until
        return number >= self.at and (last == 0 or number <= last)


class CassetteServer:
    """Serves one cassette until the block ends; `requests` holds method and target of what was asked."""

    def __init__(self, cassette: Cassette | Path | str, *, faults: Sequence[Fault] = ()) -> None:
        """Raises `CassetteError` when the file is no cassette."""
        self.cassette = cassette if isinstance(cassette, Cassette) else Cassette.read(Path(cassette))
        self.faults: Sequence[Fault] = faults
        self.requests: list[tuple[str, str]] = []
        self._player = Player(self.cassette)
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._open: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="cassette-server")

    @property
    def url(self) -> str:
        """Scheme, host and port: what stands in the place of the provider's."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, and with it every request that hangs."""
        self._over.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        with self._guard:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):  # it went away by itself
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def _asked(self, method: str, target: str) -> tuple[Exchange | None, Fault | None]:
        path, _, query = target.partition("?")
        with self._guard:
            self.requests.append((method, target))
            number = len(self.requests)
        fault = next((fault for fault in self.faults if fault.hits(number)), None)
        if fault is not None and fault.do != "half":
            return None, fault  # the tape does not move while the provider is away
        return self._player.answer(method, path, query, here=self.url), fault


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away in the middle; that is what they are tested for."""


def _handler_of(owner: CassetteServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            with owner._guard:
                owner._open.add(self.connection)

        def finish(self) -> None:
            try:
                super().finish()
            finally:
                with owner._guard:
                    owner._open.discard(self.connection)

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            exchange, fault = owner._asked(self.command, self.path)
            if fault is not None and fault.do == "hang":
                self.close_connection = True
                owner._over.wait()
            elif fault is not None and fault.do == "reset":
                self._reset()
            else:
                self._send(exchange, fault)

        do_POST = do_GET  # noqa: N815 - the name is the base class's

        def _send(self, exchange: Exchange | None, fault: Fault | None) -> None:
            status, headers, body = _answer(owner.cassette, exchange, fault)
            whole = len(body)
            if fault is not None and fault.do == "half":
                body = body[: whole // 2]
                self.close_connection = True
            head = [f"HTTP/1.1 {status} Taped", *(f"{name}: {value}" for name, value in headers.items())]
            if status != 304:
                head.append(f"Content-Length: {whole}")
            self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + body)

        def _reset(self) -> None:
            """End the connection with RST: lingering for zero seconds throws away what was not sent."""
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with owner._guard:
                owner._open.discard(self.connection)
            os.close(self.connection.detach())

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler


def _answer(cassette: Cassette, exchange: Exchange | None, fault: Fault | None) -> tuple[int, dict[str, str], bytes]:
    if fault is not None and fault.do == "status":
        return fault.status, {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}, b""
    if fault is not None and fault.do == "garbage":
        return 200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html><body>Please sign in.</body></html>"
    if exchange is None:
        known = ", ".join(f"{each.method} {each.path}?{query_of(each)}".rstrip("?") for each in cassette.exchanges[:9])
        return 404, {"Content-Type": "text/plain"}, f"not on the cassette; it holds {known}".encode()
    return exchange.status, dict(exchange.headers), exchange.body
