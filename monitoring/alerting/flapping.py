"""What comes and goes: when an incident is one that does, and how long it must be quiet before it is over."""

from collections.abc import Sequence

__all__ = ["FLAPS", "LEAST_QUIET_S", "WITHIN_S", "flaps", "quiet_s"]

FLAPS, WITHIN_S = 3, 86_400.0
"""Opened more often than so within so many seconds, it comes and goes: that is told once."""

LEAST_QUIET_S = 1800.0


def flaps(openings: Sequence[float]) -> bool:
    """Whether it does. `openings`: when it was opened, the last time included; seconds."""
    return len(openings) > FLAPS


def quiet_s(openings: Sequence[float]) -> float:
    """Seconds without anything wrong after which it is over: twice as long as it took to come back on the average.

    A dataset that fails every other hour is not well again half an hour after it was collected.

    >>> quiet_s([0.0, 7200.0, 14400.0, 21600.0]), quiet_s([0.0, 60.0, 120.0, 180.0])
    (14400.0, 1800.0)
    """
    if len(openings) < 2:
        return LEAST_QUIET_S
    return max(LEAST_QUIET_S, 2 * (openings[-1] - openings[0]) / (len(openings) - 1))
