"""A real HTTP server on loopback that fails on purpose, in every way a provider can.

    with FaultyServer(ok(b"id,value\\n1,2\\n")) as server:
        ...                                # collect from server.url
        server.answer = status(503)        # from now on it is down

`answer` is an `Answer`, a list of them (in this order, the last one for ever), or a function from `Request` to
`Answer`. Nothing sleeps: what hangs waits for the server's end, so leaving the block is quick and leaves no thread.
"""

import contextlib
import gzip
import json
import os
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """What was asked. `number` counts from 1 over the server's life; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    number: int
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """What is sent back, and how it goes wrong.

    Attributes:
        body: Bytes, or a function that gives them piece by piece (sent chunked, made while they are sent).
        announced: The Content-Length that is claimed; None: the truth.
        pause: Seconds between the pieces of the body; bytes are then sent one by one.
        slow_headers: The pause is between the bytes of the headers as well.
        fault: `hang`: no answer at all; `hang_in_body`: silent after the body, the connection stays open;
            `reset`: the connection is reset (RST) before the answer; `reset_in_body`: after the body.
    """

    status: int = 200
    body: bytes | Callable[[], Iterable[bytes]] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    pause: float = 0.0
    slow_headers: bool = False
    fault: Literal["", "hang", "hang_in_body", "reset", "reset_in_body"] = ""


Answering = Answer | Sequence[Answer] | Callable[[Request], Answer]

# Ready-made answers


def ok(body: bytes, media_type: str = "application/octet-stream", **headers: str) -> Answer:
    """All is well. Further headers by name, underscores for dashes: `last_modified="…"`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(body=body, headers={"Content-Type": media_type, **named})


def as_json(value: Any, **headers: str) -> Answer:
    return ok(json.dumps(value).encode(), "application/json", **headers)


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    return replace(ok(body, "text/plain", **headers), status=code)


def too_many(retry_after: str) -> Answer:
    """429 that names a time to wait: seconds or a date."""
    return status(429, retry_after=retry_after)


def redirect(target: str, code: int = 302) -> Answer:
    return Answer(code, headers={"Location": target})


def hang() -> Answer:
    """Takes the request and says nothing."""
    return Answer(fault="hang")


def hang_in_body(body: bytes) -> Answer:
    """Sends `body`, which is shorter than announced, and then nothing more."""
    return Answer(body=body, announced=len(body) + 1000, fault="hang_in_body")


def reset() -> Answer:
    return Answer(fault="reset")


def reset_in_body(body: bytes) -> Answer:
    return Answer(body=body, announced=len(body) + 1000, fault="reset_in_body")


