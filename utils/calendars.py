"""Days that count: the weekdays of a calendar that are no holidays, and the time that goes by on them."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo

from utils.wall_time import midnight

__all__ = ["EVERY_DAY", "Calendar"]

_DAY = timedelta(days=1)
_LOOK_AHEAD = 3 * 366
"""Days after which a search for an open day gives up."""


class Calendar:
    """Tells open days from days off.

    Args:
        weekdays: The days of the week that are open, 0 for Monday.
        holidays: Days off that fall on them.
        holidays_of: More days off, of a year; asked once a year. It is not to read anything.
    """

    __slots__ = ("_holidays", "_holidays_of", "_weekdays", "_years")

    def __init__(
        self,
        weekdays: frozenset[int] = frozenset(range(7)),
        holidays: frozenset[date] = frozenset(),
        holidays_of: Callable[[int], frozenset[date]] | None = None,
    ) -> None:
        self._weekdays = weekdays
        self._holidays = holidays
        self._holidays_of = holidays_of
        self._years: dict[int, frozenset[date]] = {}

    @property
    def always_open(self) -> bool:
        """Whether there is no day off, ever: the elapsed time is then the time that counts."""
        return len(self._weekdays) == 7 and not self._holidays and self._holidays_of is None

    def is_open(self, day: date) -> bool:
        """Whether the day counts.

        >>> Calendar(frozenset(range(5)), frozenset({date(2026, 12, 25)})).is_open(date(2026, 12, 24))
        True
        """
        if day.weekday() not in self._weekdays or day in self._holidays:
            return False
        return self._holidays_of is None or day not in self._of_year(day.year)

    def next_open(self, day: date) -> date | None:
        """The day itself if it is open, else the first open day after it; None: there is none within three years."""
        for _ in range(_LOOK_AHEAD):
            if self.is_open(day):
                return day
            if day == date.max:
                break
            day += _DAY
        return None

    def open_seconds(self, start: datetime, end: datetime, zone: tzinfo) -> float:
        """Seconds of elapsed time between two moments, those of days off left out; the days are the zone's.

        0 when `end` is not after `start`. A day on which clocks change has 23 or 25 hours.
        """
        if end <= start:
            return 0.0
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        if self.always_open:
            return (end - start).total_seconds()
        open_, at, day = timedelta(0), start, start.astimezone(zone).date()
        while at < end:
            ends = _end_of(day, zone)
            until = min(end, ends)
            if self.is_open(day):
                open_ += until - at
            at, day = until, _after(day)
        return open_.total_seconds()

    def lasts(self, start: datetime, seconds: float, zone: tzinfo) -> datetime | None:
        """The last moment (UTC) at which no more than `seconds` of open time have gone by since `start`.

        None: for ever, because no day is open for three years, or because it lies behind the year 9999.
        """
        start = start.astimezone(UTC)
        try:
            left = timedelta(seconds=seconds)
            if self.always_open:
                return start + left
            at, day = start, start.astimezone(zone).date()
            while True:
                if not self.is_open(day):
                    opens = self.next_open(day)
                    if opens is None:
                        return None
                    at, day = midnight(opens, zone), opens
                ends = _end_of(day, zone)
                if at + left < ends:
                    return at + left
                left -= ends - at
                at, day = ends, _after(day)
        except OverflowError:
            return None

    def _of_year(self, year: int) -> frozenset[date]:
        found = self._years.get(year)
        if found is None and self._holidays_of is not None:
            found = self._years[year] = self._holidays_of(year)
        return found or frozenset()


EVERY_DAY = Calendar()
"""The calendar of whoever names none."""


def _end_of(day: date, zone: tzinfo) -> datetime:
    return datetime.max.replace(tzinfo=UTC) if day == date.max else midnight(_after(day), zone)


def _after(day: date) -> date:
    return day if day == date.max else day + _DAY
