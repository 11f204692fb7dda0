"""Windows of the day in which a dataset is tried again and again."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.scheduling.window import Window, WindowTimes
from utils.calendars import EVERY_DAY, Calendar
from utils.wall_time import wall

BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = Calendar(frozenset(range(5)))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def tries(times: WindowTimes, start: str, end: str) -> list[str]:
    """Every try after one moment and up to another, as the clock on the wall shows it."""
    found, at = [], utc(start)
    while (at_next := times.next(at)) is not None and at_next <= utc(end):
        found.append(f"{wall(at_next, BERLIN):%d %H:%M}")
        at = at_next
    return found


def test_a_window_is_tried_from_its_opening_until_it_closes() -> None:
    """The closing moment is no try."""
    times = WindowTimes(20 * 60, "16:00", "17:00", BERLIN, EVERY_DAY)

    assert tries(times, "2026-11-19", "2026-11-20T15:00") == ["19 16:00", "19 16:20", "19 16:40", "20 16:00"]


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens() -> None:
    """Friday's goes on into Saturday; Saturday and Sunday have none."""
    times = WindowTimes(3600, "23:00", "01:00", BERLIN, WEEKDAYS)

    assert tries(times, "2026-11-20", "2026-11-24") == ["20 23:00", "21 00:00", "23 23:00", "24 00:00"]
    assert times.of(utc("2026-11-20T23:00")) == Window(utc("2026-11-20T22:00"), utc("2026-11-21T00:00"))


@pytest.mark.parametrize(
    ("opens", "closes", "day", "expected"),
    [
        ("01:00", "04:00", date(2026, 3, 29), 2.0),
        ("01:00", "04:00", date(2026, 10, 25), 4.0),
        ("02:30", "06:00", date(2026, 3, 29), 3.0),
        ("02:15", "02:45", date(2026, 3, 29), 0.75),
        ("02:15", "03:00", date(2026, 3, 29), 0.75),
        ("02:30", "02:45", date(2026, 10, 25), 1.25),
        ("00:00", "24:00", date(2026, 10, 25), 25.0),
    ],
    ids=[
        "spring",
        "autumn",
        "opens in the gap",
        "within the gap",
        "up to its end",
        "within the repeated hour",
        "all day",
    ],
)
def test_windows_are_open_also_when_the_clock_changes_within_them(
    opens: str, closes: str, day: date, expected: float
) -> None:
    """Hours of elapsed time; none is lost, and none is empty."""
    found = WindowTimes(600, opens, closes, BERLIN, EVERY_DAY).of_day(day)

    assert (found.closes - found.opens) / timedelta(hours=1) == expected


@given(
    st.integers(0, 95),
    st.integers(0, 95),
    st.sampled_from([300, 600, 3600, 86_400]),
    st.datetimes(datetime(2026, 10, 20), datetime(2026, 10, 30), timezones=st.just(UTC)),
)
def test_each_try_lies_in_its_window(opens: int, closes: int, every: int, after: datetime) -> None:
    """On the window's own grid; and between two tries that follow each other there is none."""
    texts = [f"{quarter // 4:02}:{quarter % 4 * 15:02}" for quarter in (opens, closes)]
    times = WindowTimes(every, *texts, BERLIN, WEEKDAYS)

    found = times.next(after)

    assert found is not None
    window = times.of(found)
    assert (found - window.opens) % timedelta(seconds=every) == timedelta(0)
    assert wall(window.opens, BERLIN).date().weekday() < 5
    step = timedelta(seconds=every)
    assert found - step <= after or found == window.opens


def test_a_moment_outside_of_all_windows_belongs_to_none() -> None:
    """It is no try of this schedule."""
    with pytest.raises(ValueError, match="lies in no window"):
        WindowTimes(600, "16:00", "18:00", BERLIN, EVERY_DAY).of(utc("2026-11-20T09:00"))
