"""What the columns hold that the parser could not tell by itself: dates in other forms, moments counted in seconds,
numbers sent as text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from data_pipeline.discover.table import NOTHING

MOST_CELLS = 20_000
TIME_NAME = re.compile(
    r"(?i).*(?:time|date|datum|tarih|stamp|created|updated|modified|published|expires?|epoch|since|until|_at|_on|day|"
    r"observed|issued|recorded)(?:_?(?:ms|s|utc|at))?|(?:.*[._ ])?(?:at|ts|dt|t)|.*[a-z](?-i:At|On)"
)
_SECONDS = (315_532_800, 4_102_444_800)
"""1980 to 2100."""
_UNITS = (
    ("epoch_s", "seconds", 1),
    ("epoch_ms", "milliseconds", 10**3),
    ("epoch_us", "microseconds", 10**6),
    ("epoch_ns", "nanoseconds", 10**9),
)

_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DAYS = (
    *("%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d", "%Y.%m.%d", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%d/%b/%Y"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%Y%m%d", "%Y-%b-%d"),
)
_EITHER = (("%d/%m/%Y", "%m/%d/%Y"), ("%d-%m-%Y", "%m-%d-%Y"), ("%d/%m/%y", "%m/%d/%y"))
_MAIL = ("%a, %d %b %Y %H:%M:%S %z", "%d %b %Y %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S UTC")
_OTHER = (*_MAIL, "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %z %Y", "%Y-%m", "%Y%m%d%H%M%S", "%Y%m%dT%H%M%SZ")
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_WHOLE, _FRACTION = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})"), re.compile(r"[+-]?(?:0|[1-9]\d*)?\.?\d+(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Typed:
    """What a column should be declared as, and why. `source`: where it comes from, when it is not there by itself."""

    type: str
    format: str = ""
    why: str = ""
    source: str = ""

    def block(self) -> Any:
        keys = {"from": self.source, "type": self.type, "format": self.format}
        given = {key: value for key, value in keys.items() if value}
        return self.type if set(given) == {"type"} else given


def typed(name: str, values: Sequence[Any], *, decimal: str = ".", thousands: str | None = None) -> Typed | None:
    """What to declare for a column of texts or integers; None: it is right as it is."""
    present = [value for value in values[:MOST_CELLS] if value is not None]
    if present and all(type(value) is int for value in present):
        return _counted(name, present)
    if not present or not all(isinstance(value, str) for value in present):
        return None
    texts = [text for value in present if (text := value.strip()) and text not in NOTHING]
    return _moments(texts, decimal) or _numbers(texts, decimal, thousands) if texts else None


def _counted(name: str, values: list[int]) -> Typed | None:
    least, most = _SECONDS
    named = TIME_NAME.fullmatch(name) is not None
    for unit, word, factor in _UNITS:
        if named and all(least * factor <= value <= most * factor for value in values):
            return Typed("timestamp", unit, f"{word} since 1970, by name and size")
    days = [str(value) for value in values]
    if (named or len(set(days)) >= 10) and all(len(day) == 8 and "19000101" <= day <= "21001231" for day in days):
        return Typed("date", "%Y%m%d", f"such as {days[0]}") if _fits("%Y%m%d", days) else None
    return None


def _moments(texts: list[str], decimal: str) -> Typed | None:
    if all(map(_ISO_DAY.fullmatch, texts)):
        return Typed("date", "", "ISO 8601")
    if all(_ISO.fullmatch(text) or _ISO_DAY.fullmatch(text) for text in texts):
        return Typed("timestamp", "", "ISO 8601")
    if (
        len(texts[0]) > 40
        or not any(map(str.isdigit, texts[0]))
        or (texts[0].isdigit() and len(texts[0]) not in (8, 14))
    ):
        return None
    for day in _DAYS:
        for clock in _CLOCKS:
            if _fits(day + clock, texts):
                return _as(day + clock, texts, clock)
    for day_first, month_first in _EITHER:
        for clock in _CLOCKS:
            chosen = _either(day_first + clock, month_first + clock, texts, decimal)
            if chosen:
                return chosen
    other = next((pattern for pattern in _OTHER if _fits(pattern, texts)), None)
    return _as(other, texts, "" if other == "%Y-%m" else other) if other else None


def _either(day_first: str, month_first: str, texts: list[str], decimal: str) -> Typed | None:
    """12/11 is a day in December or in November: the other rows tell, or their order, or the number signs."""
    clock = "%H" if "%H" in day_first or "%I" in day_first else ""
    first, second = _fits(day_first, texts), _fits(month_first, texts)
    if first != second:
        return _as(day_first if first else month_first, texts, clock)
    if not first:
        return None
    turns = [_turns(pattern, texts) for pattern in (day_first, month_first)]
    if turns[0] != turns[1]:
        chosen, why = (day_first, month_first)[turns[1] < turns[0]], "the rows are in order then"
    else:
        chosen = day_first if decimal == "," else month_first
        why = "a GUESS: no row tells the day from the month"
    return Typed("timestamp" if clock else "date", chosen, f"such as {texts[0]}; {why}")


def _as(pattern: str, texts: list[str], clock: str) -> Typed:
    return Typed("timestamp" if clock else "date", pattern, f"such as {texts[0]}")


def _fits(pattern: str, texts: list[str]) -> bool:
    return all(_read(pattern, text) is not None for text in texts)


def _turns(pattern: str, texts: list[str]) -> int:
    """How often the order of the rows changes its direction; the right reading has the fewest."""
    moments = [moment for text in texts if (moment := _read(pattern, text)) is not None]
    steps = [after > before for before, after in pairwise(moments) if after != before]
    return sum(one != other for one, other in pairwise(steps))


def _read(pattern: str, text: str) -> datetime | None:
    try:
        return datetime.strptime(text, pattern)  # noqa: DTZ007 - only whether it can be read
    except ValueError:
        return None


def _numbers(texts: list[str], decimal: str, thousands: str | None) -> Typed | None:
    plain = [(text.replace(thousands, "") if thousands else text).replace(decimal, ".") for text in texts]
    if all(map(_WHOLE.fullmatch, plain)):
        return Typed("integer", "", "numbers sent as text")
    # 007 is a name, not a number; a fraction such as 0.7 is one.
    if all(_FRACTION.fullmatch(text) and not re.match(r"[+-]?0\d", text) for text in plain):
        if any("e" in text.lower() for text in plain):
            return Typed("float", "", "numbers sent as text")
        return Typed("decimal", "", "numbers sent as text keep every digit")
    return None
