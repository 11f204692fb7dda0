"""Numbers and moments as people say them: the one place where figures become text."""

from datetime import UTC, datetime


def duration(seconds: float | None) -> str:
    """A duration in one unit, rounded down so that nothing looks older than it is.

    >>> duration(0.2), duration(59), duration(5400), duration(200_000), duration(None)
    ('0 s', '59 s', '90 min', '55 h', 'unknown')
    """
    if seconds is None:
        return "unknown"
    for size, unit, least in ((86_400, "d", 3 * 86_400), (3600, "h", 2 * 3600), (60, "min", 120)):
        if seconds >= least:
            return f"{int(seconds // size):,} {unit}"
    return f"{int(seconds)} s"


def size(count: float) -> str:
    """Bytes in the unit that keeps the number short.

    >>> size(0), size(1_500), size(2_340_000)
    ('0 B', '1.5 kB', '2.3 MB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{int(count)} B"


def moment(text: str | None) -> str:
    """A stored moment, to the minute.

    >>> moment("2026-11-20T16:00:12.000000Z"), moment(None)
    ('20 Nov 2026 16:00 UTC', 'never')
    """
    if text is None:
        return "never"
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%-d %b %Y %H:%M UTC")


def age(text: str | None, now: datetime) -> float | None:
    """Seconds since a stored moment, never negative; None when there is none."""
    return None if text is None else max(0.0, round((now - datetime.fromisoformat(text)).total_seconds(), 3))


def listed(names: list[str], most: int = 4) -> str:
    """Names in a row, the rest counted.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], most=2)
    ('a, b, c', 'a, b and 1 more')
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
