"""The `references` rule: a value must stand in a column of another dataset's accepted table."""

from typing import TYPE_CHECKING, Any

from data_pipeline.validate.kernels.bounds import storage_of
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk
from data_pipeline.validate.kernels.values import as_type
from utils.arrow import compute, pa

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["references"]

_is_in, _invert, _and = (compute.get_function(name) for name in ("is_in", "invert", "and"))


def references(rule: "Rule", at: int, type_: "pa.DataType") -> Check:
    """Fails where the value is not among those of the key in the other dataset.

    The check raises `CannotJudge` when nothing was delivered of that dataset yet, or its key holds another sort of
    values.
    """
    mine = _sort_of(type_)
    dataset, key = rule.params["dataset"], rule.params["key"]

    def options(chunk: Chunk) -> "compute.SetLookupOptions":
        found = chunk.kept.get(check)
        if found is None:
            values = chunk.around.values_of(dataset, key)
            theirs = mine if pa.types.is_null(values.type) else _sort_of(values.type)
            if mine != theirs:
                raise CannotJudge(
                    f"column `{rule.columns[0]}` holds {mine}, `{key}` of dataset `{dataset}` {theirs}: declare one"
                    " type for both in `columns`"
                )
            found = chunk.kept[check] = compute.SetLookupOptions(_as_column(values, type_), skip_nulls=True)
        return found

    def check(chunk: Chunk) -> tuple[int, Any]:
        array = chunk.arrays[at]
        judged = chunk.rows - array.null_count
        if pa.types.is_floating(type_):
            array = _one_zero(array)
        found = _is_in.call([array], options(chunk))
        if found.true_count == judged:
            return judged, None
        mask = _invert.call([found])
        return judged, _and.call([mask, compute.is_valid(array)]) if array.null_count else mask

    return check


def _sort_of(type_: "pa.DataType") -> str:
    types = pa.types
    if types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_):
        return "numbers"
    if types.is_string(type_) or types.is_large_string(type_):
        return "text"
    if types.is_timestamp(type_) or types.is_date(type_):
        return "times"
    if types.is_boolean(type_):
        return "true and false"
    raise CannotJudge(f"{type_} cannot be looked up")


def _as_column(values: "pa.Array", type_: "pa.DataType") -> "pa.Array":
    """The values as a column of this type would hold them, without those that it cannot hold."""
    if values.type == type_ or _sort_of(type_) in {"text", "true and false"}:
        found = values.cast(type_)
    elif _sort_of(type_) == "times":
        found = _times(values, type_)
    else:
        found = pa.array([held for value in values.to_pylist() if (held := as_type(value, type_)) is not None], type_)
    return _one_zero(found) if pa.types.is_floating(type_) else found


def _times(values: "pa.Array", type_: "pa.DataType") -> "pa.Array":
    """Times in the unit of the column; a date is its midnight."""
    mine, theirs = storage_of(type_), storage_of(values.type)
    if mine is None or theirs is None:
        raise CannotJudge(f"{values.type} cannot be looked up in {type_}")
    steps = mine.per_unit / theirs.per_unit
    scaled = [count * steps for count in values.view(_count_type(values.type)).to_pylist()]
    held = [int(count) for count in scaled if count.denominator == 1 and mine.low <= count <= mine.high]
    return pa.array(held, _count_type(type_)).view(type_)


def _count_type(type_: "pa.DataType") -> "pa.DataType":
    return pa.int64() if type_.bit_width == 64 else pa.int32()


def _one_zero(array: "pa.Array") -> "pa.Array":
    """0.0 for -0.0: equal as numbers, not as the bits that a hash sees."""
    return compute.add(array, pa.scalar(0.0, array.type))
