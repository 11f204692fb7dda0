"""How often each value came, in bounded memory."""

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Tally"]


class Tally:
    """Counts of values, exact up to `most` different ones; beyond that each may be too low by at most `short`.

    The summary of Misra and Gries (1982), for many values at once (Agarwal et al., "Mergeable summaries", 2012): when
    there are too many, the count of the first that is too much is taken off all, and what has none left is forgotten.
    A value that makes up more than `1 / most` of everything is never forgotten.

    Attributes:
        total: Values counted, forgotten ones included.
    """

    __slots__ = ("counts", "most", "short", "total")

    def __init__(self, most: int) -> None:
        self.counts: dict[Any, int] = {}
        self.most = most
        self.total = 0
        self.short = 0

    def add(self, counts: Iterable[tuple[Any, int]]) -> None:
        """Count more values."""
        mine = self.counts
        for value, count in counts:
            mine[value] = mine.get(value, 0) + count
            self.total += count
        if len(mine) > self.most:
            off = sorted(mine.values(), reverse=True)[self.most]
            self.short += off
            self.counts = {value: count - off for value, count in mine.items() if count > off}

    @property
    def exact(self) -> bool:
        """Whether nothing was forgotten."""
        return not self.short

    def top(self, count: int) -> list[tuple[Any, int]]:
        """The most frequent values, most frequent first; equal ones in the order of how they are written."""
        ranked = sorted(self.counts.items(), key=lambda one: (-one[1], type(one[0]).__name__, str(one[0])))
        return ranked[:count]

    def by(self, key: Callable[[Any], Any]) -> dict[Any, int]:
        """The counts of what a function makes of the values."""
        found: dict[Any, int] = {}
        for value, count in self.counts.items():
            made = key(value)
            found[made] = found.get(made, 0) + count
        return found
