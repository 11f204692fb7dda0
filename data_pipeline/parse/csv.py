"""Delimited text, streamed: every cell stays text here, types are found or declared later."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any

from data_pipeline.errors import PayloadUnreadable
from data_pipeline.parse.blanks import one_blank_each
from data_pipeline.parse.encoding import CHUNK, ChunkStream, Text, open_text
from data_pipeline.parse.grid import heading
from data_pipeline.parse.layout import table_lines
from data_pipeline.parse.names import unique_names
from data_pipeline.parse.parser import Parsed, ParseRequest
from data_pipeline.parse.sniff import HEAD, markup, sniff_delimiter
from data_pipeline.parse.stoppable import Stoppable
from data_pipeline.parse.unreadable import first_bytes, first_line, not_as_promised, unreadable
from utils.arrow import pa

BLOCK = 2**21
"""Bytes read at once."""

LONGEST_ROW = 64 * 2**20
"""Bytes a row may have; rows longer than a block make the reader start again with blocks of this size."""

LONGEST_HEADER = 2**20
"""Bytes that a header of several lines may have."""

MAX_COLUMNS = 10_000

SMALL = 64 * 2**10
"""Bytes below which text without quotes is split here: starting Arrow's reader would take longer than reading."""


def parse_csv(request: ParseRequest) -> Parsed:
    """Rows of `delimiter`-separated text, all columns utf8; empty cells (quoted or not) and `na_values` are null.

    Blank lines are skipped. A row with another number of cells than the header is an error, never padded: it is how
    a download that was cut off looks.
    """
    if request.options.transpose or request.options.repeated_header:
        from data_pipeline.parse.csv_grid import parse_csv_grid

        return parse_csv_grid(request)
    text = open_text(request)
    start = _begin(request, text)
    table = _Table(request, text, start.names, start.delimiter)
    return Parsed(table.rows(start), [*text.notes, *start.notes], text=True)


@dataclass(frozen=True, slots=True)
class _Start:
    """What is known once the header is read. `first`: the record that was no header; `stream`: what comes after it."""

    names: list[str]
    notes: list[str]
    delimiter: str
    first: bytes
    stream: Any


def _begin(request: ParseRequest, text: Text) -> _Start:
    stream = positioned(request, text, request.options.header_row - 1)
    delimiter = delimiter_of(request, _peek(stream))
    names, notes, first = _header(request, stream, delimiter)
    options = request.options
    if options.footer_rows or options.stop_at_blank:
        lines = (line for line in chain(first.splitlines(keepends=True), lines_of(request, stream)) if line)
        kept = table_lines(lines, options, delimiter)
        first, stream = b"", _as_stream(kept, whole=text.data is not None)
    return _Start(names, notes, delimiter, first, stream)


def positioned(request: ParseRequest, text: Text, more: int = 0) -> Any:
    """The stream without `skip_rows`, comments and `more` lines after them; line ends of old Macs are new ones.

    Where blanks divide the cells, each run of them is one.
    """
    options = request.options
    if text.data is not None:
        data = text.data
        _refuse_other_kinds(request, data[:HEAD])
        if b"\r" in data and b"\n" not in data:
            data = data.replace(b"\r", b"\n")  # files of old Macs
        stream: Any = io.BytesIO(data)
    else:
        stream = text.open()
        _refuse_other_kinds(request, stream.peek(HEAD)[:HEAD])
    for _ in range(options.skip_rows):
        _line(request, stream)
    if options.comment:
        lines = _without_comments(request, stream, options.comment.encode(), (options.quote or "").encode())
        stream = _as_stream(lines, whole=text.data is not None)
    if options.delimiter == " ":
        lines = one_blank_each(lines_of(request, stream), (options.quote or "").encode())
        stream = _as_stream(lines, whole=text.data is not None)
    for _ in range(more):
        _line(request, stream)
    return stream


def _as_stream(lines: Iterator[bytes], *, whole: bool) -> Any:
    # What was small stays one piece of memory, which Arrow reads without asking Python for every block.
    return io.BytesIO(b"".join(lines)) if whole else io.BufferedReader(ChunkStream(lines), CHUNK)


def _refuse_other_kinds(request: ParseRequest, head: bytes) -> None:
    delimiter = request.options.delimiter
    expected = f"`{delimiter}`-separated text" if delimiter != "auto" else "delimited text"
    other = markup(head)
    if other is None and b"\x00" in head:
        other = "binary"
    if other is not None or not head.strip():
        raise not_as_promised(request, expected, other or "nothing", head)


