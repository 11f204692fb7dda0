"""How much of the time a dataset was fresh and good, against the share that is its objective.

What is short of the target is the error budget. How fast it is spent is the burn rate: 1 spends it in just the window.
The rates and windows are those of the Site Reliability Workbook (Google, 2018, chapter 5, "multiwindow, multi-burn-rate
alerts"), scaled to the window: an objective burns when a long and a short window both spend too fast. The long one says
that it matters, the short one that it goes on.

All times are whole microseconds since 1970, so a sum is the same in whatever order it is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from data_pipeline.dataset import DatasetRun
from utils.ages import duration
from utils.events import rfc3339

if TYPE_CHECKING:
    from config.datasets import DatasetSettings

__all__ = ["KINDS", "PAIRS", "Burn", "Kind", "Pace", "Span", "Standing", "micros", "noted", "standings"]

Kind = Literal["fresh", "quality"]
Pace = Literal["fast", "slow"]
KINDS: tuple[Kind, ...] = ("fresh", "quality")
_SECOND = 1_000_000


class Pair(NamedTuple):
    """Two windows that must both burn. `spends`: the share of the whole budget that the long one may spend."""

    spends: float
    long: float
    pace: Pace

    @property
    def short(self) -> float:
        return self.long / 12

    @property
    def limit(self) -> float:
        """The burn rate from which on it is too fast."""
        return self.spends / self.long


PAIRS = (Pair(0.02, 1 / 720, "fast"), Pair(0.05, 1 / 120, "fast"), Pair(0.10, 1 / 10, "slow"))
"""The long windows as parts of the whole one: of 30 days 1 hour, 6 hours and 3 days, with limits of 14.4, 6 and 1."""


class Span(NamedTuple):
    """A stretch of a dataset's time, until the next one begins. It is fresh up to `fresh_until`, then no longer."""

    began: int
    good: bool
    fresh_until: int


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast the budget was spent in two windows of so many seconds; too fast where both rates reach the limit."""

    pace: Pace
    limit: float
    long_s: float
    long_rate: float
    short_s: float
    short_rate: float

    @property
    def burning(self) -> bool:
        return self.long_rate >= self.limit and self.short_rate >= self.limit

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {"burning": self.burning}


@dataclass(frozen=True, slots=True)
class Standing:
    """How one objective of a dataset stands.

    Attributes:
        target: The share of the time that is asked for.
        over_s: The window; `measured_s`: how much of it there is anything known of.
        missed_s: How much of that was not as it should be.
    """

    objective: Kind
    target: float
    over_s: float
    measured_s: float
    missed_s: float
    burns: tuple[Burn, ...]

    @property
    def share(self) -> float | None:
        """Of the measured time; None when there is none."""
        return None if not self.measured_s else 1.0 - self.missed_s / self.measured_s

    @property
    def budget_s(self) -> float:
        """Seconds that may be missed in the whole window."""
        return (1.0 - self.target) * self.over_s

    @property
    def budget_left(self) -> float:
        """The share of the budget that is left; below zero when more than all of it is spent."""
        return 1.0 - self.missed_s / self.budget_s

    @property
    def pace(self) -> Pace | None:
        """How fast the budget burns; None: no faster than it may."""
        return next((burn.pace for burn in self.burns if burn.burning), None)

    @property
    def state(self) -> str:
        """One word, the worst that is true: spent, burning, kept, or unmeasured."""
        if self.budget_left <= 0:
            return "spent"
        if self.pace is not None:
            return "burning"
        return "kept" if self.measured_s else "unmeasured"

    @property
    def words(self) -> str:
        """A sentence without its end: what was asked for, what it is, what is left."""
        what = "fresh" if self.objective == "fresh" else "good"
        if self.share is None:
            return f"nothing is known yet of how much of the time it is {what}"
        partly = "" if self.measured_s >= self.over_s else f" measured of {duration(self.over_s)}"
        of_time = f"of the {duration(self.measured_s)}{partly}"
        told = f"{what} {_percent(self.share)} {of_time}, asked is {_percent(self.target)}"
        if self.budget_left <= 0:
            return f"{told}: the error budget is spent"
        burn = "" if self.pace is None else f", and burning {'fast' if self.pace == 'fast' else 'slowly'}"
        return f"{told}: {max(0.0, self.budget_left):.0%} of the error budget left{burn}"

    def to_json(self) -> dict[str, Any]:
        return {
            "objective": self.objective,
            "target": self.target,
            "over_s": self.over_s,
            "measured_s": self.measured_s,
            "missed_s": self.missed_s,
            "share": self.share,
            "budget_s": round(self.budget_s, 6),
            "budget_left": self.budget_left,
            "state": self.state,
            "pace": self.pace,
            "burn": [burn.to_json() for burn in self.burns],
        }


def noted(dataset: "DatasetSettings", result: DatasetRun, holds_until: datetime | None) -> dict[str, Any]:
    """What the event of a dataset run says for its objective; nothing without one.

    `good` is whether the newest delivery was accepted whole and without doubts; null: this run says nothing of it, as
    no batch came. `fresh_until` is when the promise breaks with this data, maybe long ago; null: nobody knows.

    Args:
        result: Before its promise was looked at: that is the other objective's.
        holds_until: The last moment at which the promise is kept; None: nobody knows, or nothing is promised.
    """
    if dataset.objective is None:
        return {}
    until = None if holds_until is None else rfc3339(holds_until)
    return {"objective": {"good": _good(result), "fresh_until": until, "over_s": dataset.objective.over}}


_BAD_BATCH = frozenset({"BatchNotDelivered", "PayloadUnreadable"})


def _good(result: DatasetRun) -> bool | None:
    if result.origin in {"none", "snapshot"}:
        return False  # readers have nothing that was ever accepted
    if result.origin == "provider":
        return result.status == "succeeded"
    if result.origin == "cache":
        return None
    # Last good: did the provider bring something bad, or nothing?
    return None if result.error is not None and result.error["type"] not in _BAD_BATCH else False


def micros(moment: datetime) -> int:
    """Microseconds since 1970.

    >>> micros(datetime.fromisoformat("1970-01-01T00:00:01.5Z"))
    1500000
    """
    return (moment - _EPOCH) // timedelta(microseconds=1)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")


def standings(dataset: "DatasetSettings", spans: Sequence[Span], now: datetime) -> tuple[Standing, ...]:
    """How the objectives of a dataset stand; none without any.

    Args:
        spans: All that reach into the window, oldest first.
    """
    asked = dataset.objective
    if asked is None:
        return ()
    targets: Mapping[Kind, float | None] = {
        "fresh": asked.fresh if dataset.promise.made else None,
        "quality": asked.quality,
    }
    at = micros(now)
    known = [span for span in spans if span.began < at]
    return tuple(_standing(kind, target, asked.over, known, at) for kind, target in targets.items() if target)


def _standing(kind: Kind, target: float, over_s: float, spans: Sequence[Span], at: int) -> Standing:
    since = at - round(over_s * _SECOND)
    measured = at - max(since, spans[0].began) if spans else 0
    burns = []
    for pair in PAIRS:
        rates = [
            _missed(kind, spans, at - round(part * over_s * _SECOND), at) / _SECOND / (part * over_s * (1.0 - target))
            for part in (pair.long, pair.short)
        ]
        long, short = (round(rate, 6) for rate in rates)
        burns.append(Burn(pair.pace, round(pair.limit, 6), pair.long * over_s, long, pair.short * over_s, short))
    missed = _missed(kind, spans, since, at)
    return Standing(kind, target, over_s, measured / _SECOND, missed / _SECOND, tuple(burns))


def _missed(kind: Kind, spans: Sequence[Span], since: int, until: int) -> int:
    """Microseconds between two moments that were not as they should be; what came before the first span is none."""
    missed = 0
    end = until
    for span in reversed(spans):
        if end <= since:
            break
        begin = max(span.began, since)
        if kind == "fresh":
            missed += max(0, end - max(begin, span.fresh_until))
        elif not span.good:
            missed += end - begin
        end = span.began
    return missed


def _percent(share: float) -> str:
    """A share as people write it, rounded down: what is not all is never shown as 100 %.

    >>> _percent(1.0), _percent(0.999999), _percent(0.5), _percent(0.995)
    ('100 %', '99.99 %', '50 %', '99.5 %')
    """
    return f"{int(share * 10_000 + 1e-6) / 100:g} %"
