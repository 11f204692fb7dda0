"""Numbers of the user's own: kept like the figures of a dataset, judged as they come."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_pipeline.delivery import METRICS
from data_pipeline.detect.traits import of_a_column
from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError, operation
from utils.events import NewEvent, rfc3339
from utils.history import Series, SeriesNameError
from utils.history.points import recording

if TYPE_CHECKING:
    from data_pipeline.detect.detector import Anomaly
    from utils.history import Block

__all__ = ["Recorded", "newest", "own_blocks", "own_series", "record"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A number that was kept, and what the detectors say about it. `time`: RFC 3339."""

    name: str
    value: float
    unit: str
    tags: Mapping[str, str]
    time: str
    anomalies: tuple[dict[str, Any], ...] = ()
    learning: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "tags": dict(self.tags),
            "time": self.time,
            "anomalies": list(self.anomalies),
            "learning": self.learning or None,
        }


@operation("operator")
def record(
    system: IntegratedSystem,
    actor: Actor,
    name: str,
    value: float,
    unit: str = "",
    tags: Mapping[str, str] = {},
) -> Recorded:
    """Keep a number now; it is committed when this returns. What is strange about it becomes `anomaly.detected`.

    Raises:
        UsageError: the name, a tag or the value cannot be kept, or the series has another unit.
    """
    now = system.clock.now()
    series = Series(name, dict(tags), unit)
    try:
        statements = recording(series, now.timestamp(), _finite(name, value))
    except SeriesNameError as error:
        raise UsageError(str(error), hint=error.hint) from error
    if series.subject in {dataset.name for dataset in system.settings.datasets} and name in METRICS:
        hint = f"choose another name than {', '.join(METRICS)}"
        raise UsageError(f"{series}: is measured by every run of that dataset", hint=hint)
    kept = next((one.unit for one in system.history.series(name) if str(one) == str(series)), "") if unit else ""
    if kept and kept != unit:
        raise UsageError(f"{series}: is kept in `{kept}`, not in `{unit}`", hint="convert it, or choose another name")
    system.events.append([], statements=statements)
    found, learning = _judged(system, series, now.timestamp())
    told = tuple(anomaly.to_json() for anomaly in found)
    if told:
        data = {"series": str(series), "tags": dict(tags), "unit": unit, "actor": actor.name}
        subject = str(series) if series.subject.startswith("{") else series.subject
        system.events.append([NewEvent("anomaly.detected", subject, {**one, **data}, source="detect") for one in told])
    return Recorded(name, float(value), unit, dict(tags), rfc3339(now), told, learning)


def own_series(system: IntegratedSystem) -> list[Series]:
    """The series that were recorded, by name and labels; not those that runs measure."""
    return sorted((one for one in system.history.series() if _is_own(one)), key=str)


def own_blocks(
    system: IntegratedSystem, series: Iterable[Series], *, last: int = 256
) -> "Iterator[tuple[Series, Block]]":
    """The newest points of each."""
    wanted = {(one.subject, one.name): one for one in series}
    for block in system.history.blocks(dict.fromkeys(subject for subject, _ in wanted), last=last):
        if len(block.metrics) == 1 and (one := wanted.get((block.subject, block.metrics[0]))) is not None:
            yield one, block


def newest(system: IntegratedSystem) -> list[tuple[Series, float]]:
    """Each recorded series with its newest value."""
    return sorted(
        ((one, value) for one, value in system.history.recorded() if _is_own(one)), key=lambda own: str(own[0])
    )


def _judged(system: IntegratedSystem, series: Series, since: float) -> "tuple[list[Anomaly], str]":
    from data_pipeline.detect.detect import detect
    from data_pipeline.detect.feedback import heard, masked
    from data_pipeline.detect.feedback_views import FeedbackGiven
    from data_pipeline.detect.wall import Wall

    said = FeedbackGiven(system.database).all()
    found = detect(
        masked([block for _, block in own_blocks(system, [series])], said),
        new_since=since,
        wall=Wall(system.settings.app.zone),
    )
    return heard(found.anomalies, said), found.learning.get((series.subject, series.name), "")


def _is_own(series: Series) -> bool:
    return not (series.name in METRICS or of_a_column(series.name)) or series.subject.startswith("{")


def _finite(name: str, value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name}: {value!r} is no number", hint="give a number, e.g. 12.5") from error
    if not math.isfinite(number):
        raise UsageError(f"{name}: {value!r} cannot be kept", hint="leave out what was not measured")
    return number
