"""What a payload is, told from its first bytes; name and media type only break ties."""

import json
import re
from typing import Final

HEAD: Final = 65_536
"""Bytes of a payload that sniffing looks at."""

_MAGIC = (
    (b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "excel"),
)  # fmt: skip
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
# A local header has 30 bytes, then the member's name. OpenDocument's first member says what the file is.
_WORKBOOK_MEMBER = re.compile(
    rb"PK\x03\x04[\s\S]{26}(?:xl/|mimetypeapplication/vnd\.oasis\.opendocument\.spreadsheet)", re.IGNORECASE
)
_WORKBOOK_NAMES = (".xlsx", ".xlsm", ".xlsb", ".ods", ".xls")
_WORKBOOK_TYPES = ("spreadsheetml", "ms-excel", "opendocument.spreadsheet")
_SAMPLE = re.compile(
    rb"[a-zA-Z_:][\w:]*(\{[^\n]*\})?[ \t]+[+-]?(?:[0-9.]+(?:[eE][+-]?[0-9]+)?|Inf|NaN)([ \t]+-?[0-9.]+)?\s*"
)
_DELIMITERS = (",", ";", "\t", "|")
_BOM = b"\xef\xbb\xbf"


def detect_format(head: bytes, name: str = "", media_type: str = "") -> str:
    """`csv json jsonl parquet arrow xml html excel zip prometheus`, or `binary` for what is none of them.

    Args:
        head: The first bytes, decompressed and in UTF-8 if text.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(_ZIP):
        return "excel" if _is_workbook(head, name, media_type) else "zip"
    text = head.removeprefix(_BOM).lstrip()
    if text.startswith(b"<"):
        return markup(text) or "csv"
    if b"\x00" in head:
        return "binary"
    if text[:1] in {b"{", b"["}:
        return _json_kind(text, name, media_type)
    if _is_prometheus(text, name, media_type):
        return "prometheus"
    if not text:
        return _promised(name, media_type)
    return "jsonl" if _promised(name, media_type) == "jsonl" else "csv"


def markup(head: bytes) -> str | None:
    """`html` or `xml` when the text starts like it, else `None`."""
    text = head.removeprefix(_BOM).lstrip()[:4096].lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "html"
    if text.startswith((b"<?xml", b"<!doctype", b"<!--")):
        return "html" if b"<html" in text else "xml"
    return "xml" if text.startswith(b"<") and b"</" in text else None


def _is_workbook(head: bytes, name: str, media_type: str) -> bool:
    """The directory of a zip stands at its end, so the first bytes show some of its members only."""
    if _WORKBOOK_MEMBER.search(head):
        return True
    return name.lower().endswith(_WORKBOOK_NAMES) or any(kind in media_type for kind in _WORKBOOK_TYPES)


def _is_prometheus(text: bytes, name: str, media_type: str) -> bool:
    if text.startswith((b"# HELP ", b"# TYPE ", b"# UNIT ", b"# EOF")):
        return True
    if b"openmetrics" in media_type.encode() or (text and name.lower().endswith(".prom")):
        return True
    lines = [line for line in text.split(b"\n", 40)[:-1][:39] if line.strip()]
    samples = [line for line in lines if not line.startswith(b"#")]
    if any(line.startswith((b"# HELP ", b"# TYPE ")) for line in lines):
        return all(map(_SAMPLE.fullmatch, samples))
    # Without a word of comment, `name number` may be anything; labels in braces are seldom something else.
    matches = [match for match in map(_SAMPLE.fullmatch, samples[:5]) if match]
    return bool(matches) and len(matches) == len(samples[:5]) and (len(matches) > 1 or bool(matches[0][1]))


def sniff_delimiter(lines: list[str], quote: str | None = '"') -> str:
    """The sign that cuts most lines into the same number (> 1) of cells; a comma when none does."""
    lines = [line for line in lines if line.strip()][:40]
    best, best_score = ",", (0.0, 0)
    for sign in _DELIMITERS:
        # The header decides how many there should be; prose with commas differs from line to line.
        wanted = _count(lines[0], sign, quote) if lines else 0
        if not wanted:
            continue
        score = (sum(_count(line, sign, quote) == wanted for line in lines) / len(lines), wanted)
        if score > best_score:
            best, best_score = sign, score
    return best


def _count(line: str, sign: str, quote: str | None) -> int:
    if quote and quote in line:
        # Every second piece between quotes is inside them.
        return sum(piece.count(sign) for piece in line.split(quote)[::2])
    return line.count(sign)


def _json_kind(text: bytes, name: str, media_type: str) -> str:
    first, newline, rest = text.partition(b"\n")
    if not newline or not rest.strip():
        # One line: an object alone is the same row either way, so only the promise can tell.
        return "jsonl" if text[:1] == b"{" and _promised(name, media_type) == "jsonl" else "json"
    if text[:1] != rest.lstrip()[:1] or text[:1] == b"[":
        return "json"
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return "json"
    return "jsonl"


def _promised(name: str, media_type: str) -> str:
    lowered = name.lower().removesuffix(".gz").removesuffix(".zst").removesuffix(".bz2")
    kind = media_type.partition(";")[0].strip().lower()
    if lowered.endswith((".jsonl", ".ndjson")) or kind in {"application/x-ndjson", "application/jsonl"}:
        return "jsonl"
    if lowered.endswith((".json", ".geojson")) or kind.endswith(("/json", "+json")):
        return "json"
    return "csv"