def _peek(stream: Any) -> bytes:
    if isinstance(stream, io.BytesIO):
        at = stream.tell()
        head = stream.read(HEAD)
        stream.seek(at)
        return head
    head = stream.peek(HEAD)[:HEAD]
    return bytes(head)


def delimiter_of(request: ParseRequest, head: bytes) -> str:
    if request.options.delimiter != "auto":
        return request.options.delimiter
    return sniff_delimiter(head[:16_384].decode("utf-8", "replace").split("\n", 40)[:40], request.options.quote)


def _header(request: ParseRequest, stream: Any, delimiter: str) -> tuple[list[str], list[str], bytes]:
    """Names, notes, and the bytes of the first record when it is a row and no header."""
    quote = (request.options.quote or "").encode()
    record = b""
    while not record.strip():
        record = _line(request, stream)
        if not record:
            raise unreadable(
                request,
                "no header line: the text ends before it",
                hint="check `parse.skip_rows` and `parse.header_row`",
            )
    lines, length = [record], len(record)
    inside = bool(quote) and record.count(quote) % 2 == 1
    while inside:
        more = _line(request, stream)
        lines.append(more)
        length += len(more)
        if not more or length > LONGEST_HEADER:
            raise unreadable(
                request,
                f"the header has a quote that is never closed: {first_bytes(record)}",
                hint="check `parse.quote`",
            )
        inside = more.count(quote) % 2 == 0
    record = b"".join(lines)
    sent = record.decode("utf-8", "replace")
    quoting: dict[str, Any] = (
        {"quotechar": request.options.quote} if request.options.quote else {"quoting": csv.QUOTE_NONE}
    )
    try:
        cells = next(csv.reader(io.StringIO(sent, newline=""), delimiter=delimiter, **quoting), [])
    except csv.Error as error:
        raise unreadable(request, f"the header cannot be read: {error}", hint="check `parse.delimiter`") from error
    if len(cells) > MAX_COLUMNS:
        raise unreadable(
            request, f"{len(cells):,} columns; more than {MAX_COLUMNS:,} are refused", hint="check `parse.delimiter`"
        )
    if request.options.header_row == 0:
        return [f"column_{number}" for number in range(1, len(cells) + 1)], [], record
    names, notes = unique_names(heading(cell) if "\n" in cell or "\r" in cell else cell for cell in cells)
    return names, notes, b""


