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
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEW", "Sums", "of_few", "of_floats", "of_wholes", "root"]

Floats = NDArray[np.float64]

_AT_ONCE = 8192
"""Values worked on together: they stay in the processor's cache, and sums of them in their slices."""
FEW = 128
"""Values up to which Python is quicker than numpy."""

_ROOM = 14  # bits that a sum of so many values may grow by
_SPLITTER = 2.0**27 + 1
_UNIT = 1074  # every float is a whole number of 2^-1074
_FAR = 2.0**400
_SCALE = 600  # bits by which floats beyond `_FAR`, or within its inverse, are brought near to 1


class Sums(NamedTuple):
    """The sum of some numbers, and of their squares."""

    total: Fraction = Fraction(0)
    squares: Fraction = Fraction(0)

    def merge(self, other: "Sums") -> "Sums":
        return Sums(self.total + other.total, self.squares + other.squares)


def of_few(values: Sequence[int | float]) -> Sums:
    """For some whole numbers or finite floats: as whole numbers of one power of two."""
    if not values:
        return Sums()
    parts = [one.as_integer_ratio() for one in values]
    bits = max([below for _, below in parts]).bit_length()
    whole = [above << (bits - below.bit_length()) for above, below in parts]
    return Sums(_fraction(sum(whole), bits - 1), _fraction(sum(map(mul, whole, whole)), 2 * (bits - 1)))


def of_floats(values: Floats) -> Sums:
    """For finite floats."""
    if len(values) <= FEW:
        return of_few(values.tolist())
    found = Sums()
    for start in range(0, len(values), _AT_ONCE):
        found = found.merge(_of_many(values[start : start + _AT_ONCE]))
    return found


def of_wholes(values: "NDArray[Any]", low: int, high: int) -> Sums:
    """For 64-bit integers that lie from `low` to `high`."""
    if len(values) <= FEW:
        return of_few(values.tolist())
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


def _of_many(values: Floats) -> Sums:
    try:
        with np.errstate(over="raise", under="raise", invalid="raise"):
            square = values * values
            upper = values * _SPLITTER
            upper -= upper - values
            lower = values - upper
            error = upper * upper
            error -= square
            upper *= lower
            upper *= 2.0
            error += upper
            lower *= lower
            error += lower
        with np.errstate(over="raise", invalid="raise"):
            total, squares, errors = (_exact(part) for part in (values.copy(), square, error))
    except ArithmeticError:  # numpy's FloatingPointError, Python's OverflowError
        return _of_far(values)
    return Sums(_fraction(total, _UNIT), _fraction(squares + errors, _UNIT))


def _of_far(values: Floats) -> Sums:
    """Floats whose squares leave the floats: the large, the small and the others by themselves."""
    size = np.abs(values)
    found = Sums()
    for chosen, bits in ((size > _FAR, -_SCALE), (size < 1 / _FAR, _SCALE), ((size >= 1 / _FAR) & (size <= _FAR), 0)):
        if (some := np.ldexp(values[chosen], bits)).any():
            mine, back = _of_many(some), Fraction(2) ** -bits
            found = found.merge(Sums(mine.total * back, mine.squares * back * back))
    return found


def _exact(values: Floats) -> int:
    """The sum, in units of 2^-1074. The values are used up."""
    found = 0
    top = math.ldexp(1.0, math.frexp(np.abs(values).max().item())[1] + _ROOM)
    part = np.empty_like(values)
    while True:
        np.add(values, top, out=part)
        part -= top
        values -= part
        numerator, denominator = float(part.sum()).as_integer_ratio()
        found += numerator << (_UNIT + 1 - denominator.bit_length())
        if not values.any():
            return found
        top *= 2.0 ** (_ROOM - 53)


def _fraction(whole: int, bits: int) -> Fraction:
    """`whole` / 2^bits. The twos are taken out first: the common divisor of two long numbers is dear to find."""
    if not whole or bits <= 0:
        return Fraction(whole << max(-bits, 0))
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
