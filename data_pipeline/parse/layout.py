"""Where a table of delimited text ends: the footer's rows, or the first blank one. Line by line, nothing is held."""

import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator

from data_pipeline.parse.options import ParseOptions


def table_lines(lines: Iterable[bytes], options: ParseOptions, delimiter: str) -> Iterator[bytes]:
    """Records from the first row on, without `footer_rows` (blank lines count) and what `stop_at_blank` cuts off."""
    quote = (options.quote or "").encode()
    found = records(lines, delimiter.encode(), quote)
    if options.footer_rows:
        found = _without_last(found, options.footer_rows)
    for record in found:
        if options.stop_at_blank and _is_blank(record, delimiter, options.quote):
            return
        yield record


def _is_blank(record: bytes, delimiter: str, quote: str | None) -> bool:
    if record.strip(b" \t\r\n" + delimiter.encode() + (quote or "").encode()):
        return False
    cells = split(record, delimiter, quote)
    return not any(cell.strip() for cell in cells)


def split(record: bytes, delimiter: str, quote: str | None) -> list[str]:
    """The cells of one record.

    Raises:
        ValueError: a cell is longer than Python's reader takes (131,072 characters), or it is not UTF-8.
    """
    text = record.decode()
    if quote is None or quote not in text:
        text = text.rstrip("\r\n")
        return text.split(delimiter) if text else []
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote)
        return [cell for row in rows for cell in row]
    except csv.Error as error:
        raise ValueError(str(error)) from error


def records(lines: Iterable[bytes], delimiter: bytes, quote: bytes) -> Iterator[bytes]:
    """Lines, joined where a quoted cell goes on in the next one."""
    if not quote:
        yield from lines
        return
    held: list[bytes] = []
    inside = False
    for line in lines:
        if quote in line:
            inside = _ends_inside(line, delimiter, quote, inside=inside)
        if inside:
            held.append(line)
        elif held:
            yield b"".join((*held, line))
            held = []
        else:
            yield line
    if held:
        yield b"".join(held)


def _ends_inside(line: bytes, delimiter: bytes, quote: bytes, *, inside: bool) -> bool:
    """Whether a quoted cell is open at the end. A quote opens only at the start of a cell: `5" pipe` is text."""
    at = 0
    while at < len(line):
        if inside:
            at = line.find(quote, at)
            if at < 0:
                return True
            doubled = line[at + 1 : at + 2] == quote
            inside = doubled
            at += 2 if doubled else 1
            continue
        if line[at : at + 1] == quote:
            inside, at = True, at + 1
            continue
        following = line.find(delimiter, at)
        if following < 0:
            return False
        at = following + 1
    return inside


def _without_last(found: Iterator[bytes], count: int) -> Iterator[bytes]:
    held: deque[bytes] = deque()
    for record in found:
        held.append(record)
        if len(held) > count:
            yield held.popleft()
