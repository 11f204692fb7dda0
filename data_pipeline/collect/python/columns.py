"""Rows that Python made (dicts) to columns: whatever values people put into them, exactly, and quickly.

A column of one plain type goes to Arrow in one call, at 15 to 60 ns a value; only what is nested or mixed is looked at
value by value.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson

from data_pipeline.parse.json_columns import MAX_COLUMNS, MAX_DEPTH, TooManyColumns, to_array
from data_pipeline.parse.names import unique_names
from utils.arrow import pa

__all__ = ["TooManyColumns", "arrays_of", "columns_of"]

_NOTHING: Any = type(None)
_UTC_US = pa.timestamp("us", "UTC")
_DIRECT: dict[type, "pa.DataType"] = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bool: pa.bool_(),
    date: pa.date32(),
    bytes: pa.binary(),
}
_FINISHED = frozenset({*_DIRECT, datetime, Decimal, dict, list, _NOTHING})


def columns_of(rows: Sequence[Mapping[Any, Any]]) -> tuple[list[str], list["pa.Array"]]:
    """Names (unique) and arrays of the rows, in order of first appearance. Objects inside become columns `a.b`.

    Raises:
        TooManyColumns: more than 10,000; probably records used as keys.
    """
    names: list[str] = []
    arrays: list[pa.Array] = []
    for name, values in _split(rows).items():
        for inner, array in arrays_of(name if type(name) is str else str(name), values):
            names.append(inner)
            arrays.append(array)
        if len(names) > MAX_COLUMNS:
            raise TooManyColumns(f"more than {MAX_COLUMNS:,} columns are refused")
    if not arrays and rows:
        return ["value"], [pa.nulls(len(rows))]  # rows of `{}` are rows all the same
    return unique_names(names)[0], arrays


def arrays_of(name: str, values: list[Any], depth: int = 0) -> list[tuple[str, "pa.Array"]]:
    """The column, or the several columns that the objects in it become."""
    kinds = set(map(type, values))
    if len(kinds - {_NOTHING}) == 1:
        (kind,) = kinds - {_NOTHING}
        if (direct := _DIRECT.get(kind)) is not None:
            try:
                return [(name, pa.array(values, direct))]
            except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
                return [(name, to_array(values))]  # integers beyond 64 bits, half of a surrogate pair
    if not kinds <= _FINISHED:
        makers = {kind: _maker(kind) for kind in kinds}
        values = [makers[type(value)](value) for value in values]
        kinds = set(map(type, values))
        if kinds <= {*_DIRECT, _NOTHING}:
            return arrays_of(name, values, depth)
    if dict in kinds:
        return _flattened(name, values, kinds, depth)
    return [(name, _array(values, kinds))]


def _split(rows: Sequence[Mapping[Any, Any]]) -> dict[Any, list[Any]]:
    first = rows[0] if rows else {}
    if set(map(len, rows)) == {len(first)}:
        try:
            return {key: list(map(itemgetter(key), rows)) for key in first}
        except KeyError:
            pass  # as many keys, but others
    keys = dict.fromkeys(key for row in rows for key in row)
    if len(keys) > MAX_COLUMNS:
        raise TooManyColumns(f"{len(keys):,} different keys; more than {MAX_COLUMNS:,} are refused")
    return {key: [row.get(key) for row in rows] for key in keys}


def _flattened(name: str, values: list[Any], kinds: set[type], depth: int) -> list[tuple[str, "pa.Array"]]:
    if depth >= MAX_DEPTH:
        return [(name, pa.array([None if value is None else _json(value) for value in values], pa.string()))]
    result: list[tuple[str, pa.Array]] = []
    if kinds - {dict, _NOTHING}:
        plain = [None if type(value) is dict else value for value in values]
        result += arrays_of(name, plain, depth)
    inner = _split([value if type(value) is dict else {} for value in values])
    for key, cells in inner.items():
        result += arrays_of(f"{name}.{key}", cells, depth + 1)
    if not inner and not result:
        result.append((name, pa.array([None if value is None else "{}" for value in values], pa.string())))
    return result


def _array(values: list[Any], kinds: set[type]) -> "pa.Array":
    """Values of finished types that are no objects: moments, decimals, lists, mixtures."""
    if list in kinds:
        values = [_json(value) if type(value) is list else value for value in values]
        kinds = set(map(type, values))
    present = kinds - {_NOTHING}
    if not present:
        return pa.nulls(len(values))
    if present <= {datetime, date}:
        return _moments(values)
    if present <= {int, float, str, bool, Decimal}:
        return to_array([None if _is_no_number(value) else value for value in values])
    return pa.array([_text(value) for value in values], pa.string())


def _moments(values: list[Any]) -> "pa.Array":
    """Aware ones in UTC; naive ones stay so, for the dataset's zone to say what they mean; both at once are text."""
    aware = {type(value) is datetime and value.tzinfo is not None for value in values if value is not None}
    if aware == {True}:
        return pa.array(values, _UTC_US)
    if aware == {False}:
        days = [value if type(value) is not date else datetime(value.year, value.month, value.day) for value in values]  # noqa: DTZ001 - the dataset's zone is given to it later
        return pa.array(days, pa.timestamp("us"))
    return pa.array([_text(value) for value in values], pa.string())


