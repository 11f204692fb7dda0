"""How often, how much, and how slowly a client may ask."""

import asyncio
import socket
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from api.limits import BODY_LIMIT, Limits
from integrated_system import IntegratedSystem
from tests.api.serving import asked
from tests.integration.installation import Installation
from utils.clock import ManualClock

HEAD = b"POST /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def test_who_asks_too_often_is_told_when_to_come_again(installation: Installation) -> None:
    """429 with `Retry-After`; probes are answered all the same, and after that time so is the rest."""
    installation.configure(api={"rate_limit": {"rate": 0.5, "burst": 2}})
    clock = ManualClock()
    with installation.system(clock) as system:

        async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
            found = [await client.get("/openapi.json") for _ in range(3)]
            found += [await client.get("/livez"), await client.get("/readyz")]
            clock.advance(float(found[2].headers["retry-after"]))
            return [*found, await client.get("/openapi.json")]

        answers = asked(system, talk)

    assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 200, 200]
    assert (answers[2].headers["retry-after"], answers[2].json()["transient"]) == ("2", True)


def _talk_over(url: str, sent: bytes) -> bytes:
    """All that comes back until the server closes the connection, or for ten seconds."""
    address = urlsplit(url)
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port), timeout=120) as connection:
        connection.sendall(sent)
        found = b""
        while part := connection.recv(65536):
            found += part
        return found


def test_a_body_of_100_mb_is_refused_before_it_is_read(server: str) -> None:
    """Its declared length is enough: not a byte of it was sent, and the connection is closed."""
    answer = _talk_over(server, HEAD + b"Content-Length: 100000000\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer


def test_a_body_that_does_not_say_how_long_it_is_is_read_up_to_the_limit(server: str) -> None:
    """In pieces, without an end: refused as soon as it is too large."""
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    piece = b"%x\r\n" % 65536 + b"x" * 65536 + b"\r\n"

    answer = _talk_over(server, head + piece * (BODY_LIMIT // 65536 + 1))

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("written", "status"),
    [(r"a\u0000b", 422), (r"\\\u0000", 422), (r"a\\u0000b", 201), (r"\\\\u0000", 201), ("u0000", 201)],
    ids=["NUL", "after a backslash", "only text", "after two backslashes", "letters"],
)
def test_a_nul_in_a_body_is_refused_and_what_only_looks_like_one_is_not(
    system: IntegratedSystem, written: str, status: int
) -> None:
    """PostgreSQL keeps none: told as the asker's mistake, whatever database there is."""
    body = f'{{"matchers": ["dataset=orders"], "until": "2h", "reason": "{written}"}}'

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/api/v1/silences", content=body, headers={"Content-Type": "application/json"})

    answer = asked(system, talk)

    assert (answer.status_code, answer.json().get("error", "")) == (status, "UsageError" if status == 422 else "")


def test_a_body_that_does_not_come_ends_in_a_problem(installation: Installation) -> None:
    """408: a client that sends slowly holds a socket for some seconds, and no thread."""

    def extend(app: FastAPI) -> None:
        (limits,) = [one for one in app.user_middleware if one.cls is Limits]
        limits.kwargs["body_s"] = 0.05

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        app = client._transport.app
        found: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            if not found:
                found.append({})
                return {"type": "http.request", "body": b"{", "more_body": True}
            await asyncio.Event().wait()
            raise AssertionError

        told: list[dict[str, object]] = []

        async def send(message: dict[str, object]) -> None:
            told.append(message)

        headers = [(b"host", b"127.0.0.1"), (b"content-length", b"9"), (b"content-type", b"application/json")]
        scope = {
            "type": "http", "method": "POST", "path": "/livez", "raw_path": b"/livez", "query_string": b"",
            "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "scheme": "http",
            "root_path": "", "http_version": "1.1", "asgi": {"version": "3.0"},
        }  # fmt: skip
        await app(scope, receive, send)
        return httpx.Response(int(str(told[0]["status"])), content=b"".join(m.get("body", b"") for m in told))  # type: ignore[misc]

    with installation.system() as system:
        answer = asked(system, talk, extend=extend)

    assert (answer.status_code, answer.json()["transient"]) == (408, True)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://app.example.org", True), ("https://evil.example.org", False)],
    ids=["named", "other"],
)
def test_pages_of_other_origins_are_let_in_only_when_they_are_named(
    installation: Installation, origin: str, allowed: bool
) -> None:
    """CORS is closed but for `api.cors`: the question a browser asks first is answered with a permission, or none."""
    installation.configure(api={"cors": ["https://app.example.org"]})

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return await client.options("/livez", headers=asks)

    with installation.system() as system:
        answer = asked(system, talk)

    assert (answer.headers.get("access-control-allow-origin") == origin) is allowed


def test_without_a_configured_origin_there_is_no_permission_at_all(server: str) -> None:
    """The answer to any other page's question has no header that lets it in."""
    asks = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "POST"}

    answer = httpx.options(f"{server}/livez", headers=asks)

    assert not [name for name in answer.headers if name.startswith("access-control")]
