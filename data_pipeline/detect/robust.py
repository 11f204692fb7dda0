"""Centre, spread and alarm limit of many windows at once: sorted rows, nothing that an outlier can move.

Every function takes a 2-D array with one baseline a row (NaN: no point there) and answers with one
figure a row, so that a thousand datasets, or a thousand moments of one series, cost a few array
operations. numpy's own `nanmedian` is not used: it is some fifty times slower than a plain row sort.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

MINIMUM_POINTS = 12  # no verdict before a series has this many points, the judged one included
RECENT = 11
RELATIVE_FLOOR = 0.01  # a constant series may move by this share of its level and still be constant
ABSOLUTE_FLOOR = 1e-6  # and a series that is constantly zero by this much

_MAD_TO_SIGMA = 1.4826  # of a normal distribution; so is the next
_MEAN_DEVIATION_TO_SIGMA = 1.2533
_TAIL_SHARE = 0.15  # the outermost share of a baseline, from which its tail is read
_CORE_LIMIT = 3.2  # sigmas that are never strange, at the default rate


class Baseline(NamedTuple):
    """What the windows say is usual; every field has one entry a row."""

    points: Ints  # finite ones
    centre: Floats  # median
    lowest: Floats
    highest: Floats
    spread: Floats  # sigma, from the median absolute deviation; never below the floor
    deviations: Floats  # (rows, width): |value - centre|, ascending, NaN last


def baseline(
    windows: Floats, *, floor: float | Floats = ABSOLUTE_FLOOR, relative_floor: float | Floats = RELATIVE_FLOOR
) -> Baseline:
    """Median and MAD of each row of `windows` (rows, width); a row without points gives NaN.

    When more than half of a row's points are equal its MAD is zero; then the mean absolute deviation
    speaks for the rest (Iglewicz & Hoaglin, "How to Detect and Handle Outliers", 1993). `floor` (in
    units of the values) and `relative_floor` (share of the centre) keep the spread above zero.
    """
    ordered = np.sort(windows, axis=1)
    count = _count(ordered)
    centre = _middle(ordered, count)
    lowest = ordered[:, 0].copy()
    highest = ordered[np.arange(len(ordered)), np.maximum(count - 1, 0)]
    deviations = np.subtract(ordered, centre[:, None], out=ordered)
    np.abs(deviations, out=deviations)
    deviations.sort(axis=1)
    spread = _MAD_TO_SIGMA * _middle(deviations, count)
    flat = np.flatnonzero(spread == 0.0)
    if flat.size:
        spread[flat] = _MEAN_DEVIATION_TO_SIGMA * np.nansum(deviations[flat], axis=1) / count[flat]
    np.maximum(spread, np.maximum(floor, relative_floor * np.abs(centre)), out=spread)
    return Baseline(count, centre, lowest, highest, spread, deviations)


def median(windows: Floats) -> Floats:
    """Median of the finite points of each row; NaN for a row without any."""
    ordered = np.sort(windows, axis=1)
    return _middle(ordered, _count(ordered))


def core_limit(count: Ints, rate: float | Floats) -> Floats:
    """The least number of sigmas that can be strange, by number of points in the baseline.

    A cheap gate: `limit` is never below `core_limit * spread`.
    """
    # A normal tail falls as exp(-z^2/2), so the figure for another rate scales with the root of its logarithm.
    by_rate = np.sqrt(np.log(2000.0 / np.asarray(rate)) / math.log(2000.0 / 0.5))
    return _CORE_LIMIT * by_rate * _uncertainty(count)


def limit(base: Baseline, rate: float) -> Floats:
    """How far from its centre a new point may lie before it is strange, in units of the values.

    The tail of the baseline's own deviations is continued as an exponential to the level that `rate`
    points in 1,000 exceed (peaks over threshold; Siffer et al., "Anomaly Detection in Streams with
    Extreme Value Theory", KDD 2017), so that heavy-tailed metrics get wide limits and a second mode,
    weekends say, is inside. Excesses count at most four times their median: incidents in the history
    do not widen the limit much.
    """
    count, spread, deviations = base.points, base.spread, base.deviations
    rows, width = deviations.shape
    tail = np.maximum(3, np.rint(_TAIL_SHARE * count).astype(np.intp))
    start = np.maximum(count - tail, 1)
    lane = np.arange(rows)
    threshold = deviations[lane, start - 1]
    middle = deviations[lane, np.minimum((start + count - 1) // 2, width - 1)] - threshold
    outer = int(start.min(initial=width))  # no row's tail begins before this column
    column = np.arange(outer, width)[None, :]
    inside = (column >= start[:, None]) & (column < count[:, None])
    excess = np.where(inside, deviations[:, outer:] - threshold[:, None], 0.0)
    number = np.maximum(count - start, 1)
    slope = np.minimum(excess, 4.0 * middle[:, None]).sum(axis=1) / number
    beyond = np.log(np.maximum(number / np.maximum(count, 1) / (rate / 1000.0), 1.0))
    reach = (threshold + slope * beyond) * _uncertainty(count)
    wide: Floats = np.fmax(core_limit(count, rate) * spread, reach)
    return wide


def _uncertainty(count: Ints) -> Floats:
    # Simulated on normal, Student t (5), Laplace, gamma and Poisson noise: the factor by which limits that
    # are estimated from `count` points must be wider than the true ones to keep the promised rate.
    return 1.4 + 9.0 / np.maximum(count, 1)


def _count(ordered: Floats) -> Ints:
    # NaN is sorted to the end of a row and is not equal to itself: cheaper than isnan and its inverse.
    found: Ints = np.count_nonzero(ordered == ordered, axis=1)  # noqa: PLR0124 - see above
    return found


def _middle(ordered: Floats, count: Ints) -> Floats:
    lane = np.arange(len(ordered))
    low = ordered[lane, np.maximum(count - 1, 0) // 2]
    high = ordered[lane, np.minimum(count // 2, ordered.shape[1] - 1)]
    middle: Floats = low + 0.5 * (high - low)
    return middle
