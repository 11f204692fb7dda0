"""Entry points that score a whole series, so that anyone can measure the detection on labelled data."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data_pipeline.detect.causal import judge_causally
from data_pipeline.detect.hindsight import judge_one, judge_several
from data_pipeline.detect.robust import Floats
from data_pipeline.detect.traits import to_scale

_HALF = 8.5  # a causal figure of 5.5, an alarm by itself, has a score of 0.5
_ONSET = 20.0  # what is added to that of the point that opens an episode
_LIMIT = 4.0  # a fused z that is an anomaly when the whole series is in hand


def score_causal(
    values: ArrayLike,
    timestamps: ArrayLike,
    train_length: int,  # noqa: ARG001 - the callers' convention
) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores (n,) in 0..1 and alarms (n,), each from the points before it alone.

    The point that opens an episode has a higher score than any that does not, so that one threshold for
    many series finds episodes, not the points of one long incident.

    Args:
        values: Shape (n,) for one metric, (n, k) for several of one subject; what has no value scores 0.
        timestamps: Epoch seconds, shape (n,), rising.
        train_length: Points taken as history; not needed, the detector learns as it goes.
    """
    columns, times = _columns(values, timestamps)
    known = np.isfinite(np.stack(columns)).any(axis=0) & np.isfinite(times)
    there = np.flatnonzero(known)
    scores, alarms = np.zeros(len(times)), np.zeros(len(times), bool)
    if there.size:
        judged = judge_causally(times[there], [_as_before(to_scale("", column[there])) for column in columns])
        ratio = (judged.figure + 3.0 + _ONSET * judged.onset) / _HALF
        scores[there], alarms[there] = ratio / (1.0 + ratio), judged.alarm
    return scores, alarms


def score_series(values: ArrayLike, timestamps: ArrayLike, train_length: int) -> Floats:
    """Scores (n,) in 0..1 with the whole series in hand, from the ensemble.

    Args:
        values: Shape (n,) for one metric, (n, k) for several of one subject.
        timestamps: Epoch seconds, shape (n,), in any order.
        train_length: The first points, which may be taken as ordinary history.
    """
    columns, times = _columns(values, timestamps)
    n = len(times)
    out = np.zeros(n)
    there = np.flatnonzero(np.isfinite(times) & np.isfinite(np.stack(columns)).any(axis=0))
    if len(there) < 3:
        return out
    there = there[np.argsort(times[there], kind="stable")]
    times, opening = times[there], int(np.count_nonzero(there < train_length))
    filled = [_without_gaps(to_scale("", column[there])) for column in columns]
    judge = judge_several(times, filled, opening) if len(filled) > 1 else judge_one(times, filled[0], opening)
    ratio = (judge - judge.min()) / _LIMIT
    out[there] = ratio / (1.0 + ratio)
    return out


def _without_gaps(values: Floats) -> Floats:
    """What has no value is taken to lie between its neighbours; all zero where there is none at all."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) == len(values):
        return values
    return np.interp(np.arange(len(values)), known, values[known]) if len(known) else np.zeros(len(values))


def _as_before(values: Floats) -> Floats:
    """What has no value is taken to be as it was; what never had one, to be zero."""
    known = np.isfinite(values)
    if known.all():
        return values
    last = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    return np.where(last >= 0, values[last], 0.0)


def _columns(values: Any, timestamps: Any) -> tuple[list[Floats], Floats]:
    table = np.asarray(values, np.float64)
    times = np.asarray(timestamps, np.float64)
    if table.ndim not in {1, 2} or times.shape != table.shape[:1]:
        raise ValueError(f"values (n,) or (n, k) and timestamps (n,) expected; got {table.shape} and {times.shape}")
    if table.ndim == 1:
        table = table[:, None]
    return [np.ascontiguousarray(table[:, k]) for k in range(table.shape[1])], times
