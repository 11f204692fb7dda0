"""The points of a series by time."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["in_order"]

Floats = NDArray[np.float64]


def in_order(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    """The points that have a value, by time; of two points at one time the later one in the array counts."""
    times, values = np.asarray(times, np.float64), np.asarray(values, np.float64)
    there = np.isfinite(values) & np.isfinite(times)
    if not there.all():
        times, values = times[there], values[there]
    if len(times) < 2 or (times[1:] > times[:-1]).all():
        return times, values
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    last = np.append(times[1:] != times[:-1], True)
    return times[last], values[last]
