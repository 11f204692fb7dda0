"""Wall times become moments, also where clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from utils.wall_time import exists, first_moment, last_moment, midnight, wall

BERLIN, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown", "first", "last"),
    [
        (BERLIN, "2026-07-01 12:00", "2026-07-01 10:00", "2026-07-01 10:00"),
        (BERLIN, "2026-10-25 02:30", "2026-10-25 00:30", "2026-10-25 01:30"),
        (BERLIN, "2026-03-29 02:00", "2026-03-29 01:00", "2026-03-29 01:00"),
        (BERLIN, "2026-03-29 02:59:59", "2026-03-29 01:00", "2026-03-29 01:59:59"),
        (LORD_HOWE, "2026-04-05 01:45", "2026-04-04 14:45", "2026-04-04 15:15"),
        (LORD_HOWE, "2026-10-04 02:10", "2026-10-03 15:30", "2026-10-03 15:40"),
        (ZoneInfo("Pacific/Apia"), "2011-12-30 12:00", "2011-12-30 10:00", "2011-12-30 22:00"),
    ],
    ids=["plain", "shown twice", "skipped", "skipped, its end", "half an hour twice", "half an hour skipped", "a day"],
)
def test_a_wall_time_has_a_first_and_a_last_moment(zone: ZoneInfo, shown: str, first: str, last: str) -> None:
    """One that is skipped: the change is its first; read with the offset before it is its last."""
    at = datetime.fromisoformat(shown)

    assert (first_moment(at, zone), last_moment(at, zone)) == (utc(first), utc(last))


@pytest.mark.parametrize("zone", [BERLIN, LORD_HOWE, ZoneInfo("America/New_York")], ids=str)
def test_each_moment_is_shown_by_the_clock_and_found_again(zone: ZoneInfo) -> None:
    """Around the changes of a year: what is shown exists, and has that moment as its first or its last."""
    for start in (utc("2026-03-06"), utc("2026-10-02")):
        for number in range(33 * 48):
            at = start + number * timedelta(minutes=30)
            shown = wall(at, zone)
            assert exists(shown, zone)
            assert at in {first_moment(shown, zone), last_moment(shown, zone)}


def test_a_day_without_midnight_begins_with_its_first_moment() -> None:
    """In Beirut the clock goes from 00:00 to 01:00."""
    assert midnight(date(2026, 3, 29), ZoneInfo("Asia/Beirut")) == utc("2026-03-28 22:00")
    assert wall(utc("2026-03-28 22:00"), ZoneInfo("Asia/Beirut")) == datetime.fromisoformat("2026-03-29 01:00")
