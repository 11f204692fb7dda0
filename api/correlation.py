"""Around every request: its id, its error in words, its end within its time, its line in the log."""

import asyncio
import re
from typing import TYPE_CHECKING

from api.problems import STOPS, STOPS_HINT, problem, problem_of
from operations.api import get_logger, new_request_id, request_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from integrated_system import IntegratedSystem

__all__ = ["Correlation"]

ANSWER_S = 60.0
"""Until then an answer has begun, or it is a problem; how long a stream lasts is another matter."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_TAKEN = re.compile(rb"[A-Za-z0-9._:-]{1,64}")


class Correlation:
    """The outermost layer: nothing gets out of here but an answer.

    `X-Request-ID` is taken from the request, or made; it is in the answer, in each log record and each event of what
    the request does.

    Args:
        changed: Called before the answer to what may have changed something goes out.
        stopping: Set once the server is told to end: what is cancelled then is told so.
    """

    def __init__(
        self,
        app: "ASGIApp",
        system: "IntegratedSystem",
        changed: "Callable[[], None]",
        stopping: asyncio.Event,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._app = app
        self._changed = changed
        self._stopping = stopping
        self._system = system
        self._answer_s = answer_s
        self._log = get_logger("api")
        self._monotonic = system.clock.monotonic

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        identity = given.decode() if _TAKEN.fullmatch(given) else new_request_id(self._system)
        scope.setdefault("state", {})["request_id"] = identity
        token = request_id.set(identity)
        try:
            if scope["type"] == "websocket":
                await self._talk(scope, receive, send)
            else:
                await self._answer(scope, receive, send, identity.encode())
        finally:
            request_id.reset(token)

    async def _talk(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            self._log.error("api.cut", path=scope["path"], reason=type(error).__name__, exc=error)
            raise  # the server closes the socket

    async def _answer(self, scope: "Scope", receive: "Receive", send: "Send", identity: bytes) -> None:
        began, status = self._monotonic(), 0
        within = asyncio.timeout(self._answer_s)
        failed: BaseException | None = None

        async def told(message: "Message") -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if failed is None:
                    within.reschedule(None)
                if scope["method"] not in SAFE:
                    self._changed()
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", identity),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            async with within:
                await self._app(scope, receive, told)
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
            failed = asyncio.CancelledError()  # the server has waited long enough
        except Exception as error:
            if status:  # too late for another answer: the server cuts the connection, and the asker notices
                self._log.error("api.cut", path=scope["path"], reason=type(error).__name__, exc=error)
                raise
            failed = error
        if failed is not None and not status:
            if isinstance(failed, asyncio.CancelledError):
                instead = problem(scope, 503, STOPS, hint=STOPS_HINT, transient=True, headers={"Connection": "close"})
            elif isinstance(failed, TimeoutError) and within.expired():
                words = f"no answer within {self._answer_s:g} s"
                instead = problem(scope, 504, words, hint="ask for less", transient=True)
            else:
                assert isinstance(failed, Exception), "the only other one is the end of the server"
                instead = problem_of(scope, failed, redacted=self._system.loaded.known.redacted)
            await instead(scope, receive, told)
        self._tell(scope, status, began)

    def _tell(self, scope: "Scope", status: int, began: float) -> None:
        """The path without its query: that may hold a token."""
        tell = self._log.warning if status >= 500 else self._log.debug
        if scope["method"] not in SAFE and status < 500:
            tell = self._log.info
        seconds = round(self._monotonic() - began, 6)
        tell("api.answered", method=scope["method"], path=scope["path"], status=status, duration_s=seconds)
