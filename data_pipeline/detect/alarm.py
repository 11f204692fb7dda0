"""When a figure of the ensemble is an alarm: twice in a row or plainly once, and an episode is one piece of news."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_pipeline.detect.robust import Floats

# In units of a fused z; chosen on labelled series, at less than one false episode per 1,000 points.
_ALONE = 5.5  # one point is an alarm
_AGAIN = 4.0  # the second of two
_BEFORE = 3.0  # and the first of them
_CONFIRMED = 3.5  # one point that the median finds strange, too
_YOUNG = 20.0  # points: a history of so many has limits twice as wide, one of fifty a sixth wider
_OVER = 1.5  # an episode is over after
_QUIET = 5  # so many points below that
_USUAL_RATE = 0.5  # the figures above are those of this rate
_WIDEST = 1.36  # a lower rate widens no further: the fused figure ends at 8
_LOWEST = -3.0


class Standing(NamedTuple):
    """What must be known of the points before, to go on with the next one.

    Attributes:
        before: The figure of the point before.
        open: Whether an episode is.
        quiet: Points below the line since it was strange last.
        passed: Points since an episode began that was news.
    """

    before: float = _LOWEST
    open: bool = False
    quiet: int = 0
    passed: int = 1_000_000


FIRST = Standing()
"""Where a watch begins."""


class Alarms(NamedTuple):
    """Of each point; shapes (n,). `strange`: it is an alarm itself; `open`: an episode is; `onset`: news begins."""

    strange: NDArray[np.bool_]
    open: NDArray[np.bool_]
    onset: NDArray[np.bool_]
    standing: Standing


def alarms(figure: Floats, earlier: int = 0, standing: Standing = FIRST, *, rate: float = _USUAL_RATE) -> Alarms:
    """Of fused figures, shape (n,), in order of time.

    Args:
        earlier: Points of the series before the first.
        standing: Of the look before this one; a new one at the beginning.
        rate: Expected false episodes per 1,000 points.
    """
    n = len(figure)
    wide = _wider(earlier + np.arange(n), rate)
    before = np.concatenate(([standing.before], figure))[:n]
    strange = (figure >= _ALONE * wide) | ((figure >= _AGAIN * wide) & (before >= _BEFORE * wide))
    open_points, onset = np.zeros(n, bool), np.zeros(n, bool)
    _, open_, quiet, passed = standing
    if open_ or strange.any():
        for point, (wrong, high) in enumerate(zip(strange.tolist(), (figure >= _OVER).tolist(), strict=True)):
            passed += 1
            if wrong:
                open_, quiet = True, 0
                # What comes soon after an episode is part of it: a tenth of the history, 5 to 200 points.
                if passed > max(5, min(200, (earlier + point) // 10)):
                    onset[point], passed = True, 0
            elif open_:
                quiet = 0 if high else quiet + 1
                open_ = quiet < _QUIET
            open_points[point] = open_
    else:
        passed += n
    last = float(figure[-1]) if n else standing.before
    return Alarms(strange, open_points, onset, Standing(last, open_, quiet, passed))


def confirmed_at(earlier: int, rate: float) -> float:
    """The fused figure that confirms what the median finds strange, after so many points."""
    return _CONFIRMED * float(_wider(np.array(earlier), rate))


def told_at(earlier: int, rate: float) -> float:
    """The lowest fused figure that can be an alarm without the median, after so many points."""
    return _AGAIN * float(_wider(np.array(earlier), rate))


def _wider(points: "NDArray[np.intp]", rate: float) -> Floats:
    by_rate = min(math.log(2000.0 / rate) / math.log(2000.0 / _USUAL_RATE), _WIDEST)
    wide: Floats = by_rate * (1.0 + (_YOUNG / np.maximum(points, 1)) ** 2)
    return wide
