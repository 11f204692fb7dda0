"""Bytes that no client would send, over real sockets: the server answers with 4xx or hangs up, and serves on."""

import contextlib
import socket
from urllib.parse import urlsplit

import httpx
import pytest

HOST = b"Host: 127.0.0.1\r\n"
SMUGGLED = b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def spoken(url: str, data: bytes) -> bytes:
    """What comes back until the server hangs up."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=120) as line:
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            line.sendall(data)
        parts = []
        with contextlib.suppress(ConnectionError, TimeoutError):
            while part := line.recv(65536):
                parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    "data",
    [
        b"POST /api/v1/runs HTTP/1.1\r\n" + HOST + b"Content-Length: 6\r\nContent-Length: 60\r\n\r\n{}" + SMUGGLED,
        b"POST /api/v1/runs HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
        b"POST /api/v1/runs HTTP/1.1\r\n" + HOST + b"Content-Length: +2\r\n\r\n{}" + SMUGGLED,
        b"POST /api/v1/runs HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
        b"POST /api/v1/runs HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        b"POST /api/v1/runs HTTP/1.1\r\n" + HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        b"POST /api/v1/runs HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + SMUGGLED,
        b"GET /api/v1/status HTTP/1.1\r\n" + HOST + b"X-A: b\r\n folded: c\nEvil\r\n\r\n",
        b"GET /api/v1/status HTTP/1.1\r\n" + HOST + b"X-A: a\x00b\r\n\r\n",
        b"GET /api/v1/status HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 600_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 600_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /api/v1/status\r\n HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /api/v1/status HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /api/v1/status HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=[
        "two lengths", "a negative length", "a signed length", "two codings", "an unknown coding",
        "a blank before the colon", "a chunk without a size", "a folded header", "NUL in a header", "a long header",
        "a long path", "a path with lines", "two hosts", "no host", "TLS",
    ],
)  # fmt: skip
def test_a_request_that_two_could_read_differently_is_refused(server: str, data: bytes) -> None:
    """One answer at most, and no good one: nothing that stands behind it is taken for a request of its own."""
    answer = spoken(server, data)

    assert b" 200 " not in answer
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert httpx.get(f"{server}/livez", timeout=120).status_code == 200


def test_a_body_with_two_measures_ends_where_its_chunks_end(server: str) -> None:
    """`Transfer-Encoding` wins over `Content-Length` (RFC 9112, 6.3), or the request is refused: never both."""
    head = b"POST /api/v1/nowhere HTTP/1.1\r\nConnection: close\r\n" + HOST + b"Content-Type: application/json\r\n"
    answer = spoken(server, head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")

    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize(
    "value",
    [b"x\tSet-Cookie: a=1", b"\xff\xfe", b"a" * 65, b"%0d%0aSet-Cookie:%20a=1"],
    ids=["tab", "bytes", "long", "coded"],
)
def test_no_header_of_the_request_makes_one_of_the_answer(server: str, value: bytes) -> None:
    """An id that is none is not given back; what is sent as origin is not either."""
    head = (
        b"GET /livez HTTP/1.1\r\nConnection: close\r\n"
        + HOST
        + b"X-Request-ID: "
        + value
        + b"\r\nOrigin: "
        + value
        + b"\r\n\r\n"
    )
    answer = spoken(server, head)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert value not in answer
    assert b"set-cookie" not in answer.lower()


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"matchers": ' + b"[" * 100_000,
        b"[]",
        b'"text"',
        b"null" * 10,
        b"\xff\xfe\x00",
        b'{"matchers": ["dataset=\\ud800"], "until": "2h"}',
        b'{"matchers": ["a"], "matchers": ["b"], "until": 1e400}',
        b'{"until": NaN}',
        b'{"until": ' + b"9" * 10_000 + b"}",
    ],
    ids=[
        "cut", "100,000 deep", "a list", "a text", "many", "no UTF-8", "half a sign", "twice", "NaN", "a long number"
    ],
)  # fmt: skip
def test_a_malformed_body_is_told_as_such(server: str, body: bytes) -> None:
    """400 or 422, as a problem, at once."""
    answer = httpx.post(
        f"{server}/api/v1/silences", content=body, headers={"Content-Type": "application/json"}, timeout=120
    )

    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize("accept", ["image/png", "text/html;q=0", "application/json;q=0, text/plain", "\x7f, x"])
def test_a_form_that_there_is_not_is_406(server: str, accept: str) -> None:
    """And says which there are."""
    answer = httpx.get(f"{server}/api/v1/datasets", headers={"Accept": accept}, timeout=120)

    assert answer.status_code == 406
    assert "application/json" in answer.json()["hint"]


@pytest.mark.parametrize("path", ["/api/v1/runs/a%00b", "/api/v1/events?subject=a%00b", "/api/v1/events?a%00=b"])
def test_a_nul_in_the_address_is_refused(server: str, path: str) -> None:
    """No database of ours would take it for a text."""
    answer = httpx.get(server + path, timeout=120)

    assert (answer.status_code, answer.json()["error"]) == (422, "UsageError")
