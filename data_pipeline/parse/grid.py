"""Where the table is in a grid of cells: what `skip_rows`, `header_row`, `footer_rows` and the rest mean, by rows.

A grid is a list of rows, a row a list of cells; an empty cell is None or blank text. Everything here is pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from data_pipeline.parse.options import ParseOptions

Row = Sequence[Any]


class NoHeader(ValueError):
    """The grid ends before the header's row."""


@dataclass(frozen=True, slots=True)
class GridTable:
    """One table: its heading cells (None: the table has no heading) and its rows, blank ones left out."""

    header: Row | None
    rows: list[Row]

    @property
    def width(self) -> int:
        """Columns that hold a heading or a value."""
        return max((_filled(row) for row in (self.header or (), *self.rows)), default=0)


def tables_in(grid: Sequence[Row], options: ParseOptions) -> list[GridTable]:
    """The tables of a grid; more than one only with `repeated_header`.

    The order of steps: `skip_rows`, `header_row`, `footer_rows`, `stop_at_blank`, `transpose`, names. With
    `stop_at_blank` and `repeated_header` together each table ends at its first blank row, and the next header
    begins another one.

    Raises:
        NoHeader: nothing is left where the header should be.
    """
    left = without_footer(from_header(skipped(grid, options.skip_rows), options.header_row), options.footer_rows)
    if options.transpose:
        left = transposed(until_blank(left, options.header_row) if options.stop_at_blank else left)
        left = _from_filled(left) if options.header_row else left
    if not options.header_row:
        rows = until_blank(left, 0) if options.stop_at_blank and not options.transpose else left
        return [GridTable(None, without_blank(rows))]
    if not left or is_blank(left[0]):
        raise NoHeader
    parts = split_at_headers(left) if options.repeated_header else [(left[0], left[1:])]
    ends = options.stop_at_blank and not options.transpose
    return [GridTable(header, without_blank(until_blank(rows, 0) if ends else rows)) for header, rows in parts]


def skipped(grid: Sequence[Row], count: int) -> Sequence[Row]:
    """Without the first `count` rows, blank ones counted."""
    return grid[count:]


def from_header(grid: Sequence[Row], header_row: int) -> Sequence[Row]:
    """From the header's row on, counted from 1; a blank row there is passed over. 0: all rows."""
    return _from_filled(grid[header_row - 1 :]) if header_row else grid


def without_footer(grid: Sequence[Row], count: int) -> Sequence[Row]:
    """Without the last `count` rows, blank ones counted."""
    return grid[: max(0, len(grid) - count)] if count else grid


def until_blank(grid: Sequence[Row], start: int) -> Sequence[Row]:
    """Up to the first blank row at index `start` or later."""
    end = next((index for index in range(start, len(grid)) if is_blank(grid[index])), len(grid))
    return grid[:end]


def transposed(grid: Sequence[Row]) -> list[Row]:
    """Columns become rows; short rows count as filled up with empty cells."""
    return list(zip_longest(*grid))


def split_at_headers(grid: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    """Header and rows of each table; a row whose first cell equals the first header's begins a new one."""
    first = _word(grid[0])
    parts: list[tuple[Row, list[Row]]] = []
    for row in grid:
        if not parts or (first and _word(row) == first):
            parts.append((row, []))
        else:
            parts[-1][1].append(row)
    return parts


def without_blank(grid: Sequence[Row]) -> list[Row]:
    return [row for row in grid if not is_blank(row)]


def is_blank(row: Row) -> bool:
    """Whether no cell holds anything but blanks."""
    return all(is_empty(cell) for cell in row)


def is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and (not cell or cell.isspace()))


def heading(cell: Any) -> str:
    """A heading cell as a name: line breaks and runs of blanks become one blank.

    >>> heading("BUY\\nrate")
    'BUY rate'
    """
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # a year above a column
    return " ".join(str(cell).split())


def _from_filled(grid: Sequence[Row]) -> Sequence[Row]:
    start = next((index for index, row in enumerate(grid) if not is_blank(row)), len(grid))
    return grid[start:]


def _word(row: Row) -> str:
    return heading(row[0]) if row else ""


def _filled(row: Row) -> int:
    return next((index + 1 for index in range(len(row) - 1, -1, -1) if not is_empty(row[index])), 0)
