"""Entry points that score a whole series, so that anyone can measure the detection on labelled data."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from data_pipeline.detect.detector import ALARM, Series, in_order
from data_pipeline.detect.median import MedianDetector
from data_pipeline.detect.robust import MINIMUM_POINTS, Floats, baseline, median
from data_pipeline.detect.season import choose
from data_pipeline.detect.traits import to_scale

_WINDOW = 3000  # a whole series is at hand here, and a longer memory ranks long incidents better
_JOINT_WINDOW = 1000  # of each of several metrics, which speak for each other: a third of the time
_SEASON_FROM = 20_000  # newest points a season is read from
_NEIGHBOURHOOD = 41  # points round a point that make its local level
_LEVEL_SHARE = 0.7  # of the local level is taken off: less, and slow growth is strange; more, and long incidents vanish
_CLIP = 5.0  # one wild metric of many counts no more than this many limits


def score_causal(
    values: ArrayLike,
    timestamps: ArrayLike,
    train_length: int,  # noqa: ARG001 - the callers' convention
) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores (n,) in 0..1 and alarms (n,), each from the points before it alone.

    Args:
        values: Shape (n,) for one metric, (n, k) for several of one subject.
        timestamps: Epoch seconds, shape (n,), rising.
        train_length: Points taken as history; not needed, the detector learns as it goes.
    """
    columns, times = _columns(values, timestamps)
    window = _WINDOW if len(columns) == 1 else _JOINT_WINDOW
    scores = np.stack([_causal(column, times, window) for column in columns])
    if len(columns) == 1:
        return scores[0], scores[0] >= ALARM
    ratios = np.minimum(scores / (1.0 - np.minimum(scores, 0.99)), _CLIP)
    together = ratios.mean(axis=0)
    # An incident of the subject shows in more than one of its metrics.
    return together / (1.0 + together), np.sort(scores, axis=0)[-2:].mean(axis=0) >= ALARM


def score_series(
    values: ArrayLike,
    timestamps: ArrayLike,
    train_length: int,  # noqa: ARG001 - the callers' convention
) -> Floats:
    """Scores (n,) in 0..1 with the whole series in hand: deviation from season and local level; arguments as above."""
    columns, times = _columns(values, timestamps)
    ratios = np.stack([_deviation(column, times) for column in columns])
    together: Floats = np.minimum(ratios, _CLIP if len(columns) > 1 else np.inf).mean(axis=0)
    return together / (1.0 + together)


def _causal(values: Floats, times: Floats, window: int) -> Floats:
    n = len(values)
    scores = np.zeros(n)
    detector = MedianDetector(window=window)
    start = min(MINIMUM_POINTS - 1, n)
    while start < n:
        # Seasons change slowly: learn again after every 15 % of growth. The grid depends on positions
        # alone, so a prefix of the series is scored exactly as the series is.
        stop = min(n, max(start + 8, int(start * 1.15)))
        past, now = slice(max(0, start - _SEASON_FROM), start), slice(start, stop)
        model = detector.fit(Series("", "", times[past], values[past]))
        scores[now] = model.score(Series("", "", times[now], values[now]))
        start = stop
    return np.nan_to_num(scores)


def _deviation(values: Floats, times: Floats) -> Floats:
    ordered_times, ordered = in_order(times, values)
    out = np.zeros(len(values))
    if len(ordered) < 3:
        return out
    ordered = to_scale("", ordered)
    season = choose(ordered_times, ordered)
    rest = ordered - float(np.median(ordered)) - (season.expected(ordered_times) if season else 0.0)
    width = min(_NEIGHBOURHOOD, len(rest) // 2 * 2 - 1)
    local = median(sliding_window_view(np.pad(rest, width // 2, mode="reflect"), width))
    rest = rest - _LEVEL_SHARE * local
    base = baseline(rest[None, :])
    # Back to the order and the duplicates that came in.
    place = np.minimum(np.searchsorted(ordered_times, times), len(rest) - 1)
    out[:] = np.abs(rest - base.centre[0])[place] / (5.0 * base.spread[0])
    out[~np.isfinite(values)] = 0.0
    return out


def _columns(values: Any, timestamps: Any) -> tuple[list[Floats], Floats]:
    table = np.asarray(values, np.float64)
    times = np.asarray(timestamps, np.float64)
    if table.ndim not in {1, 2} or times.shape != table.shape[:1]:
        raise ValueError(f"values (n,) or (n, k) and timestamps (n,) expected; got {table.shape} and {times.shape}")
    if table.ndim == 1:
        table = table[:, None]
    return [np.ascontiguousarray(table[:, k]) for k in range(table.shape[1])], times
