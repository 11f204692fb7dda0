"""The windows of a day in which a dataset is tried again and again: from one wall time until another."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from config.schedule import seconds_of_day
from utils.calendars import Calendar
from utils.wall_time import first_moment, last_moment, wall

__all__ = ["Window", "WindowTimes"]

_DAY = timedelta(days=1)


class Window(NamedTuple):
    """One window: `opens` is part of it, `closes` is not; UTC."""

    opens: datetime
    closes: datetime


class WindowTimes:
    """Gives the tries of windows: when a window opens, and each `every` seconds of elapsed time, until it closes.

    A window opens on open days; one over midnight belongs to the day on which it opens. It opens when the clock shows
    `opens` first, or skips it, and closes when the clock shows `closes` last.

    Args:
        every: Seconds between two tries.
        opens: `16:00`.
        closes: `18:00`; not after `opens`: on the next day.
    """

    __slots__ = ("_calendar", "_closes", "_every", "_opens", "_zone")

    def __init__(self, every: float, opens: str, closes: str, zone: tzinfo, calendar: Calendar) -> None:
        self._every = timedelta(seconds=every)
        self._opens = timedelta(seconds=seconds_of_day(opens))
        self._closes = timedelta(seconds=seconds_of_day(closes))
        if self._closes <= self._opens:
            self._closes += _DAY
        self._zone = zone
        self._calendar = calendar

    def next(self, after: datetime) -> datetime | None:
        """The first try after a moment, UTC; None: no day is open for three years."""
        after = after.astimezone(UTC)
        try:
            # A window over midnight may have begun the day before; a wall clock that changes, a little earlier still.
            day: date | None = wall(after, self._zone).date() - 2 * _DAY
            while True:
                day = self._calendar.next_open(day) if day is not None else None
                if day is None:
                    return None
                opens, closes = self.of_day(day)
                passed = (after - opens) // self._every + 1 if after >= opens else 0
                if (found := opens + passed * self._every) < closes:
                    return found
                day += _DAY
        except OverflowError:
            return None

    def of(self, due: datetime) -> Window:
        """The window that a try belongs to.

        Raises:
            ValueError: it belongs to none.
        """
        shown = wall(due, self._zone).date()
        for back in range(3):
            day = shown - back * _DAY
            if self._calendar.is_open(day):
                found = self.of_day(day)
                if found.opens <= due < found.closes:
                    return found
        raise ValueError(f"{due.isoformat()} lies in no window")

    def of_day(self, day: date) -> Window:
        """The window that opens on a day, open or not."""
        start = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall time
        opens = first_moment(start + self._opens, self._zone)
        closes = last_moment(start + self._closes, self._zone)
        # Where the clock skips the whole window it is as long as ever, from the change on.
        return Window(opens, closes if closes > opens else opens + (self._closes - self._opens))
