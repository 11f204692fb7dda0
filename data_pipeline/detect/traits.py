"""What is known beforehand about our own metrics: which way is bad, which scale, what is too small to matter."""

from functools import lru_cache

import numpy as np

from data_pipeline.detect.detector import Directions
from data_pipeline.detect.robust import ABSOLUTE_FLOOR, RELATIVE_FLOOR, Floats

# A metric that is not named here may be strange both ways.
DIRECTIONS: dict[str, Directions] = {
    "quality": "down",
    "quality_uncapped": "down",
    "completeness": "down",
    "validity": "down",
    "uniqueness": "down",
    "consistency": "down",
    "timeliness": "down",
    "volume": "down",
    "attempts": "up",
    "latency_s": "up",
    "duration_s": "up",
    "data_age_s": "up",
    "age_s": "up",
    "nulls": "up",
    "null_share": "up",
    "quarantined": "up",
    "failed": "up",
}

# Times of work and waiting are skewed: twice as slow is as strange as half as slow would be, so they are
# judged on log(1 + seconds).
LOG_SCALE = frozenset({"latency_s", "duration_s", "data_age_s", "age_s"})

# The least spread a metric is credited with, in its own unit (seconds on the log scale): a first retry or one
# null among thousands is no news although the history holds none.
_FLOORS = {
    "quality": 0.25,
    "quality_uncapped": 0.25,
    "completeness": 0.1,
    "validity": 0.1,
    "uniqueness": 0.1,
    "consistency": 0.1,
    "timeliness": 0.1,
    "volume": 0.1,
    "attempts": 0.5,
    "rows": 0.25,
    "nulls": 0.001,  # a share of the cells
    "null_share": 0.001,
    "quarantined": 0.25,
    "failed": 0.25,
    "bytes": 16.0,
}
_LOG_FLOOR = 0.05

LARGEST = 1e290  # numbers are cut here, so that sums and differences of a few thousand of them stay finite


@lru_cache(maxsize=4096)
def figure_of(metric: str) -> str:
    """What is measured, whichever column it is measured of.

    >>> figure_of("nulls(email)"), figure_of("nulls")
    ('nulls', 'nulls')
    """
    return metric.partition("(")[0]


def of_a_column(metric: str) -> bool:
    """Whether it is a figure of one column of the dataset, as `mean(amount)` is."""
    return metric.endswith(")")


def is_log(metric: str) -> bool:
    """Whether it is judged on the scale of logarithms."""
    return figure_of(metric) in LOG_SCALE


def floors(metric: str) -> tuple[float, float]:
    """(absolute, share of the level): the least spread of `metric`, on the scale it is judged on."""
    if is_log(metric):
        return _LOG_FLOOR, 0.0
    return _FLOORS.get(figure_of(metric), ABSOLUTE_FLOOR), RELATIVE_FLOOR


def to_scale(metric: str, values: Floats) -> Floats:
    """`values` on the scale `metric` is judged on; negative times (a provider's clock ahead) count as none."""
    return np.log1p(np.maximum(values, 0.0)) if is_log(metric) else np.clip(values, -LARGEST, LARGEST)


def from_scale(metric: str, value: float) -> float:
    """The way back, for bands and sentences."""
    return float(np.expm1(min(value, 700.0))) if is_log(metric) else value


def direction_of(metric: str, asked: Directions) -> Directions:
    """Which way `metric` can be strange: what was asked for, else what is known about it."""
    return DIRECTIONS.get(figure_of(metric), "both") if asked == "both" else asked
