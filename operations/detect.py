"""Anomalies over what the history holds: the figures of datasets, and the numbers that were recorded."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from data_pipeline.detect.datasets import LOOKED_AT, detect_datasets
from data_pipeline.detect.detect import Detection
from data_pipeline.detect.detect import detect as judge
from data_pipeline.detect.detector import Anomaly
from data_pipeline.detect.feedback import heard, masked
from data_pipeline.detect.feedback_views import FeedbackGiven, Said
from data_pipeline.detect.incidents import Part, incidents
from data_pipeline.detect.robust import MINIMUM_POINTS
from data_pipeline.detect.wall import Wall
from data_pipeline.detect.walls import Walls
from integrated_system import IntegratedSystem
from operations.ahead import Trouble, troubles
from operations.detect_names import Asked, asked_for
from operations.own_metrics import own_blocks

__all__ = ["Backtest", "Detected", "Sensitivity", "backtest", "detect"]

RATES = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_STORED = 10_000  # points of each series that a back-test goes through


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of an incident; `share`: how much it stands out, of all of them together."""

    dataset: str
    metric: str
    share: float
    time: float
    severity: str
    reason: str


@dataclass(frozen=True, slots=True)
class Told:
    """An incident: `of` a dataset, a recorded number, or a provider. What stands out most comes first."""

    of: str
    severity: str
    since: float
    until: float
    figures: tuple[Figure, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Detected:
    """What the detectors find unlikely now, the series that are still too short to judge, and what lies ahead."""

    judged: int
    anomalies: tuple[dict[str, Any], ...]
    learning: dict[str, str]
    ahead: tuple[Trouble, ...] = ()
    incidents: tuple[Told, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "judged": self.judged,
            "anomalies": list(self.anomalies),
            "incidents": [one.to_json() for one in self.incidents],
            "learning": self.learning,
            "ahead": [one.to_json() for one in self.ahead],
        }


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What a rate would have brought. `per_1000`: episodes in 1,000 judged points."""

    rate: float
    episodes: int
    per_1000: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """What would have been told. `episodes`: at the rate that is set, the first point of each, oldest first."""

    judged: int
    episodes: tuple[dict[str, Any], ...]
    sensitivities: tuple[Sensitivity, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "judged": self.judged,
            "episodes": list(self.episodes),
            "sensitivities": [
                {"rate": one.rate, "episodes": one.episodes, "per_1000": one.per_1000} for one in self.sensitivities
            ],
        }


def detect(system: IntegratedSystem, names: Sequence[str] = ()) -> Detected:
    """Judge the newest point of every series, or of the named ones.

    A name is `DATASET`, `DATASET.METRIC`, or that of a recorded number (with or without its tags, as it is shown).

    Raises:
        PipelineError: a name has no history, or there is no such metric.
    """
    asked = asked_for(system, names)
    found = _judged(system, asked)
    learning = {_shown(asked, *key): words for key, words in found.learning.items()}
    return Detected(
        judged=found.judged,
        anomalies=tuple(_told(asked, one) for one in found.anomalies),
        learning=dict(sorted(learning.items())),
        ahead=tuple(one for one in troubles(system, asked.datasets) if asked.has(one.dataset, one.metric)),
        incidents=_incidents(system, asked, found.anomalies),
    )


def backtest(system: IntegratedSystem, names: Sequence[str] = (), *, rate: float | None = None) -> Backtest:
    """Judge every stored point by those before it, as it would have been when it came; at other rates, too.

    What people said counts from the beginning. The names are those of `detect`.

    Args:
        rate: What would have been told at this rate (false episodes per 1,000 points), instead of the one that is set;
            then no other is tried.

    Raises:
        PipelineError: a name has no history, or there is no such metric.
    """
    asked = asked_for(system, names)
    found = _judged(system, asked, everything=True, rate=rate)
    table = []
    for tried in RATES if rate is None else (rate,):
        other = found if tried == rate else _judged(system, asked, everything=True, rate=tried)
        episodes = len({(one.subject, one.metric, one.since) for one in other.anomalies})
        table.append(Sensitivity(tried, episodes, round(1000.0 * episodes / max(other.judged, 1), 3)))
    firsts: dict[tuple[str, str, float], Anomaly] = {}
    for one in sorted(found.anomalies, key=lambda one: one.time):
        firsts.setdefault((one.subject, one.metric, one.since), one)
    return Backtest(found.judged, tuple(_told(asked, one) for one in firsts.values()), tuple(table))


def _incidents(system: IntegratedSystem, asked: Asked, anomalies: Sequence[Anomaly]) -> tuple[Told, ...]:
    of_datasets = {dataset.name: dataset for dataset in asked.datasets}
    several = len({one.subject for one in anomalies} & of_datasets.keys()) > 1

    def provider_of(subject: str) -> str:
        # A single dataset's provider is not asked for: that builds the collectors.
        return system.collector.provider_of(of_datasets[subject]) if several and subject in of_datasets else subject

    # Recorded numbers without tags have one subject, and no more than that in common.
    named = [
        replace(one, subject=_shown(asked, one.subject, one.metric)) if one.subject.startswith("{") else one
        for one in anomalies
    ]
    return tuple(
        Told(
            of=found.of,
            severity=found.severity,
            since=found.since,
            until=found.until,
            figures=tuple(_figure(part) for part in found.parts),
        )
        for found in incidents(named, provider_of)
    )


def _figure(part: Part) -> Figure:
    one = part.anomaly
    return Figure(one.subject, one.metric, round(part.share, 4), one.time, one.severity, one.reason)


def _judged(
    system: IntegratedSystem, asked: Asked, *, everything: bool = False, rate: float | None = None
) -> Detection:
    """The verdicts about what was asked for: of the newest points, or of `everything` that is stored."""
    said = FeedbackGiven(system.database).all()
    last, new = (_STORED, _STORED) if everything else (LOOKED_AT, 1)
    of_datasets = detect_datasets(
        system.history,
        asked.datasets,
        feedback=said,
        last=last,
        new_points=new,
        rate=rate,
        wall_of=Walls(system.settings).of,
    )
    blocks = [block for _, block in own_blocks(system, asked.recorded, last=last)] if asked.recorded else []
    narrow = everything and any(target.metric for target in asked.targets)
    of_numbers = judge(masked(blocks, said), new_points=new, rate=rate or 0.5, wall=Wall(system.settings.app.zone))
    return Detection(
        anomalies=[
            *(one for one in of_datasets.anomalies if asked.has(one.subject, one.metric)),
            *heard(of_numbers.anomalies, said),
        ],
        learning={
            **{key: words for key, words in of_datasets.learning.items() if asked.has(*key)},
            **of_numbers.learning,
        },
        judged=(_points(system, asked, said) if narrow else of_datasets.judged) + of_numbers.judged,
    )


def _points(system: IntegratedSystem, asked: Asked, said: Sequence[Said]) -> int:
    """How many points of the named figures get a verdict; a run judges all figures of a dataset together."""
    import numpy as np

    names = [dataset.name for dataset in asked.datasets]
    columns = [
        column
        for block in masked(system.history.blocks(names, last=_STORED), said)
        for metric, column in zip(block.metrics, block.values.T, strict=True)
        if asked.has(block.subject, metric)
    ]
    return sum(max(int(np.isfinite(column).sum()) - MINIMUM_POINTS + 1, 0) for column in columns)


def _told(asked: Asked, one: Anomaly) -> dict[str, Any]:
    if one.subject.startswith("{"):
        return {"series": _shown(asked, one.subject, one.metric), **one.to_json()}
    return {"dataset": one.subject, **one.to_json()}


def _shown(asked: Asked, subject: str, metric: str) -> str:
    shown = {(one.subject, one.name): str(one) for one in asked.recorded}
    return shown.get((subject, metric), f"{subject}.{metric}")
