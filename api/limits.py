"""What one client may ask for: how often, how much, in which form, and how slowly.

Looked at before anything of the request is understood. The bodies of our operations are small, so each is read whole
before anybody works with it: a client that sends slowly holds a socket, and no thread.
"""

import asyncio
import re
from math import ceil
from typing import TYPE_CHECKING, Any

from api.problems import STOPS, problem
from api.security import KNOWN
from operations.api import limiter

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from integrated_system import IntegratedSystem

__all__ = ["BODY_LIMIT", "Limits"]

BODY_LIMIT = 2**20
"""Bytes of one body."""

BODY_S = 10.0
"""A body has come whole within this time."""

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""Written in JSON; after a backslash that is one itself, it is text."""

NEVER_LIMITED = frozenset({"/livez", "/readyz", "/metrics"})
"""Who watches us asks at its own pace, and must not be sent away when others ask too much."""


class Limits:
    """Sends away who asks too often (429) or sends too much (413), too slowly (408) or no JSON (415)."""

    def __init__(
        self, app: "ASGIApp", system: "IntegratedSystem", stopping: asyncio.Event, body_s: float = BODY_S
    ) -> None:
        self._app = app
        self._stopping = stopping
        self._limiter = limiter(system)
        self._body_s = body_s

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["path"] not in NEVER_LIMITED and KNOWN not in scope.get("extensions", {}):
            client = scope.get("client")
            grant = self._limiter.acquire(client[0] if client else "")
            if not grant:
                await self._refuse(scope, receive, send, grant.retry_after)
                return
        if kind == "http" and (declared := _declared(scope)) is not None:
            await self._with_body(scope, receive, send, declared)
            return
        await self._app(scope, receive, send)

    async def _refuse(self, scope: "Scope", receive: "Receive", send: "Send", after: float) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1013, "reason": "asked too often"})
            return
        words = {"hint": "wait as long as `Retry-After` says, or raise `api.rate_limit`", "error": "RateLimitedError"}
        headers = {"Retry-After": str(max(1, ceil(after)))}
        told = problem(scope, 429, "asked too often", transient=True, headers=headers, **words)
        await told(scope, receive, send)

    async def _with_body(self, scope: "Scope", receive: "Receive", send: "Send", declared: int) -> None:
        hint = f"a body has {BODY_LIMIT:,} bytes at most"
        closing = {"Connection": "close"}
        if declared > BODY_LIMIT:
            told = problem(scope, 413, f"the body has {declared:,} bytes", hint=hint, headers=closing)
            await told(scope, receive, send)
            return
        try:
            body = await self._whole(receive)
        except TimeoutError:
            words = f"the body had not come within {self._body_s:g} s"
            await problem(scope, 408, words, hint="send it at once", transient=True, headers=closing)(
                scope, receive, send
            )
            return
        except _Stops:
            told = problem(scope, 503, STOPS, hint="ask again once it is there", transient=True, headers=closing)
            await told(scope, receive, send)
            return
        if body is None:
            return  # the client is gone
        if len(body) > BODY_LIMIT:
            await problem(scope, 413, "the body is too large", hint=hint, headers=closing)(scope, receive, send)
            return
        if body and not _is_json(scope):
            told = problem(scope, 415, "the body is not declared as JSON", hint="send `Content-Type: application/json`")
            await told(scope, receive, send)
            return
        if b"\\u0000" in body and _NUL.search(body):
            told = problem(scope, 422, "a NUL stands in the body", hint="no text has one", error="UsageError")
            await told(scope, receive, send)  # PostgreSQL keeps none
            return
        scope.setdefault("state", {})["body"] = body
        await self._app(scope, _Again(body, receive), send)

    async def _whole(self, receive: "Receive") -> bytes | None:
        """The body; None: the client left. Waits no longer than it may take, nor when the server is to end."""
        reading = asyncio.ensure_future(_whole(receive))
        if not reading.done():
            await asyncio.sleep(0)  # most bodies have come with their head
        if reading.done():
            return reading.result()
        ending = asyncio.ensure_future(self._stopping.wait())
        try:
            async with asyncio.timeout(self._body_s):
                await asyncio.wait((reading, ending), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise _Stops
            return reading.result()
        finally:
            reading.cancel()
            ending.cancel()


class _Stops(Exception):
    """The server is to end."""


class _Again:
    """Gives the body that was read, once; then whatever the client does next."""

    def __init__(self, body: bytes, receive: "Receive") -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> "Message":
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._receive()


def _declared(scope: "Scope") -> int | None:
    """How long the body says it is; 0: it does not say; None: there is none."""
    length: int | None = None
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value) if value.isdigit() else 0
        elif name == b"transfer-encoding":
            return 0
    return length or None


async def _whole(receive: "Receive") -> bytes | None:
    """The body, cut where it is too large; None when the client left."""
    parts: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_LIMIT or not message.get("more_body", False):
            return b"".join(parts)


def _is_json(scope: "Scope") -> bool:
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    media = kind.partition(b";")[0].strip().lower()
    return bool(media == b"application/json" or (media.startswith(b"application/") and media.endswith(b"+json")))
