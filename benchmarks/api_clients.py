"""`python -m benchmarks.api_clients URL CONNECTIONS SECONDS|REQUESTSx`: ask for one address again and again.

Each connection sends its next request when the answer to the one before is there. Prints JSON: requests a second, and
the times of answers in milliseconds. On the bare protocol of asyncio: else a client library would be what is measured.
"""

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, times: list[float], goes_on: "asyncio.Future[None]") -> None:
        self._request, self._times, self._over = request, times, goes_on
        self._found = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._found += data
        head, end, body = self._found.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            if not self._over.done():
                self._over.set_exception(OSError(head.partition(b"\r\n")[0].decode()))
            return
        self._times.append(time.perf_counter() - self._began)
        self._found = b""
        if not self._over.done():
            self._send()

    def _send(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]  # a TCP transport


async def ask(url: str, connections: int, seconds: float, requests: int) -> dict[str, float]:
    """Until time is up, or so many are answered."""
    address = urlsplit(url)
    head = f"GET {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nAccept: application/json, */*\r\n\r\n".encode()
    assert address.hostname is not None
    assert address.port is not None
    place = (address.hostname, address.port)
    loop = asyncio.get_running_loop()
    times: list[float] = []
    over: asyncio.Future[None] = loop.create_future()
    began = time.perf_counter()
    made = [await loop.create_connection(lambda: _Connection(head, times, over), *place) for _ in range(connections)]
    try:
        while not over.done() and time.perf_counter() - began < seconds and len(times) < requests:
            await asyncio.sleep(0.01)
        lasted = time.perf_counter() - began
        if over.done():
            over.result()
        over.set_result(None)
    finally:
        for transport, _ in made:
            transport.abort()
        await asyncio.sleep(0)  # the loop closes them
    found = sorted(times)
    return {
        "per_s": len(found) / lasted,
        "p50_ms": found[len(found) // 2] * 1000.0,
        "p99_ms": found[int(len(found) * 0.99)] * 1000.0,
        "requests": len(found),
    }


if __name__ == "__main__":
    until = sys.argv[3]
    limits = (600.0, int(until[:-1])) if until.endswith("x") else (float(until), 10**9)
    print(json.dumps(asyncio.run(ask(sys.argv[1], int(sys.argv[2]), *limits))))
