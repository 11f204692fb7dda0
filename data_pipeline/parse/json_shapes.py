"""JSON that holds rows in other shapes than a list of objects: columns, objects by key, lists inside of rows."""

from collections.abc import Iterator
from typing import Any

from data_pipeline.parse.extended_json import unwrapped

KEY = "_key"

MOST_CELLS = 10_000_000
"""Cells that `explode` may make: a wide row beside a long list would fill the memory."""


def by_column(found: Any, *, empty: bool = False) -> list[dict[str, Any]] | None:
    """The rows of an object that holds columns: two or more lists of the same length with plain values only.

    None: it is something else. `empty`: lists without values are columns too.

    >>> by_column({"time": ["00:00", "01:00"], "wind": [3.5, None]})
    [{'time': '00:00', 'wind': 3.5}, {'time': '01:00', 'wind': None}]
    """
    lengths = column_lengths(found)
    if len(lengths) != 1 or (lengths == {0} and not empty):
        return None
    return [dict(zip(found, cells, strict=True)) for cells in zip(*found.values(), strict=True)]


def column_lengths(found: Any) -> set[int]:
    """The lengths of the lists in an object of two or more lists of plain values; nothing for all else."""
    if not isinstance(found, dict) or len(found) < 2 or not all(isinstance(cells, list) for cells in found.values()):
        return set()
    if any(isinstance(cell, list | dict) for cells in found.values() for cell in cells):
        return set()
    return {len(cells) for cells in found.values()}


def keyed(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Each value of an object as a row, its key in `_key`; of a list of objects or lists each item.

    Items of a list are columns by position, a plain value is a column `value`, as everywhere in JSON.

    >>> keyed({"AAPL": {"price": 1.5}, "MSFT": [{"price": 2}, {"price": 3}]})
    [{'_key': 'AAPL', 'price': 1.5}, {'_key': 'MSFT', 'price': 2}, {'_key': 'MSFT', 'price': 3}]
    """
    rows = [
        (key, _named(item))
        for key, value in zip(found, unwrapped(list(found.values())), strict=True)
        for item in (value if isinstance(value, list) and _holds_rows(value) else [value])
    ]
    name = KEY
    while any(name in row for _, row in rows):
        name += "_2"
    return [{name: key, **row} for key, row in rows]


def exploded(found: Any, path: str) -> list[Any]:
    """A row for each item of the list that the rows hold at `path`, with all else of its row beside it.

    Rows without items there are left out; a single object or value is one item. An item that is a list becomes an
    object `column_1`, `column_2`.

    >>> exploded([{"id": 1, "lines": [{"n": 1}, {"n": 2}]}, {"id": 2, "lines": []}], "lines")
    [{'id': 1, 'lines': {'n': 1}}, {'id': 1, 'lines': {'n': 2}}]

    Raises:
        ValueError: more than `MOST_CELLS` would be made.
    """
    result: list[Any] = []
    cells = 0
    for row in found if isinstance(found, list) else [found]:
        for made in _each(row, _steps(row, path)) if isinstance(row, dict) else ():
            cells += len(made)
            if cells > MOST_CELLS:
                raise ValueError(f"explode makes more than {MOST_CELLS:,} cells; choose the keys of the rows before")
            result.append(made)
    return result


def _steps(row: dict[str, Any], path: str) -> list[str]:
    return [path] if path in row else path.split(".")


def _each(row: dict[str, Any], steps: list[str]) -> Iterator[dict[str, Any]]:
    first, rest = steps[0], steps[1:]
    value = row.get(first)
    if rest:
        for inner in _each(value, rest) if isinstance(value, dict) else ():
            yield {**row, first: inner}
        return
    if value is None:
        return
    for item in value if isinstance(value, list) else [value]:
        yield {**row, first: _named(item) if isinstance(item, list) else item}


def _holds_rows(items: list[Any]) -> bool:
    return not items or any(isinstance(item, dict | list) for item in items)


def _named(item: Any) -> dict[str, Any]:
    if isinstance(item, dict):
        return item
    if isinstance(item, list):
        return {f"column_{number}": cell for number, cell in enumerate(item, start=1)}
    return {"value": item}
