"""What an event is: the envelope, its id, its time, and its data as text.

The envelope follows CloudEvents 1.0.
"""

import functools
import os
import re
import time as _time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from utils.database import StateError

__all__ = [
    "Event",
    "Fact",
    "NewEvent",
    "OwnIds",
    "encoded",
    "event_of",
    "events_of",
    "events_of_one",
    "facts_of",
    "position_in",
    "rfc3339",
    "stamp",
    "uuid7",
    "uuid7s",
]

_dumps, _loads = orjson.dumps, orjson.loads
_event = tuple.__new__  # `Event._make` takes twice as long
_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_NOISE = 4096  # bytes
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


# Not frozen: that takes four times as long to make, and all that is appended is made of these.
@dataclass(slots=True)
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


class Fact(NamedTuple):
    """What a view is told of an event when the log is replayed: half of an event, in two thirds of the time."""

    seq: int
    time: str
    type: str
    subject: str
    data: dict[str, Any]


def uuid7(now: float | None = None) -> str:
    """A time-ordered UUID (RFC 9562, version 7): ids that sort as they were made. `now` in epoch seconds."""
    return uuid7s(1, _time.time() if now is None else now)[0]


def uuid7s(count: int, now: float) -> list[str]:
    """Many ids of one moment, in order: an index takes them at its end, and its pages are filled."""
    moment = f"{int(now * 1000):012x}"
    front = f"{moment[:8]}-{moment[8:]}-7"
    noise = os.urandom(10 * count).hex()
    ids = [
        f"{front}{noise[at : at + 3]}-{_VARIANT[noise[at + 3]]}{noise[at + 4 : at + 7]}-{noise[at + 7 : at + 19]}"
        for at in range(0, 20 * count, 20)
    ]
    ids.sort()
    return ids


class OwnIds:
    """Makes ids that tell the position of their events, so that the log finds them without an index.

    UUIDs of version 7 with a counter (RFC 9562, section 6.2, method 1): the position takes the first 38 bits after
    the time, chance the last 36. One commit at a time may ask.
    """

    __slots__ = ("_at", "_front", "_noise", "_of")

    def __init__(self) -> None:
        self._of = (0, 0)
        self._front = ""
        self._noise = ""  # asking the system for it each time took a tenth of a lone append
        self._at = 0

    def one(self, seq: int, now: float) -> str:
        """The id for the event of a position; `now` in epoch seconds."""
        at = self._at
        if len(self._noise) - at < 9:
            self._noise, at = os.urandom(_NOISE).hex(), 0
        self._at = at + 9
        of = (int(now * 1000), seq >> 12)
        if of != self._of:  # many in a millisecond
            self._of, moment = of, f"{of[0]:012x}"
            self._front = f"{moment[:8]}-{moment[8:]}-7{seq >> 26 & 0xFFF:03x}-{0x8000 | of[1] & 0x3FFF:04x}-"
        return f"{self._front}{seq & 0xFFF:03x}{self._noise[at : at + 9]}"

    def take(self, first: int, count: int, now: float) -> list[str]:
        """Ids for the events from position `first` on; `now` in epoch seconds."""
        if len(self._noise) - self._at < 9 * count:
            self._noise, self._at = os.urandom(max(_NOISE, 5 * count)).hex(), 0
        moment = f"{int(now * 1000):012x}"
        noise, at = self._noise, self._at
        self._at += 9 * count
        ids: list[str] = []
        while len(ids) < count:
            seq = first + len(ids)
            front = f"{moment[:8]}-{moment[8:]}-7{seq >> 26 & 0xFFF:03x}-{0x8000 | seq >> 12 & 0x3FFF:04x}-"
            for low in range(seq & 0xFFF, min(0x1000, (seq & 0xFFF) + count - len(ids))):
                ids.append(f"{front}{low:03x}{noise[at : at + 9]}")
                at += 9
        return ids


