"""Exact bounds: a number or moment turned into the nearest value a column can hold, on the right side of it.

An integer column is never compared through floats: `x < 2.5` is asked as `x < 3`, times as counts of their unit,
decimals at their own scale. A float column is compared with the nearest float on the side that keeps the answer exact.
"""

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from data_pipeline.validate.kernels.columns import CannotJudge
from utils.arrow import pa

__all__ = ["Limit", "Storage", "limit_of", "microseconds", "storage_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Storage(NamedTuple):
    """How a type keeps its values: whole counts of `1/per_unit` (a second for times) between `low` and `high`."""

    per_unit: Fraction
    low: int
    high: int
    is_time: bool


class Limit(NamedTuple):
    """A kernel and its right-hand side, true where a row fails; `every`: all rows fail; without both none does."""

    kernel: str | None = None
    scalar: Any = None
    every: bool = False


_NEVER, _ALWAYS = Limit(), Limit(every=True)


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def storage_of(type_: "pa.DataType") -> Storage | None:
    """How whole counts are kept, or None for a type that keeps none (floats, text)."""
    types = pa.types
    if types.is_integer(type_):
        signed, bits = types.is_signed_integer(type_), type_.bit_width
        return Storage(Fraction(1), -(2 ** (bits - 1)) if signed else 0, 2 ** (bits - signed) - 1, False)
    if types.is_decimal(type_):
        most = 10**type_.precision - 1
        return Storage(Fraction(10) ** type_.scale, -most, most, False)
    if types.is_timestamp(type_):
        return Storage(Fraction(_PER_SECOND[type_.unit]), -(2**63), 2**63 - 1, True)
    if types.is_date32(type_):
        return Storage(Fraction(1, 86_400), -(2**31), 2**31 - 1, True)
    if types.is_date64(type_):
        return Storage(Fraction(1000), -(2**63), 2**63 - 1, True)
    return None


def limit_of(bound: Any, type_: "pa.DataType", *, low: bool, exclusive: bool = False) -> Limit:
    """The limit that a value of the column lies below (`low`) or above a bound.

    Args:
        bound: A number, or an aware UTC moment.

    Raises:
        CannotJudge: a moment for a column of numbers, a number for a column of times, or a column of neither.
    """
    storage = storage_of(type_)
    is_time = isinstance(bound, datetime)
    if storage is None and pa.types.is_floating(type_) and not is_time:
        return _float_limit(bound, low=low, exclusive=exclusive)
    if storage is None or storage.is_time != is_time:
        raise CannotJudge(f"its bound is a {'time' if is_time else 'number'}")
    exact = _exact(bound) * storage.per_unit
    if low:  # x < exact, or x <= exact, asked as x < count
        count = math.floor(exact) + 1 if exclusive else math.ceil(exact)
        if count <= storage.low:
            return _NEVER
        return _ALWAYS if count > storage.high else Limit("less", scalar_at(count, type_))
    count = math.ceil(exact) - 1 if exclusive else math.floor(exact)
    if count >= storage.high:
        return _NEVER
    return _ALWAYS if count < storage.low else Limit("greater", scalar_at(count, type_))


def scalar_at(count: int, type_: "pa.DataType") -> "pa.Scalar":
    """The value of a type that is `count` of its units."""
    if pa.types.is_decimal(type_):
        return pa.scalar(_scaled(count, type_.scale), type_)
    return pa.scalar(count, type_)


def _scaled(count: int, scale: int) -> Decimal:
    sign, digits = count < 0, tuple(int(digit) for digit in str(abs(count)))
    return Decimal((int(sign), digits, -scale))  # scaleb would round to the context's 28 digits


def _exact(bound: Any) -> Fraction:
    if isinstance(bound, datetime):
        return Fraction(microseconds(bound), 10**6)
    # A float in the configuration means the decimal number that was written: 0.1, not 0.1000000000000000055.
    return Fraction(repr(bound)) if isinstance(bound, float) else Fraction(bound)


def _float_limit(bound: Any, *, low: bool, exclusive: bool) -> Limit:
    """Beside floats, a float bound means itself; a whole number means itself, digit for digit."""
    try:
        nearest = float(bound)
    except OverflowError:  # an integer beyond every float
        nearest = math.inf if bound > 0 else -math.inf
    if isinstance(bound, int) and math.isinf(nearest):
        return _beyond_floats(positive=nearest > 0, low=low)
    upwards = low != exclusive  # x < b and x >= b want the float at or above b, the others the one at or below
    if isinstance(bound, int) and int(nearest) != bound and (int(nearest) < bound) == upwards:
        nearest = math.nextafter(nearest, math.inf if upwards else -math.inf)
    kernel = ("less" if low else "greater") + ("_equal" if exclusive else "")
    return Limit(kernel, pa.scalar(nearest))


def _beyond_floats(*, positive: bool, low: bool) -> Limit:
    """A bound that only infinity can reach."""
    edge = pa.scalar(math.inf if positive else -math.inf)
    if low:
        return Limit("less" if positive else "less_equal", edge)
    return Limit("greater_equal" if positive else "greater", edge)


def as_moment(value: date) -> datetime:
    """An aware UTC moment from a date (its midnight) or a datetime (naive means UTC)."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC)
