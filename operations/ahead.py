"""Trouble ahead: which figures grow towards a threshold of their own, and when they reach it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from config.datasets import DatasetSettings
from data_pipeline.detect.blocks import together
from data_pipeline.detect.feedback import masked
from data_pipeline.detect.feedback_views import FeedbackGiven
from data_pipeline.detect.robust import Floats
from data_pipeline.objective import standings
from data_pipeline.objective_views import Objectives
from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.detect_names import asked_for
from operations.words import duration
from utils.ahead import LEAST, Ahead, ahead
from utils.events import rfc3339

__all__ = ["DISK", "Reach", "Trouble", "reaches", "troubles"]

DISK = "mean(disk_percent)"
_OF_HOSTS = (("mean(memory_percent)", "full memory"), ("mean(swap_percent)", "full swap space"))
_PARTS = (1 / 120, 1 / 10)  # of an objective's window, in which its budget is looked at: 6 hours and 3 days of 30
_MOMENTS = 24


@dataclass(frozen=True, slots=True)
class Trouble:
    """One figure that grows towards trouble. Moments are RFC 3339.

    Attributes:
        threshold: What it reaches, in its own unit; `what` in words.
        earliest, latest: The interval of 90 % for the moment at which its trend is there.
        in_s: Seconds until then.
    """

    dataset: str
    metric: str
    level: float
    threshold: float
    what: str
    reached: str
    earliest: str
    latest: str
    in_s: float
    words: str

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether and when one series reaches a value that somebody named. `state`: as in `utils.ahead`."""

    series: str
    value: float
    state: str
    level: float | None
    reached: str | None
    earliest: str | None
    latest: str | None
    words: str

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class _Limit(NamedTuple):
    metric: str
    threshold: float
    what: str


def troubles(system: IntegratedSystem, datasets: Sequence[DatasetSettings]) -> tuple[Trouble, ...]:
    """What lies ahead of these datasets, soonest first; empty when nothing grows towards a threshold.

    The thresholds are those that are declared: the data's age has its promise, the latency its deadline, the error
    budget its end; disk, memory and swap space of a `host` dataset are full at 100 %.
    """
    now = system.clock.now()
    found = [*_of_figures(system, datasets, now), *_of_budgets(system, datasets, now)]
    return tuple(sorted(found, key=lambda one: one.in_s))


def reaches(system: IntegratedSystem, names: Sequence[str], value: float) -> tuple[Reach, ...]:
    """When the named series reach `value`, from whichever side they are on.

    Raises:
        UsageError: no series was named, or a whole dataset.
        PipelineError: a name has no history, or there is no such metric.
    """
    targets = asked_for(system, names).targets if names else ()
    if not targets or any(not target.metric for target in targets):
        hint = "e.g. `detect orders.latency_s --reaches 30`, or a number of yours"
        raise UsageError("--reaches needs the name of one figure", hint=hint)
    now, said = system.clock.now(), FeedbackGiven(system.database).all()
    subjects = dict.fromkeys(target.subject for target in targets)
    blocks = list(masked(together(system.history.blocks(subjects)), said))
    return tuple(
        _reach(target.shown, value, *block.series(target.metric), now)
        for target in targets
        for block in blocks
        if block.subject == target.subject and target.metric in block.metrics
    )


def _reach(shown: str, value: float, times: Floats, values: Floats, now: datetime) -> Reach:
    rising = not len(values) or float(np.median(values[-5:])) < value
    there = ahead(times, values, value, rising=rising)
    words = {
        "ahead": f"reaches {value:g} {_in_about(there, now)}" if there.state == "ahead" else "",
        "learning": f"learning: {len(values)} of {LEAST} points",
        "there": f"is at {value:g} already",
        "steady": f"does not {'grow' if rising else 'fall'} steadily towards {value:g}",
    }
    known = there.state == "ahead"
    return Reach(
        series=shown,
        value=value,
        state=there.state,
        level=None if there.state == "learning" else there.level,
        reached=_text(there.reached) if known else None,
        earliest=_text(there.earliest) if known else None,
        latest=_text(there.latest) if known else None,
        words=words[there.state],
    )


def _in_about(there: Ahead, now: datetime) -> str:
    left = [max(moment - now.timestamp(), 0.0) for moment in (there.reached, there.earliest, there.latest)]
    about, first, last = map(duration, left)
    return f"in about {about} (between {first} and {last})"


def _limits(dataset: DatasetSettings) -> Iterator[_Limit]:
    promise, deadline = dataset.promise, dataset.resilience.deadline
    if promise is not None and promise.max_age is not None:
        yield _Limit("data_age_s", promise.max_age, f"its promise ({duration(promise.max_age)})")
    if deadline is not None:
        yield _Limit("latency_s", deadline, f"its deadline ({duration(deadline)})")
    if dataset.collect.kind == "host":
        disk = str(dataset.collect.disk)
        yield _Limit(DISK, 100.0, "a full disk" if disk == "/" else f"a full disk ({disk})")
        yield from (_Limit(metric, 100.0, what) for metric, what in _OF_HOSTS)


def _of_figures(system: IntegratedSystem, datasets: Sequence[DatasetSettings], now: datetime) -> Iterator[Trouble]:
    limits = {dataset.name: tuple(_limits(dataset)) for dataset in datasets if dataset.detect.enabled}
    if not limits:
        return
    said = FeedbackGiven(system.database).all()
    for block in masked(together(system.history.blocks(limits)), said):
        for metric, threshold, what in limits[block.subject]:
            if metric in block.metrics:
                there = ahead(*block.series(metric), threshold)
                yield from _told(block.subject, metric, threshold, what, there, now)


def _of_budgets(system: IntegratedSystem, datasets: Sequence[DatasetSettings], now: datetime) -> Iterator[Trouble]:
    asked = [(dataset, dataset.objective.over) for dataset in datasets if dataset.objective is not None]
    if not asked:
        return
    spans = Objectives(system.database).spans([dataset.name for dataset, _ in asked])
    for dataset, over in asked:
        found: dict[str, Trouble] = {}
        for part in _PARTS:
            step = timedelta(seconds=over * part / _MOMENTS)
            moments = [now - step * back for back in range(_MOMENTS, -1, -1)]
            left: dict[str, list[tuple[float, float]]] = {}
            for moment in moments:
                for standing in standings(dataset, spans[dataset.name], moment):
                    if standing.share is not None:
                        left.setdefault(standing.objective, []).append((moment.timestamp(), standing.budget_left))
            for objective, points in left.items():
                times, shares = np.array(points).T
                metric, what = f"budget({objective})", "the end of its error budget"
                for one in _told(dataset.name, metric, 0.0, what, ahead(times, shares, 0.0, rising=False), now):
                    found[metric] = min(found.get(metric, one), one, key=lambda trouble: trouble.in_s)
        yield from found.values()


def _told(dataset: str, metric: str, threshold: float, what: str, there: Ahead, now: datetime) -> Iterator[Trouble]:
    if there.state != "ahead" or there.latest <= now.timestamp():
        return
    yield Trouble(
        dataset=dataset,
        metric=metric,
        level=there.level,
        threshold=threshold,
        what=what,
        reached=_text(there.reached),
        earliest=_text(there.earliest),
        latest=_text(there.latest),
        in_s=max(there.reached - now.timestamp(), 0.0),
        words=f"reaches {what} {_in_about(there, now)}",
    )


def _text(time: float) -> str:
    return rfc3339(datetime.fromtimestamp(time, UTC))
