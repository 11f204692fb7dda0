"""What is the same at each month's end, or was at the last year's, is no news, however far from all other days."""

import numpy as np

from data_pipeline.detect.robust import Floats
from data_pipeline.detect.wall import DAY, Wall

_MONTHS = 2  # of the newest that there are, in which it must have been the same
_AS_MANY = 6  # months looked back at
_DAILY = 0.9 * DAY  # points that are nearer have no day of the month of their own


def has_precedent(times: Floats, values: Floats, reach: float, wall: Wall) -> bool:
    """Whether the last point is what there was on that day of the month, twice at least, or on that day a year ago.

    Days of the month are counted from its beginning up to the 15th, and from its end after that.

    Args:
        times, values: Shape (n,), finite, in order of time.
        reach: How near is the same, in units of the values.
    """
    if len(times) < 3 or float(np.median(np.diff(times))) < _DAILY:
        return False
    past, point = values[:-1], float(values[-1])
    days = wall.of_month(times)
    before = past[days[:-1] == days[-1]][-_AS_MANY:]
    if len(before) >= _MONTHS and abs(float(np.median(before)) - point) < reach:
        return bool(np.count_nonzero(np.abs(before - point) < reach) >= _MONTHS)
    dates = wall.of_year(times)
    years_ago = past[(dates[:-1] == dates[-1]) & (times[-1] - times[:-1] > 300 * DAY)]
    return bool(len(years_ago) and abs(float(years_ago[-1]) - point) < reach)
