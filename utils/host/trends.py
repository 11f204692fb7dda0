"""The mean of a figure over a window, and where it goes."""

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Trend", "trend"]


class Trend(NamedTuple):
    """In the unit of the values. `per_hour`: slope of the least squares line; None: all points are of one moment."""

    mean: float
    per_hour: float | None


def trend(points: Sequence[tuple[float, float]]) -> Trend | None:
    """Of points (seconds, value) in any order; None: there is none.

    >>> trend([(0, 50.0), (1800, 55.0), (3600, 60.0)])
    Trend(mean=55.0, per_hour=10.0)
    """
    if not points:
        return None
    middle = sum(at for at, _ in points) / len(points)
    mean = sum(value for _, value in points) / len(points)
    square = sum((at - middle) ** 2 for at, _ in points)
    if square == 0.0:
        return Trend(mean, None)
    return Trend(mean, 3600.0 * sum((at - middle) * (value - mean) for at, value in points) / square)
