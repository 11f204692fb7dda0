"""The clock on the wall: a season is one of local hours and weekdays, whatever their clocks do twice a year."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from data_pipeline.detect.robust import Floats, Ints
from utils.calendars import Calendar

__all__ = ["DAY", "MONDAY", "UTC_WALL", "WEEK", "Wall"]

DAY = 86_400.0
WEEK = 7 * DAY
MONDAY = 3 * DAY  # the epoch began on a Thursday
_FIRST, _LAST = -719_000, 2_932_000  # days for which a zone has an answer
_SUNDAY = 6


@dataclass(frozen=True, slots=True)
class Wall:
    """A zone's clock, and a calendar whose days off are as good as Sundays.

    Attributes:
        zone: An IANA name.
        calendar: Of the zone's days; None: all days are what their weekday says.
    """

    zone: str = "UTC"
    calendar: Calendar | None = None

    def of(self, times: Floats) -> Floats:
        """What the clock shows at each of `times` (epoch seconds), in seconds as if it were UTC; of a day off that
        is a weekday, the Sunday after it."""
        shown = self.shown(times)
        if self.calendar is None or self.calendar.always_open:
            return shown
        days, place = np.unique(_days(shown), return_inverse=True)
        later = np.array([_to_sunday(self.calendar, int(day)) for day in days], np.float64)
        moved: Floats = shown + DAY * later[place]
        return moved

    def shown(self, times: Floats) -> Floats:
        """What the clock shows, days off being what they are."""
        if self.zone == "UTC" or not len(times):
            return times
        days, place = np.unique(_days(times), return_inverse=True)
        begins = np.array([_offset(self.zone, 86_400 * int(day)) for day in days])
        ends = np.array([_offset(self.zone, 86_400 * (int(day) + 1)) for day in days])
        offset = begins[place]
        for point in np.flatnonzero((begins != ends)[place]).tolist():
            offset[point] = _offset(self.zone, int(times[point]))
        local: Floats = times + offset
        return local

    def is_day_off(self, time: float) -> bool:
        """Whether that moment is on a weekday that the calendar calls a day off."""
        at = np.array([time])
        return bool(self.of(at)[0] != self.shown(at)[0])

    def of_month(self, times: Floats) -> Ints:
        """The day of the month, 0 to 14 from its beginning and 15 to 30 to its end: 30 is the last day of any."""
        days, place = np.unique(_days(self.shown(times)), return_inverse=True)
        return np.array([_of_month(date(1970, 1, 1) + timedelta(int(day))) for day in days], np.intp)[place]

    def of_year(self, times: Floats) -> Ints:
        """Month and day as one number: the same for the same date of any year."""
        days, place = np.unique(_days(self.shown(times)), return_inverse=True)
        dates = [date(1970, 1, 1) + timedelta(int(day)) for day in days]
        return np.array([100 * one.month + one.day for one in dates], np.intp)[place]


UTC_WALL = Wall()


@lru_cache(maxsize=8192)
def _offset(zone: str, time: int) -> float:
    shown = datetime.fromtimestamp(time, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    return 0.0 if shown is None else shown.total_seconds()


def _days(times: Floats) -> Ints:
    return np.clip(times // DAY, _FIRST, _LAST).astype(np.intp)


def _to_sunday(calendar: Calendar, day: int) -> int:
    """Days from a weekday that is a day off to the Sunday after it; 0 for any other day."""
    at = date(1970, 1, 1) + timedelta(day)
    return 0 if at.weekday() >= _SUNDAY - 1 or calendar.is_open(at) else _SUNDAY - at.weekday()


def _of_month(day: date) -> int:
    if day.day <= 15:
        return day.day - 1
    to_the_end = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1) - day
    return 30 - to_the_end.days
