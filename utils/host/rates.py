"""Rates of counters: what was added between two looks, and nothing where the two cannot be compared."""

from collections.abc import Mapping

__all__ = ["CounterRates", "Moment", "seconds_between"]

Moment = tuple[float, float]
"""Monotonic seconds, and seconds since the epoch."""

_APART = 2.0
_MOST = 1e12  # a second: no disk and no network is that fast, so a counter was set, not counted


def seconds_between(before: Moment, after: Moment) -> float | None:
    """Seconds from one look to the next by the monotonic clock; None when none passed, or the clocks went apart.

    Wall clock and monotonic clock go apart when somebody sets the one, when the machine slept, or when a virtual
    machine was moved or restored: what the counters did meanwhile is nobody's rate.
    """
    seconds, wall = after[0] - before[0], after[1] - before[1]
    if seconds <= 0.0 or abs(wall - seconds) > max(_APART, 0.1 * seconds):
        return None
    return seconds


class CounterRates:
    """How fast counters grow that belong together, those of all network interfaces for example.

    Only what was there at both looks counts, so that an interface that comes with old counts is no flood. One whose
    counters fell was reset, which makes the whole rate unknown.
    """

    def __init__(self) -> None:
        self._before: Mapping[str, tuple[float, ...]] | None = None
        self._looked: Moment = (0.0, 0.0)

    def rates(self, counters: Mapping[str, tuple[float, ...]] | None, looked: Moment) -> tuple[float, ...] | None:
        """Growth a second since the call before, summed over all sources; None: not to be had this time.

        Args:
            counters: Source -> its counters, as many for each; None: they could not be read.
            looked: When they were read.
        """
        before, self._before = self._before, counters
        seconds = seconds_between(self._looked, looked)
        self._looked = looked
        if before is None or counters is None or seconds is None:
            return None
        sums: list[float] | None = None
        for source, now in counters.items():
            if source not in before:
                continue
            grown = [new - old for new, old in zip(now, before[source], strict=True)]
            if min(grown) < 0:
                return None
            sums = grown if sums is None else [one + more for one, more in zip(sums, grown, strict=True)]
        if sums is None or max(sums) > _MOST * seconds:
            return None
        return tuple(total / seconds for total in sums)
