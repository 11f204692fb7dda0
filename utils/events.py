"""What happened: an append-only log with a gapless order and a hash chain, and the views projected from it.

The envelope follows CloudEvents 1.0. Each event's hash covers its own canonical form and the hash before it, so a
changed, removed or inserted event breaks the chain from there on; a cut tail shows when the head (`SEQ:HASH`) is kept
elsewhere. Without a key the chain proves order and integrity against accidents and careless hands, not against
somebody who recomputes all hashes.
"""

import hashlib
import os
import sqlite3
import time as _time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Database, StateError, Statement, Writer

GENESIS = "0" * 64

SCHEMA = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time TEXT NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL,
    subject TEXT NOT NULL, data TEXT NOT NULL, version INTEGER NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL);
CREATE UNIQUE INDEX events_by_subject ON events (subject, version);
CREATE INDEX events_by_source ON events (source, seq);
CREATE INDEX events_by_type ON events (type, seq);
CREATE TABLE checkpoints (name TEXT PRIMARY KEY, seq INTEGER NOT NULL)
"""

_SUBJECTS_REMEMBERED = 100_000
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COLUMNS = "seq, id, time, source, type, subject, data, version, prev_hash, hash"


def uuid7(now: float | None = None) -> str:
    """A time-ordered UUID (RFC 9562, version 7): ids that sort as they were made."""
    milliseconds = int((_time.time() if now is None else now) * 1000)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def rfc3339(moment: datetime) -> str:
    """A moment in UTC with microseconds and `Z`, of fixed width, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


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


@dataclass(frozen=True, slots=True)
class Event:
    """A fact as it stands in the log. `version` counts the events of its subject from 1."""

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
        return {name: getattr(self, name) for name in self.__slots__}


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


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found: `fault` names the first event that does not fit, `None` when the chain is whole."""

    events: int
    head: str
    fault: str | None


def canonical(head: Sequence[Any]) -> bytes:
    """The bytes an event's hash covers: its first eight columns, `seq` to `version`, as one JSON array."""
    return orjson.dumps(list(head))


