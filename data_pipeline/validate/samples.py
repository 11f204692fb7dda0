"""A few of many failing rows, the same ones whoever asks: those whose numbers have the smallest hashes.

Never the first ones: they tell of the head of a file only, and depend on how it was cut. The k smallest of a hash are a
uniform sample, and the sample of a whole is that of the samples of its parts (bottom-k: Cohen & Kaplan, "Summarizing
data using bottom-k sketches", PODC 2007).
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["SAMPLE", "chosen", "together"]

SAMPLE = 20
"""Failing rows of each rule whose numbers a report names."""

Numbers = np.ndarray[Any, np.dtype[np.int64]]


def chosen(numbers: Any, size: int = SAMPLE) -> tuple[int, ...]:
    """Of different row numbers (from 0 or 1 on, an array or a sequence) the `size` with the smallest hashes, ascending.

    >>> chosen(range(1, 6), 2) == chosen([5, 3, 1, 2, 4], 2)
    True
    """
    found: Numbers = np.asarray(numbers, np.int64)
    if len(found) > size:
        found = found[np.argpartition(_hashed(found), size)[:size]] if size > 0 else found[:0]
    return tuple(np.sort(found).tolist())


def together(samples: Iterable[tuple[int, ...]], size: int = SAMPLE) -> tuple[int, ...]:
    """The sample of a whole, of the samples of its parts."""
    return chosen([number for sample in samples for number in sample], size)


def _hashed(numbers: Numbers) -> "np.ndarray[Any, np.dtype[np.uint64]]":
    """SplitMix64's finish (Steele, Lea & Flood, OOPSLA 2014): no two numbers have the same hash."""
    mixed = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
