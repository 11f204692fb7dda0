"""When a growing metric reaches a threshold, with an interval; silent about what does not grow steadily.

The slope is the median of all slopes between two points (Theil 1950; Sen, "Estimates of the Regression Coefficient
Based on Kendall's Tau", JASA 1968), its interval Sen's, by the variance of Kendall's S: single spikes move neither.
When the line meets the threshold is a ratio of two estimates; its interval is Fieller's (1954). Both are widened for
noise that goes with itself, by the effective number of points of an AR(1) process.
"""

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from utils.point_order import in_order

__all__ = ["LEAST", "Ahead", "State", "ahead"]

Floats = NDArray[np.float64]

State = Literal["learning", "there", "steady", "ahead"]

LEAST = 20  # points that a trend is read from
_NEWEST = 256  # points looked at: all pairs of them
_FALSE = 0.0005  # one-sided: how often noise may look like growth
_FURTHEST = 3.0  # times as far ahead as the history reaches back: nobody knows what lies further
_AT_A_GLANCE = 24.0  # times what it grew from half to half: twice as far as it may lie ahead
_BOTH = 0.34  # of the whole slope, that each half must have: a step is no growth
_MOST_ALIKE = 0.995
_LEVEL_TO_SLOPE = sqrt(1.5)  # a median's error against that of a Theil-Sen line: (pi / 2) / (pi / 3), under a root


@dataclass(frozen=True, slots=True)
class Ahead:
    """Where a metric goes. Moments are epoch seconds, NaN unless the state is `ahead`.

    Attributes:
        state: `learning`: too few points; `there`: it is past the threshold; `steady`: it does not grow towards it, not
            steadily, or too slowly to say when; `ahead`: it does, and `reached` says when.
        slope: In units of the value a second.
        earliest, latest: Between them the trend meets the threshold, with the confidence that was asked for.
    """

    state: State
    level: float = float("nan")
    slope: float = 0.0
    reached: float = float("nan")
    earliest: float = float("nan")
    latest: float = float("nan")


class _Line(NamedTuple):
    slope: float
    half: float  # of the slope's interval
    surely: bool  # it grows


def ahead(times: Floats, values: Floats, threshold: float, *, rising: bool = True, confidence: float = 0.9) -> Ahead:
    """When the trend of `values` meets `threshold`.

    Args:
        times: Epoch seconds, shape (n,), in any order; points without a value are left out.
        rising: False: the metric is in trouble when it falls to the threshold, as free space is.
        confidence: Of the interval, between 0 and 1.

    Raises:
        ValueError: the confidence is out of range.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence}")
    times, values = (column[-_NEWEST:] for column in in_order(times, values))
    if len(values) < LEAST:
        return Ahead("learning")
    sign = 1.0 if rising else -1.0
    values, threshold = sign * values, sign * threshold
    before, after = float(np.median(values[: len(values) // 2])), float(np.median(values[len(values) // 2 :]))
    if after < threshold and after + _AT_A_GLANCE * max(after - before, 0.0) < threshold:
        return Ahead("steady", level=sign * after)  # of thousands of metrics nearly all: the pairs are left alone
    middle = float(times.mean())
    away = times - middle
    line = _line(away, values, confidence)
    level = float(np.median(values - line.slope * away))
    now = level + line.slope * float(away[-1])
    told = {"level": sign * now, "slope": sign * line.slope}
    if now >= threshold:
        return Ahead("there", **told)
    if not line.surely or not _in_both_halves(away, values, line.slope):
        return Ahead("steady", **told)
    missing = threshold - level
    reached = middle + missing / line.slope
    if reached > times[-1] + _FURTHEST * (times[-1] - times[0]):
        return Ahead("steady", **told)
    of_level = line.half * sqrt(float((away**2).sum()) / len(away)) * _LEVEL_TO_SLOPE
    leading = line.slope**2 - line.half**2
    around = sqrt((missing * line.half) ** 2 + leading * of_level**2)
    first, last = ((line.slope * missing + side * around) / leading for side in (-1.0, 1.0))
    return Ahead("ahead", **told, reached=reached, earliest=max(middle + first, float(times[-1])), latest=middle + last)


def _line(away: Floats, values: Floats, confidence: float) -> _Line:
    n = len(values)
    one, other = np.triu_indices(n, 1)
    slopes = np.sort((values[other] - values[one]) / (away[other] - away[one]))
    slope = float(np.median(slopes))
    wider = _alike(values - slope * away)
    half = _half(slopes, n, NormalDist().inv_cdf(0.5 + confidence / 2.0)) * wider
    surely = slope > _half(slopes, n, NormalDist().inv_cdf(1.0 - _FALSE)) * wider
    return _Line(slope, half, surely and slope > half)


def _half(slopes: Floats, n: int, z: float) -> float:
    """Half the width of Sen's interval at `z` deviations; the whole range when there are too few pairs for it."""
    reach = z * sqrt(n * (n - 1) * (2 * n + 5) / 18.0)
    low = max(int((len(slopes) - reach) / 2.0), 0)
    high = min(ceil((len(slopes) + reach) / 2.0), len(slopes) - 1)
    return float(slopes[high] - slopes[low]) / 2.0


def _alike(rest: Floats) -> float:
    """How many times wider an interval is because neighbours are alike; 1 when they are not."""
    rest = rest - rest.mean()
    total = float((rest**2).sum())
    if total == 0.0:
        return 1.0
    n = len(rest)
    raw = float((rest[1:] * rest[:-1]).sum()) / total
    # What a fitted line takes away of it (Marriott & Pope, Biometrika 1954) is given back.
    like = min(max(raw + (2.0 + 4.0 * raw) / n, 0.0), _MOST_ALIKE)
    return sqrt((1.0 + like) / (1.0 - like))


def _in_both_halves(away: Floats, values: Floats, slope: float) -> bool:
    half = len(values) // 2
    for part in (slice(None, half), slice(half, None)):
        one, other = np.triu_indices(len(values[part]), 1)
        slopes = (values[part][other] - values[part][one]) / (away[part][other] - away[part][one])
        if float(np.median(slopes)) < _BOTH * slope:
            return False
    return True
