"""What somebody who was away wants to know: how the runs ended since, and each turn of events."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from integrated_system import IntegratedSystem
from operations.moments import past_moment
from utils.events import Event, EventStore, rfc3339

__all__ = ["MOST", "TURNS", "News", "Turn", "news"]

TURNS = (
    "incident.opened",
    "incident.resolved",
    "promise.broken",
    "promise.kept",
    "breaker.opened",
    "breaker.closed",
    "batch.held",
    "batch.accepted",
    "batch.rejected",
    "version.rolled_back",
    "schema.drifted",
    "quarantine.replayed",
    "quarantine.dropped",
    "run.crashed",
    "run.cancelled",
    "schedule.paused",
    "schedule.resumed",
    "config.changed",
    "provider.blocked",
    "token.created",
    "token.revoked",
)
"""Events after which something is not as it was before, or that somebody brought about."""

BY_HAND = {"batch.accepted": "operations"}
"""Every good delivery has one: only those of this source, which somebody did, are news."""

MOST, MOST_RUNS = 30, 1000


@dataclass(frozen=True, slots=True)
class Turn:
    """One event that is told. `actor`: who did it; "" for nobody. `reason`: in words; "" when none is told."""

    seq: int
    time: str
    type: str
    subject: str
    actor: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class News:
    """What happened from `since` (RFC 3339) on.

    Attributes:
        runs: How many runs ended how, of the last `MOST_RUNS`.
        turns: The newest first, at most `MOST`; `more`: so many were left out.
    """

    since: str
    runs: dict[str, int]
    turns: tuple[Turn, ...]
    more: int

    def to_json(self) -> dict[str, Any]:
        return {
            "since": self.since,
            "runs": self.runs,
            "turns": [turn.to_json() for turn in self.turns],
            "more": self.more,
        }


def news(system: IntegratedSystem, since: str) -> News:
    """What is new to somebody who looked last at that moment.

    Raises:
        UsageError: the moment cannot be read, or has not come yet.
    """
    moment = rfc3339(past_moment(since, system.clock.now()))
    after = _position(system.events, moment)
    ended = system.events.read(after=after, type="run.finished", limit=MOST_RUNS, newest_first=True)
    found: list[Event] = []
    for kind in TURNS:
        found += system.events.read(after=after, type=kind, source=BY_HAND.get(kind), limit=MOST + 1, newest_first=True)
    found.sort(key=lambda event: -event.seq)
    runs = Counter(str(event.data.get("status", "")) for event in ended)
    return News(moment, dict(sorted(runs.items())), tuple(map(_turn, found[:MOST])), max(0, len(found) - MOST))


def _turn(event: Event) -> Turn:
    data = event.data
    reason = data.get("reason") or data.get("over") or data.get("error") or ""
    # An incident has a number, which nobody knows it by.
    subject = (data.get("incident") or {}).get("about", event.subject)
    return Turn(event.seq, event.time, event.type, str(subject), str(data.get("actor") or ""), str(reason))


def _position(events: EventStore, moment: str) -> int:
    """The last event before a moment, found by halves: times grow with positions, but for what clocks differ by."""
    low, high = 0, events.head()[0]
    while low < high:
        middle = (low + high) // 2
        (found,) = events.read(after=middle, limit=1)
        if found.time < moment:
            low = found.seq
        else:
            high = middle
    return low
