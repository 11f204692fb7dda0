"""How old something is, and a duration as people say it."""

from datetime import datetime

_CLOCKS_DIFFER = 5.0  # seconds: clocks are corrected now and then


def age(text: str | None, now: datetime) -> float | None:
    """Seconds since an RFC 3339 moment, never negative (another clock may run ahead of ours); None: no moment."""
    return None if text is None else _of((now - datetime.fromisoformat(text)).total_seconds())


def _of(seconds: float) -> float:
    return max(0.0, round(seconds, 3))


def ages(collected_at: str | None, data_time: str | None, now: datetime) -> tuple[float | None, float | None]:
    """The ages of a copy and of the data in it; None: nobody knows.

    A copy from the future was taken before the clock was set back: how long ago can no longer be told, for both.

    >>> noon = datetime.fromisoformat("2026-01-01T12:00:00Z")
    >>> ages("2026-01-01T11:59:00Z", "2026-01-01T11:00:00Z", noon), ages("2026-01-01T12:40:00Z", None, noon)
    ((60.0, 3600.0), (None, None))
    """
    if collected_at is None:
        return None, age(data_time, now)
    seconds = (now - datetime.fromisoformat(collected_at)).total_seconds()
    return (None, None) if seconds < -_CLOCKS_DIFFER else (_of(seconds), age(data_time, now))


def duration(seconds: float | None, *, decimals: int = 0) -> str:
    """A duration in one unit, rounded down so that nothing looks older than it is.

    Args:
        decimals: 1 where two durations are compared: "24 h old, promised is 24 h" would explain nothing.

    >>> duration(0.2), duration(59), duration(5400), duration(200_000), duration(None)
    ('0 s', '59 s', '90 min', '55 h', 'unknown')
    >>> duration(87_480, decimals=1), duration(86_400, decimals=1)
    ('24.3 h', '24 h')
    """
    if seconds is None:
        return "unknown"
    for size, unit, least in ((86_400, "d", 3 * 86_400), (3600, "h", 2 * 3600), (60, "min", 120)):
        if seconds >= least:
            return f"{_rounded_down(seconds, size, decimals)} {unit}"
    return f"{_rounded_down(seconds, 1, decimals)} s"


def _rounded_down(seconds: float, size: int, decimals: int) -> str:
    scale = 10**decimals
    return f"{int(seconds * scale // size) / scale:,.{decimals}f}".removesuffix(".0")
