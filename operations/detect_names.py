"""Which series a name means: a dataset's, one figure of it, or a number that was recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from config.datasets import DatasetSettings
from data_pipeline.delivery import METRICS
from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.own_metrics import own_series
from utils.history import Series

__all__ = ["Asked", "Target", "asked_for"]


class Target(NamedTuple):
    """A series, or with the metric "" all of a subject, as the history knows it and as people write it."""

    subject: str
    metric: str
    shown: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks about.

    Attributes:
        datasets: Those with a series that was named, or all.
        recorded: The recorded numbers likewise.
        names: Name -> dataset; empty when all are meant.
    """

    datasets: tuple[DatasetSettings, ...]
    recorded: tuple[Series, ...]
    names: Mapping[str, str]

    def has(self, subject: str, metric: str) -> bool:
        return not self.names or subject in self.names or f"{subject}.{metric}" in self.names

    @property
    def targets(self) -> tuple[Target, ...]:
        """What was named; of `detect` without a name nothing."""
        named = [Target(subject, name.partition(".")[2], name) for name, subject in self.names.items()]
        return (*named, *(Target(one.subject, one.name, str(one)) for one in self.recorded))


def asked_for(system: IntegratedSystem, names: Sequence[str] = ()) -> Asked:
    """What the names mean: `DATASET`, `DATASET.METRIC`, or a recorded number with or without its tags.

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
            hint = f"there is history of: {', '.join(there) or 'nothing'}"
            raise PipelineError(f"{name}: no history", hint=hint, missing=True)
        metric = name.partition(".")[2]
        if metric and metric not in known | set(METRICS):
            raise PipelineError(
                f"{name}: there is no figure {metric!r}",
                hint=f"figures are: {', '.join(sorted(known))}",
                missing=True,
            )
    meant = set(wanted.values()) if names else set(subjects)
    return Asked(
        tuple(dataset for dataset in system.settings.datasets if dataset.name in meant),
        tuple(one for shown, one in own.items() if not names or {shown, one.name} & of_own),
        wanted,
    )
