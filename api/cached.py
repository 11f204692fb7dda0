"""Answers to reads, kept as bytes: made once for a burst of readers, and anew when the state moved or time went by.

What is asked for again and again costs a look into a map. Whether something was committed, by any process, is heard by
one thread (`News`), so nobody asks the database for it.
"""

import asyncio
import contextlib
import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api.asking import Asking
from api.negotiation import wanted
from integrated_system import IntegratedSystem

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["Answered", "CachedReads", "Ready", "read"]

FRESH_S = 1.0
"""An answer holds ages: it is made anew after this time, while readers still get the one before."""

STALE_S = 2.0
"""No reader is given an answer older than this, but waits for the new one."""

SHARE = 4.0
LONGEST_PAUSE_S = 0.25
"""While others commit without a pause, answers are made anew a fifth of the time at most, and at least so often."""

KEPT = 256
GZIP_FROM = 1024
LISTEN_S = 60.0
JSON = "application/json"


class Answered(NamedTuple):
    """What a read may give whose status is not always 200."""

    body: Any
    status: int


class Ready(Response):
    """An answer made once and sent many times: its bytes, packed as well, and its `ETag`."""

    def __init__(self, body: bytes, media_type: str = JSON, *, status: int = 200) -> None:
        super().__init__(body, status, media_type=media_type)
        self.etag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'  # weak: the same for packed and not
        kept = [(b"content-type", media_type.encode()), (b"etag", self.etag.encode())]
        kept += [(b"cache-control", b"no-cache"), (b"vary", b"Accept, Accept-Encoding, Authorization")]
        self._plain = [*kept, (b"content-length", str(len(body)).encode())]
        self._same = kept
        self._packed: tuple[bytes, list[tuple[bytes, bytes]]] | None = None
        if len(body) >= GZIP_FROM:
            packed = gzip.compress(body, compresslevel=5, mtime=0)
            encoding = [(b"content-encoding", b"gzip"), (b"content-length", str(len(packed)).encode())]
            self._packed = (packed, [*kept, *encoding])

    @classmethod
    def of(cls, made: Any, media_type: str = JSON, *, status: int = 200) -> "Ready":
        """Of text, bytes, or what can be written as JSON."""
        if isinstance(made, Answered):
            made, status = made
        if isinstance(made, str):
            made = made.encode()
        return cls(made if isinstance(made, bytes) else orjson.dumps(made), media_type, status=status)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        status, body, headers = self.status_code, bytes(self.body), self._plain
        asked = dict(scope["headers"])
        seen = asked.get(b"if-none-match") if status == 200 else None
        if seen is not None and self._is_known(seen.decode("latin-1")):
            status, body, headers = 304, b"", self._same
        elif self._packed is not None and b"gzip" in asked.get(b"accept-encoding", b""):
            body, headers = self._packed
        # A list of its own for each: whoever adds a header on the way out adds it to this one.
        await send({"type": "http.response.start", "status": status, "headers": [*headers]})
        await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})

    def _is_known(self, seen: str) -> bool:
        tags = {tag.strip().removeprefix("W/") for tag in seen.split(",")}
        return "*" in tags or self.etag.removeprefix("W/") in tags


class _Answer:
    """What is kept of one question."""

    __slots__ = ("cost", "made_at", "making", "of", "ready")

    def __init__(self) -> None:
        self.ready: Ready | None = None
        self.of = (-1, -1)
        self.made_at = self.cost = 0.0
        self.making: asyncio.Task[Ready] | None = None


