"""One consumer at work on the log, a step at a time: read, hand over, move the cursor; failures are tried again."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from utils.clock import SYSTEM_CLOCK, Clock
from utils.event_patterns import check, matches
from utils.events.cursors import Cursor, CursorLost, Cursors, Start
from utils.events.event import Event
from utils.events.store import EventStore
from utils.one_line import one_line

if TYPE_CHECKING:
    import asyncio  # 3 MB: for those who have an `async def`

__all__ = ["Consumer", "Following", "FollowingFigures"]

PAGE = 100
"""Events that are read at once; the cursor moves after each page, and at least every second."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
IDLE_S = 5.0  # should news ever be missed
STANDBY_S = 1.0  # how soon a consumer whose owner died is taken over
SKIPPED = 500  # events of other types after which the cursor is written though there was nothing to handle
MOVE_EVERY_S = 1.0

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Somebody who follows the log.

    The handler is called in order, at least once for each event: after a kill it may see its last ones again, so it
    must do no harm twice (the id of an event tells whether it was here before). It may be `async def`.

    Attributes:
        name: Its cursor is kept under it, also over restarts: letters, digits, `.`, `_`, `-`; at most 64.
        handler: Called with an event; with `batch`, with a list of them.
        pattern: Which types it wants: `run.finished`, `run.*` (one segment), `run.**`, `**`.
        start: Where a consumer begins that was never seen before: at the `head` of the log, or at its `beginning`.
        batch: The most events a call gets; None: one event a call, not a list.
        park_after: So many failures of one event, and the consumer goes on without it; None: it tries for ever, which
            keeps the order. What may pass by itself (an error whose `transient` is true) is never parked.

    Raises:
        ValueError: one of these is not as described.
    """

    name: str
    handler: Callable[[Any], object]
    pattern: str = "**"
    start: Start = "head"
    batch: int | None = None
    park_after: int | None = None

    def __post_init__(self) -> None:
        check(self.pattern)
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"consumer {self.name!r}: a name has up to 64 of a-z, 0-9, `.`, `_`, `-`")
        if self.start not in ("head", "beginning"):
            raise ValueError(f"consumer {self.name}: start must be head or beginning; got {self.start!r}")
        for setting, value in (("batch", self.batch), ("park_after", self.park_after)):
            if value is not None and value < 1:
                raise ValueError(f"consumer {self.name}: {setting} must be at least 1; got {value}")


@dataclass(slots=True)
class FollowingFigures:
    """What a consumer did in this process: events handled, calls that raised, events parked."""

    handled: int = 0
    failed: int = 0
    parked: int = 0


class Following:
    """Works for one consumer. `step` is called again and again, by one thread.

    Args:
        redacted: Masks known secrets in what a handler says.

    Attributes:
        stopping: Set by others: leave as soon as the handler has come back.
        deaf: News makes no difference now: it waits for a pause to be over, or for the consumer to become free.
    """

    def __init__(
        self,
        consumer: Consumer,
        store: EventStore,
        cursors: Cursors,
        *,
        clock: Clock = SYSTEM_CLOCK,
        redacted: Callable[[str], str] = str,
    ) -> None:
        self.consumer = consumer
        self.figures = FollowingFigures()
        self.cursor: Cursor | None = None
        self.stopping = False
        self.deaf = False
        self._store = store
        self._cursors = cursors
        self._clock = clock
        self._redacted = redacted
        self._loop: asyncio.Runner | None = None
        handler = consumer.handler
        self._is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
        self._handled = self._written = 0  # positions: as we know it, and as the table does
        self._written_at = 0.0
        self._failed = self._attempts = 0
        self._again_at = 0.0
        self._alone_until = 0  # after a batch failed, its events go one by one: that tells which of them it was

    def step(self) -> float:
        """Do some work; gives the seconds until the next step is due, 0.0: at once. News may bring it forward.

        Raises:
            StateError: the database is in trouble; what was done may be done again.
        """
        self.deaf = False
        if self.cursor is None and not self._take():
            self.deaf = True
            return STANDBY_S
        if (left := self._again_at - self._clock.monotonic()) > 0:
            self.deaf = True
            return left
        try:
            return self._work()
        except CursorLost:
            self.cursor = None
            self.deaf = True
            return STANDBY_S

    def close(self) -> None:
        """Let another process have the consumer."""
        cursor, self.cursor = self.cursor, None
        try:
            if cursor is not None:
                self._cursors.release(cursor, self._handled)
        finally:
            if self._loop is not None:
                self._loop.close()

    def _take(self) -> bool:
        wanted = self.consumer
        cursor = self.cursor = self._cursors.take(wanted.name, wanted.pattern, start=wanted.start)
        if cursor is None:
            return False
        self._handled = self._written = cursor.seq
        self._failed, self._attempts = cursor.failed, cursor.attempts
        self._written_at, self._again_at = self._clock.monotonic(), 0.0
        return True

    def _work(self) -> float:
        self._retry_parked()
        # The head first: what is behind it can only be added at its end, so all up to it is seen by the read below.
        head = self._store.head()[0]
        if head <= self._handled:
            return IDLE_S
        page = self._store.read(after=self._handled, limit=PAGE, type=_prefix(self.consumer.pattern))
        last = page[-1].seq if len(page) == PAGE else max(head, page[-1].seq if page else 0)
        wanted = [event for event in page if matches(self.consumer.pattern, event.type)]
        if wanted:
            assert self.cursor is not None
            self._cursors.check(self.cursor)
        done = 0
        while done < len(wanted) and not self.stopping:
            size = 1 if wanted[done].seq <= self._alone_until else self.consumer.batch or 1
            some = wanted[done : done + size]
            error = self._call(some)
            if error is not None:
                return self._note_failure(some, error)
            done += len(some)
            self._handled = some[-1].seq
            self._failed = self._attempts = 0
            if self._clock.monotonic() - self._written_at >= MOVE_EVERY_S:
                self._write()
        if done == len(wanted):
            self._handled = last
        if done or self._handled - self._written >= SKIPPED:
            self._write()
        return 0.0

    def _write(self) -> None:
        assert self.cursor is not None
        if self._handled != self._written:
            self._cursors.move(self.cursor, self._handled)
        self._written, self._written_at = self._handled, self._clock.monotonic()

    def _call(self, events: Sequence[Event]) -> Exception | SystemExit | None:
        """Hand over; gives what the handler raised."""
        argument = events[0] if self.consumer.batch is None else list(events)
        try:
            answer = self.consumer.handler(argument)
            if self._is_async:
                if self._loop is None:
                    import asyncio

                    self._loop = asyncio.Runner()
                self._loop.run(answer)  # type: ignore[arg-type]  # an `async def` gives a coroutine
            elif inspect.iscoroutine(answer):
                answer.close()
                raise TypeError(f"consumer {self.consumer.name}: its handler returned a coroutine; give an `async def`")
        except (Exception, SystemExit, _cancelled()) as error:  # noqa: BLE001 - told, and tried again
            self.figures.failed += 1
            return error if isinstance(error, Exception | SystemExit) else RuntimeError("the handler was cancelled")
        self.figures.handled += len(events)
        return None

    def _note_failure(self, events: Sequence[Event], error: Exception | SystemExit) -> float:
        assert self.cursor is not None
        first = events[0]
        self._attempts = self._attempts + 1 if self._failed == first.seq else 1
        self._failed = first.seq
        if len(events) > 1:
            self._alone_until = events[-1].seq
        told = self._words(error)
        most = self.consumer.park_after
        if len(events) == 1 and most is not None and self._attempts >= most and not _may_pass(error):
            self._cursors.park(self.cursor, first, attempts=self._attempts, error=told)
            self.figures.parked += 1
            self._handled = self._written = first.seq
            self._failed = self._attempts = 0
            return 0.0
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._attempts - 1, 10))
        self._again_at = self._clock.monotonic() + pause
        self._cursors.move(self.cursor, self._handled, failed=first.seq, attempts=self._attempts, error=told)
        self._written = self._handled
        self.deaf = True
        return pause

    def _retry_parked(self) -> None:
        assert self.cursor is not None
        for parked in self._cursors.due(self.consumer.name):
            found = self._store.read(after=parked.seq - 1, limit=1)
            if not found or found[0].id != parked.id:
                self._cursors.settle(self.cursor, parked, error="the event is not in the log any more")
                continue
            error = self._call(found)
            self._cursors.settle(self.cursor, parked, error="" if error is None else self._words(error))

    def _words(self, error: BaseException) -> str:
        return one_line(self._redacted(f"{type(error).__name__}: {error}"), 500)


def _may_pass(error: BaseException) -> bool:
    return bool(getattr(error, "transient", False))


def _prefix(pattern: str) -> str | None:
    """What of a pattern the log's own index can look for: the whole type, or its beginning."""
    if "*" not in pattern:
        return pattern
    start = pattern.partition("*")[0]
    return f"{start}*" if start else None


def _cancelled() -> type[BaseException]:
    from asyncio import CancelledError

    return CancelledError
