"""Hours in which somebody is there: a span of the day, on the days of a calendar."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from utils.calendars import EVERY_DAY, Calendar
from utils.wall_time import first_moment, midnight

__all__ = ["Hours"]

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Hours:
    """From `begins` until before `ends`, in seconds since midnight of the zone's wall time, on a calendar's days.

    When `ends` is not after `begins` they go on over midnight, into a day that need not be one of the calendar.

    >>> office = Hours(9 * 3600, 17 * 3600, UTC)
    >>> office.next_open(datetime(2026, 3, 2, 18, tzinfo=UTC)).isoformat()
    '2026-03-03T09:00:00+00:00'
    """

    begins: int
    ends: int
    zone: tzinfo
    calendar: Calendar = field(default=EVERY_DAY)

    def is_open(self, at: datetime) -> bool:
        """Whether somebody is there at an aware moment."""
        day = at.astimezone(self.zone).date()
        return any(opens <= at < closes for opens, closes in map(self._span, self._days_until(day)))

    def next_open(self, at: datetime) -> datetime | None:
        """The moment itself when somebody is there, else when somebody is again (UTC); None: not within three years."""
        if self.is_open(at):
            return at
        day: date | None = at.astimezone(self.zone).date()
        while day is not None and (day := self.calendar.next_open(day)) is not None:
            opens, _ = self._span(day)
            if opens > at:
                return opens
            day += _DAY
        return None

    def _days_until(self, day: date) -> list[date]:
        return [one for one in (day - _DAY, day) if self.calendar.is_open(one)]

    def _span(self, day: date) -> tuple[datetime, datetime]:
        last = day if self.ends > self.begins else day + _DAY
        return self._moment(day, self.begins), self._moment(last, self.ends)

    def _moment(self, day: date, seconds: int) -> datetime:
        if seconds >= 86_400:
            return midnight(day + _DAY, self.zone)
        shown = datetime.combine(day, time.min) + timedelta(seconds=seconds)
        return first_moment(shown, self.zone).astimezone(UTC)
