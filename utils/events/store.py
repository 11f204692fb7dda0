"""The log: append, read, verify; its views go with it in the same transaction."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from typing import Any, NamedTuple

import orjson

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Connection, Database, StateError, Statement, StatementRefused
from utils.events import rows
from utils.events.archive import Archive
from utils.events.chain import GENESIS, Verification
from utils.events.event import Event, NewEvent, encoded, events_of
from utils.events.finding import found
from utils.events.links import mend, name_anew
from utils.events.newest import Newest
from utils.events.projections import Behind, Projection, ProjectionFailed, ProjectionFigures, Projections
from utils.events.proof import proven
from utils.events.rows import (
    HEAD,
    INSERT,
    INSERT_NEXT,
    INSERT_TOGETHER,
    NEWEST,
    PUT_NAME,
    PUT_NAMES_OF_ONE,
    every,
    names,
    stored,
)
from utils.events.signing import NO_SECRETS, Secrets
from utils.events.tail import Tail
from utils.events.wanted import Wanted
from utils.events.writer import Writer
from utils.turn import TURN

__all__ = ["ConcurrencyError", "EventStore"]

_NEWEST: Statement = (NEWEST, ())
_COLUMNS_OF_NAMES = 4
_LOOK_AGAIN_S = 5.0  # should news ever be missed

Guard = Callable[[Connection], None]


class ConcurrencyError(StateError):
    """The subject moved on since the caller looked at it."""


class _Append(NamedTuple):
    events: Sequence[NewEvent]
    statements: Sequence[Statement] = ()
    guard: Guard | None = None


def _named(event: Event) -> tuple[int, str, str, str, int]:
    return event.seq, event.source, event.type, event.subject, event.version


class EventStore:
    """Append, read, verify; and project.

    Args:
        projections: Views that are updated with each event, in the same transaction. One that is new, or was not
            kept up by another process, replays what it missed before the next event.
        archive: Where the sealed part of the log is read; without one, no part of it may be sealed.
        secrets: Sign the chain.
        announce: Called after each commit with the committed events (the bus).
    """

    def __init__(
        self,
        database: Database,
        *,
        projections: Sequence[Projection] = (),
        archive: Archive | None = None,
        secrets: Secrets = NO_SECRETS,
        announce: Callable[[Sequence[Event]], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.database = database
        self.archive = archive
        log = rows.pages if archive is None else archive.pages
        self._projections = Projections(projections, explain=database.explain, log=log)
        self.secrets = secrets
        self._announce = announce
        self._clock = clock
        # The log as our last commit left it, and the newest events of its names as far as we know them.
        self._head: tuple[int, str] | None = None
        self._newest = Newest()
        self._change: NewEvent | None = None  # what has to be said first, once another secret signs
        self._tail = Tail(0, GENESIS, Newest(), now=0.0, count=0, secret=b"")
        self._writer = Writer(self._commit, committed=self._committed, name=database.name)

    def append(
        self, events: Sequence[NewEvent], *, statements: Sequence[Statement] = (), guard: Guard | None = None
    ) -> list[Event]:
        """Append events, and run `statements` with them, as one; come back once they are committed.

        An event whose id stands in the log is not written again: an append whose named events are all there already
        writes nothing and gives those. `guard` is called in the transaction, after all that was appended before and
        before anything of this is written; what it raises refuses this append only. It may be called twice.

        Raises:
            ConcurrencyError: a subject is not at the version that an event expects.
            StateError: the log cannot be written; nothing of this append is in it.
        """
        appended: list[Event] = self._writer.write(_Append(events, statements, guard))
        return appended

    def submit(
        self, events: Sequence[NewEvent], *, statements: Sequence[Statement] = (), guard: Guard | None = None
    ) -> "Future[list[Event]]":
        """The same without waiting: the future gives, or raises, what `append` would, after the commit."""
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
        wanted = Wanted(after, 0, type, source, subject, since, until)
        if self.archive is not None:
            return events_of(self.archive.read(wanted, limit, newest_first=newest_first))
        return events_of(found(self.database, wanted, limit, newest_first=newest_first))

    def follow(self, *, after: int = 0, **filters: Any) -> Iterator[Event]:
        """Events after a position, for ever, as any process commits them; a database that is away is waited for.

        Raises:
            StateError: the log cannot be read, and waiting would not help.
        """
        news = self.database.news()
        try:
            while True:
                try:
                    found = self.read(after=after, **filters)
                except StateError as error:
                    if not error.transient:
                        raise
                    found = []
                yield from found
                if found:
                    after = found[-1].seq
                else:
                    news.wait(_LOOK_AGAIN_S)
        finally:
            news.close()

    def head(self) -> tuple[int, str]:
        """Position and hash of the newest event; (0, zeros) for an empty log."""
        found = self.database.query(HEAD)
        return (found[0][0], found[0][1]) if found else (0, GENESIS)

    def verify(self, expected_head: str | None = None) -> Verification:
        """Recompute the whole chain. `expected_head` is a `SEQ:HASH` kept elsewhere: finds a cut or rewritten tail."""
        return proven(self.database, self.archive, self.secrets, expected_head)

    def rebuild(self) -> int:
        """Empty every view and replay the log into them; gives the number of events replayed.

        The links along which events are found are mended first, where they are wrong.

        A view that fails stays as it is (`views_behind` names it); the others are rebuilt. Nobody appends meanwhile.
        """
        self._projections.try_all_again()
        while True:
            try:
                with self.database.transaction() as connection:
                    head = connection.execute(HEAD).fetchall()
                    mend(connection, head[0][0] if head else 0)
                    return self._projections.rebuild(connection)
            except ProjectionFailed as failure:
                self._projections.set_aside(failure)

    def views_behind(self) -> list[Behind]:
        """The views that cannot be brought up to date with the log, each with its reason. Those that can, are."""
        if self._views_behind():
            self.append([])  # replays what they missed; one that fails is named by that
        return self._views_behind()

    def _views_behind(self) -> list[Behind]:
        # The head first: what is appended between the two questions puts a view ahead of it, which is well.
        head = self.head()[0]
        reached = dict(self.database.query("SELECT name, seq FROM checkpoints"))
        return self._projections.behind(reached, head)

    def projections(self) -> list[ProjectionFigures]:
        """How the views do in this process: what they cost, and which of them failed."""
        return list(self._projections.figures.values())

    def close(self) -> None:
        """Commit what waits, then stop the writer."""
        self._writer.close()

    # --- a commit -----------------------------------------------------------------------------

    def _commit(self, work: Sequence[_Append]) -> list[Any]:
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
                if not (together and self.database.batches):
                    raise
                together = False  # one after the other, which tells whose statement it was

    def _commit_next(self, work: Sequence[_Append], data: Sequence[Sequence[bytes]]) -> list[Any] | None:
        """Write a lone event without a look at the log before: its insert proves that nobody else has appended.

        None: nothing was written, it takes the look. Most appends are such, and it takes a fifth of their time.
        """
        events, statements, guard = work[0]
        if len(work) > 1 or len(events) != 1 or guard is not None or self._head is None or self.database.batches:
            return None
        event = events[0]
        newest = self._newest.of_one(event)
        if newest is None or event.id or event.expected is not None:
            return None
        self._tail = tail = Tail(*self._head, newest, now=self._clock.time(), count=1, secret=self.secrets.newest)
        try:
            with self.database.transaction_reading(()) as (connection, _), TURN:
                done = tail.add(events, data[0])
                rows, fresh = tail.unwritten()
                connection.execute(INSERT_NEXT, rows[0])
                connection.execute(PUT_NAMES_OF_ONE, _named(fresh[0]))
                self._projections.apply(connection, fresh)
                for sql, parameters in statements:
                    connection.execute(sql, parameters)
                self._projections.checkpoint(connection, tail.seq)
                self.database.announce(connection)
        except StatementRefused:
            return None  # whatever it was, the careful way will say
        return [done]

    def _commit_once(self, work: Sequence[_Append], data: Sequence[Sequence[bytes]], *, together: bool) -> list[Any]:
        database = self.database
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
                work, data = [_Append([self._change]), *work], [encoded([self._change]), *data]
                events = [self._change, *events]
            secret = self.secrets.newest
            self._tail = Tail(*head, Newest(), now=self._clock.time(), count=len(events), secret=secret)
            self._look_up(
                connection, events, found[1:], ask=self._change is not None or named_anew or not database.batches
            )
            results = self._append_all(connection, work, data)
            return results if self._change is None else results[1:]

    def _append_all(
        self, connection: Connection, work: Sequence[_Append], data: Sequence[Sequence[bytes]]
    ) -> list[Any]:
        results = [self._append_one(connection, *one) for one in zip(work, data, strict=True)]
        self._write(connection)
        if self._tail.fresh:
            self._projections.checkpoint(connection, self._tail.seq)
            self.database.announce(connection)
        return results

    def _append_one(self, connection: Connection, item: _Append, data: Sequence[bytes]) -> list[Event] | StateError:
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
            if self.database.batches:
                named = tail.newest.rows(events[0].seq - 1, tail.seq)
                connection.execute(INSERT_TOGETHER, (orjson.dumps(named).decode(), orjson.dumps(rows).decode()))
            elif len(rows) == 1:
                connection.execute(INSERT, rows[0])
                connection.execute(PUT_NAMES_OF_ONE, _named(events[0]))
            else:
                connection.executemany(INSERT, rows)
                connection.executemany(PUT_NAME, tail.newest.rows(events[0].seq - 1, tail.seq))
            self._projections.apply(connection, events)

    def _committed(self) -> None:
        tail = self._tail
        if not tail.fresh:
            return
        self._head = (tail.seq, tail.hash)
        self._change = None
        self._newest.update(tail.newest)
        if self._announce is not None:
            self._announce(tail.fresh)

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
            self._change = self.secrets.change(connection, newest[0] if newest else None)
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
