"""What the monitor says every so often: how the host stands, where it goes, and what the watching costs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from monitoring.progressive.levels import Level
from monitoring.progressive.policy import Condition
from monitoring.progressive.snapshot import Snapshot
from monitoring.progressive.states import RESOURCES, ResourceState
from utils.host.trends import Trend, trend

__all__ = ["Report", "report"]

OVER_S = 600.0
"""Seconds that averages and trends are told over."""

LEAST_S = 60.0
"""Seconds without which there is no trend: a spike says nothing of an hour."""


@dataclass(frozen=True, slots=True)
class Report:
    """The host over the last minutes.

    Attributes:
        time: Of the newest snapshot, UTC; None: there is none.
        states, figures: By resource: its state, and the newest percentage.
        trends: By resource: the mean and the slope over the last ten minutes.
        snapshots: How many were taken since the monitor began.
        absurd: Fields whose readings were not possible, and how often.
        cost_percent: Of one core, by the monitor's own thread; None: not known yet.
        stretch: How many times less often than the level says it watches, because of its cost.
        callbacks_failed, callbacks_hung: How often one raised, or did not come back.
    """

    time: datetime | None
    level: Level
    base: Level
    states: Mapping[str, ResourceState]
    figures: Mapping[str, float]
    trends: Mapping[str, Trend]
    snapshots: int
    absurd: Mapping[str, int]
    cost_percent: float | None
    stretch: int
    callbacks_failed: int
    callbacks_hung: int

    type = "report.made"

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        told = asdict(self)
        trends = {
            name: {"mean": round(one.mean, 2), "per_hour": None if one.per_hour is None else round(one.per_hour, 2)}
            for name, one in self.trends.items()
        }
        cost = None if self.cost_percent is None else round(self.cost_percent, 3)
        time = None if self.time is None else self.time.isoformat().replace("+00:00", "Z")
        levels = {"level": str(self.level), "base": str(self.base)}
        return {**told, **levels, "time": time, "trends": trends, "cost_percent": cost}

    def words(self) -> str:
        """One line for people."""
        parts = [str(self.level)]
        for name, percent in self.figures.items():
            state = self.states.get(name, "stable")
            parts.append(f"{name} {percent:.0f} %" + ("" if state == "stable" else f" ({state})"))
        if self.cost_percent is not None:
            parts.append(f"watching costs {self.cost_percent:.2f} % of a core")
        if self.absurd:
            parts.append(f"{sum(self.absurd.values())} impossible readings")
        return ", ".join(parts)


def report(
    condition: Condition,
    seen: Sequence[Snapshot],
    *,
    snapshots: int,
    absurd: Mapping[str, int],
    cost_percent: float | None,
    stretch: int,
    callbacks_failed: int,
    callbacks_hung: int,
) -> Report:
    """The report of a condition; `seen`: the newest snapshots, the oldest first."""
    newest = seen[-1] if seen else None
    trends: dict[str, Trend] = {}
    if newest is not None:
        times = [(one.at, one) for one in seen if newest.at - one.at <= OVER_S]
        for name in RESOURCES:
            points = [(at, value) for at, one in times if (value := getattr(one, f"{name}_percent")) is not None]
            if (found := trend(points)) is not None:
                far = newest.at - points[0][0] >= LEAST_S
                trends[name] = found if far else Trend(found.mean, None)
    return Report(
        time=None if newest is None else newest.time,
        level=condition.level,
        base=condition.base,
        states=condition.states(),
        figures=condition.figures(),
        trends=trends,
        snapshots=snapshots,
        absurd=dict(absurd),
        cost_percent=cost_percent,
        stretch=stretch,
        callbacks_failed=callbacks_failed,
        callbacks_hung=callbacks_hung,
    )
