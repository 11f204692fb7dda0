"""One schema for rows of different days: the type that holds both, and the rows of one brought to the other."""

from collections.abc import Iterable
from typing import Any

import orjson

from utils.arrow import compute, pa

__all__ = ["DELETED", "as_type", "fitted", "lossless", "unified", "visible", "widened"]

DELETED = "_deleted"
"""Boolean column of a table with `deletes: flag`: whether the row was absent from the last full picture."""

_DIGITS = 38
_UNITS = ("s", "ms", "us", "ns")
_types = pa.types


def widened(old: "pa.DataType", new: "pa.DataType") -> "pa.DataType":
    """The narrowest type that holds the values of both; text when nothing else does.

    >>> str(widened(pa.int64(), pa.float64())), str(widened(pa.date32(), pa.bool_()))
    ('double', 'string')
    """
    if old == new or _types.is_null(new):
        return old
    if _types.is_null(old):
        return new
    if _types.is_timestamp(old) or _types.is_date(old):
        if _types.is_timestamp(new) or _types.is_date(new):
            stamps = [found for found in (old, new) if _types.is_timestamp(found)]
            if len({found.tz for found in stamps}) == 1:
                return pa.timestamp(max((found.unit for found in stamps), key=_UNITS.index), stamps[0].tz)
        return pa.string()
    if _numeric(old) and _numeric(new):
        return _widened_number(old, new)
    return pa.string()


def unified(old: "pa.Schema", new: "pa.Schema") -> "pa.Schema":
    """The columns of `old` in their order, then those that only `new` has; each wide enough for both."""
    fields = {field.name: field.type for field in old}
    for field in new:
        fields[field.name] = widened(fields[field.name], field.type) if field.name in fields else field.type
    return pa.schema(list(fields.items()))


def visible(schema: "pa.Schema", hidden: Iterable[str]) -> "pa.Schema":
    """The schema without some columns."""
    gone = set(hidden)
    return pa.schema([field for field in schema if field.name not in gone])


def fitted(batch: "pa.RecordBatch", schema: "pa.Schema") -> "pa.RecordBatch":
    """The rows with the columns of a schema: null where they have none (`_deleted`: false), cast where they differ.

    Raises:
        pa.ArrowInvalid: a value does not fit.
    """
    if batch.schema.equals(schema):
        return batch
    columns = []
    for field in schema:
        at = batch.schema.get_field_index(field.name)
        if at >= 0:
            columns.append(as_type(batch.column(at), field.type))
        elif field.name == DELETED:
            columns.append(pa.repeat(pa.scalar(value=False), batch.num_rows))
        else:
            columns.append(pa.nulls(batch.num_rows, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def as_type(array: "pa.Array", wanted: "pa.DataType") -> "pa.Array":
    """The values in another type; as text: times in ISO 8601, nested values in JSON.

    Raises:
        pa.ArrowInvalid: a value does not fit.
    """
    if array.type == wanted:
        return array
    if _types.is_null(array.type):
        return pa.nulls(len(array), wanted)
    if not _types.is_string(wanted):
        return array.cast(wanted)
    if _types.is_nested(array.type):
        return pa.array([None if value is None else _json(value) for value in array.to_pylist()], wanted)
    text = array.cast(wanted)
    return compute.replace_substring(text, " ", "T", max_replacements=1) if _types.is_timestamp(array.type) else text


def lossless(array: "pa.Array", wanted: "pa.DataType") -> "pa.Array | None":
    """The values in another type of the same family (numbers, times; whole numbers as text), if none changes by it."""
    have = array.type
    if have == wanted or _types.is_null(have):
        return as_type(array, wanted)
    kin = (
        (_numeric(have) and _numeric(wanted))
        or (_temporal(have) and _temporal(wanted))
        or (_types.is_integer(have) and _types.is_string(wanted))
    )
    if not kin:
        return None
    try:
        found = array.cast(wanted)
        return found if found.cast(have).equals(array) else None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _widened_number(old: "pa.DataType", new: "pa.DataType") -> "pa.DataType":
    if _types.is_floating(old) or _types.is_floating(new):
        return pa.float64()
    if _types.is_decimal(old) or _types.is_decimal(new):
        scale = max(found.scale for found in (old, new) if _types.is_decimal(found))
        return pa.decimal128(_DIGITS, scale)
    if _types.is_signed_integer(old) == _types.is_signed_integer(new):
        return old if old.bit_width >= new.bit_width else new
    return pa.int64() if max(old.bit_width, new.bit_width) < 64 else pa.decimal128(_DIGITS, 0)


def _numeric(kind: "pa.DataType") -> bool:
    return bool(_types.is_integer(kind) or _types.is_floating(kind) or _types.is_decimal(kind))


def _temporal(kind: "pa.DataType") -> bool:
    return bool(_types.is_date(kind) or _types.is_timestamp(kind))


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()
