"""The end of the log as the commit under way moves it; thrown away when that fails."""

from collections.abc import Sequence
from typing import Any

from utils.events.chain import chained
from utils.events.event import Event, NewEvent, stamp, uuid7s

__all__ = ["Tail"]

_event = tuple.__new__  # `Event._make` takes twice as long


class Tail:
    """Puts events at the end of the log.

    Attributes:
        seq, hash: Of the last event.
        versions, known: Of the subjects and the named ids that this commit is about.
        fresh: What it has appended so far; `rows` of them are not in the table yet.
    """

    __slots__ = ("_ids", "_secret", "_time", "fresh", "hash", "known", "rows", "seq", "versions")

    def __init__(self, seq: int, hash: str, *, now: float, count: int, secret: bytes) -> None:
        self.seq = seq
        self.hash = hash
        self.versions: dict[str, int] = {}
        self.known: dict[str, Event] = {}
        self.fresh: list[Event] = []
        self.rows: list[tuple[Any, ...]] = []
        self._time = stamp(now)
        self._ids = iter(uuid7s(count, now))
        self._secret = secret

    def add(self, event: NewEvent, data: bytes) -> Event:
        """An event with its data as text; gives it as it stands in the log."""
        subject, before = event.subject, self.hash
        seq = self.seq + 1
        version = self.versions[subject] + 1
        identity = event.id or next(self._ids)
        head = (seq, identity, self._time, event.source, event.type, subject)
        after = chained(before, (*head, version), data, self._secret)
        fresh: Event = _event(Event, (*head, event.data, version, before, after))
        self.rows.append((*head, data.decode(), version, before, after))
        self.fresh.append(fresh)
        self.seq, self.hash, self.versions[subject] = seq, after, version
        if event.id:
            self.known[event.id] = fresh
        return fresh

    def unwritten(self) -> tuple[list[tuple[Any, ...]], Sequence[Event]]:
        """Rows and events that were added since this was asked for last."""
        rows, self.rows = self.rows, []
        return rows, self.fresh[-len(rows) :]
