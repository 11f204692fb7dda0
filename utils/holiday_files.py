"""Days off from an iCalendar file (RFC 5545): the days of its all-day events, of one year at a time."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

__all__ = ["HolidayFileError", "Holidays", "read_holidays"]

MAX_BYTES = 1_000_000
"""Reading takes about 5 s a megabyte; the public holidays of a country take 100 kB for 50 years."""

_FIRST_YEAR = 1900  # the library subtracts from it
_DAY = timedelta(days=1)
_PARTS = frozenset({"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"})
_OFTEN = frozenset({"SECONDLY", "MINUTELY", "HOURLY"})


class HolidayFileError(ValueError):
    """A file of holidays that cannot be used: what is wrong with it, and what to do (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Holidays:
    """The events of one file; ask it for the days off of a year.

    What lasts whole days counts, over several days and repeated ones, too. What is cancelled does not, nor does what
    has a time: a day on which one closes early is no day off.
    """

    def __init__(self, queries: list[Any]) -> None:
        self._queries = queries

    def __call__(self, year: int) -> frozenset[date]:
        """The days off of a year; none before 1900."""
        if year < _FIRST_YEAR:
            return frozenset()
        first, last = date(year, 1, 1), date(year, 12, 31)
        days: set[date] = set()
        for query in self._queries:
            for event in query.between(first, last + _DAY if year < date.max.year else last):
                days.update(day for day in _days(event, first, last) if day.year == year)
        return frozenset(days)


def read_holidays(path: Path) -> Holidays:
    """The events of a file.

    Raises:
        HolidayFileError: it is missing, cannot be read, is larger than 1 MB, or is no calendar.
    """
    from icalendar import Calendar
    from recurring_ical_events import of

    data = _bytes(path)
    try:
        found = [one for one in Calendar.from_ical(data, multiple=True) if one.name == "VCALENDAR"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise HolidayFileError(f"{path} is no iCalendar file: {_short(error)}", _HINT) from error
    if not found:
        raise HolidayFileError(f"{path} holds no whole calendar (BEGIN:VCALENDAR … END:VCALENDAR)", _HINT)
    for calendar in found:
        for event in calendar.walk("VEVENT"):
            _refuse_broken(event, path)
    try:
        holidays = Holidays([of(calendar) for calendar in found])
        holidays(2000)  # so that what cannot be repeated is told now
    except Exception as error:  # the library raises what its parts raise
        raise HolidayFileError(f"{path} cannot be used: {_short(error)}", _HINT) from error
    return holidays


_HINT = "Export it again as iCalendar (.ics)."


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise HolidayFileError(
            f"there is no file {path}", "Check the path; it starts at the configuration's folder."
        ) from error
    except (OSError, ValueError) as error:
        raise HolidayFileError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_BYTES:
        hint = "Keep the years that you need; holidays of a country take less than a tenth of that."
        raise HolidayFileError(f"{path} is larger than {MAX_BYTES // 10**6} MB", hint)
    return data


def _refuse_broken(event: Any, path: Path) -> None:
    name = _short(event.get("SUMMARY") or event.get("UID") or "without a name")
    where = f"{path}: the event `{name}`"
    if broken := [(key, text) for key, text in event.errors if key in _PARTS]:
        raise HolidayFileError(f"{where} has an unreadable {broken[0][0]}: {_short(broken[0][1])}", _HINT)
    if "DTSTART" not in event:
        raise HolidayFileError(f"{where} has no DTSTART: nobody knows when it is", _HINT)
    rules = event.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        if _OFTEN & set(map(str, rule.get("FREQ", []))):
            raise HolidayFileError(f"{where} is repeated within a day, so it is no holiday", "Remove it from the file.")


def _days(event: Any, first: date, last: date) -> list[date]:
    """The days that an event takes whole, of those between two days."""
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return []
    start = event["DTSTART"].dt
    if isinstance(start, datetime):
        return []
    end = event["DTEND"].dt if "DTEND" in event else start + _DAY
    at, until = max(start, first), min(max(end, start + _DAY) - _DAY, last)
    return [at + number * _DAY for number in range((until - at).days + 1)]


def _short(told: object) -> str:
    text = " ".join(str(told).split())
    return text if len(text) <= 100 else f"{text[:99]}…"
