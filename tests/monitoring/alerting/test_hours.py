"""Hours in which somebody is there, over midnight and over the days on which clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerting.hours import Hours
from utils.calendars import Calendar

BERLIN = ZoneInfo("Europe/Berlin")
WORKDAYS = Calendar(frozenset(range(5)))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("begins", "ends", "moment", "is_open"),
    [
        (9, 17, "2026-03-02T09:00", True),
        (9, 17, "2026-03-02T08:59", False),
        (9, 17, "2026-03-02T17:00", False),
        (9, 17, "2026-03-07T12:00", False),
        (22, 6, "2026-03-02T23:00", True),
        (22, 6, "2026-03-03T05:59", True),
        (22, 6, "2026-03-03T06:00", False),
        (22, 6, "2026-03-07T03:00", True),
        (22, 6, "2026-03-02T03:00", False),
        (0, 24, "2026-03-06T23:59", True),
        (0, 24, "2026-03-07T00:00", False),
        (2, 4, "2026-03-30T02:30", True),
    ],
    ids=[
        *("opens", "before", "closed", "Saturday", "over midnight", "after midnight", "over", "Friday's night"),
        *("Sunday's night", "end of Friday", "Saturday begins", "day after the change"),
    ],
)
def test_somebody_is_there_within_the_hours_of_an_open_day(begins: int, ends: int, moment: str, is_open: bool):
    """Hours over midnight belong to the day on which they begin."""
    assert Hours(begins * 3600, ends * 3600, BERLIN, WORKDAYS).is_open(at(moment)) is is_open


def test_hours_that_a_clock_skips_begin_at_the_change():
    """02:30 is never shown on the day on which clocks are set forward."""
    hours = Hours(9000, 4 * 3600, BERLIN)
    assert hours.next_open(at("2026-03-29T00:00")) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_after_friday_comes_monday():
    """The calendar says which day is next."""
    hours = Hours(9 * 3600, 17 * 3600, BERLIN, WORKDAYS)
    assert hours.next_open(at("2026-03-06T18:00")) == at("2026-03-09T09:00")


def test_a_calendar_without_days_never_opens():
    """Nothing is told then, and nothing loops."""
    assert Hours(0, 86400, UTC, Calendar(frozenset())).next_open(at("2026-03-06T18:00")) is None


@given(
    begins=st.integers(0, 86399),
    ends=st.integers(1, 86400),
    minutes=st.integers(0, 60 * 24 * 500),
    days=st.frozensets(st.integers(0, 6), min_size=1),
)
def test_what_opens_next_is_open_and_a_second_before_it_is_not(
    begins: int, ends: int, minutes: int, days: frozenset[int]
):
    """For any hours, calendar and moment."""
    hours = Hours(begins, ends, BERLIN, Calendar(days))
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    opens = hours.next_open(moment)
    assert opens is not None
    assert opens >= moment
    assert hours.is_open(opens)
    assert opens == moment or not hours.is_open(opens - timedelta(seconds=1))
