"""Where each point of a series was expected by those before it: the band that is drawn behind a line."""

from typing import NamedTuple

import numpy as np

from data_pipeline.detect.detector import Series
from data_pipeline.detect.median import MedianDetector, MedianModel
from data_pipeline.detect.robust import Floats
from data_pipeline.detect.season import choose
from data_pipeline.detect.traits import from_scale, to_scale
from utils.point_order import in_order

__all__ = ["Expected", "expected"]


class Expected(NamedTuple):
    """Arrays of one length, in order of time; the first points, which had no past to speak of, are left out."""

    times: Floats
    low: Floats
    high: Floats


def expected(series: Series, detector: MedianDetector) -> Expected:
    """The band of the median detector at each point: by the points before it, and by the season as it is known now."""
    times, raw = in_order(series.times, series.values)
    values = to_scale(series.metric, raw)
    empty = np.empty(0)
    if not len(times):
        return Expected(empty, empty, empty)
    season = choose(times, values, detector.wall)
    judged = MedianModel(detector, series.metric, season, empty, empty).judge(times, values)
    there = np.isfinite(judged.ratio)
    low, high = (
        np.array([from_scale(series.metric, edge) for edge in (judged.expected + way * judged.limit)[there]])
        for way in (-1.0, 1.0)
    )
    if raw.min() >= 0.0:
        low = np.maximum(low, 0.0)  # what was never negative is not expected to be
    return Expected(times[there], low, high)