@dataclass(frozen=True, slots=True)
class _Table:
    """What is known once the header is read."""

    request: ParseRequest
    text: Text
    names: list[str]
    delimiter: str

    def rows(self, start: _Start) -> Iterator["pa.RecordBatch"]:
        """All rows: the record that was no header, and what the stream still holds."""
        stream, first = start.stream, start.first
        quote = (self.request.options.quote or "").encode()
        if isinstance(stream, io.BytesIO):
            data = first + stream.read()
            if len(data) <= SMALL and not (quote and quote in data):
                yield self._split(data.decode())
                return
            if quote and self._ends_inside_quotes(data, quote):
                raise unreadable(
                    self.request,
                    f"the last quote is never closed: {first_bytes(data[data.rindex(quote) :])}",
                    hint="check `parse.quote`, or whether the download was cut off",
                )
        given = 0
        for block in (BLOCK, LONGEST_ROW):
            held = isinstance(stream, io.BytesIO)
            sent = Stoppable(stream if held else _prepend(first, stream))
            reader = None
            bad: list[Any] = []
            whole = False
            skip = given  # rows that the first reader gave before it met a row too long for it
            try:
                # Closed at once when the caller stops early: its threads would still be reading from the stream.
                with self._open(data if held else None, sent, block, bad) as reader:
                    for batch in reader:
                        fresh = batch.slice(min(skip, batch.num_rows))
                        skip -= batch.num_rows - fresh.num_rows
                        given += fresh.num_rows
                        if fresh.num_rows:
                            yield fresh
                whole = True
                break
            except pa.ArrowInvalid as error:
                if "Empty CSV file" in str(error):
                    break
                if "straddling" not in str(error) or block == LONGEST_ROW:
                    raise self._explained(error, bad[0] if bad else None) from error
            finally:
                reader = None  # or it would keep what Arrow has to give back
                sent.stop(whole=whole)
            if not isinstance(stream, io.BytesIO):
                again = _begin(self.request, self.text)
                stream, first = again.stream, again.first
        if not given:
            schema = pa.schema([(name, pa.string()) for name in self.names])
            yield pa.RecordBatch.from_pylist([], schema=schema)

    def _open(self, held: bytes | None, sent: Stoppable, block: int, bad: list[Any]) -> "pa.RecordBatchReader":
        from pyarrow import csv as arrow_csv

        def noting() -> Callable[[Any], str]:
            def on_bad_row(row: Any) -> str:
                if not row.text.strip():
                    return "skip"  # a line of blanks is a blank line
                bad.append(row)
                return "error"

            return on_bad_row

        options = self.request.options
        reader: pa.RecordBatchReader = arrow_csv.open_csv(
            sent.lent() if held is None else pa.BufferReader(held),
            read_options=arrow_csv.ReadOptions(column_names=self.names, block_size=block),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self.delimiter,
                quote_char=options.quote or False,
                newlines_in_values=options.quote is not None,
                invalid_row_handler=sent.lend(noting()),
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(self.names, pa.string()),
                strings_can_be_null=True,
                null_values=["", *options.na_values],
            ),
        )
        return reader

    def _split(self, data: str) -> "pa.RecordBatch":
        """The same rows as Arrow's reader gives, for text that needs no unquoting."""
        if "\r" in data:
            data = data.replace("\r\n", "\n").replace("\r", "\n")
        width, delimiter = len(self.names), self.delimiter
        rows = []
        for line in data.split("\n"):
            row = line.split(delimiter)
            if len(row) == width and line:
                rows.append(row)
            elif line.strip():
                raise self._ragged(line, len(row))
        nulls = {"", *self.request.options.na_values}
        kind = pa.string()
        cells: list[Sequence[str | None]] = [
            column if nulls.isdisjoint(column) else [None if cell in nulls else cell for cell in column]
            for column in zip(*rows, strict=True)
        ]
        arrays = [pa.array(column, kind) for column in cells or [[] for _ in self.names]]
        return pa.RecordBatch.from_arrays(arrays, self.names)

    def _ends_inside_quotes(self, data: bytes, quote: bytes) -> bool:
        """The last quote opens a cell. Quotes in the middle of a cell (5" pipe) are text and may be odd."""
        last = data.rfind(quote)
        opens = last == 0 or data[last - 1 : last] in {b"\n", b"\r", self.delimiter.encode()}
        return opens and data.count(quote) % 2 == 1

    def _explained(self, error: Exception, bad: Any) -> PayloadUnreadable:
        if bad is not None:
            return self._ragged(bad.text, bad.actual_columns)
        if "straddling" in str(error):
            what = f"a row is longer than {LONGEST_ROW:,} bytes, or a quote is never closed"
            return unreadable(self.request, what, hint="check `parse.quote`")
        return unreadable(self.request, f"not readable as delimited text: {first_line(error)}")

    def _ragged(self, row: str, cells: int) -> PayloadUnreadable:
        number = line_number(self.text, row.split("\n", 1)[0].rstrip("\r"))
        where = f"line {number:,}" if number else "a row"
        quote = self.request.options.quote
        advice = (
            "check `parse.delimiter`, `parse.skip_rows` and `parse.header_row`, or whether the download was cut off"
        )
        if quote and row.count(quote) % 2:
            advice = "a quote is never closed: " + advice
        shown = first_bytes(row.encode("utf-8", "replace"))
        return unreadable(
            self.request, f"{where} has {cells} cells, the header has {len(self.names)}: {shown}", hint=advice
        )


def line_number(text: Text, wanted: str) -> int | None:
    """Where the line stands in the text as sent; only for the error message, so it may search."""
    with text.open() as stream:
        encoded = wanted.encode("utf-8", "replace")
        for number, line in enumerate(stream, start=1):
            if line.rstrip(b"\r\n") == encoded:
                return number
            if number > 5_000_000:
                break
    return None


def lines_of(request: ParseRequest, stream: Any) -> Iterator[bytes]:
    """The lines that the stream still holds, with their ends."""
    while line := _line(request, stream):
        yield line


def _line(request: ParseRequest, stream: Any) -> bytes:
    line: bytes = stream.readline(LONGEST_ROW)
    if len(line) >= LONGEST_ROW and not line.endswith(b"\n"):
        raise unreadable(request, f"a line is longer than {LONGEST_ROW:,} bytes", hint="check `parse.format`")
    return line


def _without_comments(request: ParseRequest, stream: IO[bytes], comment: bytes, quote: bytes) -> Iterator[bytes]:
    inside = False  # a line of a quoted cell may start like a comment
    for line in lines_of(request, stream):
        if not inside and line.startswith(comment):
            continue
        if quote and line.count(quote) % 2:
            inside = not inside
        yield line


def _prepend(first: bytes, stream: IO[bytes]) -> IO[bytes]:
    if not first:
        return stream

    def chunks() -> Iterator[bytes]:
        yield first
        while chunk := stream.read(CHUNK):
            yield chunk

    return io.BufferedReader(ChunkStream(chunks()), CHUNK)
