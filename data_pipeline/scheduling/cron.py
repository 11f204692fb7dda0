"""The moments of a cron line in a time zone, each once, also when clocks change.

As in Debian's cron: a line with fixed hours (neither its minute nor its hour begins with `*`) fires once for each wall
time that it names; where the clock skips it, at the moment of the change; where it is shown twice, the first time. Any
other line fires whenever the clock shows what it names.
"""

from copy import copy
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

from utils.calendars import Calendar
from utils.wall_time import exists, first_moment, moment, wall

if TYPE_CHECKING:
    from cronsim import CronSim

__all__ = ["CronTimes"]

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_LOOK_AHEAD = 40 * 366 * _DAY
"""How far an open day is searched; February 29 falls on each day of the week within 28 years, or 40 around 2100."""

_ANY = datetime(2000, 1, 1)  # noqa: DTZ001 - cronsim works on wall times; where it begins is set before each use


class CronTimes:
    """Gives the moments of one cron line; five fields, as the configuration checked them. Keeps nothing between calls.

    cronsim walks the wall clock without a zone: with one, it loses moments where clocks change by half an hour (its
    steps of 3600 s begin at the half hour then), and begun inside of a repeated hour it goes back.
    """

    __slots__ = ("_calendar", "_fixed_hours", "_text", "_zone")

    def __init__(self, text: str, zone: tzinfo, calendar: Calendar) -> None:
        self._text = text
        self._zone = zone
        self._calendar = calendar
        minute, hour = text.split()[:2]
        self._fixed_hours = not minute.startswith("*") and not hour.startswith("*")

    def next(self, after: datetime) -> datetime | None:
        """The first moment after another, UTC; None: none on an open day for many years."""
        after = after.astimezone(UTC)
        try:
            return self._on_wall(after) if self._fixed_hours else self._by_elapsed(after)
        except (StopIteration, OverflowError):
            return None

    def _on_wall(self, after: datetime) -> datetime | None:
        walls = _walls(self._text, wall(after, self._zone))
        while True:
            shown = self._open(walls)
            if shown is None:
                return None
            # An hour that is repeated was served when it was shown first.
            if (found := first_moment(shown, self._zone)) > after:
                return found

    def _by_elapsed(self, after: datetime) -> datetime | None:
        zone = self._zone
        offsets = [(after + step).astimezone(zone).utcoffset() for step in (-_DAY, _DAY)]
        changed = abs((offsets[0] or timedelta(0)) - (offsets[1] or timedelta(0)))
        # Around a change, what the clock shows again stands before what it shows now.
        walls = _walls(self._text, wall(after, zone) - changed - (_SECOND if changed else timedelta(0)))
        best: datetime | None = None
        while True:
            shown = self._open(walls)
            if shown is None:
                return best
            first = moment(shown, zone)
            if best is not None and first > best:
                return best
            if not exists(shown, zone):
                continue
            for found in (first, moment(shown, zone, fold=1)):
                if found > after and (best is None or found < best):
                    best = found
            if best is not None and not changed:
                return best

    def _open(self, walls: "CronSim") -> datetime | None:
        """The next wall time on an open day; None: there is none for many years."""
        shown = first = next(walls)
        while not self._calendar.is_open(shown.date()):
            opens = self._calendar.next_open(shown.date())
            if opens is None or shown - first > _LOOK_AHEAD:
                return None
            walls.dt = datetime(opens.year, opens.month, opens.day) - _SECOND  # noqa: DTZ001 - a wall time
            shown = next(walls)
        return shown


def _walls(text: str, after: datetime) -> "CronSim":
    """Wall times after another."""
    made = copy(_parsed(text))
    made.dt = after.replace(microsecond=0)
    return made


@lru_cache(maxsize=1024)
def _parsed(text: str) -> "CronSim":
    from cronsim import CronSim

    return CronSim(text, _ANY)
