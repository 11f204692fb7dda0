"""What an event is: the envelope, its id, its time, and its data as text.

The envelope follows CloudEvents 1.0.
"""

import functools
import os
import time as _time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from utils.database import StateError

__all__ = ["Event", "NewEvent", "encoded", "event_of", "rfc3339", "stamp", "uuid7", "uuid7s"]

_loads = orjson.loads
_event = tuple.__new__  # `Event._make` takes twice as long
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


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


def encoded(event: NewEvent) -> bytes:
    """The data of an event as it is stored. Raises `TypeError` when it is not JSON."""
    try:
        return orjson.dumps(event.data)
    except TypeError as error:
        raise TypeError(f"{event.type} of {event.subject}: its data cannot be written as JSON: {error}") from error


def event_of(row: Sequence[Any]) -> Event:
    """An event from its row in table `events`, all ten columns in the contract's order."""
    seq, identity, time, source, type_, subject, data, version, before, after = row
    try:
        decoded = _loads(data)
    except orjson.JSONDecodeError as error:
        raise StateError(
            f"event {seq}: its data is not JSON", hint="it was changed after it was written: see `events verify`"
        ) from error
    return _event(Event, (seq, identity, time, source, type_, subject, decoded, version, before, after))
