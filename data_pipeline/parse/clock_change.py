"""Which of its two moments a repeated wall time means, told from the order of rows alone.

When clocks go back, an hour (on Lord Howe Island half of one) comes twice. Rows come in the order of time or newest
first, of one series or of several, side by side or one after the other. What repeats then is the sequence of wall
times, so these are looked for, block by block of neighbouring rows whose wall times are ambiguous:

- where rows are a little out of order anyway: the reading nearer to the newest time so far;
- wall times that begin again from an earlier one: before that it is the first time, after it the second;
- where they only stand still (hourly rows), twice as many equal ones as the neighbours have: the first half is the
  first time;
- otherwise a block is the second time if only that joins it evenly to its neighbours, else the first.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from utils.arrow import pa

KEPT = 20_000
"""Rows of the batch before that are remembered: more than a thousand series have in two hours of quarters."""

_NEAR = 20
"""Neighbouring rows that tell whether rows are in order."""

_LONGEST_STEP = 26 * 3600
"""Seconds between two rows that may still belong to one series: a day of 25 hours, and a bit."""


@dataclass(slots=True)
class Before:
    """The last wall times of the batch before, because a batch may end within the repeated hour."""

    walls: "pa.Array | None" = field(default=None)


def by_order(early: Any, late: Any, second: int) -> Any:
    """Of two readings of each row, the likely one.

    Args:
        early, late: numpy int64 moments, equal where the wall time is not ambiguous; no nulls.
        second: How many units make a second.
    """
    import numpy as np

    if len(early) > 1 and np.sign(np.diff(early)).sum() < 0:
        return by_order_ascending(early[::-1], late[::-1], second)[::-1]
    return by_order_ascending(early, late, second)


def by_order_ascending(early: Any, late: Any, second: int) -> Any:
    """As `by_order`, for rows of which the oldest come first."""
    import numpy as np

    chosen = early.copy()
    places = np.flatnonzero(early != late)
    # A gap in the places, or a jump to another year's change, begins another block.
    breaks = (np.diff(places) > 1) | (np.abs(np.diff(early[places])) > (late - early)[places[:-1]])
    for block in np.split(places, np.flatnonzero(breaks) + 1):
        if len(block):
            start, end = int(block[0]), int(block[-1]) + 1
            around = _Around(early, late, start, end, second)
            chosen[start:end] = np.where(around.is_second(), late[start:end], early[start:end])
    return chosen


class _Around:
    """One block of ambiguous rows and what stands beside it."""

    def __init__(self, early: Any, late: Any, start: int, end: int, second: int) -> None:
        self._early, self._late = early, late
        self._start, self._end = start, end
        self._shift = int(late[start] - early[start])
        longest = _LONGEST_STEP * second
        before = early[start] - early[start - 1] if start else 0
        after = early[end] - late[end - 1] if end < len(early) else 0
        self._before = int(before) if 0 < before <= longest else 0
        self._after = int(after) if 0 < after <= longest else 0

    def is_second(self) -> Any:
        """A mask over the block."""
        import numpy as np

        walls = self._early[self._start : self._end]
        if self._untidy():
            return self._nearest()
        falls = np.flatnonzero(np.diff(walls) < 0) + 1
        if len(falls):
            # First, second, and first again when the next series begins within the hour too.
            passes = np.zeros(len(walls), np.int64)
            passes[falls] = 1
            return np.cumsum(passes) % 2 == 1
        split = self._halves(walls)
        if split is not None:
            return split
        return np.full(len(walls), self._joins_only_what_follows(walls))

    def _untidy(self) -> bool:
        """Whether the rows beside the block are a little out of order."""
        import numpy as np

        near = (
            self._early[max(0, self._start - _NEAR) : self._start],
            self._early[self._end : self._end + _NEAR],
        )
        return any(bool(((steps < 0) & (steps > -self._shift // 2)).any()) for steps in map(np.diff, near))

    def _nearest(self) -> Any:
        """Row by row the reading that is nearer to the newest time so far."""
        import numpy as np

        mask = np.zeros(self._end - self._start, bool)
        newest = self._early[self._start - 1 if self._start else 0]
        for index in range(self._start, self._end):
            early, late = self._early[index], self._late[index]
            mask[index - self._start] = second = abs(late - newest) < abs(early - newest)
            newest = max(newest, late if second else early)
        return mask

    def _halves(self, walls: Any) -> Any:
        """The mask when equal wall times come twice as often as beside the block; None when they do not."""
        import numpy as np

        if not (self._before or self._after):
            return None  # all there is may be one moment of many series
        values, firsts, counts = np.unique(walls, return_index=True, return_counts=True)
        usual = max(
            self._run(self._start - 1, -1) if self._before else 0, self._run(self._end, 1) if self._after else 0
        )
        doubled = counts > usual
        if doubled.sum() * 2 <= len(values):
            return None  # equal times by chance
        if len(values) == 1 and self._before and self._after and self._before != self._after:
            return None
        mask = np.zeros(len(walls), bool)
        for first, count in zip(firsts.tolist(), counts.tolist(), strict=True):
            if count > usual:
                mask[first + max(usual, count // 2) : first + count] = True
        return mask

    def _run(self, at: int, step: int) -> int:
        """How many rows from `at` on have its wall time."""
        value, count = self._early[at], 0
        while 0 <= at < len(self._early) and self._early[at] == value:
            count, at = count + 1, at + step
        return count

    def _joins_only_what_follows(self, walls: Any) -> bool:
        import numpy as np

        if self._before:
            # On Lord Howe Island the hour after 01:00 may be 01:30: even steps only with the second reading.
            step = self._before + self._shift
            return self._after == step and bool((np.diff(np.unique(walls)) == step).all())
        return bool(self._after) and self._after in self._steps(walls)

    def _steps(self, walls: Any) -> set[int]:
        """Steps inside the block and right after it."""
        import numpy as np

        following = self._early[self._end : self._end + KEPT]
        later = following[following > following[0]][:1] - following[0] if len(following) else following
        return {int(step) for step in (*np.diff(np.unique(walls)), *later)}
