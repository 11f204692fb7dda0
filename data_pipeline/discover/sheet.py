"""Which sheet of a workbook holds the table, and where on it."""

import io
from typing import Any

from data_pipeline.discover.findings import Finding, Layout
from data_pipeline.discover.table import ends_at_blank, footer_of, header_repeats, missing_in, number_signs, place_of
from data_pipeline.parse.grid import is_blank, is_empty

MOST_ROWS = 20_000


def workbook(data: bytes) -> Layout:
    """The keys of `parse`. A workbook that cannot be opened gives none: its parser says why."""
    found = Layout(parse=[Finding("format", "excel")])
    try:
        grids = _grids(data)
    except Exception:  # noqa: BLE001 - the parser reads it next, and has the words for what is wrong
        return found
    filled = [sum(not is_empty(cell) for row in grid for cell in row) for _, grid in grids]
    if not filled or not max(filled):
        return found
    best = filled.index(max(filled))
    name, grid = grids[best]
    if len(grids) > 1:
        others = ", ".join(other for other, _ in grids if other != name)
        found.parse.append(Finding("sheet", name, f"holds most; there are also {others[:80]}"))
        alike = sum(_words(other) == _words(grid) for _, other in grids if other)
        if alike > 1:
            why = f"{alike} sheets have the same headings: this reads all, with a column `_sheet`"
            found.parse.append(Finding("sheet", "*", why, sure=False))
    _place(found, grid)
    return found


def _place(found: Layout, grid: list[list[Any]]) -> None:
    rows = [row[_left(grid) :] for row in grid]
    place = place_of(rows)
    if place is None:
        return
    start = place.header if place.header is not None else place.first
    if start:
        title = next((str(cell) for row in grid[:start] for cell in row if not is_empty(cell)), "blank")
        found.parse.append(Finding("skip_rows", start, f"rows above the header, the first is {title[:40]!r}"))
    if place.header is None:
        found.parse.append(Finding("header_row", 0, "the first row looks like data; name the columns in `columns`"))
    end = place.last
    footer, why = footer_of(rows, place)
    if header_repeats(rows, place):
        found.parse.append(Finding("repeated_header", True, "tables stand below each other, each with its header"))
    elif ends_at_blank(rows, place) and footer == len(rows) - end - 1:
        found.parse.append(Finding("stop_at_blank", True, "other text follows behind a blank row"))
    elif footer and (footer > len(rows) - end - 1 or not all(map(is_blank, rows[end + 1 :]))):
        found.parse.append(Finding("footer_rows", footer, why))
    columns = [
        [cell for row in rows[place.first : end + 1] if isinstance(cell := row[i], str)] for i in range(place.width)
    ]
    if missing := missing_in(columns):
        found.parse.append(Finding("na_values", missing, "stand in columns of numbers or dates"))
    decimal, thousands, example = number_signs(columns)
    if decimal == ",":
        found.parse.append(Finding("decimal", ",", f"texts such as {example}"))
    if thousands:
        found.parse.append(Finding("thousands", thousands, f"texts such as {example}"))


def _grids(data: bytes) -> list[tuple[str, list[list[Any]]]]:
    from python_calamine import CalamineWorkbook

    with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
        names = [sheet.name for sheet in book.sheets_metadata if "WorkSheet" in str(sheet.typ)]
        return [(name, _rows(book.get_sheet_by_name(name))) for name in names]


def _words(grid: list[list[Any]]) -> set[str]:
    """The headings of a sheet, wherever they stand."""
    place = place_of(grid)
    return set() if place is None or place.header is None else {str(cell) for cell in grid[place.header]} - {""}


def _rows(sheet: Any) -> list[list[Any]]:
    rows = []
    for row in sheet.iter_rows():
        rows.append(list(row))
        if len(rows) >= MOST_ROWS:
            break
    return rows


def _left(grid: list[list[Any]]) -> int:
    """Empty columns at the left are no part of a table."""
    width = max(map(len, grid), default=0)
    return next((at for at in range(width) if any(at < len(row) and not is_empty(row[at]) for row in grid)), 0)
