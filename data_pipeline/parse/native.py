"""Columns that come with types of their own (JSON, Parquet, rows of a collector): one type over all batches."""

from typing import Any

from data_pipeline.parse.numbers import EXACT, WIDE, no_nan
from data_pipeline.parse.times import UTC_NS, UTC_US, Result, Zone, beyond_nanoseconds, from_dates, localize
from utils.arrow import compute, pa

_INT_MAX = 2**63 - 1


class NativeColumn:
    """Keeps types as they are sent; where batches differ, the narrowest type that loses nothing.

    Integers with floats are float64 if every integer is exact in it, else text; anything with text is text.
    """

    def __init__(self, zone: Zone | None = None) -> None:
        self._zone = (zone or Zone()).of_a_column()
        self._types: list[pa.DataType] = []
        self._first: pa.Array | None = None
        self._exact = True
        self._beyond_64 = False
        self._whole_digits = 0
        self._beyond_ns = False
        self._settled = pa.null()

    def read(self, array: "pa.Array") -> Result:
        result, failed = plain(array, self._zone)
        kind = result.type
        if kind not in self._types:
            self._types.append(kind)
        if self._first is None:
            self._first = result
        else:
            self._learn(result)
        return result, failed

    def settle(self) -> "pa.DataType":
        types = [kind for kind in self._types if not pa.types.is_null(kind)]
        if len(types) > 1:
            if self._first is not None:
                self._learn(self._first)
            self._settled = self._common(types)
        elif types:
            self._settled = types[0]
        return self._settled

    def widen(self, typed: "pa.Array") -> "pa.Array":
        """What `read` gave, in the settled type."""
        return to_type(typed, self._settled, self._zone)

    def convert(self, array: "pa.Array") -> Result:
        """A batch's column in the settled type."""
        result, failed = plain(array, self._zone)
        return to_type(result, self._settled, self._zone), failed

    def _learn(self, array: "pa.Array") -> None:
        kind = array.type
        if len(array) == array.null_count:
            return
        if pa.types.is_integer(kind) and kind.bit_width == 64:
            ends = compute.min_max(array).as_py()
            self._exact = self._exact and ends["min"] >= -EXACT and ends["max"] <= EXACT
            self._beyond_64 = self._beyond_64 or ends["max"] > _INT_MAX
            self._whole_digits = max(self._whole_digits, len(str(ends["max"])), len(str(ends["min"]).lstrip("-")))
        elif pa.types.is_integer(kind):
            self._whole_digits = max(self._whole_digits, 10)
        elif pa.types.is_decimal(kind):
            ends = compute.min_max(array).as_py()
            self._whole_digits = max(self._whole_digits, *(len(str(abs(int(end)))) for end in ends.values()))
        elif (pa.types.is_timestamp(kind) or pa.types.is_date(kind)) and kind != UTC_NS:
            self._beyond_ns = self._beyond_ns or beyond_nanoseconds(to_type(array, UTC_US, self._zone))

    def _common(self, types: "list[pa.DataType]") -> "pa.DataType":
        if all(pa.types.is_integer(kind) for kind in types):
            if self._beyond_64:
                return pa.uint64() if all(pa.types.is_unsigned_integer(kind) for kind in types) else WIDE
            return pa.int64()
        if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in types):
            return pa.float64() if self._exact else pa.string()
        if all(pa.types.is_integer(kind) or pa.types.is_decimal128(kind) for kind in types):
            scale = max(kind.scale for kind in types if pa.types.is_decimal(kind))
            return pa.decimal128(38, scale) if scale + self._whole_digits <= 38 else pa.string()
        if all(pa.types.is_timestamp(kind) or pa.types.is_date(kind) for kind in types):
            if all(pa.types.is_date(kind) for kind in types):
                return pa.date32()
            if UTC_NS not in types:
                return UTC_US
            return pa.string() if self._beyond_ns else UTC_NS
        return pa.string()


def plain(array: "pa.Array", zone: Zone) -> Result:
    """The same values in the line's forms: UTC moments, no NaN, ordinary strings, no dictionaries."""
    kind = array.type
    if pa.types.is_floating(kind):
        return no_nan(array), None
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            return localize(array, zone)
        return (array if kind.tz == "UTC" else array.cast(pa.timestamp(kind.unit, "UTC"))), None
    if pa.types.is_dictionary(kind):
        return plain(array.cast(kind.value_type), zone)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return array.cast(pa.string()), None
    return array, None


def to_type(array: "pa.Array", target: "pa.DataType", zone: Zone) -> "pa.Array":
    """A plain array in the common type."""
    kind = array.type
    if kind == target:
        return array
    if pa.types.is_null(kind):
        return pa.nulls(len(array), target)
    if pa.types.is_string(target):
        return as_text(array)
    if pa.types.is_timestamp(target) and pa.types.is_date(kind):
        return from_dates(array, zone)[0].cast(target)
    return array.cast(target, safe=not pa.types.is_timestamp(target))


def as_text(array: "pa.Array") -> "pa.Array":
    """Every value as text that reads back as the same value."""
    kind = array.type
    if pa.types.is_string(kind):
        return array
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.string())
    if pa.types.is_floating(kind):  # Arrow would print 1.0 as 1
        return pa.array([None if value is None else repr(value) for value in array.to_pylist()], pa.string())
    if pa.types.is_decimal(kind):  # Arrow would print small ones with an exponent
        return pa.array([None if value is None else format(value, "f") for value in array.to_pylist()], pa.string())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        import orjson

        def text(value: Any) -> str | None:
            return None if value is None else orjson.dumps(value, default=str).decode()

        return pa.array([text(value) for value in array.to_pylist()], pa.string())
    if pa.types.is_timestamp(kind):
        return compute.replace_substring(array.cast(pa.string()), " ", "T")
    return array.cast(pa.string())
