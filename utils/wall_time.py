"""From what a clock on the wall shows to the moment it shows it, on the days on which clocks change, too.

A wall time is a naive `datetime` or a `date` with seconds since midnight; a moment is an aware one, in UTC. When the
clock is set forward, the wall times between do not exist; when it is set back, some are shown twice.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo

__all__ = ["exists", "first_moment", "last_moment", "midnight", "moment", "wall"]

_ZERO = timedelta(0)
_SECOND = timedelta(seconds=1)


def moment(shown: datetime, zone: tzinfo, *, fold: int = 0) -> datetime:
    """The moment of a wall time; of one that does not exist: read with the offset before (`fold=0`) or after it.

    Raises:
        OverflowError: it is outside of the years 1 to 9999.
    """
    offset = shown.replace(tzinfo=zone, fold=fold).utcoffset() or _ZERO
    return (shown - offset).replace(tzinfo=UTC)


def wall(at: datetime, zone: tzinfo) -> datetime:
    """What the clock on the wall shows at a moment; naive."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def exists(shown: datetime, zone: tzinfo) -> bool:
    """Whether a clock ever shows this."""
    return wall(moment(shown, zone), zone) == shown


def first_moment(shown: datetime, zone: tzinfo) -> datetime:
    """The moment at which a wall time is shown first; of one that is skipped: the moment of the change.

    >>> from zoneinfo import ZoneInfo
    >>> zone = ZoneInfo("Europe/Berlin")
    >>> first_moment(datetime(2026, 3, 29, 2, 30), zone).isoformat(), wall(moment(datetime(2026, 3, 29, 1), UTC), zone)
    ('2026-03-29T01:00:00+00:00', datetime.datetime(2026, 3, 29, 3, 0))
    >>> first_moment(datetime(2026, 10, 25, 2, 30), zone).isoformat()
    '2026-10-25T00:30:00+00:00'
    """
    found = moment(shown, zone)
    if wall(found, zone) == shown:
        return found
    # The offset that the clock had before puts the time behind the change, the one after it puts it before.
    below, above = (moment(shown.replace(microsecond=0), zone, fold=fold) for fold in (1, 0))
    before = below.astimezone(zone).utcoffset()
    while above - below > _SECOND:
        middle = below + timedelta(seconds=(above - below) // _SECOND // 2)
        below, above = (middle, above) if middle.astimezone(zone).utcoffset() == before else (below, middle)
    return above


def last_moment(shown: datetime, zone: tzinfo) -> datetime:
    """The moment at which a wall time is shown last; one that is skipped is read with the offset before the change.

    >>> from zoneinfo import ZoneInfo
    >>> last_moment(datetime(2026, 10, 25, 2, 30), ZoneInfo("Europe/Berlin")).isoformat()
    '2026-10-25T01:30:00+00:00'
    """
    return max(moment(shown, zone), moment(shown, zone, fold=1))


def midnight(day: date, zone: tzinfo) -> datetime:
    """The moment at which a day begins; where midnight is skipped: the first of the day."""
    return first_moment(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001 - a wall time
