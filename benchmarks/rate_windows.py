"""Whether a rate was kept: the most that any window of time was given beyond burst + rate x its length."""

from collections.abc import Iterable

Grant = tuple[float, float]
"""The clock before a call was granted, and after; the grant lies between the two."""


def largest_excess(grants: Iterable[Grant], *, rate: float, burst: float) -> float:
    """The largest excess over all windows; at most 0.0 when the rate was kept, in calls.

    A window is taken as long as it may have been: from before its first grant to after its last. So a process that
    the system held up between the clock and the grant is no excess, and an excess that is found is a real one.
    """
    in_order = sorted(grants)
    worst = -burst
    for index, (start, _) in enumerate(in_order):
        ends = sorted(after for _, after in in_order[index:])
        for number, end in enumerate(ends, 1):
            worst = max(worst, number - burst - rate * (end - start))
    return worst
