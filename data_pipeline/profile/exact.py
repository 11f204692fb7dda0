"""Sums of numbers and of their squares without any rounding, so that no split and no order changes the last bit.

Float sums depend on the order of the additions. Here floats are cut into slices so narrow that a plain sum of each is
exact, as Rump, Ogita and Oishi do ("Accurate floating-point summation part I: faithful rounding", SIAM J. Sci. Comput.
31, 2008), and the slices' sums are added as whole numbers. A square is two floats without an error (Dekker, "A
floating-point technique for extending the available precision", Numer. Math. 18, 1971). Per million values that costs
some 15 ms, and what is rounded in the end is the figure alone.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sums", "of_floats", "of_wholes", "root"]

Floats = NDArray[np.float64]

_AT_ONCE = 8192
"""Values worked on together: they stay in the processor's cache, and sums of them in their slices."""
_ROOM = 14  # bits that a sum of so many values may grow by
_SPLITTER = 2.0**27 + 1
_UNIT = 1074  # every float is a whole number of 2^-1074
_FAR = 2.0**400
_SCALE = 600  # bits by which floats beyond `_FAR`, or within its inverse, are brought near to 1


_NOTHING_LOST: dict[str, Any] = {"over": "raise", "under": "raise", "invalid": "raise"}
_NOTHING_TOO_LARGE: dict[str, Any] = {"over": "raise", "under": "ignore", "invalid": "raise"}


class Sums(NamedTuple):
    """The sum of some numbers, and of their squares."""

    total: Fraction = Fraction(0)
    squares: Fraction = Fraction(0)

    def merge(self, other: "Sums") -> "Sums":
        return Sums(self.total + other.total, self.squares + other.squares)


def of_floats(columns: "Sequence[Floats]") -> list[Sums]:
    """For each column of finite floats. Short columns are worked on together: what a call costs is shared."""
    if sum([len(column) for column in columns]) <= _AT_ONCE:
        matrix = np.zeros((len(columns), max([len(column) for column in columns], default=0)))
        for row, column in zip(matrix, columns, strict=True):
            row[: len(column)] = column
        return _of_rows(matrix)
    found = []
    for column in columns:
        mine = Sums()
        for start in range(0, len(column), _AT_ONCE):
            mine = mine.merge(_of_rows(column[None, start : start + _AT_ONCE])[0])
        found.append(mine)
    return found


def of_wholes(values: "NDArray[Any]", low: int, high: int) -> Sums:
    """For 64-bit integers that lie from `low` to `high`."""
    largest = max(-low, high)
    total = squares = 0
    for start in range(0, len(values), _AT_ONCE):
        some = values[start : start + _AT_ONCE]
        if largest * largest * len(some) < 2**63:
            total += int(some.sum())
            squares += int(np.einsum("i,i->", some, some))
        else:
            total, squares = total + _long_total(some), squares + _long_squares(some)
    return Sums(Fraction(total), Fraction(squares))


def root(numerator: int, denominator: int) -> float:
    """The square root of a fraction that may be far beyond the floats; the same on every machine.

    Raises:
        OverflowError: the root is beyond the floats, too.
    """
    bits = max(0, 130 - numerator.bit_length() + denominator.bit_length())
    bits += bits % 2
    return math.isqrt((numerator << bits) // denominator) / (1 << bits // 2)


def _of_rows(rows: Floats) -> list[Sums]:
    size = len(rows)
    try:
        with np.errstate(**_NOTHING_LOST):
            parts = np.empty((3 * size, rows.shape[1]))
            square, error = parts[size : 2 * size], parts[2 * size :]
            parts[:size] = rows
            np.multiply(rows, rows, out=square)
            upper = rows * _SPLITTER
            upper -= upper - rows
            lower = rows - upper
            np.multiply(upper, upper, out=error)
            error -= square
            upper *= lower
            upper *= 2.0
            error += upper
            lower *= lower
            error += lower
        with np.errstate(**_NOTHING_TOO_LARGE):
            found = _exact(parts)
    except FloatingPointError:
        return [_of_far(row) for row in rows]
    return [
        Sums(_fraction(found[at], _UNIT), _fraction(found[size + at] + found[2 * size + at], _UNIT))
        for at in range(size)
    ]


def _of_far(row: Floats) -> Sums:
    """Floats whose squares leave the floats: the large, the small and the others by themselves."""
    size = np.abs(row)
    found = Sums()
    for chosen, bits in ((size > _FAR, -_SCALE), (size < 1 / _FAR, _SCALE), ((size >= 1 / _FAR) & (size <= _FAR), 0)):
        if (some := np.ldexp(row[chosen], bits)).any():
            mine, back = _of_rows(some[None])[0], Fraction(2) ** -bits
            found = found.merge(Sums(mine.total * back, mine.squares * back * back))
    return found


def _exact(rows: Floats) -> list[int]:
    """The sum of each row, in units of 2^-1074. The rows are used up."""
    found = [0] * len(rows)
    largest = np.abs(rows).max(axis=1, initial=0.0)
    top = np.ldexp(1.0, np.frexp(largest)[1] + _ROOM)[:, None]
    slice_ = np.empty_like(rows)
    while True:
        np.add(rows, top, out=slice_)
        slice_ -= top
        rows -= slice_
        for at, total in enumerate(slice_.sum(axis=1).tolist()):
            if total:
                numerator, denominator = total.as_integer_ratio()
                found[at] += numerator << (_UNIT + 1 - denominator.bit_length())
        if not rows.any():
            return found
        top *= 2.0 ** (_ROOM - 53)


def _fraction(whole: int, bits: int) -> Fraction:
    """`whole` / 2^bits. The twos are taken out first: the common divisor of two long numbers is dear to find."""
    if not whole:
        return Fraction(0)
    spare = min((whole & -whole).bit_length() - 1, bits)
    return Fraction(whole >> spare, 1 << (bits - spare))


def _long_total(values: "NDArray[Any]") -> int:
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFF_FFFF).sum())


def _long_squares(values: "NDArray[Any]") -> int:
    """In limbs of 22 bits, whose products stay small."""
    limbs = [(values & 0x3F_FFFF).astype(np.int64), ((values >> 22) & 0x3F_FFFF).astype(np.int64)]
    limbs.append((values >> 44).astype(np.int64))
    pairs = ((a, b) for a in range(3) for b in range(3))
    return sum(int(np.einsum("i,i->", limbs[a], limbs[b])) << (22 * (a + b)) for a, b in pairs)