class EventStore:
    """Append, read, follow, verify; and project.

    Args:
        projections: Views that are updated with each event, in the same transaction.
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
        self._head: tuple[int, str] = (0, GENESIS)
        self._versions: dict[str, int] = {}
        self._fresh: list[Event] = []
        self._writer = Writer(database, self._commit, committed=self._committed)

    def append(
        self,
        events: Sequence[NewEvent],
        *,
        statements: Sequence[Statement] = (),
        guard: Callable[[sqlite3.Connection], None] | None = None,
    ) -> "Future[list[Event]]":
        """Append events, and run `statements` with them, as one; the future resolves after the commit.

        `guard` is called in the transaction before anything is written; what it raises refuses this append only.
        """
        return self._writer.submit(_Append(events, statements, guard))

    def read(
        self,
        *,
        after: int = 0,
        limit: int = 1000,
        type: str | None = None,  # noqa: A002 - the envelope's own word
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
        sql = f"SELECT {_COLUMNS} FROM events WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?"  # noqa: S608 - columns are ours, values are bound
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
        rows = self.database.query("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")
        return (rows[0][0], rows[0][1]) if rows else (0, GENESIS)

    def verify(self, expected_head: str | None = None) -> Verification:
        """Recompute the whole chain. `expected_head` is a `SEQ:HASH` kept elsewhere: finds a cut or rewritten tail."""
        before, count, fault = GENESIS, 0, None
        expected_seq, _, expected_hash = (expected_head or "").partition(":")
        for row in self.database.read().execute(f"SELECT {_COLUMNS} FROM events ORDER BY seq"):  # noqa: S608
            seq, *_, prev_hash, found = row
            count += 1
            if seq != count:
                fault = f"event {count} is missing (found {seq})"
            elif prev_hash != before or found != _hash(before, canonical(row[:8])):
                fault = f"event {seq} ({row[4]}, {row[2]}) does not match its hash"
            elif expected_seq == str(seq) and expected_hash != found:
                fault = f"event {seq} is not the one whose hash was kept"
            if fault:
                break
            before = found
        if fault is None and expected_seq and int(expected_seq) > count:
            fault = f"the log ends at {count}, the kept head is {expected_seq}: its tail was cut"
        return Verification(count, f"{count}:{before}", fault)

    def rebuild(self) -> int:
        """Empty every view and replay the log into them; gives the number of events replayed."""
        count = 0
        with self.database.transaction() as connection:
            for projection in self._projections:
                for table in projection.tables:
                    connection.execute(f"DELETE FROM {table}")  # noqa: S608 - table names are ours
            for row in connection.execute(f"SELECT {_COLUMNS} FROM events ORDER BY seq").fetchall():  # noqa: S608
                self._project(connection, _event(row))
                count += 1
        return count

    def close(self) -> None:
        """Commit what waits, then stop the writer."""
        self._writer.close()

    def _commit(self, connection: sqlite3.Connection, work: list[_Append]) -> list[Any]:
        self._catch_up(connection)
        seq, before = self._head
        versions = (
            dict(self._versions) if any(e.expected is not None for w in work for e in w.events) else self._versions
        )
        time = rfc3339(self._clock.now())
        results: list[Any] = []
        rows: list[tuple[Any, ...]] = []
        fresh: list[Event] = []
        statements: list[Statement] = []
        for item in work:
            try:
                if item.guard is not None:
                    item.guard(connection)
                known = self._already(connection, item.events, fresh)
                self._check_expected(connection, item.events, versions)
            except StateError as refused:
                results.append(refused)
                continue
            if known:
                results.append(known)
                continue
            appended: list[Event] = []
            for event in item.events:
                subject = event.subject
                version = versions.get(subject) or self._version(connection, subject)
                versions[subject] = version = version + 1
                seq += 1
                data = orjson.dumps(event.data).decode()
                identity = event.id or uuid7()
                head = (seq, identity, time, event.source, event.type, subject, data, version)
                after = _hash(before, canonical(head))
                rows.append((*head, before, after))
                stored = Event(
                    seq, identity, time, event.source, event.type, subject, event.data, version, before, after
                )
                appended.append(stored)
                before = after
            fresh += appended
            statements += item.statements
            results.append(appended)
        connection.executemany(_INSERT, rows)
        for stored in fresh:
            self._project(connection, stored)
        for sql, parameters in statements:
            connection.execute(sql, parameters)
        self._head, self._versions = (seq, before), versions
        self._fresh = fresh
        return results

    def _committed(self) -> None:
        if self._announce is not None and self._fresh:
            self._announce(self._fresh)

    def _project(self, connection: sqlite3.Connection, event: Event) -> None:
        for projection in self._projections:
            for sql, parameters in projection.apply(event):
                connection.execute(sql, parameters)

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        """Notice what other processes appended since our last commit."""
        row = connection.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        head = row or (0, GENESIS)
        if head != self._head or len(self._versions) > _SUBJECTS_REMEMBERED:
            self._head = head
            self._versions = {}

    def _version(self, connection: sqlite3.Connection, subject: str) -> int:
        row = connection.execute("SELECT max(version) FROM events WHERE subject = ?", (subject,)).fetchone()
        return row[0] or 0

    def _already(
        self, connection: sqlite3.Connection, events: Sequence[NewEvent], fresh: Sequence[Event]
    ) -> list[Event]:
        """The events of an append that stand in the log already, or wait in this very commit."""
        named = {event.id for event in events if event.id}
        known = [event for event in fresh if event.id in named] if named else []
        for identity in named:
            row = connection.execute(f"SELECT {_COLUMNS} FROM events WHERE id = ?", (identity,)).fetchone()  # noqa: S608
            known += [_event(row)] if row else []
        return known

    def _check_expected(
        self, connection: sqlite3.Connection, events: Sequence[NewEvent], versions: dict[str, int]
    ) -> None:
        for event in events:
            if event.expected is not None:
                version = versions.get(event.subject) or self._version(connection, event.subject)
                if version != event.expected:
                    raise ConcurrencyError(
                        f"{event.subject} is at version {version}, not {event.expected}",
                        hint="somebody else changed it: look again, then repeat",
                        transient=True,
                    )


def _hash(before: str, body: bytes) -> str:
    return hashlib.sha256(before.encode() + body).hexdigest()


def _event(row: Sequence[Any]) -> Event:
    seq, identity, time, source, type_, subject, data, version, before, after = row
    return Event(seq, identity, time, source, type_, subject, orjson.loads(data), version, before, after)
