"""Where the table is in rows of cells (of a CSV or a sheet): preamble, header, footer, missing values, number signs."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from data_pipeline.parse.grid import is_blank, is_empty

NOTHING = frozenset(
    {".", "..", "...", "-", "--", "---", "–", "n/a", "N/A", "NA", "#N/A", "n.a.", "null", "NULL", "None", "?", ":", "*"}
)
"""Texts that people write where there is no value; only taken for that in columns of numbers or dates."""

_NUMBER = re.compile(r"[+-]?(?:\d[\d.,'  ]*|[.,]\d+)(?:[eE][+-]?\d+)?%?")
_DATE = re.compile(
    r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[T ].*)?|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}.*|\d{4}-\d\d(?:-\d\d)?.*"
)
_COMMA_SURE = re.compile(r"[+-]?(?:\d+,(?:\d{1,2}|\d{4,})|\d{1,3}(?:[.  ']\d{3})+,\d+|0,\d+)")
_POINT_SURE = re.compile(r"[+-]?(?:\d+\.(?:\d{1,2}|\d{4,})|\d{1,3}(?:[,  ']\d{3})+\.\d+|0\.\d+)")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:([.,'  ])\d{3})(?:\1\d{3})*(?:[.,]\d+)?")
_TOTAL = re.compile(r"(?i)\s*(?:grand\s+)?(?:totals?|sum|summe|gesamt|insgesamt|toplam|genel toplam)\b.*")


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the rows are the table: its header (None: there is none) and the first and last row, from 0."""

    header: int | None
    first: int
    last: int
    width: int


