"""Days off from iCalendar files."""

from datetime import date
from pathlib import Path

import pytest

from utils.holiday_files import MAX_BYTES, HolidayFileError, read_holidays


def event(*lines: str, name: str = "Holiday") -> str:
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{name}@example.org", f"SUMMARY:{name}", *lines, "END:VEVENT"])


def calendar(*events: str) -> str:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//", *events, "END:VCALENDAR", ""])


def days(tmp_path: Path, text: str, year: int = 2026) -> list[str]:
    path = tmp_path / "holidays.ics"
    path.write_bytes(text.encode())
    return [f"{day:%m-%d}" for day in sorted(read_holidays(path)(year))]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["DTSTART;VALUE=DATE:20261225"], ["12-25"]),
        (["DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"], ["12-24", "12-25", "12-26"]),
        (["DTSTART;VALUE=DATE:20261230", "DTEND;VALUE=DATE:20270103"], ["12-30", "12-31"]),
        (["DTSTART;VALUE=DATE:20251230", "DTEND;VALUE=DATE:20260103"], ["01-01", "01-02"]),
        (["DTSTART;VALUE=DATE:20260601", "DURATION:P2D"], ["06-01", "06-02"]),
        (["DTSTART;VALUE=DATE:20200501", "RRULE:FREQ=YEARLY"], ["05-01"]),
        (["DTSTART;VALUE=DATE:20201126", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"], ["11-26"]),
        (["DTSTART;VALUE=DATE:20200501", "RRULE:FREQ=YEARLY;UNTIL=20250601"], []),
        (["DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20260102"], ["01-01", "01-03"]),
        (["DTSTART;VALUE=DATE:20260101", "RDATE;VALUE=DATE:20260106"], ["01-01", "01-06"]),
        (["DTSTART;VALUE=DATE:20261225", "DTEND;VALUE=DATE:20261225"], ["12-25"]),
        (["DTSTART;VALUE=DATE:20261225", "TRANSP:TRANSPARENT"], ["12-25"]),
        (["DTSTART;VALUE=DATE:20261225", "STATUS:CANCELLED"], []),
        (["DTSTART:20261224T130000Z", "DTEND:20261224T200000Z"], []),
    ],
    ids=["a day", "three days", "over the end of the year", "over its beginning", "a duration", "each year",
         "the fourth Thursday", "ended", "left out once", "once more", "ends as it begins", "shown as free",
         "cancelled", "closes early"],
)  # fmt: skip
def test_all_day_events_are_days_off(tmp_path: Path, lines: list[str], expected: list[str]) -> None:
    """Those of one year, of several days or repeated, too; what has a time of day or is cancelled is none."""
    assert days(tmp_path, calendar(event(*lines))) == expected


def test_a_moved_holiday_is_where_it_was_moved_to(tmp_path: Path) -> None:
    """One of a series was given another day."""
    series = event("DTSTART;VALUE=DATE:20250501", "RRULE:FREQ=YEARLY")
    moved = event("DTSTART;VALUE=DATE:20260504", "RECURRENCE-ID;VALUE=DATE:20260501")

    assert days(tmp_path, calendar(series, moved)) == ["05-04"]
    assert days(tmp_path, calendar(series, moved), 2027) == ["05-01"]


def test_several_calendars_in_a_file_count_together(tmp_path: Path) -> None:
    """Exports of whole accounts have them."""
    text = calendar(event("DTSTART;VALUE=DATE:20260101")) + calendar(event("DTSTART;VALUE=DATE:20260106"))

    assert days(tmp_path, text) == ["01-01", "01-06"]


@pytest.mark.parametrize("year", [1, 1969, 2099, 9999])
def test_each_year_can_be_asked_for(tmp_path: Path, year: int) -> None:
    """Also far from the event."""
    text = calendar(event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY"))

    assert days(tmp_path, text, year) == (["01-01"] if year >= 2026 else [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no whole calendar"),
        ("date,name\r\n2026-12-25,Christmas\r\n", "is no iCalendar file"),
        ("<html><body>Log in</body></html>", "is no iCalendar file"),
        (calendar(event("DTSTART;VALUE=DATE:20260101"))[:-20], "holds no whole calendar"),
        (calendar(event("DTSTART;VALUE=DATE:2026-01-01")), "`Holiday` has an unreadable DTSTART"),
        (calendar(event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=SOMETIMES")), "has an unreadable RRULE"),
        (calendar(event("DTEND;VALUE=DATE:20260101")), "has no DTSTART"),
        (calendar(event("DTSTART:20260101T000000Z", "RRULE:FREQ=SECONDLY")), "repeated within a day"),
        ("x" * (MAX_BYTES + 1), "is larger than 1 MB"),
    ],
    ids=["empty", "a table", "a page", "cut off", "no date", "no rule", "no start", "each second", "huge"],
)
def test_what_is_no_calendar_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    """With the file, and the event that is meant."""
    with pytest.raises(HolidayFileError, match=words) as caught:
        days(tmp_path, text)

    assert str(tmp_path / "holidays.ics") in str(caught.value)
    assert caught.value.hint


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """So is a folder in its place."""
    with pytest.raises(HolidayFileError, match="there is no file"):
        read_holidays(tmp_path / "none.ics")
    with pytest.raises(HolidayFileError, match="cannot be read: Is a directory"):
        read_holidays(tmp_path)


def test_a_day_is_a_date(tmp_path: Path) -> None:
    """No time hides in it: calendars look days up."""
    path = tmp_path / "holidays.ics"
    path.write_text(calendar(event("DTSTART;VALUE=DATE:20261225")))

    assert read_holidays(path)(2026) == frozenset({date(2026, 12, 25)})
