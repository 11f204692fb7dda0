"""Decoded JSON rows to columns: nested objects flattened, mixed values as text, numbers exact."""

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

import orjson

from data_pipeline.parse.extended_json import unwrapped
from data_pipeline.parse.names import unique_names
from utils.arrow import pa

MAX_COLUMNS = 10_000
MAX_DEPTH = 16
"""Objects nested deeper stay JSON text."""

_NOTHING: Any = type(None)
_DIRECT = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
"""Columns of one kind, of which Arrow need not find the type: that takes as long as the rest."""


class TooManyColumns(ValueError):
    """The rows would have more than `MAX_COLUMNS` columns: probably records used as keys."""


def to_batch(rows: list[Any], *, flatten: bool = True) -> "pa.RecordBatch":
    """One record batch of the rows.

    Objects become columns by key, in order of first appearance. Plain values become a column `value`, lists columns
    by position. Lists inside cells become JSON text.

    Raises:
        TooManyColumns, TypeError: rows are objects and other things at once.
    """
    kinds = set(map(type, rows))
    if kinds <= {dict}:
        columns = _columns_of(rows, flatten)
    elif kinds <= {list}:
        width = max(map(len, rows))
        if width > MAX_COLUMNS:
            raise TooManyColumns(f"{width:,} columns; more than {MAX_COLUMNS:,} are refused")
        columns = _columns_of(
            [{f"column_{number}": value for number, value in enumerate(row, start=1)} for row in rows], flatten
        )
    elif dict not in kinds:
        columns = _columns_of([{"value": row} for row in rows], flatten)
    else:
        row = next(index for index, row in enumerate(rows, start=1) if type(row) is not dict)
        raise TypeError(f"row {row:,} is a {_word(rows[row - 1])} beside rows that are objects")
    names, _ = unique_names(_clean(name) for name, _ in columns)
    arrays = [to_array(values) for _, values in columns]
    if not arrays:
        # Rows of `{}` are rows all the same, but Arrow counts rows by columns.
        return pa.RecordBatch.from_arrays([pa.nulls(len(rows))], ["value"]) if rows else pa.record_batch({})
    return pa.RecordBatch.from_arrays(arrays, names)


def to_array(values: list[Any]) -> "pa.Array":
    """int64, float64, bool or utf8 when all values agree; exact decimals or text when they do not."""
    kinds = set(map(type, values)) - {_NOTHING}
    try:
        if len(kinds) == 1 and (direct := _DIRECT.get(next(iter(kinds)))) is not None:
            with contextlib.suppress(OverflowError):  # beyond 64 bits
                return pa.array(values, direct)
        result = pa.array(values)
        if result.type == pa.float64() and bool in kinds:
            return _mixed(values)  # Arrow would take true for 1.0 behind a float
        return result
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return _mixed(values)
    except UnicodeEncodeError:  # a lone surrogate, which the JSON grammar allows
        return _mixed([_clean(value) if isinstance(value, str) else value for value in values])


def _columns_of(rows: list[dict[str, Any]], flatten: bool, depth: int = 0) -> list[tuple[str, list[Any]]]:
    result: list[tuple[str, list[Any]]] = []
    for key, cells in _cells_by_key(rows):
        values = cells
        kinds = set(map(type, values))
        if dict in kinds:
            values = unwrapped(values)
            kinds = set(map(type, values))
        if dict in kinds and flatten and depth < MAX_DEPTH:
            if kinds - {dict, _NOTHING}:
                result.append((key, _as_cells([None if type(value) is dict else value for value in values])))
            inner = [value if type(value) is dict else {} for value in values]
            result += [(f"{key}.{name}", column) for name, column in _columns_of(inner, flatten, depth + 1)]
        else:
            result.append((key, _as_cells(values) if kinds & {dict, list} else values))
        if len(result) > MAX_COLUMNS:
            raise TooManyColumns(f"more than {MAX_COLUMNS:,} columns are refused")
    return result


def _cells_by_key(rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """One key and its cells at a time, a missing one is None."""
    first = rows[0] if rows else {}
    alike = set(map(len, rows)) == {len(first)}
    if alike and len(first) <= MAX_COLUMNS:
        with contextlib.suppress(KeyError):  # as many keys, but others
            yield from [(key, list(map(itemgetter(key), rows))) for key in first]
            return
    keys = dict.fromkeys(key for row in rows for key in row)
    if len(keys) > MAX_COLUMNS:
        raise TooManyColumns(f"{len(keys):,} different keys; more than {MAX_COLUMNS:,} are refused")
    for key in keys:
        yield key, [row.get(key) for row in rows]


def _as_cells(values: list[Any]) -> list[Any]:
    return [_dump(value) if type(value) in {dict, list} else value for value in values]


def _dump(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # integers beyond 64 bits, decimals, deep nesting
        return _clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float))


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _mixed(values: list[Any]) -> "pa.Array":
    kinds = {type(value) for value in values if value is not None}
    if str in kinds and kinds <= {str, int, float, Decimal} and len(kinds) > 1:
        # Some writers have no other way to say NaN; the column is one of numbers all the same.
        numbers = [None if type(value) is str and value.lower() == "nan" else value for value in values]
        if not any(type(value) is str for value in numbers):
            return to_array(numbers)
    if kinds <= {int, float, Decimal}:
        return _numbers(values)
    return pa.array([_text(value) for value in values], pa.string())


def _numbers(values: list[Any]) -> "pa.Array":
    """Decimals when they fit into 38 digits, else text: an integer above 2^53 must not become a float."""
    exact = [None if value is None else Decimal(repr(value) if type(value) is float else value) for value in values]
    present = [value for value in exact if value is not None]
    if not all(value.is_finite() for value in present):
        return pa.array([_text(value) for value in values], pa.string())
    scale = max(0, *(-int(value.as_tuple().exponent) for value in present))
    whole = max(value.adjusted() + 1 for value in present)
    if scale + max(whole, 1) > 38:
        return pa.array([_text(value) for value in values], pa.string())
    return pa.array(exact, pa.decimal128(38, scale))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f") if abs(value.adjusted()) < 100 else str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, int) else repr(value)


def _word(value: Any) -> str:
    return {list: "list", str: "text", bool: "boolean", _NOTHING: "null"}.get(type(value), "number")
