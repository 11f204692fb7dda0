"""Columns of a record batch turned into what is known of them, with numpy over Arrow's buffers."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_pipeline.hashing import hashes
from data_pipeline.profile.column import Column
from data_pipeline.profile.distinct import Distinct
from data_pipeline.profile.exact import FEW, Sums, of_few, of_floats, of_wholes
from data_pipeline.profile.numbers import Numbers
from data_pipeline.profile.quantiles import Quantiles
from data_pipeline.profile.spans import Texts, Times, Truths
from utils.arrow import compute, pa

__all__ = ["Asked", "is_number", "reader_of"]

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 1_000, "ns": 1}
_DAY = 86_400 * 10**9

_drop_null = compute.get_function("drop_null")
_utf8_length = compute.get_function("utf8_length")
_binary_length = compute.get_function("binary_length")


class Asked(NamedTuple):
    """What is wanted of a column beyond what is always told."""

    distinct: bool = False
    quantiles: bool = False
    extremes: bool = False


class Head(NamedTuple):
    """The first fields of a `Column`, which do not depend on what its values are."""

    cells: int
    nulls: int
    types: frozenset[str]
    distinct: Distinct | None


def reader_of(type_: "pa.DataType", asked: Asked) -> "Callable[[pa.Array], Column]":
    """What reads the chunks of a column of this type."""
    plain, of = type_.value_type if pa.types.is_dictionary(type_) else type_, pa.types
    kinds: list[tuple[Callable[[Any], bool], Callable[..., Column]]] = [
        (of.is_floating, _read_floats),
        (of.is_integer, _read_wholes),
        (of.is_decimal, _read_decimals),
        (of.is_boolean, _read_truths),
        (_is_text, _read_texts),
        (_is_time, _read_times),
    ]
    read = next((reader for fits, reader in kinds if fits(plain)), _read_others)
    told, dense_as = frozenset({str(type_)}), _dense(type_)
    counted = asked.distinct and not of.is_nested(plain)

    def reader(array: "pa.Array") -> Column:
        dense = array if dense_as is None else array.cast(dense_as)
        nulls = dense.null_count
        present = _drop_null.call([dense]) if nulls else dense
        return read(present, Head(len(array), nulls, told, _distinct(array, present) if counted else None), asked)

    return reader


def _dense(type_: "pa.DataType") -> "pa.DataType | None":
    """The type without a dictionary and without views, which few functions of Arrow know; None: it is so already."""
    plain = type_.value_type if pa.types.is_dictionary(type_) else type_
    views = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}
    dense = views.get(plain, plain)
    return None if dense == type_ else dense


def _distinct(array: "pa.Array", present: "pa.Array") -> Distinct:
    if pa.types.is_dictionary(array.type) and not array.dictionary.null_count:
        return Distinct.of(hashes(_drop_null.call([array]) if array.null_count else array))
    if pa.types.is_floating(present.type) and (empty := compute.is_nan(present)).true_count:
        present = present.filter(compute.invert(empty))
    return Distinct.of(hashes(present))


def is_number(type_: "pa.DataType") -> bool:
    """Whether a column of this type has numbers."""
    of, plain = pa.types, type_.value_type if pa.types.is_dictionary(type_) else type_
    return bool(of.is_integer(plain) or of.is_floating(plain) or of.is_decimal(plain))


def _is_text(type_: "pa.DataType") -> bool:
    of = pa.types
    bytes_ = of.is_binary(type_) or of.is_large_binary(type_) or of.is_binary_view(type_)
    return bool(bytes_ or of.is_string(type_) or of.is_large_string(type_) or of.is_string_view(type_))


def _is_time(type_: "pa.DataType") -> bool:
    return bool(pa.types.is_timestamp(type_) or pa.types.is_date(type_))


def _values(array: "pa.Array", kind: str) -> NDArray[Any]:
    """Of an array without nulls, as they lie in its buffer."""
    if not len(array):
        return np.empty(0, kind)
    size = np.dtype(kind).itemsize
    return np.frombuffer(array.buffers()[1], kind, len(array), array.offset * size)


def _read_others(_: "pa.Array", head: Head, __: Asked) -> Column:
    return Column(*head)


def _read_floats(array: "pa.Array", head: Head, asked: Asked) -> Column:
    if 0 < len(array) <= FEW and not asked.quantiles:
        few = [float(one) + 0.0 for one in array.to_pylist()]  # of -0.0 the addition makes 0.0
        if isfinite(sum(few)):
            return _of_few(few, head)
    values = _values(array, f"<f{array.type.bit_width // 8}").astype(np.float64, copy=False)
    if not len(values):
        return _none(head, asked)
    (low, high), infinite = _ends(values), 0
    if not high - low < np.inf:  # something is NaN or infinite, or the two are very far apart
        present = values[~np.isnan(values)]
        values = present[np.isfinite(present)]
        infinite = len(present) - len(values)
        head = head._replace(nulls=head.nulls + len(array) - len(present))
        if not len(values):
            return _none(head, asked, infinite)
        low, high = _ends(values)
    numbers = Numbers(len(values), low + 0.0, high + 0.0, of_floats(values), infinite)
    return Column(*head, numbers, Quantiles.of(values, low, high) if asked.quantiles else None)


def _ends(values: NDArray[Any]) -> tuple[Any, Any]:
    """The least and the greatest; both are NaN when one of them is. Of a few values Python is quicker than numpy."""
    if len(values) > FEW:
        return values.min().item(), values.max().item()
    few = values.tolist()
    return (min(few), max(few)) if (total := sum(few)) == total else (np.nan, np.nan)


def _none(head: Head, asked: Asked, infinite: int = 0) -> Column:
    """A column of numbers in which there are no finite ones."""
    return Column(*head, Numbers(infinite=infinite), Quantiles() if asked.quantiles else None)


def _of_few(values: list[Any], head: Head) -> Column:
    return Column(*head, Numbers(len(values), min(values), max(values), of_few(values)))


def _read_wholes(array: "pa.Array", head: Head, asked: Asked) -> Column:
    if 0 < len(array) <= FEW and not asked.quantiles:
        return _of_few(array.to_pylist(), head)
    type_ = array.type
    values = _values(array, f"<{'i' if pa.types.is_signed_integer(type_) else 'u'}{type_.bit_width // 8}")
    return _of_wholes(values.astype(np.int64) if type_.bit_width < 64 else values, head, asked)


def _of_wholes(values: NDArray[Any], head: Head, asked: Asked, scale: int = 0) -> Column:
    """64-bit integers, each of which counts 10^-`scale`."""
    if not len(values):
        return _none(head, asked)
    low, high = _ends(values)
    sums = of_wholes(values, low, high)
    numbers = Numbers(len(values), low, high, sums) if not scale else _numbers(len(values), low, high, sums, scale)
    if not asked.quantiles:
        return Column(*head, numbers)
    floats = values.astype(np.float64)
    return Column(*head, numbers, Quantiles.of(floats / 10.0**scale if scale else floats, float(low), float(high)))


def _read_decimals(array: "pa.Array", head: Head, asked: Asked) -> Column:
    size, scale = array.type.bit_width // 8, array.type.scale
    if size < 16:
        return _of_wholes(_values(array, f"<i{size}").astype(np.int64), head, asked, scale)
    words = _values(array, f"V{size}").view("<i8").reshape(len(array), size // 8)
    short = np.ascontiguousarray(words[:, 0])
    if (words[:, 1:] == (short >> 63)[:, None]).all():
        return _of_wholes(short, head, asked, scale)
    raw = words.tobytes()
    wholes = [int.from_bytes(raw[at : at + size], "little", signed=True) for at in range(0, len(raw), size)]
    sums, low, high = Sums(Fraction(sum(wholes)), Fraction(sum(one * one for one in wholes))), min(wholes), max(wholes)
    numbers = _numbers(len(wholes), low, high, sums, scale)
    if not asked.quantiles:
        return Column(*head, numbers)
    floats = np.array([float(_decimal(one, scale)) for one in wholes])
    return Column(*head, numbers, Quantiles.of(floats, float(low), float(high)))


def _numbers(values: int, low: int, high: int, sums: Sums, scale: int) -> Numbers:
    unit = Fraction(10) ** -scale
    sums = Sums(sums.total * unit, sums.squares * unit * unit)
    return Numbers(values, _decimal(low, scale), _decimal(high, scale), sums)


def _decimal(whole: int, scale: int) -> Decimal:
    return Decimal((int(whole < 0), tuple(map(int, str(abs(whole)))), -scale))


def _read_truths(array: "pa.Array", head: Head, _: Asked) -> Column:
    return Column(*head, truths=Truths(len(array), array.true_count))


def _read_texts(array: "pa.Array", head: Head, asked: Asked) -> Column:
    if not len(array):
        return Column(*head, texts=Texts())
    text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    lengths = (_utf8_length if text else _binary_length).call([array])
    sizes = _values(lengths, f"<i{lengths.type.bit_width // 8}")
    shortest, longest = _ends(sizes)
    found = Texts(len(sizes), shortest, longest, int(sizes.sum(dtype=np.int64)))
    if asked.extremes and text:
        ends = compute.min_max(array).as_py()
        found = found._replace(first=ends["min"], last=ends["max"])
    return Column(*head, texts=found)


def _read_times(array: "pa.Array", head: Head, _: Asked) -> Column:
    if not len(array):
        return Column(*head, times=Times())
    type_ = array.type
    values = _values(array, f"<i{type_.bit_width // 8}")
    if pa.types.is_timestamp(type_):
        unit = _NANOSECONDS[type_.unit]
    else:
        unit = _DAY if pa.types.is_date32(type_) else _NANOSECONDS["ms"]
    oldest, newest = _ends(values)
    return Column(*head, times=Times(len(values), oldest * unit, newest * unit))