class CachedReads:
    """The kept answers of one application.

    Without `listen` nobody hears of commits, and every answer is made anew, once for all who ask meanwhile.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._clock = asking.system.clock
        self._answers: OrderedDict[object, _Answer] = OrderedDict()
        self._news: _News | None = None
        self._written = 0

    def listen(self) -> None:
        """Begin to hear of commits."""
        self._news = _News(self._asking.system)

    def close(self) -> None:
        if self._news is not None:
            self._news.close()
            self._news = None

    @property
    def heard(self) -> int | None:
        """Grows whenever something may have been committed, by any process; None: nobody listens."""
        return None if self._news is None else self._written + self._news.count

    @property
    def own_changes(self) -> int:
        """Grows whenever something was changed through this application."""
        return self._written

    def written(self) -> None:
        """Something was changed through this application: its next reader sees it."""
        self._written += 1

    async def get(self, key: object, make: Callable[[IntegratedSystem], Any], media_type: str) -> Ready:
        """The answer kept under `key`, or made anew; `make` gives JSON, text or bytes, in a thread."""
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = _Answer()
            if len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        else:
            self._answers.move_to_end(key)
        if self._news is None:
            return await self._made(answer, make, media_type)
        of = (self._written, self._news.count)
        age = self._clock.monotonic() - answer.made_at
        if answer.ready is not None and age < STALE_S and (answer.of == of or self._may_wait(answer, age)):
            if age >= FRESH_S:
                self._begin(answer, make, media_type)
            return answer.ready
        return await self._made(answer, make, media_type)

    def _may_wait(self, answer: _Answer, age: float) -> bool:
        """Whether an answer that others made old is still given: what this application changed is seen at once."""
        return answer.of[0] == self._written and age < min(LONGEST_PAUSE_S, SHARE * answer.cost)

    async def _made(self, answer: _Answer, make: Callable[[IntegratedSystem], Any], media_type: str) -> Ready:
        """What is being made is waited for, if it was begun after the last change; else one more is made after it."""
        of = (self._written, self._news.count if self._news is not None else 0)
        while True:
            begun = answer.making is None
            task = self._begin(answer, make, media_type)
            ready = await asyncio.shield(task)
            if begun or answer.of >= of:
                return ready

    def _begin(
        self, answer: _Answer, make: Callable[[IntegratedSystem], Any], media_type: str
    ) -> "asyncio.Task[Ready]":
        if answer.making is None:
            answer.making = asyncio.create_task(self._make(answer, make, media_type))
            answer.making.add_done_callback(_retrieved)
        return answer.making

    async def _make(self, answer: _Answer, make: Callable[[IntegratedSystem], Any], media_type: str) -> Ready:
        of = (self._written, self._news.count if self._news is not None else 0)
        began = self._clock.monotonic()
        try:
            answer.ready = await self._asking.call(lambda: Ready.of(make(self._asking.system), media_type))
            answer.of = of
            answer.made_at = self._clock.monotonic()
            answer.cost = answer.made_at - began
            return answer.ready
        finally:
            answer.making = None


async def read(request: Request, make: Callable[[IntegratedSystem], Any], *, media_type: str = JSON) -> Response:
    """Answer a read: `return await read(request, lambda system: status(system).to_json())`.

    The path and the query string are what the answer is kept under: `make` may depend on nothing else.

    Raises:
        Refused: 406, the asker does not take `media_type`.
    """
    scope = request.scope
    wanted(request, (media_type.partition(";")[0],))
    kept: CachedReads = scope["app"].state.cached
    return await kept.get((scope["path"], scope["query_string"], media_type), make, media_type)


def _retrieved(task: "asyncio.Task[Ready]") -> None:
    """A failure that nobody waited for is told by the next who asks."""
    if not task.cancelled():
        task.exception()


class _News:
    """Counts how often something was committed, in a thread of its own; reading the count costs nothing."""

    def __init__(self, system: IntegratedSystem) -> None:
        self.count = 0
        self._closed = False
        self._ear = system.database.news()
        self._thread = threading.Thread(target=self._listen, name="api-news", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed = True
        self._ear.close()
        self._thread.join()

    def _listen(self) -> None:
        pause = threading.Event()
        while not self._closed:
            heard = True
            try:
                heard = self._ear.wait(LISTEN_S)
            except Exception:  # noqa: BLE001 - the database is away: each answer is made anew, and tells of it
                with contextlib.suppress(Exception):
                    pause.wait(0.5)
            self.count += heard
