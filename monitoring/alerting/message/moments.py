"""Times in a message: in the zone of the installation, and no longer than they must be."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

__all__ = ["Moments"]


class Moments:
    """Says moments as somebody reads them at one moment: of the same day the time alone.

    An hour that a clock change repeats says which of the two it is.

    >>> night = Moments("Europe/Berlin", datetime.fromisoformat("2026-11-20T02:05:00Z"))
    >>> night.said("2026-11-20T01:12:00Z"), night.said("2026-11-19T15:00:00Z"), night.said("2025-11-19T15:00:00Z")
    ('02:12', '19 Nov 16:00', '19 Nov 2025 16:00')
    >>> Moments("Europe/Berlin", datetime.fromisoformat("2026-10-25T02:05:00Z")).said("2026-10-25T01:30:00Z")
    '02:30 CET'
    """

    def __init__(self, zone: str, now: datetime) -> None:
        self.zone = zone
        self._zone = ZoneInfo(zone)
        self._now = now.astimezone(self._zone)

    def said(self, moment: datetime | str) -> str:
        """The moment (RFC 3339, or aware)."""
        at = (datetime.fromisoformat(moment) if isinstance(moment, str) else moment).astimezone(self._zone)
        time = f"{at:%H:%M}"
        if at.utcoffset() != at.replace(fold=1 - at.fold).utcoffset():
            time = f"{time} {at:%Z}"
        if at.date() == self._now.date():
            return time
        year = "" if at.year == self._now.year else f" {at.year}"
        return f"{at.day} {at:%b}{year} {time}"

    def dated(self, moment: datetime) -> str:
        """What data is dated: midnight is a day.

        >>> night = Moments("Europe/Berlin", datetime.fromisoformat("2026-11-20T02:05:00Z"))
        >>> night.dated(datetime.fromisoformat("2026-11-18T23:00:00Z"))
        '19 Nov'
        """
        at = moment.astimezone(self._zone)
        if (at.hour, at.minute) != (0, 0):
            return self.said(moment)
        return f"{at.day} {at:%b}{'' if at.year == self._now.year else f' {at.year}'}"

    def at(self, moment: datetime | str) -> str:
        """The moment as it stands in a sentence.

        >>> night = Moments("UTC", datetime.fromisoformat("2026-11-20T02:05:00Z"))
        >>> night.at("2026-11-20T09:00:00Z"), night.at("2026-11-21T09:00:00Z")
        ('at 09:00', 'on 21 Nov 09:00')
        """
        said = self.said(moment)
        return f"on {said}" if " " in said and said[2:3] != ":" else f"at {said}"


def utc(moment: str) -> datetime:
    """A stored moment.

    >>> utc("2026-11-20T01:12:00.000000Z").hour
    1
    """
    return datetime.fromisoformat(moment).astimezone(UTC)
