"""What happened: an append-only log with a gapless order and a hash chain, and the views projected from it.

The envelope follows CloudEvents 1.0; `utils/event_chain.py` says what the hashes cover and what they prove.
"""

import os
import sqlite3
import time as _time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import orjson

from utils import event_chain
from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Database, StateError, Statement
from utils.event_chain import GENESIS, Verification, chained
from utils.writer import Writer

__all__ = [
    "GENESIS",
    "SCHEMA",
    "ConcurrencyError",
    "Event",
    "EventStore",
    "NewEvent",
    "Projection",
    "Verification",
    "rfc3339",
    "uuid7",
]

SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time TEXT NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL,
    subject TEXT NOT NULL, data TEXT NOT NULL, version INTEGER NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL);
CREATE UNIQUE INDEX events_by_subject ON events (subject, version);
CREATE INDEX events_by_source ON events (source, seq);
CREATE INDEX events_by_type ON events (type, seq);
CREATE TABLE checkpoints (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID
"""

_SUBJECTS_REMEMBERED = 100_000
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT seq, id, time, source, type, subject, data, version, prev_hash, hash FROM events"
_HEAD = "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"
_CHECKPOINT = "INSERT OR REPLACE INTO checkpoints VALUES (?, ?)"
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def uuid7(now: float | None = None) -> str:
    """A time-ordered UUID (RFC 9562, version 7): ids that sort as they were made. `now` in epoch seconds."""
    return next(uuid7s(1, _time.time() if now is None else now))


def uuid7s(count: int, now: float) -> Iterator[str]:
    """Many ids of one moment, with one call for random bytes."""
    stamp = f"{int(now * 1000):012x}"
    front = f"{stamp[:8]}-{stamp[8:]}-7"
    noise = os.urandom(10 * count).hex()
    for at in range(0, 20 * count, 20):
        yield f"{front}{noise[at : at + 3]}-{_VARIANT[noise[at + 3]]}{noise[at + 4 : at + 7]}-{noise[at + 7 : at + 19]}"


def rfc3339(moment: datetime) -> str:
    """A moment in UTC with microseconds and `Z`, of fixed width, so that text order is time order."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"  # strftime: 9 microseconds, this: 1


class ConcurrencyError(StateError):
    """The subject moved on since the caller looked at it."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A fact to be appended. `data` is JSON and never holds row values; the same `id` twice is one event.

    `expected`: the subject's version the caller has seen; another one refuses the append (`ConcurrencyError`).
    """

    type: str
    subject: str
    data: dict[str, Any] = field(default_factory=dict)
    source: str = "orchestrator"
    id: str = ""
    expected: int | None = None


class Event(NamedTuple):
    """A fact as it stands in the log. `version` counts the events of its subject from 1.

    A tuple, because an append makes three a dataset and a frozen dataclass takes four times as long to make.
    """

    seq: int
    id: str
    time: str
    source: str
    type: str
    subject: str
    data: dict[str, Any]
    version: int
    prev_hash: str
    hash: str

    def to_json(self) -> dict[str, Any]:
        return self._asdict()


class Projection(Protocol):
    """A view kept up to date by the log, in the same transaction; replaying the log must give the same rows."""

    name: str
    tables: Sequence[str]

    def apply(self, event: Event) -> Iterable[Statement]: ...


@dataclass(frozen=True, slots=True)
class _Append:
    events: Sequence[NewEvent]
    statements: Sequence[Statement]
    guard: Callable[[sqlite3.Connection], None] | None


@dataclass(slots=True)
class _Tail:
    """The end of the log as the commit under way moves it; thrown away when that fails."""

    seq: int
    hash: str
    time: str = ""
    ids: Iterator[str] = field(default_factory=lambda: iter(()))
    versions: dict[str, int] = field(default_factory=dict)
    fresh: list[Event] = field(default_factory=list)


class EventStore:
    """Append, read, follow, verify; and project.

    Args:
        projections: Views that are updated with each event, in the same transaction. One that is new, or was not
            kept up by another process, replays what it missed before the next event.
        announce: Called after each commit with the committed events (the bus).
    """

    def __init__(
        self,
        database: Database,
        *,
        projections: Sequence[Projection] = (),
        announce: Callable[[Sequence[Event]], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.database = database
        self._projections = projections
        self._announce = announce
        self._clock = clock
        # The log as our last commit left it, and the versions of its subjects as far as we know them.
        self._head: tuple[int, str] | None = None
        self._versions: dict[str, int] = {}
        self._tail = _Tail(0, GENESIS)
        self._writer = Writer(database, self._commit, committed=self._committed)

    def append(
        self,
        events: Sequence[NewEvent],
        *,
        statements: Sequence[Statement] = (),
        guard: Callable[[sqlite3.Connection], None] | None = None,
    ) -> "Future[list[Event]]":
        """Append events, and run `statements` with them, as one; the future resolves after the commit.

        An event whose id stands in the log is not written again: an append whose named events are all there already
        writes nothing and gives those. `guard` is called in the transaction, after all that was appended before and
        before anything of this is written; what it raises refuses this append only. It may be called twice.

        The future raises:
            ConcurrencyError: a subject is not at the version that an event expects.
            StateError: the log cannot be written; nothing of this append is in it.
        """
        return self._writer.submit(_Append(events, statements, guard))

    def read(
        self,
        *,
        after: int = 0,
        limit: int = 1000,
        type: str | None = None,
        source: str | None = None,
        subject: str | None = None,
        since: str | None = None,
        until: str | None = None,
        newest_first: bool = False,
    ) -> list[Event]:
        """Events after a position, oldest first (or newest first); `type` may end in `.*`; times are RFC 3339."""
        where: list[str] = ["seq > ?"]
        values: list[Any] = [after]
        for column, value in (("source", source), ("subject", subject)):
            if value is not None:
                where.append(f"{column} = ?")
                values.append(value)
        if type is not None:
            where.append("type GLOB ?" if type.endswith("*") else "type = ?")
            values.append(type)
        for operator, moment in ((">=", since), ("<", until)):
            if moment is not None:
                where.append(f"time {operator} ?")
                values.append(moment)
        order = "DESC" if newest_first else "ASC"
        sql = f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?"
        return [_event(row) for row in self.database.query(sql, [*values, limit])]

    def follow(self, *, after: int = 0, poll: float = 0.2, **filters: Any) -> Iterator[Event]:
        """Events after a position, for ever, also those of other processes."""
        while True:
            found = self.read(after=after, **filters)
            yield from found
            if found:
                after = found[-1].seq
            else:
                self._clock.sleep(poll)

    def head(self) -> tuple[int, str]:
        """Position and hash of the newest event; (0, zeros) for an empty log."""
        rows = self.database.query(_HEAD)
        return (rows[0][0], rows[0][1]) if rows else (0, GENESIS)

    def verify(self, expected_head: str | None = None) -> Verification:
        """Recompute the whole chain. `expected_head` is a `SEQ:HASH` kept elsewhere: finds a cut or rewritten tail."""
        with self.database.read() as connection:
            return event_chain.verify(connection.execute(f"{_SELECT} ORDER BY seq"), expected_head=expected_head)

    def rebuild(self) -> int:
        """Empty every view and replay the log into them; gives the number of events replayed."""
        count = 0
        with self.database.transaction() as connection:
            for projection in self._projections:
                count = _replay(connection, projection, after=None)
        return count

    def close(self) -> None:
        """Commit what waits, then stop the writer."""
        self._writer.close()

    def _commit(self, connection: sqlite3.Connection, work: list[_Append]) -> list[Any]:
        """Write each append after the one before it, so that a guard sees all that came earlier."""
        tail = self._tail = _Tail(*self._catch_up(connection))
        now = self._clock.now()
        tail.time = rfc3339(now)
        tail.ids = uuid7s(sum(len(item.events) for item in work), now.timestamp())
        results = [self._append_one(connection, item) for item in work]
        if tail.fresh:
            connection.executemany(_CHECKPOINT, [(projection.name, tail.seq) for projection in self._projections])
        return results

    def _append_one(self, connection: sqlite3.Connection, item: _Append) -> list[Event] | StateError:
        try:
            known = self._known(connection, item.events)
            if known and all(event.id in known for event in item.events if event.id):
                return [known[event.id] for event in item.events if event.id]
            if item.guard is not None:
                item.guard(connection)
            self._check_expected(connection, item.events)
        except StateError as refused:
            return refused
        execute = connection.cursor().execute
        result: list[Event] = []
        for event in item.events:
            stored = known.get(event.id)
            if stored is None:
                stored = self._write(execute, event)
                if event.id:
                    known[event.id] = stored
            result.append(stored)
        for sql, parameters in item.statements:
            execute(sql, parameters)
        return result

    def _write(self, execute: Callable[..., Any], event: NewEvent) -> Event:
        """Put an event at the end of the log and into the views."""
        tail, subject, data = self._tail, event.subject, _encoded(event)
        seq, before = tail.seq + 1, tail.hash
        version = self._version(execute, subject) + 1
        identity = event.id or next(tail.ids)
        after = chained(before, (seq, identity, tail.time, event.source, event.type, subject, version), data)
        start, end = (seq, identity, tail.time, event.source, event.type, subject), (version, before, after)
        execute(_INSERT, (*start, data.decode(), *end))
        stored = Event._make((*start, event.data, *end))
        for projection in self._projections:
            for sql, parameters in projection.apply(stored):
                execute(sql, parameters)
        tail.seq, tail.hash = seq, after
        tail.versions[subject] = version
        tail.fresh.append(stored)
        return stored

    def _committed(self) -> None:
        tail = self._tail
        if not tail.fresh:
            return
        self._head = (tail.seq, tail.hash)
        self._versions.update(tail.versions)
        if len(self._versions) > _SUBJECTS_REMEMBERED:
            self._versions.clear()
        if self._announce is not None:
            self._announce(tail.fresh)

    def _catch_up(self, connection: sqlite3.Connection) -> tuple[int, str]:
        """The head of the log. When others moved it, what we knew is forgotten and late projections replay."""
        head: tuple[int, str] = connection.execute(_HEAD).fetchone() or (0, GENESIS)
        if head != self._head:
            self._head = None  # until we have committed: a rollback would take the replay back too
            self._versions.clear()
            reached = dict(connection.execute("SELECT name, seq FROM checkpoints").fetchall())
            for projection in self._projections:
                if reached.get(projection.name) != head[0]:
                    _replay(connection, projection, after=reached.get(projection.name))
        return head

    def _version(self, execute: Callable[..., Any], subject: str) -> int:
        version = self._tail.versions.get(subject) or self._versions.get(subject)
        if version is None:
            (version,) = execute("SELECT max(version) FROM events WHERE subject = ?", (subject,)).fetchone()
        return version or 0

    def _known(self, connection: sqlite3.Connection, events: Sequence[NewEvent]) -> dict[str, Event]:
        """Those of the named events that stand in the log already, by id."""
        found = {}
        for event in events:
            if event.id:
                for row in connection.execute(f"{_SELECT} WHERE id = ?", (event.id,)):
                    found[event.id] = _event(row)
        return found

    def _check_expected(self, connection: sqlite3.Connection, events: Sequence[NewEvent]) -> None:
        for event in events:
            if event.expected is not None:
                version = self._version(connection.execute, event.subject)
                if version != event.expected:
                    raise ConcurrencyError(
                        f"{event.subject} is at version {version}, not {event.expected}",
                        hint="somebody else changed it: look again, then repeat",
                        transient=True,
                    )


def _replay(connection: sqlite3.Connection, projection: Projection, *, after: int | None) -> int:
    """Apply the events after a checkpoint (without one: all of them, to empty tables); gives how many."""
    if after is None:
        for table in projection.tables:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - table names are ours
    reached, count = after or 0, 0
    for row in connection.execute(f"{_SELECT} WHERE seq > ? ORDER BY seq", (reached,)):
        event = _event(row)
        for sql, parameters in projection.apply(event):
            connection.execute(sql, parameters)
        reached, count = event.seq, count + 1
    connection.execute(_CHECKPOINT, (projection.name, reached))
    return count


def _encoded(event: NewEvent) -> bytes:
    try:
        return orjson.dumps(event.data)
    except TypeError as error:
        raise TypeError(f"{event.type} of {event.subject}: its data cannot be written as JSON: {error}") from error


def _event(row: Sequence[Any]) -> Event:
    try:
        data = orjson.loads(row[6])
    except orjson.JSONDecodeError as error:
        raise StateError(
            f"event {row[0]}: its data is not JSON", hint="it was changed after it was written: see `events verify`"
        ) from error
    return Event._make((*row[:6], data, *row[7:]))
