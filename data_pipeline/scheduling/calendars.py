"""The calendars of a configuration, with the holidays of their files."""

import threading
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from config.errors import ConfigError, Problem, key_text
from config.schedule import DAYS, HOLIDAY_FILE, CalendarSettings
from config.settings import Settings
from utils.calendars import EVERY_DAY, Calendar
from utils.logger import get_logger

if TYPE_CHECKING:
    from utils.holiday_files import Holidays

__all__ = ["EVERY_DAY", "Calendar", "calendar_of", "calendars"]

_FAR = date(2098, 1, 1)
"""A calendar without an open day in the three years after it is closed for ever."""


def calendars(settings: Settings) -> dict[str, Calendar]:
    """Every calendar that is declared, by its name.

    Ask again when files of holidays may have changed: a calendar whose files did not is the same object as before. A
    file that was read once and cannot be read now stays as it was; the log tells it.

    Raises:
        ConfigError: a file of holidays cannot be read, or leaves no day open.
    """
    return {name: calendar_of(settings, name) for name in settings.calendars}


def calendar_of(settings: Settings, name: str) -> Calendar:
    """One of them.

    Raises:
        ConfigError: there is none of that name, a file of holidays cannot be read, or it leaves no day open.
    """
    declared = settings.calendars.get(name)
    if declared is None:
        raise ConfigError([Problem("", None, "calendars", f"there is no calendar `{name}`")])
    files = []
    for place, holiday in enumerate(declared.holidays):
        if holiday.startswith(HOLIDAY_FILE):
            key = key_text(("calendars", name, "holidays", place))
            files.append(_files.read(Path(holiday.removeprefix(HOLIDAY_FILE)), key))
    try:
        return _calendar(declared, tuple(files))
    except ValueError:
        message = "the calendar has no open day: its holidays never end"
        hint = "An event of the file is repeated for ever on every day that the calendar has."
        raise ConfigError([Problem("", None, key_text(("calendars", name)), message, hint)]) from None


@lru_cache(maxsize=256)
def _calendar(declared: CalendarSettings, files: "tuple[Holidays, ...]") -> Calendar:
    weekdays = frozenset(DAYS.index(day) for day in declared.weekdays)
    written = [day for day in declared.holidays if not day.startswith(HOLIDAY_FILE)]

    def of_year(year: int) -> frozenset[date]:
        return frozenset().union(*(file(year) for file in files))

    made = Calendar(weekdays, frozenset(map(date.fromisoformat, written)), of_year if files else None)
    if files and made.next_open(_FAR) is None:
        raise ValueError("closed for ever")
    return made


class _Read(NamedTuple):
    """A file as it was read. `signature`: what it looked like on disk; None: it is gone."""

    signature: tuple[int, int, int] | None
    holidays: "Holidays"


class _Files:
    """Files of holidays, each read once and again when it changed. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[Path, _Read] = {}

    def read(self, path: Path, key: str) -> "Holidays":
        from utils.holiday_files import HolidayFileError, read_holidays

        signature = _signature(path)
        with self._lock:
            known = self._read.get(path)
            if known is not None and known.signature == signature:
                return known.holidays
            try:
                holidays = read_holidays(path)
            except HolidayFileError as error:
                if known is None:
                    raise ConfigError([Problem("", None, key, str(error), error.hint)]) from error
                get_logger("scheduling").warning("calendar.unreadable", key=key, error=str(error))
                holidays = known.holidays
            self._read[path] = _Read(signature, holidays)
            return holidays


_files = _Files()


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
