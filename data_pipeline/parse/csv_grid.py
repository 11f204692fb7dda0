"""Delimited text that must be held as a whole: transposed tables, and tables one below the other."""

from collections.abc import Iterator
from typing import Any

from data_pipeline.batch import ROWS_PER_BATCH
from data_pipeline.errors import MemoryLimitExceeded, PayloadUnreadable
from data_pipeline.parse.csv import MAX_COLUMNS, delimiter_of, line_number, lines_of, positioned
from data_pipeline.parse.encoding import Text, open_text
from data_pipeline.parse.grid import GridTable, NoHeader, from_header, heading, is_blank, tables_in, without_footer
from data_pipeline.parse.layout import records, split
from data_pipeline.parse.names import unique_names
from data_pipeline.parse.parser import Parsed, ParseRequest
from data_pipeline.parse.sniff import HEAD
from data_pipeline.parse.unreadable import first_bytes, first_line, unreadable
from utils.arrow import pa

_CELL_COST = 100
"""Bytes that a cell takes while it is held, about."""


class _Row(list[str]):
    """Cells that know their text, so that an error can show the line they came from."""

    sent: bytes = b""


def parse_csv_grid(request: ParseRequest) -> Parsed:
    """The tables of the text, stacked by name; every cell text, empty ones null.

    Raises:
        MemoryLimitExceeded: there are more cells than fit into `memory_limit`.
    """
    text = open_text(request)
    grid = _read(request, text)
    options = request.options
    try:
        tables = tables_in(grid, options.model_copy(update={"skip_rows": 0}))
    except NoHeader as error:
        raise unreadable(
            request,
            "no header line: the text ends before it",
            hint="check `parse.skip_rows` and `parse.header_row`",
        ) from error
    if options.transpose:
        _check_widths(request, text, without_footer(from_header(grid, options.header_row), options.footer_rows))
    notes = list(text.notes)
    return Parsed(_batches(request, text, tables, notes), notes, text=True)


def _read(request: ParseRequest, text: Text) -> list[_Row]:
    options = request.options
    stream = positioned(request, text)
    lines = lines_of(request, stream)
    head: list[bytes] = []
    for line in lines:
        head.append(line)
        if len(head) == 40 or sum(map(len, head)) > HEAD:
            break
    delimiter = delimiter_of(request, b"".join(head[max(options.header_row - 1, 0) :]))
    quote = (options.quote or "").encode()
    grid: list[_Row] = []
    cells = 0
    for record in records(_chained(head, lines), delimiter.encode(), quote):
        try:
            row = _Row(split(record, delimiter, options.quote))
        except ValueError as error:
            raise _bad_row(request, text, record, first_line(error)) from error
        row.sent = record
        cells += len(row)
        if cells > request.memory_limit // _CELL_COST:
            raise MemoryLimitExceeded(
                f"{request.dataset}: more than {cells - len(row):,} cells, which do not fit into app.memory_limit",
                hint="`transpose` and `repeated_header` hold the whole table; ask the provider for less at once",
            )
        grid.append(row)
        if options.transpose and len(grid) > MAX_COLUMNS + options.header_row + options.footer_rows:
            raise unreadable(
                request,
                f"transposed it has more than {MAX_COLUMNS:,} columns, which are refused",
                hint="check `parse.transpose`",
            )
    return grid


def _chained(head: list[bytes], lines: Iterator[bytes]) -> Iterator[bytes]:
    yield from head
    yield from lines


def _check_widths(request: ParseRequest, text: Text, rows: Any) -> None:
    """Rows that will be columns have one length."""
    filled = [row for row in rows if not is_blank(row)]
    for row in filled:
        if len(row) != len(filled[0]):
            raise _ragged(request, text, row, len(filled[0]))


def _batches(
    request: ParseRequest, text: Text, tables: list[GridTable], notes: list[str]
) -> "Iterator[pa.RecordBatch]":
    nulls = {"", *request.options.na_values}
    for table in tables:
        width = table.width
        if width > MAX_COLUMNS:
            raise unreadable(
                request,
                f"{width:,} columns; more than {MAX_COLUMNS:,} are refused",
                hint="check `parse.delimiter` and `parse.transpose`",
            )
        if table.header is None:
            names = [f"column_{number}" for number in range(1, width + 1)]
        else:
            names, renamed = unique_names(heading(cell) for cell in table.header[:width])
            notes += (note for note in renamed if note not in notes)
        if not request.options.transpose:
            expected = len(table.header if table.header is not None else table.rows[0] if table.rows else ())
            for row in table.rows:
                if len(row) != expected:
                    raise _ragged(request, text, row, expected)
        for start in range(0, len(table.rows) or 1, ROWS_PER_BATCH):
            rows = table.rows[start : start + ROWS_PER_BATCH]
            columns = [
                pa.array([None if row[at] is None or row[at] in nulls else row[at] for row in rows], pa.string())
                for at in range(width)
            ]
            if width:
                yield pa.RecordBatch.from_arrays(columns, names)
            else:
                yield pa.RecordBatch.from_pydict({"column_1": pa.nulls(0, pa.string())})


def _ragged(request: ParseRequest, text: Text, row: Any, expected: int) -> PayloadUnreadable:
    return _bad_row(request, text, row.sent, f"has {len(row)} cells, the header has {expected}")


def _bad_row(request: ParseRequest, text: Text, sent: bytes, what: str) -> PayloadUnreadable:
    lines = sent.decode("utf-8", "replace").splitlines() or [""]
    number = line_number(text, lines[0])
    where = f"line {number:,}" if number else "a row"
    return unreadable(
        request,
        f"{where} {what}: {first_bytes(sent)}",
        hint="check `parse.delimiter`, `parse.skip_rows` and `parse.header_row`, or whether the download was cut off",
    )
