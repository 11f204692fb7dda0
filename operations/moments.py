"""Times that somebody typed."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from config.durations import parse_duration
from operations.actor import UsageError
from utils.wall_time import first_moment

__all__ = ["coming", "moment_of", "past_moment", "seconds_of"]

_LONGEST_S = 10 * 365 * 86_400.0

_TIME_OF_DAY = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


def moment_of(option: str, text: str) -> datetime:
    """The moment that was given for an option, such as `since`; one without a zone is UTC.

    >>> moment_of("since", "2026-11-20T09:00:00+01:00").isoformat()
    '2026-11-20T08:00:00+00:00'

    Raises:
        UsageError: it is not a time.
    """
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # overflow: its zone takes it out of the years 1 to 9999
        raise UsageError(f"--{option}: {text!r} is not a time", hint="write it as 2026-11-20T08:00:00Z") from error


def past_moment(text: str, now: datetime) -> datetime:
    """The moment `as-of` that was given, whose state somebody asks for.

    >>> past_moment("2026-11-20T08:00:00Z", datetime.fromisoformat("2026-11-20T12:00:00Z")).isoformat()
    '2026-11-20T08:00:00+00:00'

    Raises:
        UsageError: it is no time, or has not come yet.
    """
    then = moment_of("as-of", text)
    if then > now:
        raise UsageError(f"--as-of: {text} has not come yet", hint="give a moment of the past")
    return then


def seconds_of(option: str, text: str) -> float:
    """The seconds of a duration that was given for an option.

    >>> seconds_of("for", "2h")
    7200.0

    Raises:
        UsageError: it is none, or nothing.
    """
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--{option}: {error}", hint="write it as 30m, 2h or 1d") from error
    if not 0 < seconds <= _LONGEST_S:
        raise UsageError(f"--{option}: {text!r} is no time to wait for", hint="write it as 30m, 2h or 1d")
    return seconds


def coming(option: str, text: str, now: datetime, zone: str) -> datetime:
    """A moment ahead that was given for an option: a duration from now, a time of day, or a moment.

    A time of day is the next one in the zone, a moment without a zone is one there.

    >>> noon = datetime.fromisoformat("2026-11-20T12:00:00Z")
    >>> [coming("until", text, noon, "Europe/Berlin").isoformat() for text in ("2h", "9:00", "2026-12-01T08:00")]
    ['2026-11-20T14:00:00+00:00', '2026-11-21T08:00:00+00:00', '2026-12-01T07:00:00+00:00']

    Raises:
        UsageError: it is none of these, or not ahead.
    """
    moment = _coming(text.strip(), now, ZoneInfo(zone))
    if moment is None:
        hint = "write a duration (`2h`), a time of day (`09:00`), or a time (`2026-11-20T08:00:00Z`)"
        raise UsageError(f"--{option}: {text!r} is no time", hint=hint)
    if moment <= now:
        raise UsageError(f"--{option}: {text!r} is not ahead", hint="give a time that comes")
    return moment


def _coming(text: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    if found := _TIME_OF_DAY.fullmatch(text):
        today = now.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        wall = today + timedelta(hours=int(found[1]), minutes=int(found[2]))
        moments = (first_moment(day, zone) for day in (wall, wall + timedelta(days=1)))
        return next((one for one in moments if one > now), None)
    try:
        return now + timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else first_moment(moment, zone)
    except (ValueError, OverflowError):
        return None
