"""The calendars of a configuration, with the holidays of their files."""

from datetime import date

from config.schedule import DAYS, CalendarSettings
from config.settings import Settings
from utils.calendars import EVERY_DAY, Calendar

__all__ = ["EVERY_DAY", "Calendar", "calendars"]


def calendars(settings: Settings) -> dict[str, Calendar]:
    """Every calendar that is declared, by its name.

    Ask again when files of holidays may have changed: a calendar whose files did not is the same object as before.

    Raises:
        ConfigError: a file of holidays cannot be read, or leaves no day open.
    """
    return {name: _calendar(declared) for name, declared in settings.calendars.items()}


def _calendar(declared: CalendarSettings) -> Calendar:
    weekdays = frozenset(DAYS.index(day) for day in declared.weekdays)
    return Calendar(weekdays, frozenset(date.fromisoformat(day) for day in declared.holidays))
