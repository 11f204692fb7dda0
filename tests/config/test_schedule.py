"""`schedule`, `calendars`, `promise`: what is taken, and what is said about what is not."""

from pathlib import Path

import pytest

from config.schedule import seconds_of_day
from tests.config.conftest import House

CALENDAR = "calendars: {target2: {weekdays: mon-fri}}\n"


def one(text: str) -> str:
    return f"{CALENDAR}datasets:\n  - {{name: a, collect: {{kind: simulated}}, {text}}}"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("5 16 * * *", "5 16 * * *"),
        ("  0   9  * * Mon-Fri ", "0 9 * * Mon-Fri"),
        ("*/15 9-17 L * *", "*/15 9-17 L * *"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 * 2 MON#5", "0 0 * 2 MON#5"),
    ],
    ids=["plain", "blanks", "the last day", "a leap day", "a fifth Monday of February"],
)
def test_a_cron_line_is_taken(house: House, written: str, kept: str) -> None:
    """Five fields that fire some day; one space between them."""
    settings = house.load(one(f'schedule: {{cron: "{written}"}}')).settings

    assert settings.datasets[0].schedule is not None
    assert settings.datasets[0].schedule.cron == kept


@pytest.mark.parametrize(
    ("cron", "message", "hint"),
    [
        ("@daily", "`@daily` is no cron line", '`cron: "0 0 * * *"`'),
        ("@reboot", "`@reboot` is no cron line", "five fields"),
        ("0 5 16 * * *", "has six fields", '"5 16 * * *"'),
        ("5 16 *", "expected five fields, got 3", "minute, hour, day of the month"),
        ("60 16 * * *", "`60` is no minute", "0 to 59"),
        ("5 24 * * *", "`24` is no hour", "0 to 23"),
        ("5 16 32 * *", "`32` is no day of the month", "1 to 31"),
        ("5 16 * 13 *", "`13` is no month", "1 to 12"),
        ("5 16 * * 8", "`8` is no day of the week", "0 to 7"),
        ("*/0 * * * *", "`*/0` is no minute", "0 to 59"),
        ("a * * * *", "`a` is no minute", "0 to 59"),
        ("5-1 * * * *", "`5-1` is no minute", "0 to 59"),
        ("0 0 30 2 *", "never fires", "`L`"),
        ("0 0 31 4,6 *", "never fires", "`L`"),
        ("0 0 */31 2 SUN#5", "never fires", "`L`"),
    ],
)
def test_what_is_no_cron_line_is_told_with_its_field(house: House, cron: str, message: str, hint: str) -> None:
    """Before anything runs, with what to write instead."""
    problem = house.problem(one(f'schedule: {{cron: "{cron}"}}'))

    assert problem.key == "datasets.a.schedule.cron"
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("schedule: {every: 10m, from: '24:00', until: '02:00'}", "schedule.from", "cannot open at 24:00"),
        ("schedule: {every: 10m, from: '16:00', until: '25:00'}", "schedule.until", "expected a time of day"),
        (
            "schedule: {every: 10m, from: '16:00', until: '18:00', done_when: 'max(date) = = today'}",
            "schedule.done_when",
            "unexpected `=`",
        ),
        (
            "schedule: {every: 10m, from: '16:00', until: '18:00', done_when: 'max(date)'}",
            "schedule.done_when",
            "must be true or false",
        ),
        ("schedule: {every: 10m, calendar: target}", "schedule.calendar", "no calendar; did you mean `target2`?"),
        ("promise: {due: '16:30', calendar: office}", "promise.calendar", "`office` is no calendar"),
        ("promise: {calendar: target2}", "promise", "promises nothing"),
        ("promise: {zone: Europe/Berlin}", "promise", "promises nothing"),
    ],
    ids=["opens at 24:00", "a wrong time", "no expression", "no question", "near", "far", "a calendar", "a zone"],
)
def test_what_a_schedule_or_a_promise_cannot_be_is_told(house: House, text: str, key: str, message: str) -> None:
    """With its key."""
    problem = house.problem(one(text))

    assert problem.key == f"datasets.a.{key}"
    assert message in problem.message
    assert problem.hint


def test_files_of_holidays_and_files_waited_for_start_at_the_configuration(house: House) -> None:
    """Whatever folder the command is started in; dates stay as they are."""
    text = """
        calendars: {bank: {weekdays: mon-fri, holidays: ["2026-12-25", "file:days/off.ics", 2027-01-01]}}
        datasets:
          - {name: a, collect: {kind: simulated}, schedule: {on_file: in/*.csv}}
    """
    settings = house.load(text).settings

    days = house.folder / "days" / "off.ics"
    assert settings.calendars["bank"].holidays == ("2026-12-25", f"file:{days}", "2027-01-01")
    assert settings.datasets[0].schedule is not None
    assert settings.datasets[0].schedule.on_file == str(house.folder / "in" / "*.csv")
    assert Path(days).is_absolute()


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("weekdays: mon-fry", "weekdays", "expected weekdays"),
        ("weekdays: []", "weekdays", "expected weekdays"),
        ("holidays: ['2026-02-30']", "holidays[0]", "expected a date, got `2026-02-30`"),
        ("holidays: ['2026-12-25', 'holidays.ics']", "holidays[1]", "expected a date"),
        ("holidays: ['file:']", "holidays[0]", "expected a date"),
        ("holidays: [20261225]", "holidays[0]", "expected a date"),
    ],
)
def test_what_is_no_calendar_is_told(house: House, text: str, key: str, message: str) -> None:
    """With its key, and how a day or a file is written."""
    problem = house.problem(f"calendars: {{bank: {{{text}}}}}")

    assert problem.key == f"calendars.bank.{key}"
    assert message in problem.message
    assert problem.hint


def test_times_of_day_count_from_midnight() -> None:
    """To the second."""
    assert [seconds_of_day(text) for text in ("00:00", "16:30", "9:05:10", "24:00")] == [0, 59_400, 32_710, 86_400]
