"""Moments at a fixed distance, on a grid that everybody shares."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.scheduling.interval import IntervalTimes
from utils.calendars import EVERY_DAY, Calendar

BERLIN = ZoneInfo("Europe/Berlin")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(MOMENTS, st.floats(1.0, 10_000_000.0))
def test_the_next_moment_is_the_nearest_of_the_grid(after: datetime, every: float) -> None:
    """A whole multiple since 1970, later than the moment, by one step at most."""
    found, step = IntervalTimes(every, BERLIN, EVERY_DAY).next(after), timedelta(seconds=every)

    assert found is not None
    assert after < found <= after + step
    assert (found - EPOCH) % step == timedelta(0)


def test_elapsed_time_counts_where_clocks_change() -> None:
    """Every six hours are six hours, in spring and in autumn."""
    times, at = IntervalTimes(6 * 3600, BERLIN, EVERY_DAY), utc("2026-03-28T12:00")

    found = [at := times.next(at) or at for _ in range(6)]

    assert found == [utc("2026-03-28T18:00") + number * timedelta(hours=6) for number in range(6)]


def test_days_off_of_the_zone_have_no_moment() -> None:
    """The weekend of Berlin begins on Friday at 23:00, UTC."""
    times = IntervalTimes(3600, BERLIN, Calendar(frozenset(range(5))))

    assert times.next(utc("2026-11-20T21:30")) == utc("2026-11-20T22:00")
    assert times.next(utc("2026-11-20T22:00")) == utc("2026-11-22T23:00")


@pytest.mark.parametrize(
    ("every", "weekdays", "holidays"),
    [(7 * 86_400, {0}, set()), (3600, {0}, {date(2026, 1, 5) + timedelta(days=7 * week) for week in range(200)})],
    ids=["a week's step that misses the day", "holidays on every open day"],
)
def test_what_never_comes_is_not_searched_for_ever(every: float, weekdays: set[int], holidays: set[date]) -> None:
    """The grid of weeks falls on Thursdays."""
    times = IntervalTimes(every, ZoneInfo("UTC"), Calendar(frozenset(weekdays), frozenset(holidays)))

    assert times.next(utc("2026-01-01")) is None