def _is_no_number(value: Any) -> bool:
    """NaN and the infinities of decimals, which no decimal column can hold; NaN of floats is no value either."""
    if type(value) is Decimal:
        return not value.is_finite()
    return type(value) is float and math.isnan(value)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return None if math.isnan(value) else repr(value)
    return format(value, "f") if isinstance(value, Decimal) and abs(value.adjusted()) < 100 else str(value)


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value, default=_jsonable, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # integers beyond 64 bits, keys that are objects, half of a surrogate pair, deep nesting
        import json

        text = json.dumps(value, default=_jsonable, ensure_ascii=False, separators=(",", ":"), skipkeys=True)
        return text.encode("utf-8", "replace").decode()


def _jsonable(value: Any) -> Any:
    made = _maker(type(value))(value)
    return _text(made) if isinstance(made, Decimal | datetime | date | bytes) else made


def _maker(kind: type) -> Callable[[Any], Any]:
    """What turns a value of a type into one of the types that a column can hold."""
    found = _known.get(kind)
    if found is None:
        found = _known[kind] = _find_maker(kind)
    return found


def _find_maker(kind: type) -> Callable[[Any], Any]:
    family = kind.__module__.partition(".")[0]
    if family == "numpy":
        return _from_numpy
    if family == "pandas":
        return _from_pandas
    if issubclass(kind, Enum):
        return lambda value: _maker(type(value.value))(value.value)
    for base in (bool, int, float, str, datetime, date, Decimal, bytes):
        if issubclass(kind, base):
            return _same if kind is base else _narrowed(base)
    if issubclass(kind, Mapping):
        return dict
    if issubclass(kind, list | tuple | set | frozenset):
        return list
    if issubclass(kind, bytearray | memoryview):
        return bytes
    if issubclass(kind, time):
        return time.isoformat
    return str if issubclass(kind, UUID | timedelta) else _described


def _same(value: Any) -> Any:
    return value


def _narrowed(base: type) -> Callable[[Any], Any]:
    """A subclass of a plain type as the plain type; its own `__str__` must not change the value."""
    if base is str:
        return str.__str__
    if base is datetime:
        return lambda value: datetime.combine(value.date(), value.timetz())
    if base is date:
        return lambda value: date(value.year, value.month, value.day)
    return base


def _described(value: Any) -> str:
    """Objects of classes nobody knows: what they say of themselves."""
    return str(value)


def _from_numpy(value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else value.astype("datetime64[us]").item()
    if isinstance(value, np.timedelta64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.floating):
        return None if np.isnan(value) else float(value)
    made = value.tolist()  # scalars become Python's own, arrays become lists
    return made if type(made) in _FINISHED else _maker(type(made))(made)


def _from_pandas(value: Any) -> Any:
    """Timestamps to the microsecond; `NaT` and `NA` are no value."""
    from utils.arrow import with_pandas

    pd = with_pandas()
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.floor("us").to_pydatetime()
    return str(value)


_known: dict[type, Callable[[Any], Any]] = {_NOTHING: _same, dict: _same, list: _same}