def half(body: bytes) -> Answer:
    """The first half of the body under the Content-Length of the whole, then a clean end of the connection."""
    return Answer(body=body[: len(body) // 2], announced=len(body))


def html() -> Answer:
    """A login page with status 200, as captive portals and broken proxies send it."""
    page = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n"
    return ok(page, "text/html; charset=utf-8")


def endless(size: int = 5 * 2**30, *, announce: bool = False) -> Answer:
    """A body of `size` bytes of CSV, made while it is sent."""
    block = b"1,2.5\n" * 10_000

    def pieces() -> Iterator[bytes]:
        yield b"id,value\n"
        for _ in range(size // len(block) + 1):
            yield block

    return Answer(body=pieces, headers={"Content-Type": "text/csv"}, announced=size if announce else None)


def invalid_utf8() -> Answer:
    return ok(b"id,name\n1,caf\xe9\n2,\xff\xfe\xfa\n", "text/csv; charset=utf-8")


def gzipped(body: bytes, media_type: str = "text/csv") -> Answer:
    return ok(gzip.compress(body), media_type, content_encoding="gzip")


def gzip_bomb(size: int = 2**30) -> Answer:
    """About a thousandth of `size` on the wire, `size` bytes of zeros once it is undone."""

    def pieces() -> Iterator[bytes]:
        packer = zlib.compressobj(wbits=31)
        for _ in range(size // 2**20):
            yield packer.compress(bytes(2**20))
        yield packer.flush()

    return Answer(body=pieces, headers={"Content-Type": "text/csv", "Content-Encoding": "gzip"})


def drip(body: bytes, pause: float = 0.05) -> Answer:
    """The body byte by byte: never late for a single read, endless for the whole."""
    return Answer(body=body, pause=pause)


def drip_headers(pause: float = 0.05) -> Answer:
    """The headers byte by byte."""
    return Answer(body=b"late", pause=pause, slow_headers=True, headers={"X-Filler": "x" * 1000})


def with_etag(body: bytes, etag: str = '"v1"', last_modified: str = "") -> Callable[[Request], Answer]:
    """304 to who knows the copy already, the body to all others."""

    def answer(request: Request) -> Answer:
        named = {"ETag": etag} | ({"Last-Modified": last_modified} if last_modified else {})
        known = request.headers.get("if-none-match") == etag or (
            last_modified and request.headers.get("if-modified-since") == last_modified
        )
        return Answer(304, headers=named) if known else Answer(body=body, headers=named)

    return answer


def pages_by_link(bodies: Sequence[bytes]) -> Callable[[Request], Answer]:
    """Pages `?page=1…`; the next one is named in the `Link` header, as GitHub does it."""

    def answer(request: Request) -> Answer:
        number = int(request.query.get("page", "1"))
        links = [f'<{request.path}?page=1>; rel="first"']
        if number < len(bodies):
            links.insert(0, f'<{request.path}?page={number + 1}>; rel="next"')
        return ok(bodies[number - 1], "application/json", link=", ".join(links))

    return answer


# The server


class FaultyServer:
    """Serves `answer` until the block ends; `requests` holds what was asked, `connected` counts the connections."""

    def __init__(
        self, answer: Answering = Answer(404), *, tls: Path | None = None, client_ca: Path | None = None
    ) -> None:
        """`tls`: a folder with `localhost.pem` and `localhost.key`; then it speaks HTTPS.

        `client_ca`: clients must show a certificate that this authority signed.
        """
        self.answer: Answering = answer
        self.scheme = "https" if tls else "http"
        self.requests: list[Request] = []
        self.connected = 0
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "localhost.pem", tls / "localhost.key")
            if client_ca:
                context.load_verify_locations(client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            # The handshake belongs to the handler's thread: a client that breaks it off must not stop the others.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="faulty-server")

    @property
    def host(self) -> str:
        """Host and port: the provider's name."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}/data.csv"

    @property
    def count(self) -> int:
        """Requests so far."""
        return len(self.requests)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, and with it every request that hangs; may be called twice."""
        self.over.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _shut(connection)
        self._server.server_close()  # waits for the handlers

    def _answer_to(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        with self._lock:
            request = Request(method, parts.path, query, headers, len(self.requests) + 1, body)
            self.requests.append(request)
        if isinstance(self.answer, Answer):
            return self.answer
        if callable(self.answer):
            return self.answer(request)
        return self.answer[min(request.number, len(self.answer)) - 1]

    def _opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)
            self.connected += 1
        if self.over.is_set():
            _shut(connection)

    def _closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away in the middle all the time; that is what they are tested for."""


def _handler_of(owner: FaultyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            owner._opened(self.connection)

        def finish(self) -> None:
            try:
                super().finish()
            finally:
                owner._closed(self.connection)

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            _send(self, owner, owner._answer_to(self.command, self.path, headers))

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            _send(self, owner, owner._answer_to(self.command, self.path, headers, body))

        do_PUT = do_POST  # what writes to a store

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler


def _send(handler: BaseHTTPRequestHandler, owner: FaultyServer, answer: Answer) -> None:
    if answer.fault == "hang":
        handler.close_connection = True
        owner.over.wait()
        return
    if answer.fault == "reset":
        _reset(handler)
        return
    chunked = callable(answer.body) and answer.announced is None
    head = [f"HTTP/1.1 {answer.status} Whatever"]
    head += [f"{name}: {value}" for name, value in answer.headers.items()]
    if chunked:
        head.append("Transfer-Encoding: chunked")
    elif answer.status != 304:
        truth = len(answer.body) if isinstance(answer.body, bytes) else 0
        head.append(f"Content-Length: {truth if answer.announced is None else answer.announced}")
    if answer.announced is not None or answer.fault:
        handler.close_connection = True
    _write(handler, owner, "\r\n".join([*head, "", ""]).encode(), answer.pause if answer.slow_headers else 0.0)
    for piece in answer.body() if callable(answer.body) else [answer.body]:
        if owner.over.is_set():
            handler.close_connection = True
            return
        if chunked:
            if piece:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        else:
            _write(handler, owner, piece, answer.pause)
    if chunked:
        handler.wfile.write(b"0\r\n\r\n")
    if answer.fault == "hang_in_body":
        owner.over.wait()
    elif answer.fault == "reset_in_body":
        _reset(handler)


def _write(handler: BaseHTTPRequestHandler, owner: FaultyServer, data: bytes, pause: float) -> None:
    if not pause:
        handler.wfile.write(data)
        return
    for position in range(len(data)):
        if owner.over.wait(pause):
            handler.close_connection = True
            return
        handler.wfile.write(data[position : position + 1])
        handler.wfile.flush()


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """End the connection with RST: lingering for zero seconds throws away what was not sent."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # close() would wait for the handler's own files on the socket, and say a friendly goodbye (FIN) before.
    os.close(handler.connection.detach())


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it went away by itself
        connection.shutdown(socket.SHUT_RDWR)
