"""The last snapshots of this machine: of the watch in this process, or what another one left in the history."""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Literal

from integrated_system import IntegratedSystem
from utils.history.series import subject_of
from utils.host.history import labels, metric
from utils.host.recent import FIGURES

__all__ = ["RecentSnapshots", "recent_snapshots"]

EVERY_S = 60.0
"""Seconds between two points of the history."""


@dataclass(frozen=True, slots=True)
class RecentSnapshots:
    """The oldest first.

    Attributes:
        source: `monitor`: each look of this process; `history`: means of a minute; `none`: nobody has watched.
    """

    minutes: float
    source: Literal["monitor", "history", "none"]
    snapshots: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        found = [*self.snapshots]
        return {"minutes": self.minutes, "source": self.source, "count": len(found), "snapshots": found}


def recent_snapshots(system: IntegratedSystem, *, minutes: float = 10.0) -> RecentSnapshots:
    """What was seen within so many minutes; of the newest 1,000 looks."""
    seen = system.progressive.snapshots(minutes=minutes)
    if seen:
        return RecentSnapshots(minutes, "monitor", tuple(one.to_json() for one in seen))
    kept = _kept(system, minutes)
    return RecentSnapshots(minutes, "history" if kept else "none", kept)


def _kept(system: IntegratedSystem, minutes: float) -> tuple[dict[str, Any], ...]:
    since = system.clock.time() - 60.0 * minutes
    wanted = {metric(name): name for name in FIGURES}
    last = min(1000, int(minutes * 60.0 / EVERY_S) + 1)
    found: dict[float, dict[str, Any]] = {}
    for block in system.history.blocks([subject_of(labels())], last=last):
        columns = [(place, wanted[name]) for place, name in enumerate(block.metrics) if name in wanted]
        for time, row in zip(block.times.tolist(), block.values.tolist(), strict=True):
            if columns and time >= since:
                found.setdefault(time, {}).update({name: _figure(row[place]) for place, name in columns})
    return tuple({"time": _moment(time), "level": None, **found[time]} for time in sorted(found))


def _figure(value: float) -> float | None:
    return round(value, 2) if isfinite(value) else None


def _moment(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
