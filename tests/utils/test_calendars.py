"""Open days, and the time that goes by on them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.calendars import EVERY_DAY, Calendar
from utils.wall_time import midnight

BERLIN = ZoneInfo("Europe/Berlin")
CHRISTMAS = frozenset({date(2026, 12, 25), date(2026, 12, 28)})
BANK = Calendar(frozenset(range(5)), CHRISTMAS)
HOUR = 3600


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def test_weekdays_that_are_no_holidays_are_open() -> None:
    """Thursday is; Friday is a holiday, then the weekend, then another holiday."""
    days = [date(2026, 12, 24) + timedelta(days=number) for number in range(6)]

    assert [BANK.is_open(day) for day in days] == [True, False, False, False, False, True]
    assert BANK.next_open(date(2026, 12, 25)) == date(2026, 12, 29)


def test_holidays_of_a_year_are_asked_for_once() -> None:
    """Working them out may take a while."""
    asked: list[int] = []

    def of_year(year: int) -> frozenset[date]:
        asked.append(year)
        return frozenset({date(year, 1, 1)})

    calendar = Calendar(holidays_of=of_year)

    assert [calendar.is_open(date(2026, 1, day)) for day in (1, 2)] == [False, True]
    assert not calendar.is_open(date(2027, 1, 1))
    assert asked == [2026, 2027]


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-11-19T10:00", "2026-11-19T12:00", 2),
        ("2026-11-20T16:00", "2026-11-23T09:00", 8 + 9),
        ("2026-11-21T10:00", "2026-11-22T12:00", 0),
        ("2026-12-24T20:00", "2026-12-29T04:00", 8),
        ("2026-03-27T00:00", "2026-03-31T00:00", 48),
        ("2026-11-19T12:00", "2026-11-19T10:00", 0),
    ],
    ids=["within a day", "over a weekend", "inside of one", "over holidays", "the clock changes on a day off", "back"],
)
def test_days_off_do_not_count(start: str, end: str, hours: float) -> None:
    """Only the hours of open days do."""
    assert BANK.open_seconds(at(start), at(end), BERLIN) == hours * HOUR


def test_a_day_on_which_clocks_change_counts_its_own_hours() -> None:
    """Twenty-three in spring, twenty-five in autumn: time is elapsed time."""
    calendar = Calendar(frozenset(range(7)), CHRISTMAS)

    assert calendar.open_seconds(at("2026-03-29T00:00"), at("2026-03-30T00:00"), BERLIN) == 23 * HOUR
    assert calendar.open_seconds(at("2026-10-25T00:00"), at("2026-10-26T00:00"), BERLIN) == 25 * HOUR


def test_a_time_that_ends_with_the_week_lasts_until_monday() -> None:
    """Eight open hours from Friday at four in the afternoon have gone by on Friday at midnight; more only on Monday."""
    friday = at("2026-11-20T16:00")

    assert BANK.lasts(friday, 8 * HOUR, BERLIN) == at("2026-11-23T00:00")
    assert BANK.lasts(friday, 8 * HOUR - 1, BERLIN) == at("2026-11-20T23:59:59")
    assert BANK.lasts(at("2026-11-21T10:00"), 0, BERLIN) == at("2026-11-23T00:00")


def test_a_calendar_without_open_days_never_comes_to_an_end() -> None:
    """Nobody searches for ever."""
    closed = Calendar(
        frozenset({0}),
        holidays_of=lambda year: frozenset(date(year, 1, 1) + timedelta(days=number) for number in range(366)),
    )

    assert closed.next_open(date(2026, 1, 1)) is None
    assert closed.lasts(at("2026-11-20T16:00"), 1, BERLIN) is None
    assert EVERY_DAY.lasts(at("2026-11-20T16:00"), 1e12, BERLIN) is None


MOMENTS = st.datetimes(datetime(2026, 3, 20), datetime(2026, 4, 10), timezones=st.just(UTC))


@given(MOMENTS, st.integers(0, 14 * 86_400), st.sets(st.integers(0, 6), min_size=1), st.sets(st.integers(20, 31)))
def test_as_much_time_has_gone_by_at_the_end_as_was_asked_for(
    start: datetime, seconds: int, weekdays: set[int], holidays: set[int]
) -> None:
    """`lasts` gives the last moment at which `open_seconds` is no more: later by the least, it is."""
    calendar = Calendar(frozenset(weekdays), frozenset(date(2026, 3, day) for day in holidays))
    ends = calendar.lasts(start, seconds, BERLIN)

    assert ends is not None
    assert calendar.open_seconds(start, ends, BERLIN) == pytest.approx(seconds, abs=1e-5)
    assert calendar.open_seconds(start, ends + timedelta(seconds=1), BERLIN) > seconds


@given(MOMENTS, st.integers(0, 400 * 3600))
def test_time_is_counted_as_by_walking_over_the_days(start: datetime, seconds: int) -> None:
    """Against the slow way: each day by itself, from midnight to midnight."""
    end, day, counted = start + timedelta(seconds=seconds), date(2026, 3, 18), 0.0
    while day < date(2026, 5, 1):
        begins, ends = midnight(day, BERLIN), midnight(day + timedelta(days=1), BERLIN)
        if day.weekday() < 5:
            counted += max(0.0, (min(ends, end) - max(begins, start)).total_seconds())
        day += timedelta(days=1)

    assert Calendar(frozenset(range(5))).open_seconds(start, end, BERLIN) == pytest.approx(counted)
