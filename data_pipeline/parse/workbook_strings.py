"""What the texts of a workbook weigh once every cell has its own copy: .xlsx stores a text once and names it often."""

import re
import zipfile

LONG = 1_000
"""Bytes from which a text is worth counting; what is shorter a cell is taken for anyway."""

_CHUNK = 2**20
_END = re.compile(rb"</(?:\w+:)?si>|<(?:\w+:)?si\s*/>")
_USE = re.compile(rb'\st="s"[^>]{0,200}>\s*<(?:\w+:)?v>([0-9]{1,9})<')


def weight_of_long_texts(archive: zipfile.ZipFile) -> int:
    """Bytes of all cells that hold a long shared text; 0 when the workbook has none.

    Raises:
        BadZipFile, zlib.error: the archive is damaged.
    """
    names = {member.filename.lstrip("/").lower(): member for member in archive.infolist()}
    shared = names.get("xl/sharedstrings.xml")
    if shared is None:
        return 0
    sizes = {at: len(text) for at, text in enumerate(_END.split(archive.read(shared))) if len(text) > LONG}
    if not sizes:
        return 0
    sheets = [member for name, member in names.items() if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name)]
    return sum(_weight(archive, sheet, sizes) for sheet in sheets)


def _weight(archive: zipfile.ZipFile, sheet: zipfile.ZipInfo, sizes: dict[int, int]) -> int:
    total, tail = 0, b""
    with archive.open(sheet) as stream:
        while chunk := stream.read(_CHUNK):
            text = tail + chunk
            # A cell that is cut in two at the end of a chunk is read with the next one.
            cut = max(text.rfind(b"<c "), text.rfind(b":c "), 0)
            tail = text[cut:]
            total += sum(sizes.get(int(found), 0) for found in _USE.findall(text, 0, cut))
    return total + sum(sizes.get(int(found), 0) for found in _USE.findall(tail))
