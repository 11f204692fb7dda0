"""Rows of a database to Arrow columns: exact numbers, UTC moments, and text for what no column type holds.

What PostgreSQL sends as text (`AS_TEXT`) is read column by column: that is quicker than an object a cell, and values
that Python has no object for (`infinity`, years beyond 9999) cost a null and a note instead of the whole answer.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import orjson

from data_pipeline.parse.names import unique_names
from utils.arrow import compute, pa

__all__ = ["AS_TEXT", "Columns"]

AS_TEXT = (
    *("date", "timestamp", "timestamptz", "time", "timetz", "interval", "numeric", "money"),
    *("uuid", "json", "jsonb", "inet", "cidr", "hstore"),
)
"""PostgreSQL types whose text is taken as the server writes it."""

# https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
_OIDS = {
    **dict.fromkeys((20, 21, 23, 26), "int"),
    **dict.fromkeys((700, 701), "float"),
    16: "bool",
    17: "binary",
    1082: "date",
    1083: "time",
    1114: "timestamp",
    1184: "timestamptz",
    1700: "numeric",
}
_ARROW: dict[str, "pa.DataType"] = {
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "text": pa.string(),
}
_DIGITS = 38
_INT64 = range(-(2**63), 2**63)
_PARSE: dict[str, Callable[[str], Any]] = {
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}


@dataclass(frozen=True, slots=True)
class _Column:
    """`kind`: a key of `_ARROW`, `numeric`, or "" when only the values tell."""

    name: str
    kind: str
    precision: int = 0
    scale: int = 0


class Columns:
    """The columns of one answer; `batch` makes a record batch of some rows, `notes` says what was renamed or lost.

    Args:
        description: `cursor.description` as DB-API 2.0 has it.
        typed: Whether its type codes are PostgreSQL's, so that types are known before the first row.
    """

    def __init__(self, description: Sequence[Any], *, typed: bool) -> None:
        names, self._renamed = unique_names(str(column[0]) for column in description)
        self._columns = [_column(name, found, typed) for name, found in zip(names, description, strict=True)]
        self._beyond: Counter[str] = Counter()

    @property
    def notes(self) -> tuple[str, ...]:
        lost = (
            f"column `{name}`: {count:,} infinite or beyond the calendar, read as null"
            for name, count in self._beyond.items()
        )
        return (*self._renamed, *lost)

    def batch(self, rows: Sequence[Sequence[Any]]) -> "pa.RecordBatch":
        values = zip(*rows, strict=True) if rows else ([] for _ in self._columns)
        arrays = [self._array(column, list(cells)) for column, cells in zip(self._columns, values, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, [column.name for column in self._columns])

    def _array(self, column: _Column, cells: list[Any]) -> "pa.Array":
        if column.kind == "numeric":
            return self._numeric(column, cells)
        if column.kind in _PARSE:
            return self._moments(column, cells)
        if column.kind == "text":
            return pa.array([cell if cell is None or type(cell) is str else _text(cell) for cell in cells], pa.string())
        if column.kind:
            return pa.array(cells, _ARROW[column.kind])
        return self._inferred(column, cells)

    def _moments(self, column: _Column, cells: list[str | None]) -> "pa.Array":
        """Arrow reads ISO 8601 many at a time; only when it cannot are they read one by one."""
        target = _ARROW[column.kind]
        try:
            return pa.array(cells, pa.string()).cast(target)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            parse = _PARSE[column.kind]
            return pa.array([None if cell is None else self._one(column.name, parse, cell) for cell in cells], target)

    def _one(self, name: str, parse: Callable[[str], Any], cell: str) -> Any:
        try:
            return parse(cell)
        except ValueError:
            self._beyond[name] += 1
            return None

    def _numeric(self, column: _Column, cells: list[str | None]) -> "pa.Array":
        """Exact decimals; a type without bounds gets the scale that its values need, and text beyond 38 digits."""
        finite: list[str | None] = []
        for cell in cells:
            if cell is None or cell == "NaN":  # not a number is no value, as everywhere in the line
                finite.append(None)
            elif cell.endswith("nfinity"):
                self._beyond[column.name] += 1
                finite.append(None)
            else:
                finite.append(cell)
        precision, scale = column.precision, column.scale
        if not precision or not 0 <= scale <= precision:
            written = [cell.lstrip("-").partition(".") for cell in finite if cell is not None]
            if not written:
                return pa.nulls(len(cells))
            scale = max(len(fraction) for _, _, fraction in written)
            whole = max(len(digits) for digits, _, _ in written)
            precision = max(_DIGITS, whole + scale)
        texts = pa.array(finite, pa.string())
        return texts.cast(pa.decimal128(precision, scale)) if precision <= _DIGITS else texts

    def _inferred(self, column: _Column, cells: list[Any]) -> "pa.Array":
        """A column of Python objects, by what they are."""
        kinds = {type(cell) for cell in cells} - {type(None)}
        if not kinds:
            return pa.nulls(len(cells))
        if kinds <= {bool}:
            return pa.array(cells, pa.bool_())
        if kinds <= {int, bool}:
            return _integers(cells)
        if kinds <= {int, float, bool} and _exact_as_float(cells):
            return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())
        if kinds <= {Decimal, int}:
            return self._numeric(column, [None if cell is None else _text(cell) for cell in cells])
        if kinds <= {bytes, bytearray, memoryview}:
            return pa.array([None if cell is None else bytes(cell) for cell in cells], pa.binary())
        if kinds == {date}:
            return pa.array(cells, pa.date32())
        if kinds == {time}:
            return pa.array(cells, pa.time64("us"))
        if kinds == {datetime}:
            aware = {cell.tzinfo is not None for cell in cells if cell is not None}
            if len(aware) == 1:
                return pa.array(cells, _ARROW["timestamptz" if aware.pop() else "timestamp"])
        return pa.array([None if cell is None else _text(cell) for cell in cells], pa.string())


def _column(name: str, found: Sequence[Any], typed: bool) -> _Column:
    if not typed:
        return _Column(name, "")
    kind = _OIDS.get(int(found[1]), "text")
    return _Column(name, kind, int(found[4] or 0), int(found[5] or 0)) if kind == "numeric" else _Column(name, kind)


def _integers(cells: list[Any]) -> "pa.Array":
    """64 bits; beyond them a decimal, beyond 38 digits text."""
    if all(cell is None or cell in _INT64 for cell in cells):
        return pa.array(cells, pa.int64())
    texts = pa.array([None if cell is None else str(int(cell)) for cell in cells], pa.string())
    longest = compute.max(compute.utf8_length(compute.utf8_ltrim(texts, "-"))).as_py()
    return texts.cast(pa.decimal128(_DIGITS, 0)) if longest <= _DIGITS else texts


def _exact_as_float(cells: list[Any]) -> bool:
    return all(type(cell) is not int or abs(cell) <= 2**53 for cell in cells)


def _text(cell: Any) -> str:
    """A value as text that says the same: lists and objects as JSON, numbers digit for digit, moments as ISO 8601."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, float):
        return repr(cell)
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell).hex()
    if isinstance(cell, list | tuple | dict):
        return orjson.dumps(cell, default=_text, option=orjson.OPT_NON_STR_KEYS).decode()
    return str(cell)
