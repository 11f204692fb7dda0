"""A commit of the log: what several callers want to be appended, with its links and views, in one transaction."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from utils.clock import Clock
from utils.database import Connection, Database, StateError, Statement, StatementRefused
from utils.events.chain import GENESIS
from utils.events.event import Event, NewEvent, OwnIds, encoded, events_of, stamp
from utils.events.links import name_anew
from utils.events.newest import Newest
from utils.events.projections import ProjectionFailed, Projections
from utils.events.rows import (
    INSERT,
    INSERT_NEXT,
    INSERT_TOGETHER,
    LOG,
    NAMES,
    NEWEST,
    PUT_NAME,
    PUT_NAMES_OF_ONE,
    every,
    names,
    records,
    stored,
)
from utils.events.signing import Secrets
from utils.events.tail import Tail, linked
from utils.turn import TURN

__all__ = ["Append", "Commits", "ConcurrencyError", "Guard"]

_NEWEST: Statement = (NEWEST, ())
_COLUMNS_OF_NAMES = 4

Guard = Callable[[Connection], None]


class ConcurrencyError(StateError):
    """The subject moved on since the caller looked at it."""


class Append(NamedTuple):
    """What one caller wants to be written as one."""

    events: Sequence[NewEvent]
    statements: Sequence[Statement] = ()
    guard: Guard | None = None


def _named(event: Event) -> tuple[int, str, str, str, int]:
    return event.seq, event.source, event.type, event.subject, event.version


class Commits:
    """Writes appends to the log of a database; one commit at a time.

    Args:
        announce: Called after each commit with the committed events.
    """

    def __init__(
        self,
        database: Database,
        projections: Projections,
        secrets: Secrets,
        *,
        announce: Callable[[Sequence[Event]], None] | None,
        clock: Clock,
    ) -> None:
        self._database = database
        self._projections = projections
        self._secrets = secrets
        self._announce = announce
        self._clock = clock
        # The log as our last commit left it, and the newest events of its names as far as we know them.
        self._head: tuple[int, str] | None = None
        self._newest = Newest()
        self._change: NewEvent | None = None  # what has to be said first, once another secret signs
        self._tail = Tail(0, GENESIS, Newest(), now=0.0, ids=(), secret=b"")
        self._lone: Event | None = None  # written by itself, without a tail
        self._ids = OwnIds()

    def commit(self, work: Sequence[Append]) -> list[Any]:
        """Write each append after the one before it, so that a guard sees all that came earlier.

        A view that fails takes nobody along: the transaction is undone, and done again without it.
        """
        together = True
        data = [encoded(item.events) for item in work]  # before the others have to wait for us
        while True:
            try:
                if (done := self._commit_next(work, data)) is not None:
                    return done
                return self._commit_once(work, data, together=together)
            except ProjectionFailed as failure:
                self._projections.set_aside(failure)
            except StatementRefused:
                if not (together and self._database.batches):
                    raise
                together = False  # one after the other, which tells whose statement it was

    def _commit_next(self, work: Sequence[Append], data: Sequence[Sequence[bytes]]) -> list[Any] | None:
        """Write a lone event without a look at the log before: its insert proves that nobody else has appended.

        None: nothing was written, it takes the look. Most appends are such, and it takes a fifth of their time.
        """
        events, statements, guard = work[0]
        if len(work) > 1 or len(events) != 1 or guard is not None or self._head is None or self._database.batches:
            return None
        event = events[0]
        links = self._newest.links(event)
        if links is None or event.id or event.expected is not None:
            return None
        (last, before), now = self._head, self._clock.time()
        place = (last + 1, self._ids.one(last + 1, now), stamp(now), before)
        row, fresh = linked(event, data[0][0], place, links, self._secrets.newest, named=0)
        try:
            with self._database.transaction_reading(()) as (connection, _), TURN:
                connection.execute(INSERT_NEXT, row)
                connection.execute(PUT_NAMES_OF_ONE, _named(fresh))
                self._projections.apply(connection, [fresh])
                for sql, parameters in statements:
                    connection.execute(sql, parameters)
                self._projections.checkpoint(connection, fresh.seq)
                self._database.announce(connection)
        except StatementRefused:
            return None  # whatever it was, the careful way will say
        self._lone = fresh
        return [[fresh]]

    def _commit_once(self, work: Sequence[Append], data: Sequence[Sequence[bytes]], *, together: bool) -> list[Any]:
        database = self._database
        events = work[0].events if len(work) == 1 else [event for item in work for event in item.events]
        reads = [_NEWEST]
        if ids := [event.id for event in events if event.id]:
            reads += stored(every(ids))
        if database.batches:  # asking for what may be known already costs nothing there; asking later does
            reads += names(*Newest().lacking(events))
        with (
            database.transaction_reading(reads, together=together and database.batches) as (connection, found),
            nullcontext() if database.batches else TURN,
        ):
            head, named_anew = self._catch_up(connection, found[0])
            if self._change is not None:
                work, data = [Append([self._change]), *work], [encoded([self._change]), *data]
                events = [self._change, *events]
            secret = self._secrets.newest
            now = self._clock.time()
            ids = self._ids.take(head[0] + 1, len(events), now)
            self._tail = Tail(*head, Newest(), now=now, ids=ids, secret=secret)
            self._look_up(
                connection, events, found[1:], ask=self._change is not None or named_anew or not database.batches
            )
            results = self._append_all(connection, work, data)
            return results if self._change is None else results[1:]

    def _append_all(self, connection: Connection, work: Sequence[Append], data: Sequence[Sequence[bytes]]) -> list[Any]:
        results = [self._append_one(connection, *one) for one in zip(work, data, strict=True)]
        self._write(connection)
        if self._tail.fresh:
            self._projections.checkpoint(connection, self._tail.seq)
            self._database.announce(connection)
        return results

    def _append_one(self, connection: Connection, item: Append, data: Sequence[bytes]) -> list[Event] | StateError:
        tail = self._tail
        known = tail.known
        if known and all(event.id in known for event in item.events if event.id) and any(e.id for e in item.events):
            return [known[event.id] for event in item.events if event.id]
        try:
            if item.guard is not None:
                self._write(connection)
                item.guard(connection)
            self._check_expected(item.events)
        except StateError as refused:
            return refused
        result = tail.add(item.events, data)
        if item.statements:
            self._write(connection)
            for sql, parameters in item.statements:
                connection.execute(sql, parameters)
        return result

    def _write(self, connection: Connection) -> None:
        """Bring what was appended so far into the table and the views."""
        if self._tail.rows:
            tail = self._tail
            rows, events = tail.unwritten()
            if self._database.batches:
                named = tail.newest.rows(events)
                connection.execute(INSERT_TOGETHER, (records(NAMES, named), records(LOG, rows)))
            elif len(rows) == 1:
                connection.execute(INSERT, rows[0])
                connection.execute(PUT_NAMES_OF_ONE, _named(events[0]))
            else:
                connection.executemany(INSERT, rows)
                connection.executemany(PUT_NAME, tail.newest.rows(events))
            self._projections.apply(connection, events)

    def committed(self) -> None:
        """After a commit: what was written is known, and announced."""
        written: Sequence[Event] = self._tail.fresh
        if self._lone is not None:
            written, self._lone = [self._lone], None
            self._newest.moved(written[0])
        elif written:
            self._change = None
            self._newest.update(self._tail.newest)
        else:
            return
        self._head = (written[-1].seq, written[-1].hash)
        if self._announce is not None:
            self._announce(written)

    def _catch_up(self, connection: Connection, newest: Sequence[Sequence[Any]]) -> tuple[tuple[int, str], bool]:
        """The head of the log; and whether the table of names was made anew, as somebody had changed the log by hand.

        When others moved the head, what we knew is forgotten and late views replay.
        """
        head = (newest[0][0], newest[0][9]) if newest else (0, GENESIS)
        anew = False
        if head != self._head:
            self._head = None  # until we have committed: a rollback would take the replay back too
            self._newest.clear()
            if anew := (newest[0][10] if newest else -1) != head[0]:
                name_anew(connection, head[0])
            self._change = self._secrets.change(connection, newest[0] if newest else None)
            self._projections.catch_up(connection, head[0])
        return head, anew

    def _look_up(
        self, connection: Connection, events: Sequence[NewEvent], found: Sequence[list[Any]], *, ask: bool
    ) -> None:
        """What the log has of these events' ids and names; `found`: what was asked when the commit began."""
        tail = self._tail
        for answer in found:
            if answer and len(answer[0]) == _COLUMNS_OF_NAMES:
                if not ask:
                    self._newest.note(answer)
            else:
                tail.known.update((event.id, event) for event in events_of(answer))
        tail.newest = newest = self._newest.of(events)
        lacking = newest.lacking(events)
        if ask:
            for statement in names(*lacking):
                newest.note(connection.execute(*statement).fetchall())
        newest.note_new(lacking)

    def _check_expected(self, events: Sequence[NewEvent]) -> None:
        for event in events:
            if event.expected is not None and (version := self._tail.newest.versions[event.subject]) != event.expected:
                raise ConcurrencyError(
                    f"{event.subject} is at version {version}, not {event.expected}",
                    hint="somebody else changed it: look again, then repeat",
                    transient=True,
                )
