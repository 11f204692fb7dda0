"""Workbooks (.xlsx, .xls, .xlsb, .ods): a sheet, or all of them stacked, as rows."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_pipeline.batch import ROWS_PER_BATCH
from data_pipeline.errors import MemoryLimitExceeded, PayloadUnreadable
from data_pipeline.parse.cells import column_of
from data_pipeline.parse.encoding import open_bytes, read_all
from data_pipeline.parse.grid import GridTable, NoHeader, heading, tables_in
from data_pipeline.parse.names import unique_names
from data_pipeline.parse.options import ColumnOptions
from data_pipeline.parse.parser import Parsed, ParseRequest
from data_pipeline.parse.sniff import HEAD, detect_format
from data_pipeline.parse.unreadable import first_line, not_as_promised, unreadable
from data_pipeline.parse.workbook_lock import has_password
from data_pipeline.parse.workbook_size import check_size
from utils.arrow import pa

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

SHEET = "_sheet"
"""The first column when all sheets are read: where a row stood."""

MAX_COLUMNS = 10_000


@dataclass(frozen=True, slots=True)
class _Sheet:
    name: str
    tables: list[GridTable]


def parse_excel(request: ParseRequest) -> Parsed:
    """Rows of the sheet that `sheet` names (a number counts from 1), or of all with their name in `_sheet`.

    Real dates stay dates; numbers are integers when all of a column are whole. A column of texts beside numbers or
    dates is text. Formulas give the value that was saved; cells with an error such as #N/A are null. A heading that is
    merged over several columns or rows names each of them.

    Raises:
        PayloadUnreadable: no workbook, one with a password, or a sheet that is not there (the message lists them).
        MemoryLimitExceeded: a sheet has more cells than fit into `memory_limit`.
    """
    with open_bytes(request) as stream:
        data = read_all(request, stream, min(request.max_size, request.memory_limit))
    kind = detect_format(data[:HEAD], request.payload.name, request.payload.media_type)
    if kind not in {"excel", "zip"}:
        raise not_as_promised(request, "a workbook (.xlsx, .xls, .xlsb, .ods)", kind, data[:HEAD])
    if has_password(data):
        raise _locked(request)
    check_size(request, data)
    sheets, notes = _read(request, data)
    return Parsed(_batches(request, sheets, notes), notes, text=True)


def _read(request: ParseRequest, data: bytes) -> tuple[list[_Sheet], list[str]]:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as workbook:
            return _sheets(request, workbook)
    except PasswordError as error:
        raise _locked(request) from error
    except (CalamineError, OSError, ValueError, OverflowError) as error:
        raise unreadable(
            request,
            f"not readable as a workbook: {first_line(error)}",
            hint="check `parse.format`, or whether the download was cut off",
        ) from error
    except BaseException as error:
        # The library is written in Rust; its panics are no `Exception`.
        if type(error).__name__ != "PanicException":
            raise
        raise unreadable(
            request, f"the workbook is damaged: {first_line(error)}", hint="collect it again, or ask for CSV"
        ) from error


def _locked(request: ParseRequest) -> PayloadUnreadable:
    hint = "ask the provider for a file without one, or for CSV"
    return unreadable(request, "the workbook has a password", hint=hint)


def _sheets(request: ParseRequest, workbook: "CalamineWorkbook") -> tuple[list[_Sheet], list[str]]:
    names = [sheet.name for sheet in workbook.sheets_metadata if "WorkSheet" in str(sheet.typ)]
    wanted = _chosen(request, names)
    every = request.options.sheet == "*"
    sheets: list[_Sheet] = []
    notes: list[str] = []
    for name in wanted:
        try:
            sheets.append(_Sheet(name, tables_in(_grid(request, workbook.get_sheet_by_name(name)), request.options)))
        except NoHeader as error:
            if not every:
                raise _without_header(request, f"sheet `{name}` ends before its header") from error
            notes.append(f"sheet `{name}` ends before its header and was left out")
    if not sheets:
        raise _without_header(request, "no sheet reaches as far as its header")
    return sheets, notes


def _chosen(request: ParseRequest, names: list[str]) -> list[str]:
    sheet = request.options.sheet
    there = ", ".join(f"`{name}`" for name in names[:30])
    if not names:
        raise unreadable(request, "the workbook has no sheet with cells", hint="look at what the provider sends")
    if sheet == "*":
        return names
    if isinstance(sheet, int):
        if sheet <= len(names):
            return [names[sheet - 1]]
        raise unreadable(request, f"there is no sheet {sheet}; there are {len(names)}: {there}", hint=_WHICH)
    if sheet in names:
        return [sheet]
    alike = [name for name in names if name.strip().casefold() == sheet.strip().casefold()]
    if len(alike) == 1:
        return alike
    raise unreadable(request, f"there is no sheet `{sheet}`; there are {there}", hint=_WHICH)


_WHICH = 'set `parse.sheet` to one of them, to its number, or to `"*"` for all'


def _without_header(request: ParseRequest, what: str) -> PayloadUnreadable:
    return unreadable(request, what, hint="check `parse.skip_rows`, `parse.header_row` and `parse.sheet`")


def _grid(request: ParseRequest, sheet: "CalamineSheet") -> list[list[Any]]:
    """All cells from A1 on, so that rows are counted as people see them; merged headings stand in each cell."""
    if sheet.height * sheet.width > request.memory_limit // 100:
        raise MemoryLimitExceeded(
            f"{request.dataset}: sheet `{sheet.name}` has {sheet.height:,} × {sheet.width:,} cells, which do not fit "
            "into app.memory_limit",
            hint="ask the provider for CSV or Parquet, which are read in parts",
        )
    grid: list[list[Any]] = list(sheet.iter_rows())
    options = request.options
    if options.header_row and not options.transpose:
        at = options.skip_rows + options.header_row - 1
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
            if top <= at <= bottom and at < len(grid) and top < len(grid) and left < len(grid[top]):
                width = min(right + 1, len(grid[at]))
                grid[at][left:width] = [grid[top][left]] * (width - left)
    return grid


def _batches(request: ParseRequest, sheets: list[_Sheet], notes: list[str]) -> Iterator["pa.RecordBatch"]:
    options = request.options
    every = options.sheet == "*"
    for sheet in sheets:
        for table in sheet.tables:
            names, renamed = _names(request, table)
            if every:
                names, more = unique_names([SHEET, *names])
                renamed = [*renamed, *more]
            notes += (note for note in renamed if note not in notes)
            for start in range(0, len(table.rows) or 1, ROWS_PER_BATCH):
                rows = table.rows[start : start + ROWS_PER_BATCH]
                columns: list[pa.Array] = [pa.array([sheet.name] * len(rows), pa.string())] if every else []
                for index, name in enumerate(names[len(columns) :]):
                    cells = [row[index] if index < len(row) else None for row in rows]
                    columns.append(column_of(cells, options, _format_of(name, request.columns)))
                yield _batch(names, columns, len(rows))


def _batch(names: list[str], columns: "list[pa.Array]", rows: int) -> "pa.RecordBatch":
    if names:
        return pa.RecordBatch.from_arrays(columns, names)
    return pa.RecordBatch.from_pydict({"column_1": pa.nulls(rows, pa.string())})


def _names(request: ParseRequest, table: GridTable) -> tuple[list[str], list[str]]:
    width = table.width
    if width > MAX_COLUMNS:
        raise unreadable(
            request, f"{width:,} columns; more than {MAX_COLUMNS:,} are refused", hint="check `parse.sheet`"
        )
    if table.header is None:
        return [f"column_{number}" for number in range(1, width + 1)], []
    headings = [heading(cell) for cell in table.header[:width]]
    return unique_names(headings + [""] * (width - len(headings)))


def _format_of(name: str, columns: dict[str, ColumnOptions]) -> str | None:
    """How times of the column are written where they are texts, when it is declared."""
    for new, options in columns.items():
        if name in {options.source or new, *options.aliases, new}:
            return options.format
    return None
