"""The engine at work: it follows the log, does what is due, and commits what came of it.

What it remembers, how far it has read and the events that it appends are one commit: after a kill nothing is missing
and nothing comes twice. Several processes may do this to one log; one of them works, and who acts on an incident in
another process (`acting`) finds its change kept, as each commit is refused when another came before it.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeVar

import orjson

from monitoring.alerting.core import Core
from monitoring.alerting.explaining import Finding
from monitoring.alerting.memory import LOOK, NEVER, Memory
from monitoring.alerting.setup import Setup
from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Connection, StateError
from utils.events import EventStore
from utils.events.cursors import Cursor, CursorLost, Cursors
from utils.events.event import rfc3339
from utils.logger import get_logger

__all__ = ["NAME", "IncidentEngine"]

T = TypeVar("T")

NAME = "incidents"
"""Of its cursor."""

PAGE = 500
STANDBY_S = 1.0
FARTHEST_S = 3600.0  # nothing is due for so long: look again then
MOVE_EVERY_S = 1.0
JUMP_S = 60.0  # by so much our clock must have moved against the time that went by
_DAY = timedelta(days=1)  # what an installation that had no incidents so far looks back to

_GENERATION = "SELECT body FROM alerting WHERE kind = 'meta'"
_TYPES_SINCE = "SELECT kind, name, newest FROM names WHERE (kind = 'type' AND newest > ?) OR kind = 'log'"


class _Stale(StateError):
    """Somebody else changed what is remembered."""


class IncidentEngine:
    """Makes incidents of the log's events. Thread-safe.

    Args:
        setup: Built when it is first needed.
        probe: Looks at ourselves; called when several providers go down together, with those of them that are asked
            over the internet. It may take seconds.
    """

    def __init__(
        self,
        events: EventStore,
        cursors: Cursors,
        setup: Callable[[], Setup],
        *,
        probe: Callable[[Sequence[str]], Finding | None] = lambda _: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._events = events
        self._cursors = cursors
        self._make_setup = setup
        self._probe = probe
        self._clock = clock
        self._core: Core | None = None
        self._cursor: Cursor | None = None
        self._moved_at = self._moved_to = 0.0
        self._told = set[str]()  # rules that ask for fields which events do not have
        self._read: tuple[float, float] | None = None  # wall and monotonic time of the last look
        self._lock = threading.RLock()

    def step(self, *, hurry: bool = False) -> float:
        """Take what is new and do what is due; gives the seconds until something is due again.

        Args:
            hurry: Nothing more will come soon (a run is over): do not wait for what may be told together.

        Raises:
            StateError: the database is in trouble; nothing is lost.
        """
        with self._lock:
            if self._cursor is None:
                self._cursor = self._cursors.take(NAME, "**", start="beginning")
            if self._cursor is None:
                return STANDBY_S
            try:
                self._step(hurry=hurry)
                self._move()
            except CursorLost:
                self._cursor = None
                return STANDBY_S
            due = self._core.memory.due if self._core is not None else NEVER
            return max(0.0, min(FARTHEST_S, due - self._clock.time()))

    def change(self, act: Callable[[Core, float], T]) -> T:
        """What `act` does to the state, committed; it may be called again when somebody else was quicker.

        Raises:
            StateError: the database is in trouble; nothing was changed.
        """
        with self._lock:
            while True:
                core = self._loaded()
                now = self._clock.time()
                try:
                    found = act(core, max(core.memory.meta.now, now))
                    self._commit(core)
                    return found
                except _Stale:
                    self._core = None
                except BaseException:
                    self._core = None
                    raise

    def look(self, ask: Callable[[Core], T]) -> T:
        """What `ask` reads of the state as it is now; it must not change it."""
        with self._lock:
            return ask(self._loaded())

    def close(self) -> None:
        """Let another process do this."""
        with self._lock:
            cursor, self._cursor = self._cursor, None
            if cursor is not None and self._core is not None:
                self._cursors.release(cursor, self._core.memory.meta.seq)

    # --- details ----------------------------------------------------------------------------------

    def _step(self, *, hurry: bool) -> None:
        while True:
            core = self._loaded()
            try:
                self._look_at_clock(core)
                while self._take_page(core):
                    self._commit(core)
                now = self._clock.time()
                core.tick(now)
                if core.memory.meta.probe_at is not None and now >= core.memory.meta.probe_at:
                    core.explaining.probed(self._look_at_ourselves(core), now)
                if hurry:
                    core.tick(now, hurry=True)
                self._commit(core)
                return
            except _Stale:
                self._core = None
            except BaseException:
                self._core = None
                raise

    @cached_property
    def _setup(self) -> Setup:
        return self._make_setup()

    def _loaded(self) -> Core:
        """The state as it stands in the database."""
        if self._core is not None and not self._is_stale(self._core):
            return self._core
        memory = Memory.load(self._events.database.query(LOOK))
        core = self._core = Core(self._setup, memory)
        now = self._clock.time()
        if not memory.meta.generation:
            self._begin(memory, now)
        elif memory.meta.now > now + JUMP_S:
            self._jumped(core, now - memory.meta.now)
        if self._cursor is not None:  # what came to nothing is not remembered, but it was read
            memory.meta.seq = max(memory.meta.seq, self._cursor.seq)
        core.acts.tidy(max(memory.meta.now, now))
        return core

    def _begin(self, memory: Memory, now: float) -> None:
        """An installation that had no incidents: what is wrong since yesterday counts, what is over is not told."""
        since = rfc3339(self._clock.now() - _DAY)
        first = self._events.read(since=since, limit=1)
        head = self._events.head()[0]
        memory.meta.seq = first[0].seq - 1 if first else head
        memory.meta.quiet_until = head

    def _is_stale(self, core: Core) -> bool:
        rows = self._events.database.query(_GENERATION)
        return _generation(rows) != core.memory.meta.generation

    def _take_page(self, core: Core) -> bool:
        """Whether there were events."""
        memory, head = core.memory, self._events.head()[0]
        if head <= memory.meta.seq:
            return False
        kinds = self._kinds_since(memory.meta.seq)
        if kinds is not None and not any(map(core.concerns, kinds)):
            memory.meta.seq = head
            return False
        page = self._events.read(after=memory.meta.seq, limit=PAGE)
        now = self._clock.time()
        for event in page:
            try:
                core.take(event, now)
            except Exception as error:  # noqa: BLE001 - told with its traceback; what else is wrong is told all the same
                get_logger("alerting").error("incidents.event_passed_over", seq=event.seq, reason=str(error), exc=error)
        for rule in core.untold.keys() - self._told:
            get_logger("alerting").warning("rule.unknown_field", rule=rule, fields=core.untold[rule])
            self._told.add(rule)
        if not page:
            memory.meta.seq = head
        return bool(page)

    def _kinds_since(self, seq: int) -> list[str] | None:
        """The types of the events after a position; None: that is not known."""
        rows = self._events.database.query(_TYPES_SINCE, (seq,))
        known = max((newest for kind, _, newest in rows if kind == "log"), default=0)
        if known < self._events.head()[0]:
            return None
        return [name for kind, name, _ in rows if kind == "type"]

    def _commit(self, core: Core) -> None:
        """Write what came of it, if anything did."""
        memory, news = core.memory, core.drain()
        if not news and not memory.changed and memory.meta.generation:
            return
        expected = memory.meta.generation

        def is_as_it_was(connection: Connection) -> None:
            if _generation(connection.execute(_GENERATION).fetchall()) != expected:
                raise _Stale("incidents were changed by another process meanwhile")

        self._events.append(news, statements=memory.statements(), guard=is_as_it_was)
        memory.written()

    def _move(self) -> None:
        """Have the cursor say how far we are; the log keeps what comes after it."""
        assert self._cursor is not None
        assert self._core is not None
        now, seq = self._clock.monotonic(), self._core.memory.meta.seq
        if seq != self._moved_to and now - self._moved_at >= MOVE_EVERY_S:
            self._cursors.move(self._cursor, seq)
            self._moved_to, self._moved_at = seq, now

    def _look_at_ourselves(self, core: Core) -> Finding | None:
        try:
            return self._probe(core.explaining.over_the_internet())
        except Exception as error:  # noqa: BLE001 - told; then it is not us, as far as we know
            get_logger("alerting").error("incidents.probe_failed", reason=str(error), exc=error)
            return None

    def _look_at_clock(self, core: Core) -> None:
        """Notice that our clock was set."""
        wall, monotonic = self._clock.time(), self._clock.monotonic()
        if self._read is not None:
            jumped = (wall - self._read[0]) - (monotonic - self._read[1])
            if abs(jumped) > JUMP_S:
                self._jumped(core, jumped)
        self._read = wall, monotonic

    def _jumped(self, core: Core, seconds: float) -> None:
        core.shift(seconds)
        core.news.clock_jumped(seconds)


def _generation(rows: Sequence[Sequence[Any]]) -> int:
    return int(orjson.loads(rows[0][0])["generation"]) if rows else 0
