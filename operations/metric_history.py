"""What a figure was over time: those of datasets, and numbers of the user's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.moments import moment_of
from utils.events import rfc3339
from utils.history.series import labels_of

__all__ = ["Curve", "Point", "dataset_history", "metric_history", "metric_names"]

MOST_CURVES = 50
"""Series in one answer: a wide dataset has thousands."""


@dataclass(frozen=True, slots=True)
class Point:
    """The values of a stretch of time: their mean, the least and the greatest, the last one, and how many.

    `time` (RFC 3339): of the first of them.
    """

    time: str
    mean: float
    low: float
    high: float
    last: float
    count: int

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure from `since` up to `until` (RFC 3339), oldest point first."""

    series: str
    metric: str
    since: str
    until: str
    points: tuple[Point, ...]

    def to_json(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "points": [point.to_json() for point in self.points]}


def metric_names(system: IntegratedSystem) -> list[dict[str, Any]]:
    """Every series that is kept, by name: its metric, labels and unit, and when its last point came."""
    return [
        {
            "series": str(one),
            "metric": one.name,
            "labels": dict(one.labels),
            "unit": one.unit,
            "newest": None if not one.newest else rfc3339(datetime.fromtimestamp(one.newest, UTC)),
        }
        for one in system.history.series()
    ]


def dataset_history(
    system: IntegratedSystem,
    dataset: str,
    metrics: Sequence[str] = (),
    *,
    since: str | None = None,
    until: str | None = None,
    points: int = 300,
) -> tuple[Curve, ...]:
    """`metric_history` of a dataset's figures, or of some of them.

    Raises:
        ConfigError: no such dataset.
        UsageError, PipelineError: as `metric_history`.
    """
    system.settings.dataset(dataset)
    names = [f"{dataset}.{metric}" for metric in metrics] or [dataset]
    return metric_history(system, names, since=since, until=until, points=points)


def metric_history(
    system: IntegratedSystem,
    names: Sequence[str],
    *,
    since: str | None = None,
    until: str | None = None,
    points: int = 300,
) -> tuple[Curve, ...]:
    """The named figures over a stretch of time, in at most so many points each.

    A name is `DATASET.METRIC`, that of a recorded number, or `DATASET`: every figure of it.

    Args:
        since: RFC 3339; default: a day before `until`.
        until: RFC 3339, exclusive; default: now, the point of this moment included.

    Raises:
        UsageError: a time cannot be read, the range is empty, or too much is asked for.
        PipelineError: a name has no history, or there is no such metric.
    """
    from operations.detect_names import asked_for  # Arrow comes with it: not for who only names what comes of it

    # The newest point is often of this very moment.
    end = system.clock.now() + timedelta(milliseconds=1) if until is None else moment_of("until", until)
    try:
        start = end - timedelta(days=1) if since is None else moment_of("since", since)
    except OverflowError:
        raise UsageError(f"until: {until!r} is too early", hint="give a later time") from None
    if start >= end:
        raise UsageError("since: it is not before `until`", hint="the earlier time comes first")
    targets = asked_for(system, names).targets
    wanted: list[tuple[str, str, str]] = []
    for target in targets:
        if target.metric:
            wanted.append((target.subject, target.metric, target.shown))
        else:
            there = (one for one in system.history.series() if one.subject == target.subject)
            wanted += [(target.subject, one.name, f"{target.shown}.{one.name}") for one in there]
    if len(wanted) > MOST_CURVES:
        hint = "name the figures, as in `orders.rows`"
        raise UsageError(f"these are {len(wanted):,} series, more than {MOST_CURVES} at once", hint=hint)
    first, last = start.timestamp(), end.timestamp()
    curves = []
    for subject, metric, shown in wanted:
        found = system.history.range(metric, labels_of(subject), since=first, until=last, points=points)
        rows = zip(found.times, found.mean, found.low, found.high, found.last, found.count, strict=True)
        told = (
            Point(rfc3339(datetime.fromtimestamp(time, UTC)), float(mean), float(low), float(high), float(end_), int(n))
            for time, mean, low, high, end_, n in rows
        )
        curves.append(Curve(shown, metric, rfc3339(start), rfc3339(end), tuple(told)))
    return tuple(curves)
