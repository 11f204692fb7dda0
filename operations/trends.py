"""How rows and score of every dataset moved over its last runs: what a small line shows."""

from dataclasses import dataclass
from typing import Any

from integrated_system import IntegratedSystem
from operations.moments import past_moment

__all__ = ["MOST", "Trend", "trends"]

MOST = 200
"""Points of a dataset in one answer."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A dataset's newest figures, oldest first, points without a value left out. `quality`: 0 to 100 points."""

    dataset: str
    rows: tuple[float, ...]
    quality: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        return {"dataset": self.dataset, "rows": list(self.rows), "quality": list(self.quality)}


def trends(system: IntegratedSystem, *, points: int = 40, as_of: str | None = None) -> tuple[Trend, ...]:
    """The last `points` figures of every declared dataset, in the order of the configuration.

    Args:
        as_of: Only what was measured up to this moment (RFC 3339); of long ago, only what lies among the last `MOST`.

    Raises:
        UsageError: the moment cannot be read, or has not come yet.
    """
    names = [dataset.name for dataset in system.settings.datasets]
    last = None if as_of is None else past_moment(as_of, system.clock.now()).timestamp()
    found = {name: Trend(name, (), ()) for name in names}
    for block in system.history.blocks(names, last=points if last is None else MOST):
        if {"rows", "quality"} <= set(block.metrics):
            figures = []
            for metric in ("rows", "quality"):
                times, values = block.series(metric)
                seen = values if last is None else values[times <= last]
                figures.append(tuple(seen[-points:].tolist()))
            found[block.subject] = Trend(block.subject, *figures)
    return tuple(found.values())
