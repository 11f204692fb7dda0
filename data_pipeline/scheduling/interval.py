"""Moments at a fixed distance: whole multiples of it since 1970 in UTC, of elapsed time, whatever clocks show."""

from datetime import UTC, datetime, timedelta, tzinfo

from utils.calendars import Calendar
from utils.wall_time import midnight

__all__ = ["IntervalTimes"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST = timedelta(microseconds=1)
_LOOK_AHEAD = timedelta(days=3 * 366)


class IntervalTimes:
    """Gives the moments of one grid, those on days off (of the zone) left out.

    Args:
        every: Seconds.
    """

    __slots__ = ("_calendar", "_every", "_zone")

    def __init__(self, every: float, zone: tzinfo, calendar: Calendar) -> None:
        self._every = timedelta(seconds=every)
        self._zone = zone
        self._calendar = calendar

    def next(self, after: datetime) -> datetime | None:
        """The first moment after another, UTC; None: none within three years, or before the years end."""
        after = after.astimezone(UTC)
        try:
            found = self._behind(after)
            if self._calendar.always_open:
                return found
            while found - after < _LOOK_AHEAD:
                day = found.astimezone(self._zone).date()
                opens = self._calendar.next_open(day)
                if opens == day:
                    return found
                if opens is None:
                    return None
                found = self._behind(midnight(opens, self._zone) - _LEAST)
        except OverflowError:
            pass
        return None

    def _behind(self, moment: datetime) -> datetime:
        return _EPOCH + ((moment - _EPOCH) // self._every + 1) * self._every
