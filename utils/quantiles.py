"""Quantiles of a stream in bounded memory, at most 1 % off the true value.

DDSketch: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
VLDB 2019. Values are counted in bins whose bounds grow by a constant factor.
"""

import math
from collections.abc import Iterator

_ERROR = 0.01
_GAMMA = (1 + _ERROR) / (1 - _ERROR)  # a bin's upper bound over its lower
_LOG_GAMMA = math.log(_GAMMA)
_MAX_BINS = 2_048  # spans 17 decades; beyond them the values nearest to zero lose precision first
_ZERO = 1e-9  # what is nearer to zero counts as zero


class QuantileSketch:
    """Takes finite values, answers quantiles. Not locked: the owner keeps threads apart."""

    __slots__ = ("_bins", "_negative", "_zeros", "count", "max", "min", "sum")

    def __init__(self) -> None:
        self._bins: dict[int, int] = {}
        self._negative: dict[int, int] = {}
        self._zeros = 0
        self.count = 0
        self.sum = 0.0
        self.min, self.max = math.inf, -math.inf

    def add(self, value: float) -> None:
        """Count one finite value."""
        self.count += 1
        self.sum += value
        if value < self.min:  # noqa: PLR1730 - min() takes five times as long
            self.min = value
        if value > self.max:  # noqa: PLR1730
            self.max = value
        if value > _ZERO:
            _count(self._bins, math.ceil(math.log(value) / _LOG_GAMMA))
        elif value < -_ZERO:
            _count(self._negative, math.ceil(math.log(-value) / _LOG_GAMMA))
        else:
            self._zeros += 1

    def quantile(self, q: float) -> float | None:
        """The value at rank `q` * (count - 1), `q` in 0..1; `None` when nothing was added."""
        if not self.count:
            return None
        rank = q * (self.count - 1)
        seen = 0
        for middle, count in self._ordered():
            seen += count
            if seen > rank:
                return min(max(middle, self.min), self.max)
        return self.max

    def _ordered(self) -> Iterator[tuple[float, int]]:
        for index in sorted(self._negative, reverse=True):
            yield -_middle(index), self._negative[index]
        if self._zeros:
            yield 0.0, self._zeros
        for index in sorted(self._bins):
            yield _middle(index), self._bins[index]


def _middle(index: int) -> float:
    return math.exp(index * _LOG_GAMMA) * 2.0 / (_GAMMA + 1.0)


def _count(bins: dict[int, int], index: int) -> None:
    if index in bins:
        bins[index] += 1
        return
    bins[index] = 1
    if len(bins) > _MAX_BINS:
        smallest, second, *_ = sorted(bins)
        bins[second] += bins.pop(smallest)
