"""How delimited text is laid out: its delimiter, what stands above and below the table, its number signs."""

import csv
import io
from collections.abc import Sequence

from data_pipeline.discover.findings import Finding, Layout
from data_pipeline.discover.table import (
    Place,
    ends_at_blank,
    footer_of,
    header_repeats,
    missing_in,
    number_signs,
    place_of,
)
from data_pipeline.parse.grid import is_blank

_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LOOKED_AT = 4 * 2**20
"""Characters that are looked at; what stands below a longer text is not seen."""


def delimited(text: str, *, whole: bool) -> Layout:
    """The keys of `parse` for a text. `whole`: it ends where the file ends, so its footer can be seen."""
    found = Layout()
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    best = max((_table(text, sign) for sign in _NAMES), key=lambda table: table.score)
    place, rows = best.place, best.rows
    if place is None:
        return found
    found.parse.append(Finding("format", "csv"))
    if place.width > 1:
        found.parse.append(Finding("delimiter", best.sign, f"{place.width} columns between {_NAMES[best.sign]}"))
    _above(found, best, text)
    if place.header is None:
        found.parse.append(Finding("header_row", 0, "the first row looks like data; name the columns in `columns`"))
    if whole:
        _below(found, best)
    columns = _columns(rows, place, best.footer if whole else 0)
    if missing := missing_in(columns):
        found.parse.append(Finding("na_values", missing, "stand in columns of numbers or dates"))
    decimal, thousands, example = number_signs(columns)
    if decimal == ",":
        found.parse.append(Finding("decimal", ",", f"such as {example}"))
    if thousands:
        found.parse.append(Finding("thousands", thousands, f"such as {example}"))
    return found


class _Table:
    """A text cut at one sign. `lines[i]`: the line (from 1) on which row i ends."""

    def __init__(self, sign: str, rows: list[list[str]], lines: list[int]) -> None:
        self.sign, self.rows, self.lines = sign, rows, lines
        self.place = place_of(rows)
        self.footer = 0 if self.place is None else footer_of(rows, self.place)[0]

    @property
    def score(self) -> tuple[float, int]:
        """How much of the text the table takes up, then how wide it is."""
        if self.place is None or self.place.width < 2:
            return (0.0, 0)
        filled = sum(1 for row in self.rows if not is_blank(row))
        start = self.place.first if self.place.header is None else self.place.header
        return (round((self.place.last - start + 1) / filled, 1), self.place.width)


def _table(text: str, sign: str) -> _Table:
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
    try:
        for row in reader:
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error:
        pass  # a cell longer than the module takes: what came before tells enough
    return _Table(sign, rows, lines)


def _above(found: Layout, table: _Table, text: str) -> None:
    place = table.place
    assert place is not None, "looked at before"
    start = place.header if place.header is not None else place.first
    if not start:
        return
    skipped = table.lines[start - 1]
    above = text.split("\n", skipped)[:skipped]
    if all(not line.strip() for line in above):
        return  # blank lines are passed over anyway
    if all(line.startswith("#") or not line.strip() for line in above):
        found.parse.append(Finding("comment", "#", f"{skipped} lines above the table begin with it"))
        return
    first = next(line.strip() for line in above if line.strip())
    found.parse.append(Finding("skip_rows", skipped, f"lines above the header, the first is {first[:40]!r}"))


def _below(found: Layout, table: _Table) -> None:
    place = table.place
    assert place is not None, "looked at before"
    if header_repeats(table.rows, place):
        found.parse.append(Finding("repeated_header", True, "tables stand below each other, each with its header"))
        return
    count, why = footer_of(table.rows, place)
    rest = table.rows[place.last + 1 :]
    if ends_at_blank(table.rows, place) and count == len(rest):
        found.parse.append(Finding("stop_at_blank", True, "other text follows behind a blank line"))
    elif count and (count > len(rest) or not all(map(is_blank, rest))):
        lines = table.lines[-1] - table.lines[len(table.rows) - count - 1]
        found.parse.append(Finding("footer_rows", lines, why))


def _columns(rows: Sequence[Sequence[str]], place: Place, footer: int) -> list[list[str]]:
    last = min(place.last, len(rows) - footer - 1)
    table = [row for row in rows[place.first : last + 1] if len(row) == place.width]
    return [[row[index] for row in table] for index in range(place.width)]