def position_in(identity: str) -> int:
    """The position that an id tells if it is one of `OwnIds`; any other, or 0, if it is not."""
    if not _FORM.fullmatch(identity):
        return 0
    return int(identity[15:18], 16) << 26 | (int(identity[19:23], 16) & 0x3FFF) << 12 | int(identity[24:27], 16)


def rfc3339(moment: datetime) -> str:
    """A moment in UTC with microseconds and `Z`, of fixed width, so that text order is time order."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"  # strftime: 9 microseconds, this: 1


def stamp(now: float) -> str:
    """`rfc3339` of a moment in epoch seconds, six times as quick: one a commit, and many commits a second.

    Rounded as `datetime.fromtimestamp` does, from the fraction: a microsecond more, and what happened at a moment would
    not be part of the state as of that moment.
    """
    second = int(now)
    micro = round((now - second) * 1e6)
    return f"{_second(second)}.{micro:06d}Z" if micro < 1_000_000 else f"{_second(second + 1)}.000000Z"


@functools.lru_cache(maxsize=4)
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, UTC).isoformat()[:-6]


def encoded(events: Sequence[NewEvent]) -> list[bytes]:
    """The data of events as it is stored. Raises `TypeError` when it is not JSON."""
    try:
        return [_dumps(event.data) for event in events]
    except TypeError as error:
        event = next(event for event in events if not _is_json(event.data, _dumps))
        raise TypeError(f"{event.type} of {event.subject}: its data cannot be written as JSON: {error}") from error


def event_of(row: Sequence[Any]) -> Event:
    """An event from its row in the view `events`, all ten columns in the contract's order."""
    return events_of([row])[0]


def events_of(rows: Sequence[Sequence[Any]]) -> list[Event]:
    """Events from their rows. Raises `StateError` for the first whose data cannot be read."""
    try:
        return [
            _event(Event, (seq, identity, time, source, kind, subject, _loads(data), version, before, after))
            for seq, identity, time, source, kind, subject, data, version, before, after in rows
        ]
    except orjson.JSONDecodeError as error:
        raise _unreadable([(row[0], row[6]) for row in rows]) from error


def events_of_one(kind: str, name: str, rows: Sequence[Sequence[Any]]) -> list[Event]:
    """The same, of rows that all have this `source`, `type` or `subject`, and not its column."""
    try:
        return _OF_ONE[kind](name, rows)
    except orjson.JSONDecodeError as error:
        raise _unreadable([(row[0], row[5]) for row in rows]) from error


# Written out: to put a name into every row by its place takes longer than to fetch it.
_OF_ONE: dict[str, Callable[[str, Sequence[Sequence[Any]]], list[Event]]] = {
    "source": lambda source, rows: [
        _event(Event, (seq, identity, time, source, kind, subject, _loads(data), version, before, after))
        for seq, identity, time, kind, subject, data, version, before, after in rows
    ],
    "type": lambda kind, rows: [
        _event(Event, (seq, identity, time, source, kind, subject, _loads(data), version, before, after))
        for seq, identity, time, source, subject, data, version, before, after in rows
    ],
    "subject": lambda subject, rows: [
        _event(Event, (seq, identity, time, source, kind, subject, _loads(data), version, before, after))
        for seq, identity, time, source, kind, data, version, before, after in rows
    ],
}


def facts_of(rows: Sequence[Sequence[Any]]) -> list[Fact]:
    """The same, of rows with the columns of a `Fact` only."""
    try:
        return [_event(Fact, (seq, time, kind, subject, _loads(data))) for seq, time, kind, subject, data in rows]
    except orjson.JSONDecodeError as error:
        raise _unreadable([(row[0], row[4]) for row in rows]) from error


def _unreadable(rows: Sequence[tuple[int, Any]]) -> StateError:
    seq = next(seq for seq, data in rows if not _is_json(data, _loads))
    return StateError(
        f"event {seq}: its data is not JSON", hint="it was changed after it was written: see `events verify`"
    )


def _is_json(data: Any, tried: Callable[[Any], object]) -> bool:
    try:
        tried(data)
    except (TypeError, orjson.JSONDecodeError):
        return False
    return True
