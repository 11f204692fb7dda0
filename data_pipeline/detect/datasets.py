"""Judge datasets by their own settings: those that share settings are judged together, in one pass."""

from collections.abc import Iterable, Sequence
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.detect.detect import Detection, detect
from data_pipeline.detect.feedback import heard, masked
from data_pipeline.detect.feedback_views import Said
from utils.history import History

LOOKED_AT = 256  # points that a run reads of a series


def detect_datasets(
    history: History,
    datasets: Iterable[DatasetSettings],
    *,
    new_since: float | None = None,
    feedback: Sequence[Said] = (),
    last: int = LOOKED_AT,
    new_points: int = 1,
    rate: float | None = None,
) -> Detection:
    """Anomalies among the points since `new_since` (epoch seconds), or among the newest `new_points`.

    A dataset with `detect.enabled: false` is left out.

    Args:
        feedback: What people said; it is heeded.
        last: Points of each series that are read.
        rate: Takes the place of what each dataset says.
    """
    alike: dict[tuple[Any, ...], list[str]] = {}
    for dataset in datasets:
        written = dataset.detect
        if written.enabled:
            key = (rate or written.rate, written.direction, written.ignore_below, written.exclude)
            alike.setdefault(key, []).append(dataset.name)
    found = [
        detect(
            masked(history.blocks(names, last=last), feedback),
            new_since=new_since,
            new_points=new_points,
            rate=expected,
            direction=direction,
            ignore_below=ignore_below,
            exclude=exclude,
        )
        for (expected, direction, ignore_below, exclude), names in alike.items()
    ]
    return Detection(
        anomalies=heard((anomaly for part in found for anomaly in part.anomalies), feedback),
        learning={key: words for part in found for key, words in part.learning.items()},
        judged=sum(part.judged for part in found),
    )
