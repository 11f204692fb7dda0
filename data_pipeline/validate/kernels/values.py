"""Rules on the values of one column: not_null, range, one_of, matches, length, not_in_future."""

import math
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from data_pipeline.validate.kernels.bounds import Limit, as_moment, limit_of, microseconds, scalar_at, storage_of
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk
from utils.arrow import compute, pa
from utils.expression.grammar import moment_of

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["VALUE_KERNELS", "as_type", "not_null"]

_function = compute.get_function
_or, _and, _and_not, _invert = (_function(name) for name in ("or_kleene", "and", "and_not", "invert"))
_is_null, _is_in, _matches, _greater = (
    _function(name) for name in ("is_null", "is_in", "match_substring_regex", "greater")
)


def not_null(at: int, *, excused: str | None) -> Check:
    """Fails where there is no value.

    Args:
        excused: The column's name when a `type` rule sets aside its cells that did not parse: such a cell holds a
            value, and one fault is not counted twice.
    """

    def check(chunk: Chunk) -> tuple[int, Any]:
        array = chunk.arrays[at]
        if not array.null_count:
            return chunk.rows, None
        mask = _is_null.call([array])
        if excused is not None and excused in chunk.unparsed:
            mask = _and_not.call([mask, chunk.unparsed[excused]])
        return chunk.rows, mask

    return check


def range_(rule: "Rule", at: int, type_: "pa.DataType") -> Check:
    """Fails below `min` or above `max` (or at them when `exclusive`)."""
    params = rule.params
    bounds = ((params["min"], True), (params["max"], False))
    limits = [
        limit_of(bound, type_, low=low, exclusive=params["exclusive"]) for bound, low in bounds if bound is not None
    ]
    return _limited(at, limits)


def _limited(at: int, limits: list[Limit], of: "Callable[[Any], Any] | None" = None) -> Check:
    """Fails where one of the limits holds, for the column or for what `of` makes of it."""
    tests = [(_function(limit.kernel), limit.scalar) for limit in limits if limit.kernel]
    every = any(limit.every for limit in limits)

    def check(chunk: Chunk) -> tuple[int, Any]:
        array = chunk.arrays[at]
        judged = chunk.rows - array.null_count
        if every:
            return judged, _has_value(array)
        if of is not None:
            array = of(array)
        mask = None
        for function, scalar in tests:
            found = function.call([array, scalar])
            if found.true_count:
                mask = found if mask is None else _or.call([mask, found])
        return judged, mask

    return check


def one_of(rule: "Rule", at: int, type_: "pa.DataType") -> Check:
    """Fails where the value is not in the list. Values that the column cannot hold never match."""
    values = [converted for value in rule.params["values"] if (converted := as_type(value, type_)) is not None]
    if pa.types.is_floating(type_) and 0.0 in values:
        values += [0.0, -0.0]  # equal as numbers, not as the bits that a hash sees
    options = compute.SetLookupOptions(pa.array(values, type_), skip_nulls=True)

    def check(chunk: Chunk) -> tuple[int, Any]:
        array = chunk.arrays[at]
        judged = chunk.rows - array.null_count
        found = _is_in.call([array], options)
        if found.true_count == judged:
            return judged, None
        mask = _invert.call([found])
        return judged, _and.call([mask, _has_value(array)]) if array.null_count else mask

    return check


