"""Views that the log keeps up to date: in the transaction of each event, or replayed when they are behind.

A view that fails is left where it is and named; the log and the other views go on.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from utils.database import Connection, StateError, Statement, StatementRefused, upsert
from utils.events.event import Event, Fact, facts_of
from utils.events.rows import FACTS, pages
from utils.logger import get_logger
from utils.table_copy import copy_tables

__all__ = ["Beginning", "Behind", "Projection", "ProjectionFailed", "ProjectionFigures", "Projections"]

SLOW_S = 1.0
"""Seconds of one commit from which on a view is told to be slow: all who append wait for it."""

_REACHED = "SELECT name, seq FROM checkpoints"
_CHECKPOINT = upsert("checkpoints", "name, seq", key="name")


class Projection(Protocol):
    """A view kept up to date by the log, in the same transaction; replaying the log must give the same rows.

    What `apply` is given has `seq`, `time`, `type`, `subject` and `data`; in a replay nothing else (`Fact`).

    Attributes:
        types: Of the events that change it; it is not bothered with others. None: any may.
    """

    name: str
    tables: Sequence[str]

    @property
    def types(self) -> Collection[str] | None: ...

    def apply(self, event: Any) -> Iterable[Statement]: ...


class ProjectionFailed(Exception):
    """A view could not take an event: the transaction has to be done again without it."""

    def __init__(self, name: str, seq: int, cause: Exception) -> None:
        super().__init__(f"view {name}: event {seq}: {type(cause).__name__}: {cause}")
        self.name = name


@dataclass(slots=True)
class ProjectionFigures:
    """How a view does in this process.

    Attributes:
        seconds: Spent on it; `slowest`: in one commit at most.
        failed: Why it is left behind, "" when it is not.
    """

    name: str
    events: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Behind:
    """A view that is not up to date: `seq` is the last event it has. `reason`: what this process knows of it."""

    name: str
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Beginning:
    """The views as event `seq` left them, in a SQLite: where a replay may begin."""

    seq: int
    views: Connection


Replay = Callable[[Connection, int], Iterator[list[Fact]]]
"""The log after a position, in order, some thousand events at a time."""


def from_table(connection: Connection, after: int) -> Iterator[list[Fact]]:
    """A log of which nothing was sealed."""
    return map(facts_of, pages(connection, after, columns=FACTS))


class Projections:
    """Applies events to the views that are well.

    Args:
        explain: Of the database they are in.
        log: What is replayed into a view that is behind.
    """

    def __init__(
        self,
        projections: Sequence[Projection],
        *,
        explain: Callable[[Exception], StateError | None],
        log: Replay = from_table,
    ) -> None:
        self._explain = explain
        self._log = log
        self._all = tuple(projections)
        self._count_well(self._all)
        self.figures = {one.name: ProjectionFigures(one.name) for one in self._all}

    def apply(self, connection: Connection, events: Sequence[Event | Fact]) -> None:
        """Bring the views up to date with `events`, one view after the other.

        Raises:
            ProjectionFailed: a view raised, or its statement was refused; nothing of this transaction may stay.
        """
        for projection in self._well:
            figures = self.figures[projection.name]
            mine = _of_types(events, projection.types)
            figures.events += len(events)
            if not mine:
                continue  # most views have nothing to do with most events
            seconds = self._apply_to(connection, projection, mine)
            if seconds > SLOW_S >= figures.slowest:
                get_logger("events").warning("view.slow", view=projection.name, events=len(events), seconds=seconds)
            figures.slowest = max(figures.slowest, seconds)

    def checkpoint(self, connection: Connection, seq: int) -> None:
        """Say that the views are up to date with event `seq`. `catch_up` has made their rows."""
        if self._well:
            # One statement for all: with a row each, a lone append took a twelfth more.
            connection.execute(self._moved, (seq, *self._names))

    def catch_up(self, connection: Connection, head: int) -> None:
        """Replay what views missed: they are new, or another process without them wrote."""
        reached = dict(connection.execute(_REACHED).fetchall())
        for projection in self._well:
            if reached.get(projection.name) != head:
                self._replay(connection, projection, after=reached.get(projection.name))

    def behind(self, reached: Mapping[str, int], head: int) -> list[Behind]:
        """The views that are not up to date with the log. `reached`: what the checkpoints say."""
        late = [one.name for one in self._all if reached.get(one.name, 0) < head]
        return [Behind(name, reached.get(name, 0), self.figures[name].failed) for name in late]

    def try_all_again(self) -> None:
        """Count every view as well, also those that failed."""
        self._count_well(self._all)
        for figures in self.figures.values():
            figures.failed = ""

    def rebuild(self, connection: Connection, beginning: Beginning | None = None) -> int:
        """Empty every view that is well and replay the log into it; gives the number of events.

        Args:
            beginning: In the place of empty tables and the first event.

        Raises:
            ProjectionFailed: as `apply`.
        """
        if beginning is None:
            return max((self._replay(connection, one, after=None) for one in self._well), default=0)
        count = 0
        for one in self._well:
            copy_tables(beginning.views, connection, like=beginning.views, only=one.tables)
            count = max(count, self._replay(connection, one, after=beginning.seq))
        return count

    def set_aside(self, failure: ProjectionFailed) -> None:
        """Go on without a view, until it is rebuilt or the next process tries it again."""
        self.figures[failure.name].failed = str(failure)
        get_logger("events").error("view.left_behind", view=failure.name, reason=str(failure))
        self._count_well(tuple(one for one in self._well if one.name != failure.name))

    def _count_well(self, well: tuple[Projection, ...]) -> None:
        self._well = well
        self._names = tuple(one.name for one in well)
        marks = ", ".join("?" * len(well))
        self._moved = f"UPDATE checkpoints SET seq = ? WHERE name IN ({marks})"  # noqa: S608 - marks

    def _replay(self, connection: Connection, projection: Projection, *, after: int | None) -> int:
        """Apply the events after a checkpoint (without one: all of them, to empty tables); gives how many."""
        if after is None:
            for table in projection.tables:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - table names are ours
        reached, count = after or 0, 0
        for events in self._log(connection, reached):
            self._apply_to(connection, projection, _of_types(events, projection.types))
            self.figures[projection.name].events += len(events)
            reached, count = events[-1].seq, count + len(events)
        connection.execute(_CHECKPOINT, (projection.name, reached))
        return count

    def _apply_to(self, connection: Connection, projection: Projection, events: Sequence[Event | Fact]) -> float:
        figures, began = self.figures[projection.name], time.perf_counter()
        seq = 0
        try:
            for event in events:
                seq = event.seq
                for sql, parameters in projection.apply(event):
                    connection.execute(sql, parameters)
        except Exception as error:
            told = self._explain(error)
            if told is not None and not isinstance(told, StatementRefused):
                raise  # the database is in trouble, not the view
            raise ProjectionFailed(projection.name, seq, error) from error
        seconds = time.perf_counter() - began
        figures.seconds += seconds
        return seconds


def _of_types(events: Sequence[Event | Fact], types: Collection[str] | None) -> Sequence[Event | Fact]:
    return events if types is None else [event for event in events if event.type in types]
