"""Anomalies over what the history holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data_pipeline.delivery import METRICS
from data_pipeline.detect.datasets import detect_datasets
from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem


@dataclass(frozen=True, slots=True)
class Detected:
    """What the detectors find unlikely now, and the series that are still too short to judge."""

    judged: int
    anomalies: tuple[dict[str, Any], ...]
    learning: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        return {"judged": self.judged, "anomalies": list(self.anomalies), "learning": self.learning}


def detect(system: IntegratedSystem, names: Sequence[str] = ()) -> Detected:
    """Judge the newest point of every series, or of the named ones (`DATASET` or `DATASET.METRIC`).

    Raises:
        PipelineError: a name has no history, or there is no such metric.
    """
    subjects = system.history.subjects()
    wanted = {name: name.partition(".")[0] for name in names}
    for name, subject in wanted.items():
        if subject not in subjects:
            raise PipelineError(f"{name}: no history", hint=f"there is history of: {', '.join(subjects) or 'nothing'}")
        metric = name.partition(".")[2]
        if metric and metric not in METRICS:
            raise PipelineError(f"{name}: there is no figure {metric!r}", hint=f"figures are: {', '.join(METRICS)}")
    subjects = sorted(set(wanted.values())) or subjects
    found = detect_datasets(system.history, [d for d in system.settings.datasets if d.name in subjects])

    def asked(subject: str, metric: str) -> bool:
        return not wanted or subject in wanted or f"{subject}.{metric}" in wanted

    return Detected(
        judged=found.judged,
        anomalies=tuple({"dataset": a.subject, **a.to_json()} for a in found.anomalies if asked(a.subject, a.metric)),
        learning={f"{s}.{m}": words for (s, m), words in sorted(found.learning.items()) if asked(s, m)},
    )