def place_of(rows: Sequence[Sequence[Any]]) -> Place | None:
    """The longest run of rows that are as wide as each other; None: nothing is there.

    A row of other cells than numbers and dates at its beginning is its header.
    """
    widths = [0 if is_blank(row) else len(row) for row in rows]
    best = (0, 0, 0)
    start = 0
    while start < len(widths):
        width = widths[start]
        end = look = start
        # Blank rows between rows of the same width divide nothing, as long as what follows looks like the table.
        while look + 1 < len(widths) and widths[look + 1] in (width, 0):
            look += 1
            if widths[look] and (look == end + 1 or _alike(rows[look], rows[end])):
                end = look
        if width:
            filled = sum(1 for row in rows[start : end + 1] for cell in row if not is_empty(cell))
            best = max(best, (filled if width > 1 else (end - start + 1) // 2, start, end))
        start = end + 1
    score, start, end = best
    if not score:
        return None
    first = _last_heading(rows, _first_full(rows, start, end), end)
    width = len(rows[first])
    if not _is_header(rows, first, end):
        return Place(None, first, end, width)
    return Place(first, first + 1, end, width)


def footer_of(rows: Sequence[Sequence[Any]], place: Place) -> tuple[int, str]:
    """Rows that are dropped at the end, and why; the last row of the table may be a total."""
    last = place.last
    if last > place.first and not is_empty(rows[last][0]) and _TOTAL.fullmatch(str(rows[last][0])):
        return len(rows) - last, f"the last row is a total: {str(rows[last][0]).strip()[:30]!r}"
    behind = rows[last + 1 :]
    like_data = sum(sum(not is_empty(cell) for cell in row) > 1 for row in behind)
    if behind and not is_blank(behind[0]) and like_data > last - place.first + 1:
        return 0, ""  # no footer: a ragged table, of which more rows would be dropped than kept
    if last + 1 < len(rows):
        return len(rows) - last - 1, "what follows is not as wide as the table"
    return 0, ""


def header_repeats(rows: Sequence[Sequence[Any]], place: Place) -> bool:
    """Whether a row inside of the table begins like its header: tables below each other."""
    if place.header is None or is_empty(rows[place.header][0]):
        return False
    head = str(rows[place.header][0]).strip()
    return any(row and str(row[0]).strip() == head for row in rows[place.first : place.last + 1])


def ends_at_blank(rows: Sequence[Sequence[Any]], place: Place) -> bool:
    """Whether the first blank row below the header is the one behind the table, and something follows it."""
    behind = rows[place.last + 1 :]
    inside = rows[place.first : place.last + 1]
    return bool(behind) and is_blank(behind[0]) and not all(map(is_blank, behind)) and not any(map(is_blank, inside))


def missing_in(columns: Iterable[Sequence[str]]) -> list[str]:
    """The texts that stand for "no value" in columns of numbers or dates."""
    found: dict[str, None] = {}
    for cells in columns:
        texts = [cell.strip() for cell in cells if cell and not cell.isspace()]
        odd = {text for text in texts if text in NOTHING}
        rest = [text for text in texts if text not in NOTHING]
        if odd and rest and all(is_number(text) or is_date(text) for text in rest):
            found.update(dict.fromkeys(sorted(odd)))
    return list(found)


def number_signs(columns: Iterable[Sequence[str]]) -> tuple[str, str | None, str]:
    """Decimal sign, sign between thousands, and an example of what told it."""
    comma: list[str] = []
    point: list[str] = []
    groups: Counter[str] = Counter()
    example = ""
    for cells in columns:
        texts = [cell.strip() for cell in cells if cell and cell.strip() not in NOTHING and not cell.isspace()]
        if not texts or not all(is_number(text) for text in texts):
            continue
        comma += [text for text in texts if _COMMA_SURE.fullmatch(text)]
        point += [text for text in texts if _POINT_SURE.fullmatch(text)]
        for text in texts:
            if grouped := _GROUPED.fullmatch(text):
                groups[grouped[1]] += 1
                example = example or text
    decimal = "," if len(comma) > len(point) else "."
    # `1.234` alone is a fraction to most of the world; with a comma as the decimal sign it cannot be one.
    sign = next((sign for sign, _ in groups.most_common() if sign != decimal), None)
    if sign == "," and decimal == "." and not point and not _all_grouped(columns):
        sign = None
    sure = comma if decimal == "," else point
    return decimal, sign, (sure[0] if decimal == "," and sure else example)


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip()) is not None


def is_date(text: str) -> bool:
    return _DATE.fullmatch(text.strip()) is not None


def _all_grouped(columns: Iterable[Sequence[str]]) -> bool:
    """Whether `1,234` can only be a grouped number: one with two groups is there, or a smaller one without any."""
    for cells in columns:
        texts = [cell.strip() for cell in cells if cell and not cell.isspace()]
        if any(_GROUPED.fullmatch(text) for text in texts) and all(is_number(text) for text in texts):
            return any(text.count(",") > 1 or re.fullmatch(r"[+-]?\d{1,3}", text) for text in texts)
    return False


def _first_full(rows: Sequence[Sequence[Any]], start: int, end: int) -> int:
    """Titles above a table that is padded with empty cells are not its header."""
    filled = [sum(not is_empty(cell) for cell in row) for row in rows[start : end + 1]]
    usual = Counter(filled[-min(len(filled), 200) :]).most_common(1)[0][0]
    for offset, count in enumerate(filled[:50]):
        if count >= max(2, usual * 0.7) or count == len(rows[start]):
            return start + offset
    return start


def _alike(row: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether a row behind a blank one goes on with the table: as full, and figures where figures were."""
    figures = (_data_like(other) or 0) >= 0.3
    return _filled(row) * 2 > _filled(other) and (not figures or (_data_like(row) or 0) >= 0.3)


def _last_heading(rows: Sequence[Sequence[Any]], first: int, end: int) -> int:
    """Of several rows of words above rows of figures (title, unit, source, code) the last one names the columns."""
    head = range(first, min(first + 40, first + (end - first) // 2 + 1))
    shares = [_data_like(rows[at]) for at in head]
    below = [share for row in rows[head.stop : head.stop + 200] if (share := _data_like(row)) is not None]
    if len(below) < 3 or sorted(below)[len(below) // 2] < 0.7 or sorted(below)[len(below) // 10] < 0.4:
        return first
    words = [at for at, share in zip(head, shares, strict=True) if share is not None and share < 0.3]
    return words[-1] if words and _filled(rows[words[-1]]) * 2 > _filled(rows[first]) else first


def _data_like(row: Sequence[Any]) -> float | None:
    """Share of numbers and dates among the cells that hold something; None for a blank row."""
    cells = [cell for cell in row if not is_empty(cell) and not (isinstance(cell, str) and cell.strip() in NOTHING)]
    if not cells:
        return None
    return sum(not isinstance(cell, str) or is_number(cell) or is_date(cell) for cell in cells) / len(cells)


def _filled(row: Sequence[Any]) -> int:
    return sum(not is_empty(cell) for cell in row)


def _is_header(rows: Sequence[Sequence[Any]], first: int, end: int) -> bool:
    head = rows[first]
    if any(not isinstance(cell, str) and not is_empty(cell) for cell in head):
        # Only years above columns are numbers in a header.
        return isinstance(head[0], str) and all(isinstance(cell, str | int | float) for cell in head) and end > first
    texts = [str(cell) for cell in head if not is_empty(cell)]
    data_like = [is_number(text) or is_date(text) for text in texts]
    if not any(data_like):
        return True
    # Dates or years above columns, behind a name: a wide table.
    return not data_like[0] and len(set(texts)) == len(texts) and all(data_like[len(texts) // 2 :])
