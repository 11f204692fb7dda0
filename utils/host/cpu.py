"""How busy processors were between two looks."""

from collections.abc import Callable, Sequence
from typing import Any

from utils.clock import Clock
from utils.host.attempt import attempt, psutil_or_none
from utils.host.rates import Moment, seconds_between

__all__ = ["BusyShare", "all_cores", "each_core"]

Times = tuple[float, float]
"""Busy and all seconds since boot."""


class BusyShare:
    """Percent of processor time spent since the look before; the first waits `first_interval` for a second reading."""

    def __init__(self, clock: Clock, read: Callable[[], Sequence[Times]], first_interval: float) -> None:
        self._clock = clock
        self._read = read
        self._first_interval = first_interval
        self._before: Sequence[Times] | None = None
        self._looked: Moment = (0.0, 0.0)
        self._percents: tuple[float | None, ...] | None = None

    def percents(self) -> tuple[float | None, ...] | None:
        """One figure a processor. None: not to be had; for one of them: its counters make no sense this time.

        While too little time has passed to tell, what was told before holds.
        """
        if self._before is None:
            self._before, self._looked = attempt(self._read), self._now()
            if self._before is None:
                return None
            self._clock.sleep(self._first_interval)
        before, then = self._before, self._looked
        self._before, self._looked = attempt(self._read), self._now()
        if self._before is None or len(self._before) != len(before):
            self._percents = None
        elif self._looked != then and seconds_between(then, self._looked) is None:
            self._percents = (None,) * len(before)
        elif self._before != before or self._percents is None:
            pairs = zip(before, self._before, strict=True)
            self._percents = tuple(_percent(now[0] - old[0], now[1] - old[1]) for old, now in pairs)
        return self._percents

    def _now(self) -> Moment:
        return self._clock.monotonic(), self._clock.time()


def all_cores() -> Sequence[Times]:
    """The machine as one processor. Raises whatever psutil does."""
    return (_times(psutil_or_none().cpu_times()),)


def each_core() -> Sequence[Times]:
    """Likewise each of its cores."""
    return tuple(_times(times) for times in psutil_or_none().cpu_times(percpu=True))


def _percent(busy: float, everything: float) -> float | None:
    """A counter that fell was reset; one core's may go back by a tick."""
    if everything <= 0.0 or busy < -0.1:
        return None
    return min(100.0, max(0.0, 100.0 * busy / everything))


def _times(times: Any) -> Times:
    # guest time is part of user time already; waiting for a disk is idle
    everything = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return everything - times.idle - getattr(times, "iowait", 0.0), everything
