"""The end of the log as the commit under way moves it; thrown away when that fails."""

from collections.abc import Sequence
from typing import Any

from utils.events.chain import chained
from utils.events.event import Event, NewEvent, stamp
from utils.events.newest import Newest

__all__ = ["Tail", "linked"]

_event = tuple.__new__  # `Event._make` takes twice as long


def linked(
    event: NewEvent,
    text: bytes,
    place: tuple[int, str, str, str],
    links: tuple[int, int, int, int],
    secret: bytes,
    named: int,
) -> tuple[tuple[Any, ...], Event]:
    """An event as it will stand in the log, and its row.

    Args:
        text: Its data, encoded.
        place: Position, id, time, and the hash of the event before.
        links: Positions of the newest events of its source, type and subject, and the subject's version before.
        named: 1 when the id came from the caller, else 0.
    """
    seq, identity, time, before = place
    source, kind, subject = event.source, event.type, event.subject
    source_before, type_before, subject_before, version = links
    version += 1
    after = chained(before, (seq, identity, time, source, kind, subject, version), text, secret)
    return (
        (
            *(seq, source_before, type_before, subject_before, version, named, identity),
            *(time, source, kind, subject, before, after, text.decode()),
        ),
        _event(Event, (seq, identity, time, source, kind, subject, event.data, version, before, after)),
    )


class Tail:
    """Puts events at the end of the log. `ids`: for those that come without one, from the first position on.

    Attributes:
        seq, hash: Of the last event.
        newest: Of the sources, types and subjects that this commit is about.
        known: The named ids that it is about.
        fresh: What it has appended so far; `rows` of them are not in the table yet.
    """

    __slots__ = ("_first", "_ids", "_secret", "_time", "fresh", "hash", "known", "newest", "rows", "seq")

    def __init__(self, seq: int, hash: str, newest: Newest, *, now: float, ids: Sequence[str], secret: bytes) -> None:
        self.seq = seq
        self.hash = hash
        self.newest = newest
        self.known: dict[str, Event] = {}
        self.fresh: list[Event] = []
        self.rows: list[tuple[Any, ...]] = []
        self._time = stamp(now)
        self._first = seq + 1
        self._ids = ids
        self._secret = secret

    def add(self, events: Sequence[NewEvent], data: Sequence[bytes]) -> list[Event]:
        """Events with their data as text; gives them as they stand in the log. One whose id is known stands there."""
        newest, known, secret, time = self.newest, self.known, self._secret, self._time
        sources, types, subjects, versions = newest.sources, newest.types, newest.subjects, newest.versions
        ids, first = self._ids, self._first
        seq, before = self.seq, self.hash
        told: list[Event] = []
        add_row, add_fresh, tell = self.rows.append, self.fresh.append, told.append
        for event, text in zip(events, data, strict=True):
            source, kind, subject, identity = event.source, event.type, event.subject, event.id
            if identity in known:
                tell(known[identity])
                continue
            seq += 1
            links = (sources[source], types[kind], subjects[subject], versions[subject])
            place = (seq, identity or ids[seq - first], time, before)
            row, fresh = linked(event, text, place, links, secret, named=1 if identity else 0)
            add_row(row)
            add_fresh(fresh)
            tell(fresh)
            sources[source] = types[kind] = subjects[subject] = seq
            versions[subject] = fresh.version
            before = fresh.hash
            if identity:
                known[identity] = fresh
        self.seq, self.hash = seq, before
        return told

    def unwritten(self) -> tuple[list[tuple[Any, ...]], Sequence[Event]]:
        """Rows and events that were added since this was asked for last."""
        rows, self.rows = self.rows, []
        return rows, self.fresh[-len(rows) :]
