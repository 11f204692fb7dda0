"""How figures were spread lately: median, P95 and P99 of the newest points of each series."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from integrated_system import IntegratedSystem
from operations.detect_names import asked_for
from utils.quantiles import QuantileSketch

__all__ = ["POINTS", "Spread", "spread"]

POINTS = 1000
"""The newest points of a series that are looked at."""

USUAL = "latency_s"
"""What is shown of every dataset when nothing is named: how long its provider took."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The newest points of a series. Quantiles are at most 1 % off."""

    series: str
    count: int
    mean: float
    least: float
    p50: float
    p95: float
    p99: float
    greatest: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def spread(system: IntegratedSystem, names: Sequence[str] = ()) -> list[Spread]:
    """Of the named figures; a dataset means all of its own. Default: the latency of each, and recorded numbers.

    Raises:
        PipelineError: a name has no history, or there is no such metric.
    """
    asked = asked_for(system, names)
    shown = {(target.subject, target.metric): target.shown for target in asked.targets}
    subjects = dict.fromkeys([] if names else [dataset.name for dataset in asked.datasets])
    subjects |= dict.fromkeys(subject for subject, _ in shown)
    found = []
    for block in system.history.blocks(subjects, last=POINTS):
        for metric in block.metrics:
            exact, whole = (block.subject, metric), (block.subject, "")
            if not names and exact not in shown and metric != USUAL:
                continue
            if names and exact not in shown and whole not in shown:
                continue
            _, values = block.series(metric)
            if len(values):
                name = shown.get(exact) or f"{block.subject}.{metric}"
                found.append(_of(name, values.tolist()))
    return found


def _of(series: str, values: Sequence[float]) -> Spread:
    sketch = QuantileSketch()
    for value in values:
        if value - value == 0.0:  # finite
            sketch.add(value)
    p50, p95, p99 = (sketch.quantile(share) or 0.0 for share in (0.50, 0.95, 0.99))
    mean = sketch.sum / sketch.count if sketch.count else 0.0
    return Spread(series, sketch.count, mean, sketch.min, p50, p95, p99, sketch.max)
