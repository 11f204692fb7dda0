"""Anomalies over what the history holds: the figures of datasets, and the numbers that were recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data_pipeline.delivery import METRICS
from data_pipeline.detect.datasets import detect_datasets
from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.own_metrics import own_blocks, own_series
from utils.history import Series


@dataclass(frozen=True, slots=True)
class Detected:
    """What the detectors find unlikely now, and the series that are still too short to judge."""

    judged: int
    anomalies: tuple[dict[str, Any], ...]
    learning: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        return {"judged": self.judged, "anomalies": list(self.anomalies), "learning": self.learning}


def detect(system: IntegratedSystem, names: Sequence[str] = ()) -> Detected:
    """Judge the newest point of every series, or of the named ones.

    A name is `DATASET`, `DATASET.METRIC`, or that of a recorded number (with or without its tags, as it is shown).

    Raises:
        PipelineError: a name has no history, or there is no such metric.
    """
    subjects = system.history.subjects()
    own = {str(one): one for one in own_series(system) if one.subject.startswith("{")}
    of_own = {name for name in names if any(name in (shown, one.name) for shown, one in own.items())}
    wanted = {name: name.partition(".")[0] for name in names if name not in of_own}
    for name, subject in wanted.items():
        known = {metric for block in system.history.blocks([subject], last=1) for metric in block.metrics}
        if not known:
            there = [*(subject for subject in subjects if not subject.startswith("{")), *own]
            raise PipelineError(f"{name}: no history", hint=f"there is history of: {', '.join(there) or 'nothing'}")
        metric = name.partition(".")[2]
        if metric and metric not in known | set(METRICS):
            raise PipelineError(
                f"{name}: there is no figure {metric!r}", hint=f"figures are: {', '.join(sorted(known))}"
            )
    asked_for = set(wanted.values()) if names else set(subjects)
    found = detect_datasets(system.history, [d for d in system.settings.datasets if d.name in asked_for])
    recorded = _recorded(system, [one for shown, one in own.items() if not names or {shown, one.name} & of_own])

    def asked(subject: str, metric: str) -> bool:
        return not wanted or subject in wanted or f"{subject}.{metric}" in wanted

    told = [{"dataset": a.subject, **a.to_json()} for a in found.anomalies if asked(a.subject, a.metric)]
    learning = {f"{s}.{m}": words for (s, m), words in found.learning.items() if asked(s, m)}
    return Detected(
        judged=found.judged + recorded.judged,
        anomalies=(*told, *recorded.anomalies),
        learning=dict(sorted({**learning, **recorded.learning}.items())),
    )


def _recorded(system: IntegratedSystem, series: Sequence[Series]) -> Detected:
    if not series:
        return Detected(0, (), {})
    from data_pipeline.detect.detect import detect as judge

    shown = {(one.subject, one.name): str(one) for one in series}
    found = judge([block for _, block in own_blocks(system, series)])
    return Detected(
        judged=found.judged,
        anomalies=tuple({"series": shown[a.subject, a.metric], **a.to_json()} for a in found.anomalies),
        learning={shown[key]: words for key, words in found.learning.items()},
    )
