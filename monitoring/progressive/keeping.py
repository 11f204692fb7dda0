"""What the monitor tells and sees is kept: notices as events, figures in the history. By one process a machine.

Nothing here waits: a database that is slow or away does not keep the monitor from looking. What could not be written is
tried again, and of what waits too long the oldest goes.
"""

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitoring.progressive.levels import Level
from monitoring.progressive.notices import Notice
from monitoring.progressive.report import Report
from monitoring.progressive.running_out import KINDS, Replenished, RunsOut
from monitoring.progressive.snapshot import Snapshot
from monitoring.progressive.states import RESOURCES, Resource
from utils.clock import Clock
from utils.database import StateError, Statement
from utils.events.event import NewEvent, uuid7
from utils.events.lasting import lasts
from utils.file_lock import FileLock
from utils.host.history import HostPoints
from utils.logger import get_logger

if TYPE_CHECKING:
    from concurrent.futures import Future

    from utils.events import EventStore

__all__ = ["HostKeeper", "Told"]

ASK_AGAIN_S = 15.0
"""Seconds until a process that does not keep looks whether it may by now."""

TRY_AGAIN_S = 5.0
"""Seconds until what could not be written is tried again."""

MOST_WAITING = 1000
"""Events that wait for a database that is away, and minutes of figures."""


class Told:
    """What the log says last: the level, what is overloaded or runs out, or that watching cost too much."""

    def __init__(self, events: "EventStore") -> None:
        changed = _newest(events, "host.level_changed", "host")
        self.level = Level(changed["after"]) if changed.get("after") in set(Level) else None
        self.overloaded = frozenset[Resource](
            name for name in RESOURCES if lasts(events, name, "host.overloaded", "host.relieved")
        )
        self.throttled = _newest(events, "host.throttled", "host").get("stretch", 1) != 1
        self.filling = lasts(events, "disk", "host.disk_filling", "host.disk_relieved")
        self.running_out = frozenset(name for name in KINDS if lasts(events, name, RunsOut.type, Replenished.type))


class HostKeeper:
    """Listens to the monitor; writes in the background. Not thread-safe: called by the monitor's thread.

    Args:
        events: The log; opened when there is something to write.
        lock: A file that the process that keeps holds locked; the kernel frees it when that dies.
    """

    def __init__(self, events: "Callable[[], EventStore]", *, lock: Path, clock: Clock) -> None:
        self._events, self._lock, self._clock = events, lock, clock
        self._log = get_logger("monitor")
        self._held = ExitStack()
        self._asked: float | None = None
        self.keeps = False
        self._points = HostPoints()
        self._waiting: deque[NewEvent] = deque(maxlen=MOST_WAITING)
        self._figures: deque[tuple[Statement, ...]] = deque(maxlen=MOST_WAITING)
        self._under_way: Future[Any] | None = None
        self._tried: tuple[list[NewEvent], list[tuple[Statement, ...]]] = ([], [])
        self._not_before = 0.0

    def begin(self) -> Told | None:
        """Keep from now on, if nobody else does; gives once what the log says, None: it is as it was.

        Raises:
            StateError: the log cannot be read.
        """
        now = self._clock.monotonic()
        if self.keeps or (self._asked is not None and 0.0 <= now - self._asked < ASK_AGAIN_S):
            return None
        self._asked = now
        with ExitStack() as held:
            try:
                held.enter_context(FileLock(self._lock, within=0))
            except BlockingIOError:
                return None
            told = Told(self._events())
            self._held = held.pop_all()
        self.keeps = True
        return told

    def take(self, one: Snapshot | Notice | Report) -> None:
        """Note what the monitor has seen or told."""
        if isinstance(one, Snapshot):
            statements = self._points.note(one, one.at)
            if statements and self.keeps:
                self._figures.append(statements)
        elif self.keeps and not isinstance(one, Report):
            # Tried twice, it is one event.
            self._waiting.append(replace(one.to_event(), id=uuid7(self._clock.time())))

    def write(self) -> None:
        """Hand over what waits to the writer, without waiting for it."""
        if self._under_way is not None:
            if not self._under_way.done():
                return
            self._look_back(self._under_way)
        if (self._waiting or self._figures) and self._clock.monotonic() >= self._not_before:
            self._tried = list(self._waiting), list(self._figures)
            self._waiting.clear()
            self._figures.clear()
            events, figures = self._tried
            try:
                self._under_way = self._events().submit(events, statements=[one for each in figures for one in each])
            except StateError as error:
                self._failed(error)

    def close(self) -> None:
        """Write the rest, and let another process keep.

        Raises:
            StateError: it cannot be written.
        """
        with self._held:
            if self._under_way is not None:
                try:
                    self._under_way.result()
                except StateError as error:
                    self._failed(error)
                self._under_way = None
            if not self.keeps:
                return
            self.keeps = False
            statements = [*(one for each in self._figures for one in each), *self._points.rest()]
            if self._waiting or statements:
                self._events().append(list(self._waiting), statements=statements)

    def _look_back(self, under_way: "Future[Any]") -> None:
        self._under_way = None
        error = under_way.exception()
        if isinstance(error, StateError):
            self._failed(error)
        elif error is not None:
            raise error

    def _failed(self, error: StateError) -> None:
        """What was tried waits again, before what came meanwhile."""
        events, figures = self._tried
        self._waiting = deque([*events, *self._waiting], MOST_WAITING)
        self._figures = deque([*figures, *self._figures], MOST_WAITING)
        self._not_before = self._clock.monotonic() + TRY_AGAIN_S
        self._log.warning("host.not_kept", events=len(self._waiting), minutes=len(self._figures), reason=str(error))


def _newest(events: "EventStore", type: str, subject: str) -> dict[str, Any]:
    found = events.read(subject=subject, type=type, newest_first=True, limit=1)
    return found[0].data if found else {}
