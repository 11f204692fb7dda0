"""The moments of cron lines, held against a walk over every minute of the wall clock."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_pipeline.scheduling.cron import CronTimes
from utils.calendars import EVERY_DAY, Calendar
from utils.wall_time import first_moment, wall

BERLIN, NEW_YORK, LORD_HOWE = (ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe"))
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CHANGES = {
    "Berlin, spring": (BERLIN, date(2026, 3, 29)),
    "Berlin, autumn": (BERLIN, date(2026, 10, 25)),
    "New York, spring": (NEW_YORK, date(2026, 3, 8)),
    "New York, autumn": (NEW_YORK, date(2026, 11, 1)),
    "Lord Howe, spring": (LORD_HOWE, date(2026, 10, 4)),
    "Lord Howe, autumn": (LORD_HOWE, date(2026, 4, 5)),
}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def moments(
    line: str, zone: ZoneInfo, start: datetime, end: datetime, calendar: Calendar = EVERY_DAY
) -> list[datetime]:
    """What `CronTimes` gives after `start`, up to `end`."""
    times, found = CronTimes(line, zone, calendar), []
    while (at := times.next(start)) is not None and at <= end:
        found.append(at)
        start = at
    return found


def field(text: str, low: int, high: int) -> set[int]:
    """The values of a field that is a list of `*`, numbers, ranges and steps."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = ("", "", "") if span == "*" else span.partition("-")
        found |= set(range(int(first or low), int(last or (high if step or not first else first)) + 1, int(step or 1)))
    return found


def walked(line: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """The slow way: each wall minute of each day for lines of fixed hours, each moment for the others."""
    minute, hour, *_ = line.split()
    minutes, hours = field(minute, 0, 59), field(hour, 0, 23)
    if minute.startswith("*") or hour.startswith("*"):
        return [at for at in _each_minute(start, end) if _shows(wall(at, zone), minutes, hours)]
    found = set()
    day = wall(start, zone).date() - DAY
    while day <= wall(end, zone).date():
        at = datetime(day.year, day.month, day.day)
        found |= {
            first_moment(at + number * MINUTE, zone)
            for number in range(1440)
            if _shows(at + number * MINUTE, minutes, hours)
        }
        day += DAY
    return sorted(at for at in found if start < at <= end)


def _each_minute(start: datetime, end: datetime) -> Iterator[datetime]:
    at = start.replace(second=0, microsecond=0)
    while at <= end:
        if at > start:
            yield at
        at += MINUTE


def _shows(at: datetime, minutes: set[int], hours: set[int]) -> bool:
    return at.minute in minutes and at.hour in hours


MINUTES = st.sampled_from(["*", "*/15", "*/7", "0", "30", "0,30", "45", "5-55/10", "59", "10-20"])
HOURS = st.sampled_from(["*", "*/2", "*/5", "1", "2", "3", "1,2,3", "0-4", "2-3", "5", "23", "0"])


@given(
    st.sampled_from(list(CHANGES)),
    MINUTES,
    HOURS,
    st.integers(-2 * 1440, 1440),
    st.integers(0, 59),
    st.integers(60, 2000),
)
@example("Lord Howe, spring", "*/10", "5", -600, 0, 1440)  # cronsim with a zone begins at 05:30 here
@example("Berlin, autumn", "30", "2", 100, 30, 1440)  # begun inside of the repeated hour, cronsim goes back
@example("Berlin, spring", "0,30", "2,3", -600, 0, 1440)
def test_each_moment_comes_once_and_in_order(
    change: str, minute: str, hour: str, offset: int, second: int, minutes: int
) -> None:
    """From any moment around a change of the clock on: just what a walk over the minutes finds."""
    zone, day = CHANGES[change]
    start = datetime(day.year, day.month, day.day, 12, 0, second, tzinfo=UTC) + offset * MINUTE
    line = f"{minute} {hour} * * *"

    assert moments(line, zone, start, start + minutes * MINUTE) == walked(line, zone, start, start + minutes * MINUTE)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("shown", ["01:30", "01:45", "02:00", "02:15", "02:30", "03:00"])
def test_a_fixed_hour_comes_once_on_the_day_on_which_the_clock_changes(change: str, shown: str) -> None:
    """Whether that hour is skipped, repeated, or neither."""
    zone, day = CHANGES[change]
    hour, minute = shown.split(":")
    start = datetime(day.year, day.month, day.day, tzinfo=zone)

    found = moments(f"{int(minute)} {int(hour)} * * *", zone, start - DAY, start + 2 * DAY)

    assert [wall(at, zone).date() for at in found].count(day) == 1
    assert len(found) == 3


@pytest.mark.parametrize("change", CHANGES)
def test_each_quarter_of_an_hour_comes_whatever_the_clock_does(change: str) -> None:
    """`*/15` follows elapsed time where clocks change by whole hours or half ones."""
    zone, day = CHANGES[change]
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - DAY

    found = moments("*/15 * * * *", zone, start, start + 3 * DAY)

    assert found == [start + number * timedelta(minutes=15) for number in range(1, 3 * 96 + 1)]


def test_a_day_off_is_passed_over() -> None:
    """The day is that of the zone: in Berlin Monday begins on Sunday evening, UTC."""
    bank = Calendar(frozenset(range(5)), frozenset({date(2026, 12, 25)}))

    found = moments("30 0 * * *", BERLIN, utc("2026-12-23"), utc("2026-12-29"), bank)

    assert found == [utc("2026-12-23T23:30"), utc("2026-12-27T23:30"), utc("2026-12-28T23:30")]


@pytest.mark.parametrize(
    ("line", "after", "expected"),
    [
        ("0 0 29 2 *", "2026-01-01", "2028-02-29T00:00"),
        ("0 12 L * *", "2026-02-01", "2026-02-28T12:00"),
        ("0 12 LW * *", "2026-05-01", "2026-05-29T12:00"),
        ("0 9 * * 5#2", "2026-11-01", "2026-11-13T09:00"),
        ("0 9 * * MON-FRI", "2026-11-20T09:00", "2026-11-23T09:00"),
        ("0 0 13 * 5", "2026-11-13T00:00", "2026-11-20T00:00"),
    ],
    ids=["a leap day", "last of the month", "last weekday", "second Friday", "weekdays", "13th or Friday"],
)
def test_what_cron_lines_can_say_is_said(line: str, after: str, expected: str) -> None:
    """The words that cronsim knows."""
    assert CronTimes(line, ZoneInfo("UTC"), EVERY_DAY).next(utc(after)) == utc(expected)


def test_a_line_and_a_calendar_that_share_no_day_give_nothing() -> None:
    """Saturdays of a week without one."""
    weekdays = Calendar(frozenset(range(5)))

    assert CronTimes("0 9 * * sat", BERLIN, weekdays).next(utc("2026-01-01")) is None


def test_the_end_of_the_years_is_the_end() -> None:
    """No overflow is an error of the caller."""
    assert CronTimes("0 0 1 1 *", BERLIN, EVERY_DAY).next(datetime.max.replace(tzinfo=UTC)) is None