def as_type(value: Any, type_: "pa.DataType") -> Any:
    """The value as the column would hold it, or None when it cannot."""
    types = pa.types
    if types.is_string(type_) or types.is_large_string(type_):
        if isinstance(value, str):
            return value
        # `values: [1, 2]` beside a column of text means the text; so does a date, as ISO 8601
        return None if isinstance(value, bool | float) else str(value)
    if types.is_boolean(type_):
        return value if isinstance(value, bool) else None
    if (storage := storage_of(type_)) is None and not types.is_floating(type_):
        raise CannotJudge("it cannot be looked up in a list")
    if storage and storage.is_time:
        moment = moment_of(value) if isinstance(value, str) else as_moment(value) if isinstance(value, date) else None
        exact = None if moment is None else microseconds(moment) * storage.per_unit / 10**6
    elif isinstance(value, bool | str | date):
        return None
    elif storage is None:
        return _as_float(value)
    else:
        exact = _fraction(value) * storage.per_unit
    if exact is None or exact.denominator != 1 or storage is None or not storage.low <= exact <= storage.high:
        return None
    return scalar_at(int(exact), type_)


def _as_float(value: Any) -> float | None:
    """The float that is shown as this number."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    try:
        found = float(value)
    except OverflowError:
        return None
    exact = found == value if isinstance(value, int) else Decimal(repr(found)) == value
    return found if exact else None


def _fraction(value: Any) -> Any:
    from fractions import Fraction

    if isinstance(value, float):
        return Fraction(repr(value)) if math.isfinite(value) else Fraction(1, 3)  # a third: no whole count, never held
    try:
        return Fraction(value)
    except (InvalidOperation, ValueError, OverflowError):
        return Fraction(1, 3)


def matches(rule: "Rule", at: int, type_: "pa.DataType") -> Check:
    r"""Fails where the whole text does not match the pattern (RE2: `\d` and `\w` are ASCII)."""
    if not (pa.types.is_string(type_) or pa.types.is_large_string(type_)):
        raise CannotJudge("it is not text")
    return matches_text(at, rule.params["pattern"])


def matches_text(at: int, pattern: str) -> Check:
    r"""Full match. `\A` and `\z` and not `^` and `$`: those change their meaning under `(?m)`."""
    options = compute.MatchSubstringOptions(rf"\A(?:{pattern})\z")
    try:
        _matches.call([pa.array([""])], options)
    except pa.ArrowInvalid as error:
        raise CannotJudge(f"RE2 refuses the pattern ({error})") from error

    def check(chunk: Chunk) -> tuple[int, Any]:
        array = chunk.arrays[at]
        judged = chunk.rows - array.null_count
        found = _matches.call([array], options)
        return judged, None if found.true_count == judged else _invert.call([found])

    return check


def length(rule: "Rule", at: int, type_: "pa.DataType") -> Check:
    """Fails where the text (in code points), the bytes or the list are shorter than `min` or longer than `max`."""
    types = pa.types
    if types.is_string(type_) or types.is_large_string(type_):
        measure = _function("utf8_length")
    elif types.is_binary(type_) or types.is_large_binary(type_):
        measure = _function("binary_length")
    elif types.is_list(type_) or types.is_large_list(type_):
        measure = _function("list_value_length")
    else:
        raise CannotJudge("it has no length")
    bounds = ((rule.params["min"], True), (rule.params["max"], False))
    limits = [limit_of(bound, pa.int32(), low=low) for bound, low in bounds if bound is not None]
    return _limited(at, limits, lambda array: measure.call([array]))


def not_in_future(_rule: "Rule", at: int, type_: "pa.DataType") -> Check:
    """Fails where the time lies after the run's moment; a date lies at its midnight UTC."""
    storage = storage_of(type_)
    if storage is None or not storage.is_time:
        raise CannotJudge("it holds no times")
    per_unit = storage.per_unit

    def check(chunk: Chunk) -> tuple[int, Any]:
        array = chunk.arrays[at]
        now = chunk.now_us * per_unit.numerator // (10**6 * per_unit.denominator)
        found = _greater.call([array, scalar_at(now, type_)])
        return chunk.rows - array.null_count, found if found.true_count else None

    return check


def _has_value(array: Any) -> Any:
    return compute.is_valid(array)


VALUE_KERNELS = {
    "range": range_,
    "one_of": one_of,
    "matches": matches,
    "length": length,
    "not_in_future": not_in_future,
}
