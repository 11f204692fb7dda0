"""How much one channel is told: at most three messages in ten minutes; what is beyond them goes into one summary."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.alerting.incident import Severity

__all__ = ["GATHER_S", "MOST", "WINDOW_S", "Send", "Summarise", "Wait", "Waiting", "choose"]

MOST, WINDOW_S = 3, 600.0
"""Messages that a channel gets within so many seconds at most."""

GATHER_S = 30.0
"""Seconds for which the last message of a window is kept back: what comes meanwhile goes with it, as a summary.

A storm comes one by one. Without this the third of forty would go out alone, and the others ten minutes later.
"""

_URGENCY: dict[Severity, int] = {"critical": 0, "error": 1, "warning": 2, "info": 3}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message of one channel that is not sent. Times in seconds since the epoch.

    Attributes:
        thread: What it is about: messages of one thread go in the order of their `place`.
        due: When it may be tried.
        attempts: Tries so far.
        told: Whether a try may have reached somebody: it has its place in the window, and the next try needs none.
    """

    key: str
    thread: str
    place: int
    severity: Severity
    created: float
    due: float = 0.0
    attempts: int = 0
    told: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    key: str


@dataclass(frozen=True, slots=True)
class Summarise:
    """Put these into one message."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done before this moment."""

    until: float


def choose(
    waiting: Sequence[Waiting], told: Sequence[float], now: float, *, gather_s: float = GATHER_S
) -> Send | Summarise | Wait | None:
    """What a channel is told next; None: nothing waits.

    The most urgent first. A channel that does not take a message is left alone until that message is due again: the
    others would not get through either.

    Args:
        told: When the channel was told something, as far as it may count.
    """
    if not waiting:
        return None
    if (due := max(one.due for one in waiting)) > now:
        return Wait(due)
    first = _first_of_threads(waiting)
    if again := [one for one in first if one.told]:
        return Send(min(again, key=lambda one: (one.attempts, one.place)).key)
    recent = sorted(moment for moment in told if 0.0 <= now - moment < WINDOW_S)
    left = MOST - len(recent)
    if left <= 0:
        return Wait(recent[-MOST] + WINDOW_S)
    most_urgent = min(first, key=lambda one: (_URGENCY[one.severity], one.attempts, one.place))
    if left > 1:
        return Send(most_urgent.key)
    ready = min(one.created if one.created <= now else now - gather_s for one in waiting) + gather_s
    if ready > now:
        return Wait(ready)
    if len(waiting) == 1:
        return Send(most_urgent.key)
    return Summarise(tuple(one.key for one in sorted(waiting, key=lambda one: one.place)))


def _first_of_threads(waiting: Sequence[Waiting]) -> list[Waiting]:
    first: dict[str, Waiting] = {}
    for one in waiting:
        if one.thread not in first or one.place < first[one.thread].place:
            first[one.thread] = one
    return list(first.values())
