"""A row of the outbox: one message for one channel, and how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import orjson

from monitoring.alerting.incident import Severity
from monitoring.alerting.message.message import Message
from utils.events.event import stamp

__all__ = ["SELECT", "ChannelStanding", "Letter", "LetterState", "Post", "letter_of"]

LetterState = Literal["waiting", "sending", "sent", "dead", "merged", "summarised"]
"""`merged` and `summarised`: told by another letter (`into`)."""

_COLUMNS = (
    "key, channel, thread, place, severity, state, attempts, created, next_try, not_before, told_at, "
    "failing_since, reported, error, into_key, owner, message"
)
SELECT = f"SELECT {_COLUMNS} FROM alert_outbox"  # noqa: S608 - our own


@dataclass(frozen=True, slots=True)
class Post:
    """A message for a channel, to be put into the outbox.

    Attributes:
        key: Of the message at this channel: the same for whoever makes it again.
        thread: What it is about; of one thread a channel hears in the order of `place`.
    """

    key: str
    channel: str
    thread: str
    place: int
    message: Message


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of the outbox. Times in seconds since the epoch.

    Attributes:
        attempts: Tries so far; `next_try`: when the next one is due, `not_before`: as the service asked.
        told_at: When it was sent, or may have been; None: nobody can have got it.
        failing_since: When the first of its tries failed; `reported`: the channel was called down because of it.
        into: The key of the letter that tells it in its place.
    """

    key: str
    channel: str
    thread: str
    place: int
    severity: Severity
    state: LetterState
    attempts: int
    created: float
    next_try: float
    not_before: float
    told_at: float | None
    failing_since: float | None
    reported: bool
    error: str
    into: str
    owner: str = field(repr=False)
    message: Message = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Without its words. `next_try`: null: as soon as its channel may have another message, or never again."""
        due = max(self.next_try, self.not_before)
        return {
            "key": self.key,
            "channel": self.channel,
            "incident": self.message.incident or None,
            "kind": self.message.kind,
            "severity": self.severity,
            "state": self.state,
            "title": self.message.title,
            "attempts": self.attempts,
            "created": stamp(self.created),
            "next_try": stamp(due) if self.state == "waiting" and due else None,
            "told_at": None if self.told_at is None else stamp(self.told_at),
            "error": self.error,
            "into": self.into or None,
        }


@dataclass(frozen=True, slots=True)
class ChannelStanding:
    """How a channel stands that does not take everything.

    Attributes:
        waiting: Messages that wait for it; `dead`: those that nobody took, of the last day.
        failing_since: When it first did not take one of those that wait, seconds since the epoch; None: it takes them.
        error: What it said last.
    """

    channel: str
    waiting: int
    dead: int
    failing_since: float | None
    error: str


_NAMES = tuple(one.name for one in fields(Letter))


def letter_of(row: Sequence[Any]) -> Letter:
    """A letter from its row."""
    values = dict(zip(_NAMES, row, strict=True))
    values["reported"] = bool(values["reported"])
    values["message"] = Message.from_json(orjson.loads(values["message"]))
    return Letter(**values)
