"""Which occurrences a schedule has, found by walking minute by minute past a clock on the wall.

It shares nothing with the program: no timetable, no cronsim; only the zones' offsets. Slow, and simple enough to be
believed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class DaysOff:
    """A calendar: `open_days` of the week (0 is Monday), and holidays."""

    open_days: frozenset[int] = frozenset(range(7))
    holidays: frozenset[date] = frozenset()

    def counts(self, day: date) -> bool:
        """Whether something is due on it."""
        return day.weekday() in self.open_days and day not in self.holidays


@dataclass
class Wall:
    """What a clock in a zone shows at each minute of a stretch, and when it shows what.

    Attributes:
        shows: Minute by minute: the moment, and the wall time.
        first, last: Wall time -> the moment at which it is shown first, and last.
        skipped: Wall time that is never shown -> the moment of the change, and the moment it would have been without.
    """

    shows: list[tuple[datetime, datetime]] = field(default_factory=list)
    first: dict[datetime, datetime] = field(default_factory=dict)
    last: dict[datetime, datetime] = field(default_factory=dict)
    skipped: dict[datetime, tuple[datetime, datetime]] = field(default_factory=dict)

    @classmethod
    def walk(cls, zone: str, start: datetime, end: datetime) -> "Wall":
        """Look at the clock once a minute, from two days before `start` (a window may be open) to two after `end`."""
        made, where = cls(), ZoneInfo(zone)
        now = start - 2 * DAY
        before: datetime | None = None
        while now < end + 2 * DAY:
            shown = now.astimezone(where).replace(tzinfo=None)
            if before is not None and shown > before + MINUTE:
                lost = before + MINUTE
                while lost < shown:
                    made.skipped[lost] = (now, now + (lost - before) - MINUTE)
                    lost += MINUTE
            made.shows.append((now, shown))
            made.first.setdefault(shown, now)
            made.last[shown] = now
            now, before = now + MINUTE, shown
        return made


def due_times(asked: Mapping[str, Any], wall: Wall, days: DaysOff, start: datetime, end: datetime) -> list[datetime]:
    """The moments after `start`, up to and with `end`, at which a schedule as written is due; in order, each once."""
    if "cron" in asked:
        found = set(_cron(asked["cron"], wall, days))
    elif "from" in asked:
        found = set(_window(asked, wall, days))
    else:
        every = minutes(asked["every"])
        found = {
            now for now, shown in wall.shows if int(now.timestamp()) // 60 % every == 0 and days.counts(shown.date())
        }
    return sorted(moment for moment in found if start < moment <= end)


def minutes(text: str) -> int:
    """`15m`, `7h`, `1d`."""
    return int(text[:-1]) * {"m": 1, "h": 60, "d": 1440}[text[-1]]


def _cron(line: str, wall: Wall, days: DaysOff) -> Iterator[datetime]:
    minute, hour, day, month, weekday = line.split()
    fits_minute, fits_hour = _numbers(minute, 0, 59), _numbers(hour, 0, 23)
    fits_month, fits_day = _numbers(month, 1, 12), _numbers(day, 1, 31)
    fits_weekday = {(number - 1) % 7 for number in _numbers(weekday, 0, 7)}  # 0 and 7 are Sunday
    # If both the day of the month and that of the week are given, either is enough (POSIX).
    either = not day.startswith("*") and not weekday.startswith("*")

    def fits(shown: datetime) -> bool:
        by_month, by_week = shown.day in fits_day, shown.weekday() in fits_weekday
        right_day = by_month or by_week if either else by_month and by_week
        right_time = shown.minute in fits_minute and shown.hour in fits_hour
        return right_time and right_day and shown.month in fits_month and days.counts(shown.date())

    if minute.startswith("*") or hour.startswith("*"):
        yield from (now for now, shown in wall.shows if fits(shown))
        return
    yield from (now for shown, now in wall.first.items() if fits(shown))
    yield from (change for shown, (change, _) in wall.skipped.items() if fits(shown))


def _numbers(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        if first == "*":
            first, last = str(low), str(high)
        numbers = [_number(part) for part in (first, last or first)]
        found |= set(range(numbers[0], numbers[1] + 1, int(step or 1)))
    return found


def _number(text: str) -> int:
    return _WEEKDAYS.index(text) + 1 if text in _WEEKDAYS else int(text)


def _window(asked: Mapping[str, Any], wall: Wall, days: DaysOff) -> Iterator[datetime]:
    every = timedelta(minutes=minutes(asked["every"]))
    opens, closes = (timedelta(minutes=_minute_of_day(asked[name])) for name in ("from", "until"))
    if closes <= opens:
        closes += DAY
    day, last = wall.shows[0][1].date(), wall.shows[-1][1].date()
    while day <= last:
        midnight = datetime.combine(day, datetime.min.time())
        from_, until = midnight + opens, midnight + closes
        begin = wall.first.get(from_) or wall.skipped.get(from_, (None, None))[0]
        end = wall.last.get(until) or wall.skipped.get(until, (None, None))[1]
        if begin is not None and end is not None and days.counts(day):
            if end <= begin:  # the clock skips all of it: it is as long as ever, from the change on
                end = begin + (closes - opens)
            now = begin
            while now < end:
                yield now
                now += every
        day += DAY


def _minute_of_day(text: str) -> int:
    hours, _, rest = text.partition(":")
    return int(hours) * 60 + int(rest)


def utc(text: str) -> datetime:
    """`2026-03-29 01:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
