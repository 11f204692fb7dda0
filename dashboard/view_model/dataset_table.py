"""The rows of a dataset page by page, and what its columns look like."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.words import plain

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FIGURES", "PAGE", "ColumnLine", "as_rows", "columns", "figure", "paged", "profiled", "rows", "shown"]

PAGE = 25
"""Rows on one page."""

MOST_TEXT = 300
MOST_COLUMNS = 200

FIGURES = {
    "null_share": "Empty",
    "nulls": "Empty",
    "distinct": "Different",
    "min": "Least",
    "max": "Greatest",
    "mean": "Mean",
    "std": "Deviation",
    "p05": "5 %",
    "p50": "Median",
    "p95": "95 %",
    "p99": "99 %",
    "length_min": "Shortest",
    "length_max": "Longest",
    "length_mean": "Mean length",
    "true": "True",
    "age_s": "Age",
}
"""What is shown of a column, and what it is called."""

_SHARES = {"null_share", "true"}


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """A column: its type, its figures in words, and for some of them what they were in the batch before."""

    column: str
    type: str
    figures: tuple[tuple[str, str], ...]


def paged(rows: int, asked: int) -> tuple[int, int]:
    """The page that is shown, from 1, and how many there are.

    >>> paged(60, 9), paged(0, 1)
    ((3, 3), (1, 1))
    """
    pages = max(1, -(-rows // PAGE))
    return min(max(asked, 1), pages), pages


def rows(answer: Answer, words: Words) -> tuple["pa.Table | None", Face | None]:
    """The rows of one page, made fit to be shown, and why there are none."""
    if answer.document is None:
        return None, face_of(answer)
    table = shown(answer.document)
    if not table.num_rows:
        return table, face_of(answer) or Face("no data yet", words("The table has no rows."))
    return table, face_of(answer)


def shown(table: "pa.Table") -> "pa.Table":
    """The same with texts of bounded length and no control characters; numbers, times and truth values as they are.

    What a browser's numbers cannot hold (decimals, whole numbers beyond 2^53) becomes text, digit for digit.
    """
    import pyarrow as pa

    names, columns = [], []
    for field, column in list(zip(table.schema, table.columns, strict=True))[:MOST_COLUMNS]:
        name = plain(field.name, limit=60) or "?"
        while name in names:
            name += "'"
        names.append(name)
        columns.append(column if _is_safe(field.type, column) else _texts(column))
    return pa.table(columns, names=names)


def columns(table: "pa.Table | None", report: Answer, words: Words) -> Panel[ColumnLine]:
    """The columns with their types, and what was measured of the last batch; beside it what it was before."""
    types = {} if table is None else {field.name: _kind(str(field.type)) for field in table.schema}
    measured = {one["column"]: one for one in (report.document or {}).get("profile", ())}
    lines = []
    for name in dict.fromkeys([*types, *measured]):
        one = measured.get(name, {"figures": {}, "before": None})
        told = tuple(_moved(key, value, one["before"], words) for key, value in one["figures"].items())
        lines.append(ColumnLine(plain(name, limit=60), types.get(name, ""), tuple(pair for pair in told if pair)))
    face = None if lines else face_of(report, empty=words("Nothing was delivered yet."))
    return Panel(tuple(lines[:MOST_COLUMNS]), face=face)


def profiled(profile: Answer, words: Words) -> Panel[ColumnLine]:
    """Every figure of every column, over all rows."""
    lines = []
    for one in (profile.document or {}).get("columns", ()):
        figures = [(words(FIGURES[name]), figure(name, one[name], words)) for name in FIGURES if _has(one, name)]
        lines.append(ColumnLine(plain(one["column"], limit=60), _kind(one["type"]), tuple(figures)))
    note = ""
    if profile.document:
        note = words("of all {rows} rows", rows=words.count(profile.document["rows"]))
    return Panel(tuple(lines[:MOST_COLUMNS]), note, face_of(profile, empty=words("Nothing was delivered yet.")))


def as_rows(lines: Iterable[ColumnLine], words: Words) -> list[dict[str, str]]:
    """The columns as the rows of a table."""
    return [{words("Column"): one.column, words("Type"): words(one.type), **dict(one.figures)} for one in lines]


def _has(one: dict[str, Any], name: str) -> bool:
    return one.get(name) is not None and not (name == "nulls" and one.get("null_share") is not None)


def _moved(
    name: str, value: float | None, before: dict[str, float | None] | None, words: Words
) -> tuple[str, str] | None:
    if value is None:
        return None
    of = "null_share" if name == "nulls" else name
    now, was, title = figure(of, value, words), (before or {}).get(name), words(FIGURES.get(name, name))
    if was is None or name == "age_s" or abs(was - value) <= 0.01 * max(abs(was), abs(value)):
        return title, now
    return title, words("{now} (was {before})", now=now, before=figure(of, was, words))


def figure(name: str, value: Any, words: Words) -> str:
    """A figure of a column, in its unit."""
    if isinstance(value, str):
        return plain(value, limit=60)
    if name in _SHARES:
        return f"{words.figure(100.0 * value, 3)} %"
    if name == "age_s":
        return words.span(value)
    return words.figure(value)


def _is_safe(kind: "pa.DataType", column: "pa.ChunkedArray") -> bool:
    from pyarrow import types

    if types.is_integer(kind) and kind.bit_width == 64:
        import pyarrow.compute as pc

        extremes = pc.min_max(column).as_py()
        return all(value is None or abs(value) <= 2**53 for value in extremes.values())
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_date(kind)
        or (types.is_timestamp(kind) and kind.unit != "ns")
    )


def _texts(column: "pa.ChunkedArray") -> "pa.Array":
    import pyarrow as pa

    from operations.export import cell, values_of

    return pa.array(
        [None if value is None else plain(cell(value), limit=MOST_TEXT) for value in values_of(column)], pa.string()
    )


def _kind(kind: str) -> str:
    """A type in a word that people use; what there is no word for as Arrow calls it.

    >>> _kind("int64"), _kind("list<item: double>"), _kind("timestamp[us, tz=UTC]")
    ('whole number', 'list<item: double>', 'time')
    """
    for start, word in _KINDS:
        if kind.startswith(start):
            return word
    return plain(kind, limit=60)


_KINDS = (
    ("int", "whole number"),
    ("uint", "whole number"),
    ("float", "number"),
    ("double", "number"),
    ("decimal", "decimal"),
    ("string", "text"),
    ("large_string", "text"),
    ("dictionary<values=string", "text"),
    ("bool", "yes/no"),
    ("timestamp", "time"),
    ("date", "day"),
)
