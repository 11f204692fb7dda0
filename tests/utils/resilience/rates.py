"""For tests of limiters: a shared rate in memory, and the check that a rate was kept."""

from collections.abc import Iterable
from dataclasses import replace

from utils.clock import Clock
from utils.resilience.shared_rates import NEW, Claim, Lease, SharedRate, decide


class MemoryRates:
    """Rows in memory; counts its uses, raises while `broken`."""

    def __init__(self, clock: Clock) -> None:
        self.rows: dict[str, SharedRate] = {}
        self.claims: list[Claim] = []
        self.looks = 0
        self.broken = False
        self._clock = clock

    def lease(self, name: str, claim: Claim) -> Lease:
        self._check()
        self.claims.append(claim)
        lease, self.rows[name] = decide(self.rows.get(name, NEW), claim, self._clock.monotonic())
        return lease

    def look(self, name: str) -> SharedRate:
        self._check()
        self.looks += 1
        return self.rows.get(name, NEW)

    def pause(self, name: str, until: float) -> None:
        self._check()
        row = self.rows.get(name, NEW)
        self.rows[name] = replace(row, paused_until=max(row.paused_until, until))

    def _check(self) -> None:
        if self.broken:
            raise OSError("the disk is away")


def largest_excess(grants: Iterable[float], *, rate: float, burst: float) -> float:
    """How many calls more than burst + rate x length any window holds; at most 0.0 when the rate was kept.

    A window that begins with call i and ends with call j holds j - i + 1 of them.
    """
    worst, least = -burst, float("inf")
    for number, moment in enumerate(sorted(grants)):
        level = number - rate * moment
        least = min(least, level)
        worst = max(worst, level - least + 1 - burst)
    return worst
