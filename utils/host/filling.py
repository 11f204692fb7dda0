"""When a disk is full if it goes on like this: by the last minutes, the last hour, and the last day of the history."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from utils.host.history import labels, metric
from utils.host.recent import Recent

if TYPE_CHECKING:
    from utils.history import History

__all__ = ["DiskForecast", "Filling", "filling"]

Points = Sequence[tuple[float, float]]
"""(seconds, free bytes), the oldest first."""

_WINDOWS = (120.0, 600.0, 3600.0)
_DAY = 86_400.0
_DAY_POINTS = 240
_MOST_POINTS = 120
_LEAST_POINTS = 20  # as `utils.ahead` has it
_HORIZON = 1.5 * _DAY  # what at the pace of the last hour is not full by then, is not looked for in the history
_REACH = 6.0  # times what was looked at: twice as far ahead as `utils.ahead` tells of
_EVERY = 15.0
_DAY_EVERY = 600.0
_LEAST_SPAN = 1800.0  # before the history is read: at the pace of one minute anything may be full within a day


@dataclass(frozen=True, slots=True)
class Filling:
    """A disk on its way to full.

    Attributes:
        hours_left: Until its trend is at nothing free; `earliest` and `latest`: between them with 90 % confidence.
        free_bytes: Now, by the trend.
        bytes_per_hour: What is written a hour, less what is freed.
        over_hours: How long the trend was looked at.
    """

    hours_left: float
    earliest_hours: float
    latest_hours: float
    free_bytes: float
    bytes_per_hour: float
    over_hours: float


def filling(points: Points) -> Filling | None:
    """What the trend of free bytes says; None: it does not sink steadily, or nobody knows yet.

    It reaches as far ahead as three times what it was looked at for, see `utils.ahead`.
    """
    points = _thinned(points)
    if len(points) < _LEAST_POINTS or not _sinks(points, _REACH * (points[-1][0] - points[0][0])):
        return None
    import numpy as np

    from utils.ahead import ahead

    times, free = np.array(points, float).T
    there = ahead(times, free, 0.0, rising=False)
    if there.state != "ahead":
        return None
    now = float(times[-1])
    return Filling(
        hours_left=max(0.0, there.reached - now) / 3600.0,
        earliest_hours=max(0.0, there.earliest - now) / 3600.0,
        latest_hours=max(0.0, there.latest - now) / 3600.0,
        free_bytes=max(0.0, there.level),
        bytes_per_hour=-there.slope * 3600.0,
        over_hours=(now - float(times[0])) / 3600.0,
    )


class DiskForecast:
    """Asks all windows, at most every 15 seconds. While nothing sinks, no history is read and no numpy imported.

    Args:
        recent: The last hour.
        history: Of the installation, for what sinks so slowly that an hour does not tell; None: there is none.
        host: Whose series; default: this one's.
    """

    def __init__(self, recent: Recent, history: "Callable[[], History] | None" = None, host: str = "") -> None:
        self._recent = recent
        self._history = history
        self._host = host
        self._looked: float | None = None
        self._found: Filling | None = None
        self._looked_back: float | None = None
        self._of_the_day: Filling | None = None

    def look(self, at: float, now: float) -> Filling | None:
        """The soonest of what the windows say; None: the disk does not fill.

        Args:
            at: Monotonic seconds.
            now: Epoch seconds.
        """
        if self._looked is None or not 0.0 <= at - self._looked < _EVERY:
            self._looked = at
            found = [filling(self._recent.points("disk_free_bytes", seconds)) for seconds in _WINDOWS]
            if self._looked_back is None or not 0.0 <= at - self._looked_back < _DAY_EVERY:
                self._of_the_day = self._over_a_day(at, now)
            found.append(self._of_the_day)
            self._found = min((one for one in found if one is not None), key=lambda one: one.hours_left, default=None)
        return self._found

    def _over_a_day(self, at: float, now: float) -> Filling | None:
        # What is full within a day at a steady pace loses a twenty-fourth of its room each hour: the hour shows it.
        hour = _thinned(self._recent.points("disk_free_bytes"))
        if self._history is None or len(hour) < _LEAST_POINTS or hour[-1][0] - hour[0][0] < _LEAST_SPAN:
            return None
        if not _sinks(hour, _HORIZON):
            return None
        buckets: Any = self._history().range(
            metric("disk_free_bytes"), labels(self._host), since=now - _DAY, until=now, points=_DAY_POINTS
        )
        self._looked_back = at
        return filling(list(zip(buckets.times.tolist(), buckets.last.tolist(), strict=True)))


def _sinks(points: Points, within: float) -> bool:
    """Whether it is at nothing within so many seconds at its pace from the first half to the second: a cheap look."""
    half = len(points) // 2
    before, after = points[:half], points[half:]
    lost = median(free for _, free in before) - median(free for _, free in after)
    lasted = (median(at for at, _ in after) - median(at for at, _ in before)) or 1.0
    return lost > 0.0 and points[-1][1] * lasted <= lost * within


def _thinned(points: Points) -> Points:
    step = -(-len(points) // _MOST_POINTS)
    return points if step <= 1 else points[(len(points) - 1) % step :: step]
