"""The log: append, read, verify; its views go with it in the same transaction."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from utils.clock import SYSTEM_CLOCK, Clock
from utils.correlation import request_id
from utils.database import Database, StateError, Statement
from utils.events.archive import Archive
from utils.events.chain import GENESIS, Verification
from utils.events.commits import Append, Commits, ConcurrencyError, Guard
from utils.events.event import Event, Fact, NewEvent
from utils.events.finding import found
from utils.events.links import mend
from utils.events.projections import (
    Beginning,
    Behind,
    Projection,
    ProjectionFailed,
    ProjectionFigures,
    Projections,
    from_table,
)
from utils.events.proof import proven
from utils.events.rows import HEAD
from utils.events.signing import NO_SECRETS, Secrets
from utils.events.wanted import Wanted
from utils.events.writer import Writer

__all__ = ["ConcurrencyError", "EventStore", "Guard"]

_NAMES = """
SELECT kind, name FROM names WHERE kind IN ('source', 'type', 'subject') AND newest > 0
    AND lower(name) LIKE ? ESCAPE '!' ORDER BY newest DESC LIMIT ?
"""
_LOOK_AGAIN_S = 5.0  # should news ever be missed


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
        self._replay = from_table if archive is None else archive.replay
        self._projections = Projections(projections, explain=database.explain, log=self._replay)
        self.secrets = secrets
        commits = Commits(database, self._projections, secrets, announce=announce, clock=clock)
        self._writer = Writer(commits.commit, committed=commits.committed, name=database.name)

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
        appended: list[Event] = self._writer.write(Append(_asked_for(events), statements, guard))
        return appended

    def submit(
        self, events: Sequence[NewEvent], *, statements: Sequence[Statement] = (), guard: Guard | None = None
    ) -> "Future[list[Event]]":
        """The same without waiting: the future gives, or raises, what `append` would, after the commit."""
        return self._writer.submit(Append(_asked_for(events), statements, guard))

    def read(
        self,
        *,
        after: int = 0,
        before: int = 0,
        limit: int = 1000,
        type: str | None = None,
        source: str | None = None,
        subject: str | None = None,
        since: str | None = None,
        until: str | None = None,
        newest_first: bool = False,
    ) -> list[Event]:
        """Events after a position and before another (0: to the end), oldest first (or newest first).

        `type` may end in `.*`; times are RFC 3339.
        """
        wanted = Wanted(after, before, type, source, subject, since, until)
        if self.archive is not None:
            return self.archive.read(wanted, limit, newest_first=newest_first)
        return found(self.database, wanted, limit, newest_first=newest_first)

    def replay(self, *, after: int = 0) -> Iterator[list[Fact]]:
        """The whole log after a position as views are told it, in order, some thousand events at a time.

        Raises:
            StateError: the log cannot be read; a segment of it is missing or damaged.
        """
        with self.database.read() as connection:
            yield from self._replay(connection, after)

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

    def names(self, text: str, *, limit: int) -> list[tuple[str, str]]:
        """Kind (`source`, `type`, `subject`) and name of those that have a text in them, the last used first.

        Large and small letters of ASCII are the same.
        """
        like = "".join(f"!{one}" if one in "!%_" else one for one in text)
        return [(kind, name) for kind, name in self.database.query(_NAMES, (f"%{like.lower()}%", limit))]

    def head(self) -> tuple[int, str]:
        """Position and hash of the newest event; (0, zeros) for an empty log."""
        found = self.database.query(HEAD)
        return (found[0][0], found[0][1]) if found else (0, GENESIS)

    def verify(self, expected_head: str | None = None, *, told: Callable[[int], object] | None = None) -> Verification:
        """Recompute the whole chain. `expected_head` is a `SEQ:HASH` kept elsewhere: finds a cut or rewritten tail.

        `told` is given the position now and then, and may raise to end it.
        """
        return proven(self.database, self.archive, self.secrets, expected_head, told)

    def rebuild(self, beginning: Beginning | None = None) -> int:
        """Empty every view and replay the log into them; gives the number of events replayed.

        With a `beginning`, from what a snapshot has of them on (`Snapshots.rebuild`). The links along which events are
        found are mended first, where they are wrong.

        A view that fails stays as it is (`views_behind` names it); the others are rebuilt. Nobody appends meanwhile.
        """
        self._projections.try_all_again()
        while True:
            try:
                with self.database.transaction() as connection:
                    head = connection.execute(HEAD).fetchall()
                    mend(connection, head[0][0] if head else 0)
                    return self._projections.rebuild(connection, beginning)
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


def _asked_for(events: Sequence[NewEvent]) -> Sequence[NewEvent]:
    """Events that are appended for a request carry its id in their data, beside what they always have."""
    asked = request_id.get()
    return [replace(event, data={**event.data, "request_id": asked}) for event in events] if asked else events
