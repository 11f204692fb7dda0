"""The calendars of a configuration, and their files on disk."""

import os
from datetime import date
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.settings import Settings
from data_pipeline.scheduling.calendars import calendar_of, calendars
from tests.utils.test_holiday_files import calendar, event


def settings(*holidays: str, weekdays: str = "mon-fri") -> Settings:
    return Settings.model_validate({"calendars": {"bank": {"weekdays": weekdays, "holidays": list(holidays)}}})


def write(path: Path, day: str, *, at: int) -> str:
    """A file with one holiday, changed at a moment of its own."""
    path.write_text(calendar(event(f"DTSTART;VALUE=DATE:{day}", "RRULE:FREQ=YEARLY")))
    os.utime(path, (at, at))
    return f"file:{path}"


def test_dates_and_files_are_days_off_together(tmp_path: Path) -> None:
    """Beside the days of the week."""
    holidays = write(tmp_path / "bank.ics", "20261225", at=1)

    bank = calendars(settings("2026-12-28", holidays))["bank"]

    days = [date(2026, 12, day) for day in range(24, 30)]
    assert [bank.is_open(day) for day in days] == [True, False, False, False, False, True]


def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    """And only then: as long as nothing did, the calendar is the very same."""
    made = settings(write(tmp_path / "changes.ics", "20261225", at=1))
    before = calendar_of(made, "bank")
    same = calendar_of(made, "bank")
    write(tmp_path / "changes.ics", "20261224", at=2)

    after = calendar_of(made, "bank")

    assert same is before
    assert after is not before
    assert [after.is_open(date(2026, 12, day)) for day in (24, 25)] == [False, True]


@pytest.mark.parametrize("damage", ["gone", "broken"])
def test_a_file_that_breaks_later_stays_as_it_was_read(tmp_path: Path, damage: str) -> None:
    """A year unattended must outlive a file that is half written; once it is whole again, it counts."""
    path = tmp_path / f"{damage}.ics"
    made = settings(write(path, "20261225", at=1))
    before = calendar_of(made, "bank")
    if damage == "gone":
        path.unlink()
    else:
        path.write_text("BEGIN:VCAL")

    during = calendar_of(made, "bank")
    write(path, "20261224", at=3)

    assert during is before
    assert not calendar_of(made, "bank").is_open(date(2026, 12, 24))


def test_a_file_that_cannot_be_read_is_told_with_its_key(tmp_path: Path) -> None:
    """The first time, when nothing is known of it."""
    with pytest.raises(ConfigError) as caught:
        calendars(settings("2026-12-25", f"file:{tmp_path / 'missing.ics'}"))

    (problem,) = caught.value.problems
    assert problem.key == "calendars.bank.holidays[1]"
    assert "there is no file" in problem.message
    assert problem.hint


def test_a_calendar_that_is_closed_for_ever_is_refused(tmp_path: Path) -> None:
    """Each Monday is a holiday, and Monday is its only day."""
    path = tmp_path / "mondays.ics"
    path.write_text(calendar(event("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=WEEKLY")))

    with pytest.raises(ConfigError, match="has no open day"):
        calendars(settings(f"file:{path}", weekdays="mon"))

    assert calendars(settings(f"file:{path}", weekdays="mon-tue"))["bank"].is_open(date(2026, 1, 6))


def test_a_calendar_that_is_not_declared_is_told() -> None:
    """Whoever asks for it by name may have an older configuration."""
    with pytest.raises(ConfigError, match="there is no calendar `bank`"):
        calendar_of(Settings(), "bank")
