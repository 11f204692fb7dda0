"""Quantiles of a column within 1 %: numbers counted in bins whose width grows with the number, exactly mergeable.

The histogram of DDSketch (Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
relative-error guarantees", VLDB 2019) with its bins read off the float's own bits, 128 to each power of two, as its
fast variants and HdrHistogram do: no logarithm, whose last bit depends on the machine. No bin is wider than 1/128 of
its lower bound, so whatever is told of a bin is at most 0.8 % off. Merging adds counts, so it is bit-identical for any
split; sketches that adapt to the data (KLL, t-digest) are not. `utils.quantiles` is for single numbers as they come,
without numpy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bins", "Quantiles"]

_BITS = 52 - 7  # of a float that are left out: it keeps sign, exponent and seven bits of its mantissa

_MOST_DIGITS = 6  # four are enough for every bin of normal floats


@dataclass(frozen=True, slots=True)
class Bins:
    """Counts of neighbouring bins from `first` on, as little-endian int64; neither the first nor the last is 0."""

    first: int = 0
    counts: bytes = b""

    @classmethod
    def of(cls, sizes: NDArray[np.float64]) -> "Bins":
        """Of positive floats."""
        if not len(sizes):
            return cls()
        places = sizes.view(np.int64) >> _BITS
        first = int(places.min())
        places -= first
        return cls(first, np.bincount(places).astype("<i8").tobytes())

    def merge(self, other: "Bins") -> "Bins":
        if not self.counts or not other.counts:
            return self if self.counts else other
        first = min(self.first, other.first)
        end = max(self.first + len(self.counts) // 8, other.first + len(other.counts) // 8)
        counts = np.zeros(end - first, np.int64)
        for one in (self, other):
            mine = one.numbers()
            counts[one.first - first : one.first - first + len(mine)] += mine
        return Bins(first, counts.astype("<i8").tobytes())

    def numbers(self) -> NDArray[np.int64]:
        return np.frombuffer(self.counts, "<i8")

    def total(self) -> int:
        return int(self.numbers().sum())

    def at(self, rank: int) -> float:
        """A number of the bin that holds the value of this rank, from 0 at the smallest."""
        place = self.first + int(np.searchsorted(np.cumsum(self.numbers()), rank, side="right"))
        low, high = (float(np.int64(edge << _BITS).view(np.float64)) for edge in (place, place + 1))
        return _roundest(low, high)

    def to_json(self) -> list[list[int]]:
        """[bin, count] of those that hold something: between them there may be 100,000 empty ones."""
        counts = self.numbers()
        return [[self.first + at, int(counts[at])] for at in np.flatnonzero(counts).tolist()]

    @classmethod
    def from_json(cls, found: list[list[int]]) -> "Bins":
        if not found:
            return cls()
        first = found[0][0]
        counts = np.zeros(found[-1][0] - first + 1, "<i8")
        for place, count in found:
            counts[place - first] = count
        return cls(first, counts.tobytes())


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Finite numbers, counted by size: those below 0, those that are 0, those above."""

    below: Bins = Bins()
    zeros: int = 0
    above: Bins = Bins()

    @classmethod
    def of(cls, values: NDArray[np.float64], low: float, high: float) -> "Quantiles":
        """Of one chunk of finite floats that lie from `low` to `high`."""
        if low > 0.0:
            return cls(above=Bins.of(values))
        below = np.negative(values[values < 0.0]) if low < 0.0 else values[:0]
        above = values[values > 0.0] if high > 0.0 else values[:0]
        return cls(Bins.of(below), len(values) - len(below) - len(above), Bins.of(above))

    def merge(self, other: "Quantiles") -> "Quantiles":
        """What the values of both hold; the order does not matter."""
        return Quantiles(self.below.merge(other.below), self.zeros + other.zeros, self.above.merge(other.above))

    def quantile(self, q: float) -> float | None:
        """The value at rank floor(`q` * (count - 1)), at most 1 % off; None: there are no values."""
        below, above = self.below.total(), self.above.total()
        if not (count := below + self.zeros + above):
            return None
        rank = int(q * (count - 1))
        if rank < below:
            return -self.below.at(below - 1 - rank)
        return 0.0 if rank < below + self.zeros else self.above.at(rank - below - self.zeros)

    def to_json(self) -> dict[str, Any]:
        return {"bits": _BITS, "below": self.below.to_json(), "zeros": self.zeros, "above": self.above.to_json()}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Quantiles":
        """What `to_json` wrote.

        Raises:
            ValueError: it has bins of another width.
        """
        if found["bits"] != _BITS:
            raise ValueError(f"a histogram of other bins ({found['bits']} bits, not {_BITS}) cannot be merged")
        return cls(Bins.from_json(found["below"]), found["zeros"], Bins.from_json(found["above"]))


def _roundest(low: float, high: float) -> float:
    """The number of the fewest digits from `low` on below `high`: 65 rather than 65.25, and 65 is what a count was."""
    exact = Decimal(low)
    for digits in range(1, _MOST_DIGITS):
        found = float(exact.quantize(Decimal((0, (1,), exact.adjusted() + 1 - digits)), ROUND_CEILING))
        if found < high:
            return found
    return low
