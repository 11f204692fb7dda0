"""`Idempotency-Key` on POST: asked twice, done once, answered the same.

Kept for 24 hours in the main database, so another process, or this one after a restart, gives the same answer. A key is
one actor's: another's request with it is another request.
"""

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request

from api.asking import Asking
from api.problems import Refused, problem_of
from operations.api import Answers, Claim, Kept, answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from integrated_system import IntegratedSystem

__all__ = ["Idempotency"]

R = TypeVar("R")

WAIT_S = 10.0
"""How long a second request waits for the answer of the first."""

LOST_S = 120.0
"""Nobody answers after this time: who claimed the key was killed."""

LOOK_S = (0.02, 0.2)
"""Seconds between two looks: at first, and later."""

NOT_KEPT = frozenset({401, 403, 408, 409, 429, 503})
"""With these answers nothing was done: another try may succeed."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = frozenset({"content-type", "location", "retry-after"})


class Idempotency:
    """Wraps the routes; what has no such header costs one look."""

    def __init__(self, app: "ASGIApp", system: "IntegratedSystem", asking: Asking) -> None:
        self._app = app
        self._asking = asking
        self._system = system

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        given = request.headers.get("idempotency-key")
        if given is None:
            await self._app(scope, receive, send)
            return
        if not _KEY.fullmatch(given):
            raise Refused(422, "Idempotency-Key: 1 to 255 visible ASCII characters", hint="a UUID will do")
        key, asked = await self._named(request, given)
        claim = await self._claim(key, asked)
        if not claim.same:
            words = "Idempotency-Key: another request had this key before"
            raise Refused(422, words, hint="make a new key for each thing that is to be done")
        if claim.ours:
            await self._do(key, scope, receive, send)
        elif claim.answer is not None:
            await _again(claim.answer, send)
        elif claim.age_s >= LOST_S:
            words = "the first request with this key was interrupted; whether it took effect is not known"
            raise Refused(409, words, hint="look at the state, and take another key if it is to be done")
        else:
            words = "the first request with this key is still at work"
            raise Refused(409, words, hint="ask again in a moment", headers={"Retry-After": "1"})

    async def _named(self, request: Request, given: str) -> tuple[str, str]:
        """What the answer is kept under, and a fingerprint of the request."""
        from api.security import actor

        who = await actor(request)
        body: bytes = request.scope.get("state", {}).get("body", b"")
        asked = hashlib.sha256(request.scope["query_string"] + b"\n" + body).hexdigest()
        parts = (who.name, who.role, request.scope["path"], given)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest(), asked

    async def _claim(self, key: str, asked: str) -> Claim:
        """The key, or what the first request with it was answered, once it is."""
        over, pause = self._system.clock.monotonic() + WAIT_S, LOOK_S[0]
        claim = await self._with(lambda kept: kept.claim(key, asked))
        while not claim.ours and claim.same and claim.answer is None and claim.age_s < LOST_S:
            if self._system.clock.monotonic() >= over:
                break
            await asyncio.sleep(pause)
            pause = min(LOOK_S[1], pause * 1.5)
            claim = await self._with(lambda kept: kept.look(key, asked))
        return claim

    async def _do(self, key: str, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Let the route answer, and keep that before it goes out: who got an answer gets it again."""
        status = 0
        headers: list[tuple[bytes, bytes]] = []
        parts: list[bytes] = []

        async def collect(message: "Message") -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        try:
            await self._app(scope, receive, collect)
        except Exception as error:  # noqa: BLE001 - told as any error, and kept as any answer
            await problem_of(scope, error, redacted=self._system.loaded.known.redacted)(scope, receive, collect)
        body = b"".join(parts)
        told = [(name.decode().lower(), value.decode("latin-1")) for name, value in headers]
        if status in NOT_KEPT:
            await self._with(lambda kept: kept.free(key))
        elif status != 504:  # then it is still at work
            wanted = tuple((name, value) for name, value in told if name in _KEPT_HEADERS)
            answer = Kept(status, wanted, body.decode("utf-8", "replace"))
            await self._with(lambda kept: kept.keep(key, answer))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _with(self, work: "Callable[[Answers], R]") -> R:
        return await self._asking.call(lambda: work(answers(self._system)))


async def _again(answer: Kept, send: "Send") -> None:
    body = answer.body.encode()
    headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
    headers += [(b"content-length", str(len(body)).encode()), (b"idempotent-replayed", b"true")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
