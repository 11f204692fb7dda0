"""Judge datasets by their own settings: those that share settings are judged together, in one pass."""

from collections.abc import Iterable
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.detect.detect import Detection, detect
from utils.history import History


def detect_datasets(
    history: History, datasets: Iterable[DatasetSettings], *, new_since: float | None = None
) -> Detection:
    """Anomalies among the points since `new_since` (epoch seconds), or among the newest ones.

    A dataset with `detect.enabled: false` is left out.
    """
    alike: dict[tuple[Any, ...], list[str]] = {}
    for dataset in datasets:
        written = dataset.detect
        if written.enabled:
            key = (written.rate, written.direction, written.ignore_below, written.exclude)
            alike.setdefault(key, []).append(dataset.name)
    found = [
        detect(
            history.blocks(names),
            new_since=new_since,
            rate=rate,
            direction=direction,
            ignore_below=ignore_below,
            exclude=exclude,
        )
        for (rate, direction, ignore_below, exclude), names in alike.items()
    ]
    return Detection(
        anomalies=[anomaly for part in found for anomaly in part.anomalies],
        learning={key: words for part in found for key, words in part.learning.items()},
        judged=sum(part.judged for part in found),
    )
