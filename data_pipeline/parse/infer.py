"""The type of a text column that nobody declared: found from every cell, never from a sample."""

import re

from data_pipeline.parse.numbers import PLAIN, NumberStyle, infer_numbers, to_floats, to_integers, within_float
from data_pipeline.parse.times import UTC_NS, UTC_US, Zone, beyond_nanoseconds, iso_strict
from utils.arrow import compute, pa

_NUMBER_LIKE = re.compile(r"[+-]?(?:[0-9.,]|nan$)", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_FINER = r"[.,]\d{6,}[1-9]"
_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:")


class TextColumn:
    """Learns one column block by block: integer, float, boolean, date or timestamp if every cell agrees, else text.

    `read` gives each block in the type known so far; when `settle` says another in the end, `convert` the blocks
    again. Integers wider than 64 bits become decimals; where they stand beside fractions the column stays text.
    """

    def __init__(self, style: NumberStyle = PLAIN, zone: Zone | None = None) -> None:
        self._style = style
        self._zone = (zone or Zone()).of_a_column()
        self._kind = ""
        self._type = pa.null()
        self._exact = True
        self._first: pa.Array | None = None
        self._beyond_ns = False
        self._numbers = False
        self.note = ""

    def read(self, text: "pa.Array") -> "pa.Array":
        if self._kind == "string":
            return text
        if text.null_count == len(text):
            return pa.nulls(len(text), self._type)
        first = _first(text)
        kind = self._kind or _guess(first)
        if kind == "number":
            result = self._number(text, first)
        elif kind == "string":
            result = None
        else:
            result = _READERS[kind](text, self._zone)
            if result is not None and result.type == UTC_US:
                self._beyond_ns = self._beyond_ns or beyond_nanoseconds(result)
            if result is not None and self._type != UTC_NS:
                self._type = result.type
            if self._type == UTC_NS and self._beyond_ns:
                result = None  # no type holds both 1 ns and the year 2300
        if result is None:
            self._kind, self._type = "string", pa.string()
            return text
        self._kind = kind
        return result

    def settle(self) -> "pa.DataType":
        if self._kind == "number" and not self._numbers:
            self._kind, self._type = "string", pa.string()  # nothing but `nan` is no column of numbers
        return self._type

    def widen(self, typed: "pa.Array") -> "pa.Array | None":
        """A block that `read` gave, in the settled type; None when its text is needed for that."""
        target = self._type
        if typed.type == target:
            return typed
        if target == pa.string() and typed.type != pa.null():
            return None
        return pa.nulls(len(typed), target) if typed.null_count == len(typed) else typed.cast(target)

    def convert(self, text: "pa.Array") -> "pa.Array":
        """A block in the settled type."""
        target = self._type
        if target == pa.string():
            return text
        if text.null_count == len(text):
            return pa.nulls(len(text), target)
        if self._kind == "number":
            numbers = to_floats if target == pa.float64() else to_integers
            return numbers(text, self._style)[0].cast(target)
        result = _READERS[self._kind](text, self._zone)
        assert result is not None, "the block agreed when it was read"
        return result.cast(target)

    def _number(self, text: "pa.Array", first: str) -> "pa.Array | None":
        found = infer_numbers(text, first, self._style)
        if found is None:
            return None
        numbers, exact = found
        self._numbers = self._numbers or numbers.null_count < len(numbers)
        self._exact = self._exact and exact
        if self._type == pa.null() and numbers.type == pa.int64():
            self._first = numbers  # looked at only if a second block comes
        else:
            for integers in (numbers, self._first):
                if integers is not None and integers.type != pa.float64():
                    self._exact = self._exact and within_float(integers)
            self._first = None
        types = {self._type, numbers.type} - {pa.null()}
        if pa.float64() in types:
            if not self._exact:
                self.note = "has integers beyond 2^53 beside fractions and stays text; declare `type: decimal`"
                return None
            self._type = pa.float64()
        else:
            self._type = pa.int64() if types == {pa.int64()} else numbers.type if len(types) == 1 else _WIDE
        return numbers


_WIDE = pa.decimal128(38, 0)


def _first(text: "pa.Array") -> str:
    for index in range(len(text)):
        value = text[index].as_py()
        if value is not None:
            return str(value)
    raise AssertionError("the column has a value")  # pragma: no cover


def _guess(first: str) -> str:
    """Which family the column can only belong to, told from one cell of it."""
    first = first.strip()
    if _DATE.fullmatch(first):
        return "date"
    if _DATE_AND_TIME.match(first):
        return "timestamp"
    if _NUMBER_LIKE.match(first):
        return "number"
    return "boolean" if first.lower() in {"true", "false"} else "string"


def _dates(text: "pa.Array", _zone: Zone) -> "pa.Array | None":
    try:
        return text.cast(pa.date32())
    except pa.ArrowInvalid:
        return None


def _timestamps(text: "pa.Array", zone: Zone) -> "pa.Array | None":
    try:
        return text.cast(UTC_US)  # all with an offset, so none is a plain date
    except pa.ArrowInvalid:
        pass
    lengths = compute.min_max(compute.utf8_length(text)).as_py()
    if lengths["min"] < len("2000-01-01T00"):
        return None  # a plain date among moments: which moment it means is not ours to say
    result = iso_strict(text, zone)
    if result is None or result.type not in {UTC_US, UTC_NS}:
        return None
    fine = lengths["max"] > len("2000-01-01T00:00:00.000000") and result.type == UTC_US
    if fine and compute.any(compute.match_substring_regex(text, _FINER)).as_py():
        return None  # beside years that nanoseconds do not reach: as text no digit is lost
    return result


def _booleans(text: "pa.Array", _zone: Zone) -> "pa.Array | None":
    try:
        result = text.cast(pa.bool_())
    except pa.ArrowInvalid:
        return None
    # Arrow takes 1 and 0 for booleans too; beside true and false they are text to us.
    return None if compute.any(compute.match_substring_regex(text, "[01]")).as_py() else result


_READERS = {"date": _dates, "timestamp": _timestamps, "boolean": _booleans}
