"""When datasets are due, as their schedules say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Settings
from data_pipeline.scheduling.calendars import calendars
from data_pipeline.scheduling.occurrence import Occurrence
from data_pipeline.scheduling.timetable import Timetable

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))
SCHEDULES: dict[str, dict[str, Any]] = {
    "cron": {"cron": "*/20 9-17 * * mon-fri", "zone": "America/New_York"},
    "fixed hour": {"cron": "30 2 * * *", "zone": "Europe/Berlin"},
    "interval": {"every": "7m"},
    "interval on weekdays": {"every": "3h", "calendar": "bank", "zone": "Australia/Lord_Howe"},
    "window": {"every": "25m", "from": "22:00", "until": "02:00", "calendar": "bank"},
}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def timetable(schedule: dict[str, Any] | None, name: str = "rates", **app: Any) -> Timetable:
    dataset = {"name": name, "collect": {"kind": "simulated"}} | ({} if schedule is None else {"schedule": schedule})
    bank = {"weekdays": "mon-fri", "holidays": ["2026-12-25"]}
    settings = Settings.model_validate({"app": app, "calendars": {"bank": bank}, "datasets": [dataset]})
    return Timetable.of(settings.datasets[0], settings, calendars(settings))


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@given(after=MOMENTS, days=st.integers(1, 3))
def test_occurrences_between_two_moments_are_those_one_after_the_other(
    schedule: dict[str, Any], after: datetime, days: int
) -> None:
    """After the first, up to and with the other; the last of them is the one before the other."""
    table, until = timetable(schedule), after + timedelta(days=days)

    found = list(table.between(after, until))

    assert [one.due for one in found] == sorted({one.due for one in found})
    assert all(after < one.due <= until for one in found)
    if found:
        assert table.previous(until) == found[-1]
        assert list(table.between(after, found[-1].due)) == found
        assert table.next(found[-1].due - timedelta(microseconds=1)) == found[-1]


def test_an_occurrence_that_is_long_ago_is_found_without_walking_there() -> None:
    """Every second for a year: the last one is told at once, also where days off lie before."""
    table = timetable({"every": "1s", "calendar": "bank"})

    assert table.previous(utc("2026-12-27T12:00:00")) == Occurrence(utc("2026-12-24T23:59:59"), "rates")
    assert timetable({"cron": "0 0 29 2 *"}).previous(utc("2027-06-01")) == Occurrence(utc("2024-02-29"), "rates")


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@given(after=MOMENTS, minutes=st.integers(1, 600))
def test_jitter_never_reaches_the_next_occurrence(schedule: dict[str, Any], after: datetime, minutes: int) -> None:
    """It moves an occurrence back within its bound, the same wherever it is computed; in a window, before it closes."""
    table = timetable({**schedule, "jitter": f"{minutes}m"})
    one = table.next(after)
    assert one is not None
    following = table.next(one.due)
    assert following is not None

    start = table.starts_at(one)

    assert one.due <= start < min(following.due, one.due + timedelta(minutes=minutes))
    assert start == timetable({**schedule, "jitter": f"{minutes}m"}).starts_at(one)
    if "from" in schedule:
        assert start < table.window(one).closes


def test_jitter_spreads_datasets_of_one_schedule() -> None:
    """A hundred that are due at the same time begin all over the ten minutes."""
    due = utc("2026-06-01T04:00")
    tables = [timetable({"cron": "0 4 * * *", "jitter": "10m"}, f"d{number}") for number in range(100)]

    starts = [(table.starts_at(Occurrence(due, table.schedule)) - due).total_seconds() for table in tables]

    assert {int(start // 60) for start in starts} == set(range(10))


@pytest.mark.parametrize(
    "schedule", [None, {"after": "others"}, {"on_file": "in/*.csv"}], ids=["none", "after a dataset", "on a file"]
)
def test_what_does_not_wait_for_a_time_has_no_occurrences(schedule: dict[str, Any] | None) -> None:
    """Something else sets it off, or nothing."""
    dataset = {"name": "rates", "collect": {"kind": "simulated"}} | ({} if schedule is None else {"schedule": schedule})
    others = {"name": "others", "collect": {"kind": "simulated"}}
    settings = Settings.model_validate({"datasets": [dataset, others]})
    table = Timetable.of(settings.datasets[0], settings, {})

    assert table.next(utc("2026-01-01")) is None
    assert table.previous(utc("2026-01-01")) is None
    assert list(table.between(utc("2026-01-01"), utc("2027-01-01"))) == []


def test_wall_times_without_a_zone_are_those_of_the_installation() -> None:
    """`app.zone`."""
    table = timetable({"cron": "0 12 * * *"}, zone="Asia/Tokyo")

    assert table.next(utc("2026-01-01")) == Occurrence(utc("2026-01-01T03:00"), "rates")


def test_a_schedule_without_windows_has_none() -> None:
    """The question is one of the caller's."""
    with pytest.raises(ValueError, match="the schedule of rates has no windows"):
        timetable({"every": "1h"}).window(Occurrence(utc("2026-01-01"), "rates"))
