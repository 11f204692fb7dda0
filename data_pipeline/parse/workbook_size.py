"""How large a workbook becomes when it is opened, found before it is opened.

A sheet is laid out in full from its first cell to its last one, so two cells far apart are a bomb of a few hundred
bytes, beside the usual one of a zip that grows without end.
"""

import io
import re
import zipfile
import zlib
from typing import IO, Any

from data_pipeline.errors import MemoryLimitExceeded
from data_pipeline.parse.parser import ParseRequest
from data_pipeline.parse.unreadable import first_line, unreadable
from data_pipeline.parse.workbook_strings import weight_of_long_texts

CELL_COST = 100
"""Bytes of `memory_limit` that a cell is taken for: 32 once laid out, the rest as a Python object."""

TEXT_COST = 4
"""How often a text is held on its way from the sheet to its column."""

MAX_RATIO = 200
"""How much larger than sent a workbook may become; honest ones seldom pass 30."""

_RATIO_FREE = 16 * 2**20
_CHUNK = 2**20
_COLUMN = re.compile(rb'<(?:\w+:)?c r="([A-Z]{1,3})[0-9]')
_ROW = re.compile(rb'<(?:\w+:)?row\s[^>]{0,200}?r="([0-9]{1,9})"')
_PLACED = re.compile(rb"<(?:\w+:)?c[ >/]")
_TABLE_ROW, _REPEAT = "table-row", "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}number-%s-repeated"


def check_size(request: ParseRequest, data: bytes) -> None:
    """Nothing, when the workbook can be opened within `max_size` and `memory_limit`.

    Raises:
        PayloadUnreadable: the zip is damaged or grows too large.
        MemoryLimitExceeded: a sheet has too many cells.
    """
    if not data.startswith(b"PK"):
        return  # .xls: at most 65,536 rows of 256 cells, each of them written out
    most = request.memory_limit // CELL_COST
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_growth(request, archive.infolist(), len(data))
            _check_texts(request, archive)
            for member in archive.infolist():
                name = member.filename.lstrip("/").lower()
                if not re.fullmatch(r"content\.xml|xl/worksheets/[^/]+\.(xml|bin)", name):
                    continue
                rows, width = _extent(archive, member, name, most)
                if rows * width > most:
                    raise MemoryLimitExceeded(
                        f"{request.dataset}: a sheet of {rows:,} rows and {width:,} columns does not fit into "
                        "app.memory_limit",
                        hint="ask the provider for CSV or Parquet, which are read in parts",
                    )
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise unreadable(
            request,
            f"the workbook is damaged or cut off: {first_line(error)}",
            hint="collect it again; check `parse.format`",
        ) from error


def _check_growth(request: ParseRequest, members: list[zipfile.ZipInfo], sent: int) -> None:
    total = sum(member.file_size for member in members)
    if total > request.max_size:
        raise unreadable(
            request,
            f"the workbook unpacks to {total:,} bytes, more than {request.max_size:,}",
            hint="ask the provider for less at once, or raise `max_size`",
        )
    if total > _RATIO_FREE and total > MAX_RATIO * sent:
        raise unreadable(
            request,
            f"the workbook grows to more than {MAX_RATIO} times its {sent:,} bytes; refused as a bomb",
            hint="look at what the provider sends",
        )
    if total > request.memory_limit:
        raise MemoryLimitExceeded(
            f"{request.dataset}: a workbook of {total:,} bytes, unpacked, does not fit into app.memory_limit",
            hint="ask the provider for CSV or Parquet, which are read in parts",
        )


def _check_texts(request: ParseRequest, archive: zipfile.ZipFile) -> None:
    weight = weight_of_long_texts(archive)
    if weight * TEXT_COST > request.memory_limit:
        raise MemoryLimitExceeded(
            f"{request.dataset}: the long texts of the workbook are repeated to {weight:,} bytes, which do not "
            "fit into app.memory_limit",
            hint="ask the provider for CSV or Parquet, which are read in parts",
        )


def _extent(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, most: int) -> tuple[int, int]:
    """Rows and columns up to the last filled cell, or a little more when that is little enough."""
    with archive.open(member) as stream:
        if name.endswith(".bin"):
            return _extent_of_records(stream)
        if name.startswith("xl/") and (quick := _extent_of_places(stream)) is not None and quick[0] * quick[1] <= most:
            return quick
    with archive.open(member) as stream:
        return _extent_of_elements(stream, _TABLE_ROW if name == "content.xml" else "row")


def _extent_of_places(stream: IO[bytes]) -> tuple[int, int] | None:
    """From the places that cells are said to stand at, filled or not; None when one has no place."""
    rows, columns, tail = 0, {b"A"}, b""
    while chunk := stream.read(_CHUNK):
        # What is cut in two at the end of a chunk is read with the next one.
        cut = chunk.rfind(b"<") if b"<" in chunk else 0
        text, tail = tail + chunk[:cut], chunk[cut:]
        found = _COLUMN.findall(text)
        if len(found) < len(_PLACED.findall(text)):
            return None
        columns.update(found)
        rows = max(rows, *map(int, _ROW.findall(text)), 0)
    return rows, max(map(_number_of, columns))


def _number_of(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _extent_of_elements(stream: IO[bytes], row_tag: str) -> tuple[int, int]:
    """Exactly: repeated rows and cells of OpenDocument, and cells that only follow each other, count too."""
    from lxml import etree

    rows = last = width = 0
    try:
        for _, row in etree.iterparse(stream, tag=f"{{*}}{row_tag}", resolve_entities=False, huge_tree=True):
            repeat = int(row.get(_REPEAT % "rows", "1"))
            rows = int(row.get("r", rows + 1)) if row_tag == "row" else rows + repeat
            filled = _width_of(row)
            if filled:
                last, width = rows, max(width, filled)
            row.clear()
            while row.getprevious() is not None:
                del row.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise ValueError(first_line(error)) from error
    return last, width


def _width_of(row: Any) -> int:
    at = filled = 0
    for cell in row:
        place = cell.get("r", "").rstrip("0123456789")
        at = _number_of(place.encode()) if place.isalpha() else at + int(cell.get(_REPEAT % "columns", "1"))
        if len(cell):
            filled = max(filled, at)
    return filled


def _extent_of_records(stream: IO[bytes]) -> tuple[int, int]:
    """Of the records of .xlsb ([MS-XLSB] 2.1.4): 0 is a row, 2 to 11 are cells that hold something."""
    data = stream.read()
    at = row = last = width = 0
    while at + 1 < len(data):
        kind, at = _packed(data, at, 2)
        size, at = _packed(data, at, 4)
        if kind <= 11 and size >= 4:
            number = int.from_bytes(data[at : at + 4], "little") + 1
            if kind == 0:
                row = number
            elif kind > 1:
                last, width = max(last, row), max(width, number)
        at += size
    return last, width


def _packed(data: bytes, at: int, longest: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    number = 0
    for index in range(longest):
        byte = data[at + index] if at + index < len(data) else 0
        number |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return number, at + index + 1
    return number, at + longest
