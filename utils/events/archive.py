"""The whole log: what was sealed, then the table. What reads the table alone asks here for the rest."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain as joined
from operator import itemgetter
from typing import Any

import orjson

from utils.database import Connection, Database
from utils.events import chain, rows
from utils.events.chain import Verification
from utils.events.event import Event, Fact, events_of, facts_of
from utils.events.finding import found
from utils.events.links import LINKED
from utils.events.segments import Segment, SegmentFault, SegmentFiles, listed
from utils.events.wanted import Wanted

__all__ = ["Archive"]

Row = Sequence[Any]
_FACT = itemgetter(*(rows.COLUMNS.split(", ").index(name) for name in Fact._fields))
_FIRST = "SELECT min(seq) FROM log"
_INSERTED = f"{rows.SELECT} WHERE seq < 1 ORDER BY seq LIMIT 1"


class Archive:
    """Reads across segments and table, also while somebody seals: whatever left the table stands in a segment before.

    Args:
        database: Where the log is.
        files: Where its segments are.
    """

    def __init__(self, database: Database, files: SegmentFiles) -> None:
        self._database = database
        self.files = files

    def segments(self) -> list[Segment]:
        """What was sealed, oldest first."""
        with self._database.read() as connection:
            return listed(connection)

    def read(self, wanted: Wanted, limit: int, *, newest_first: bool = False) -> list[Event]:
        """The wanted events, at most so many, in order.

        Raises:
            SegmentFault: a segment that may hold one of them is missing or damaged.
        """
        here = found(self._database, wanted, limit, newest_first=newest_first)
        if len(here) == limit and (newest_first or here[0].seq == wanted.after + 1):
            return here  # they follow each other without a gap: no older one is missing
        ((first,),) = self._database.query(_FIRST)
        if first is None or first <= wanted.after + 1:
            return here
        # Asked after the table was read: from `first` on, all that is wanted was seen there.
        sealed = self._sealed(wanted.within(0, first), limit, newest_first)
        if newest_first:
            return [*(event for event in here if event.seq >= first), *sealed][:limit]
        if len(sealed) == limit:
            return sealed
        return [*sealed, *self.read(wanted.within(first - 1, wanted.before), limit - len(sealed))]

    def pages(
        self,
        connection: Connection,
        after: int,
        *,
        check: Callable[[Segment], None] | None = None,
        columns: str = rows.COLUMNS,
    ) -> Iterator[Sequence[Row]]:
        """The rows of the whole log after a position, in order, some thousand at a time.

        `check` is given each segment before it is read; who gives one notices gaps himself. `columns`: of the
        table; of a segment come all ten, as only what is read is known to be whole.

        Raises:
            SegmentFault: a segment is missing or damaged, or events are in no segment and not in the table.
        """
        reached, sealed = after, deque(listed(connection, after=after))
        while True:
            if sealed and sealed[0].first <= reached + 1:
                segment = sealed.popleft()
                if check is not None:
                    check(segment)
                yield from self.files.rows(segment, after=reached)
                reached = segment.last
                continue
            page: Sequence[Row] = next(rows.pages(connection, reached, columns=columns), [])
            if not page or page[0][0] != reached + 1:
                sealed = deque(listed(connection, after=reached))  # it may have been sealed meanwhile
                if sealed and sealed[0].first <= reached + 1:
                    continue
                gap = sealed[0].first if sealed else page[0][0] if page and not reached else 0
                if gap and check is None:
                    raise SegmentFault(
                        f"events {reached + 1} to {gap - 1} are in no segment of the log, and not in its table",
                        hint="restore the database from a backup that goes with the storage",
                    )
                if sealed:
                    reached = gap - 1
                    continue
            if not page:
                return
            yield page
            reached = page[-1][0]

    def replay(self, connection: Connection, after: int) -> Iterator[list[Fact]]:
        """The whole log after a position, as views are told it."""
        for page in self.pages(connection, after, columns=rows.FACTS):
            sealed = len(page[0]) > len(Fact._fields)
            yield facts_of([_FACT(row) for row in page] if sealed else page)

    def verify(self, expected_head: str | None, proven: Callable[..., Verification] = chain.verify) -> Verification:
        """Prove every segment (its file, its chain, what the log says of it), and then the table."""
        with self._database.read() as connection:
            proof = _Proof(self, connection)
            found = proven(joined.from_iterable(proof.pages()), expected_head=expected_head)
        return replace(found, fault=proof.fault) if proof.fault else found

    def _sealed(self, wanted: Wanted, limit: int, newest_first: bool) -> list[Event]:
        with self._database.read() as connection:
            segments = [segment for segment in listed(connection, after=wanted.after) if segment.may_hold(wanted)]
        found: list[Row] = []
        for segment in reversed(segments) if newest_first else segments:
            found += self.files.found(segment, wanted, limit - len(found), newest_first=newest_first)
            if len(found) == limit:
                break
        return events_of(found)


class _Proof:
    """Gives the rows of the whole log in order; ends at the first `fault` that the hash of an event would not tell."""

    def __init__(self, archive: Archive, connection: Connection) -> None:
        self._archive = archive
        self._connection = connection
        self._known: dict[str, Segment] = {}
        self.fault = ""

    def pages(self) -> Iterator[Sequence[Row]]:
        self._known = {segment.path: segment for segment in listed(self._connection)}
        untold = set(self._known)
        try:
            yield self._connection.execute(_INSERTED).fetchall()  # before the first one there is nothing
            for page in self._archive.pages(self._connection, 0, check=self._check, columns=LINKED):
                yield page
                for row in page:
                    if row[4] == "log.sealed":
                        untold.discard(self._told(row))
        except SegmentFault as fault:
            self.fault = str(fault)
        else:
            if untold:
                self.fault = f"{min(untold)} is no part of this log: no event says that it was sealed"

    def _check(self, segment: Segment) -> None:
        if fault := self._archive.files.is_as_sealed(segment):
            raise SegmentFault(fault)

    def _told(self, row: Row) -> str:
        """The path of the segment that an event tells of, which must be the one we know."""
        told = orjson.loads(row[6])
        path = str(told.get("path"))
        if path not in self._known:  # sealed since we began
            self._known = {segment.path: segment for segment in listed(self._connection)}
        if path not in self._known or self._known[path].told() != told:
            raise SegmentFault(f"the table of segments does not say of {path} what event {row[0]} says")
        return path
