"""Read how long a server asks us to wait: the `Retry-After` header (RFC 9110, 10.2.3), in seconds or as a date."""

from datetime import datetime

from utils.http_date import http_date

LONGEST = 1e9  # seconds, some thirty years: whoever asks for more means nothing by it


def retry_after(value: str, *, now: datetime, date: str = "") -> float | None:
    """Seconds that a `Retry-After` header asks for; None when it gives no hint: not above 0, too far off, unreadable.

    Args:
        value: The header.
        now: The moment of the answer by our own clock, aware.
        date: The `Date` header of the same answer. A date in `value` was written by the same clock, so the
            difference of the two is right however wrong one of the clocks may be.

    >>> from datetime import UTC
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> retry_after("120", now=now)
    120.0
    >>> retry_after("Thu, 01 Jan 2026 03:00:30 GMT", now=now, date="Thu, 01 Jan 2026 03:00:00 GMT")
    30.0
    """
    value = value.strip()
    # Fractions are not in the RFC, but providers send them.
    if value.replace(".", "", 1).isdecimal() and value.isascii():
        seconds = float(value)
    else:
        moment = http_date(value)
        if moment is None:
            return None
        seconds = (moment - (http_date(date) or now)).total_seconds()
    return seconds if 0 < seconds < LONGEST else None
