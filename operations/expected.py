"""Between what figures were expected over a stretch of time, for charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from data_pipeline.detect.detector import Series
from data_pipeline.detect.expected import expected as judged
from data_pipeline.detect.feedback import masked
from data_pipeline.detect.feedback_views import FeedbackGiven
from data_pipeline.detect.median import MedianDetector
from data_pipeline.detect.wall import Wall
from data_pipeline.detect.walls import Walls
from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.detect_names import asked_for
from operations.moments import moment_of
from utils.events import rfc3339

__all__ = ["Band", "expected"]

LOOKED_AT = 2_000
"""Points of each series, the newest: before them no band is told."""

MOST = 300
"""Points of a band."""

MOST_SERIES = 20


@dataclass(frozen=True, slots=True)
class Band:
    """Of one series, oldest first: a moment (RFC 3339), the least and the greatest value that was expected then."""

    series: str
    points: tuple[tuple[str, float, float], ...]

    def to_json(self) -> dict[str, Any]:
        points = [{"time": time, "low": low, "high": high} for time, low, high in self.points]
        return {"series": self.series, "points": points}


def expected(
    system: IntegratedSystem, names: Sequence[str], *, since: str | None = None, until: str | None = None
) -> tuple[Band, ...]:
    """The bands of named figures; the names are those of `detect`, each of one figure.

    Args:
        since, until: RFC 3339; default: the last day. A series that is still learning has a band without points.

    Raises:
        UsageError: a time cannot be read, or too much is asked for.
        PipelineError: a name has no history, or there is no such metric.
    """
    end = system.clock.now() + timedelta(milliseconds=1) if until is None else moment_of("until", until)
    start = end - timedelta(days=1) if since is None else moment_of("since", since)
    asked = asked_for(system, names)
    targets = [target for target in asked.targets if target.metric]
    if len(targets) > MOST_SERIES:
        raise UsageError(f"these are {len(targets):,} series, more than {MOST_SERIES} at once", hint="name fewer")
    said = FeedbackGiven(system.database).all()
    datasets = {dataset.name: dataset for dataset in asked.datasets}
    wall_of, zone = Walls(system.settings).of, Wall(system.settings.app.zone)
    bands = []
    for target in targets:
        if (dataset := datasets.get(target.subject)) is not None:
            detector = MedianDetector(dataset.detect.rate, wall=wall_of(dataset))
        else:
            detector = MedianDetector(wall=zone)
        blocks = masked(system.history.blocks([target.subject], last=LOOKED_AT), said)
        column = next((block for block in blocks if target.metric in block.metrics), None)
        points: list[tuple[str, float, float]] = []
        if column is not None:
            times, values = column.series(target.metric)
            found = judged(Series(target.metric, target.subject, times, values), detector)
            inside = (found.times >= start.timestamp()) & (found.times < end.timestamp())
            rows = list(zip(*(part[inside].tolist() for part in found), strict=True))
            step = -(-len(rows) // MOST) or 1
            points = [(rfc3339(datetime.fromtimestamp(at, UTC)), low, high) for at, low, high in rows[::step]]
        bands.append(Band(target.shown, tuple(points)))
    return tuple(bands)
