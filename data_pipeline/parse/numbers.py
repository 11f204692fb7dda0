"""Numbers from text, exactly: integers never pass through float64, and ids such as "007" are told apart.

A result is a pair: the converted column with nulls where a cell did not fit, and the mask of those that did not fit
(`None`: all did).
"""

import math
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from data_pipeline.parse.times import Result
from utils.arrow import compute, pa

WIDE = pa.decimal128(38, 0)
"""The type of integers that need more than 64 bits."""

EXACT = 2**53
"""Up to here every integer is a float64 of its own."""

FEW = 64
"""Cells below which Python reads them sooner than Arrow, each of whose steps lets go of the interpreter's lock."""

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_FRACTION = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?")
_LEADING_ZERO = r"^\s*[+-]?0[0-9xX]"
_ODD = r"^\s*[+-]?(?:0[0-9xX]|[nNiI])"
_NAN = r"(?i)^nan$"
_SPACES = " \u00a0\u202f"


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How numbers are written in text: the decimal sign and the sign between thousands, if any."""

    decimal: str = "."
    thousands: str | None = None

    @property
    def plain(self) -> bool:
        return self.decimal == "." and self.thousands is None


PLAIN = NumberStyle()


def to_integers(text: "pa.Array", style: NumberStyle = PLAIN) -> Result:
    """int64, or decimal128(38, 0) when one is wider. Fits: `12`, `+12`, `012`, `12.0`; not `1.5`, `1e3`, `0x1F`."""
    quick = canonical_integers(text) if style.plain else None
    if quick is not None:
        return quick, None
    clean, failed = _clean(text, style)
    whole = compute.match_substring_regex(clean, r"^[+-]?[0-9]+(?:\.0*)?$")
    clean, failed = _also(clean, failed, compute.invert(whole))
    clean = compute.replace_substring_regex(clean, r"\..*$", "")
    clean = compute.replace_substring_regex(clean, r"^\+", "")
    # Zeros in front would count as digits of a decimal.
    clean = compute.replace_substring_regex(clean, r"^(-?)0+([0-9])", r"\1\2")
    try:
        return clean.cast(pa.int64()), failed
    except pa.ArrowInvalid:
        short = compute.less_equal(compute.utf8_length(compute.ascii_trim(clean, "+-")), 38)
        clean, failed = _also(clean, failed, compute.invert(short))
        return clean.cast(WIDE), failed


def canonical_integers(text: "pa.Array") -> "pa.Array | None":
    """int64 when every cell is written as an integer of 64 bits is printed (so neither `007` nor `0x1F`)."""
    try:
        numbers = text.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    return numbers if numbers.cast(pa.string()).equals(text) else None


def to_floats(text: "pa.Array", style: NumberStyle = PLAIN) -> Result:
    """float64; `nan` in any case is null, blank cells too."""
    if style.plain:
        try:
            return no_nan(text.cast(pa.float64())), None
        except pa.ArrowInvalid:
            pass
    clean, failed = _clean(text, style)
    return no_nan(clean.cast(pa.float64())), failed


def to_decimals(text: "pa.Array", style: NumberStyle = PLAIN) -> Result:
    """decimal128(38, s) with the smallest s that keeps every digit; cells that need more than 38 digits do not fit."""
    clean, failed = _clean(text, style)
    clean = compute.if_else(compute.match_substring_regex(clean, _NAN), pa.scalar(None, pa.string()), clean)
    if compute.any(compute.match_substring_regex(clean, "[eE]")).as_py():
        clean, failed = _written_out(clean, failed)
    parts = compute.extract_regex(clean, r"^[+-]?0*(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?$")
    scale = compute.utf8_length(compute.struct_field(parts, "part"))
    whole = compute.utf8_length(compute.struct_field(parts, "whole"))
    # A cell with 30 digits behind the point must not push a large neighbour out: what does not fit is the cell alone.
    fits = compute.less_equal(compute.add(scale, whole), 38)
    if compute.all(fits).as_py() is False:
        clean, failed = _also(clean, failed, compute.invert(fits))
        scale, whole = (compute.if_else(fits, counts, 0) for counts in (scale, whole))
    places = compute.max(scale).as_py() or 0
    if places + (compute.max(whole).as_py() or 0) > 38:
        room = compute.less_equal(compute.add(whole, places), 38)
        clean, failed = _also(clean, failed, compute.invert(room))
    return clean.cast(pa.decimal128(38, places)), failed


def infer_numbers(text: "pa.Array", first: str, style: NumberStyle = PLAIN) -> "tuple[pa.Array, bool] | None":
    """int64, decimal128(38, 0) or float64 when every cell is a number and no cell an id such as `007`, else `None`.

    Args:
        first: Some cell that is not null; it only chooses what is tried first.

    All of them may be null: a block of nothing but `nan`. The flag is false when floats stand beside integers that
    are not exact in float64.
    """
    fraction = style.decimal in first or "e" in first or "E" in first
    if style.plain and len(text) < FEW and (few := _few(text, fraction)) is not None:
        return few, True
    if style.plain and not fraction:
        quick = canonical_integers(text)
        if quick is not None:
            return quick, True
    odd = _any_odd(text)
    if style.plain and fraction and not odd:
        try:
            numbers = text.cast(pa.float64())
        except pa.ArrowInvalid:
            pass
        else:
            if within_float(numbers):
                return numbers, True
    if odd and compute.any(compute.match_substring_regex(text, _LEADING_ZERO)).as_py():
        return None
    if not fraction:
        fraction = bool(compute.any(compute.match_substring_regex(text, f"[{style.decimal}eEnN]")).as_py())
    numbers, failed = to_floats(text, style) if fraction else to_integers(text, style)
    if failed is not None:
        return None
    if not fraction:
        return numbers, True
    if compute.any(compute.is_inf(numbers)).as_py():
        return None
    return numbers, within_float(numbers) or not _integers_beyond(text, style)


def _few(text: "pa.Array", fraction: bool) -> "pa.Array | None":
    """What the whole of `infer_numbers` would give, of a few cells written without any peculiarity; else None."""
    cells = text.to_pylist()
    usual = _FRACTION if fraction else _INTEGER
    if not all(cell is None or usual.fullmatch(cell) for cell in cells):
        return None
    number, kind = (float, pa.float64()) if fraction else (int, pa.int64())
    return pa.array([None if cell is None else number(cell) for cell in cells], kind)


def _any_odd(text: "pa.Array") -> bool:
    """Whether a cell matches `_ODD`; only those that do not begin with a digit but zero are looked at closely."""
    usual = compute.and_(compute.greater_equal(text, "1"), compute.less(text, ":"))
    return bool(compute.any(compute.match_substring_regex(text.filter(compute.invert(usual)), _ODD)).as_py())


def within_float(numbers: "pa.Array") -> bool:
    """Whether every number is small enough to be exact as a float64 integer."""
    if len(numbers) == numbers.null_count:
        return True
    ends = compute.min_max(numbers).as_py()
    # A float64 of exactly 2^53 may stand for 2^53 + 1.
    limit = EXACT - 1 if pa.types.is_floating(numbers.type) else EXACT
    return bool(ends["min"] >= -limit and ends["max"] <= limit)


def no_nan(numbers: "pa.Array") -> "pa.Array":
    """NaN in a float column is null."""
    total = compute.sum(numbers).as_py() if numbers.type != pa.float16() else float("nan")
    if total is None or not math.isnan(total):
        return numbers  # one NaN would have made the sum NaN
    nan = compute.is_nan(numbers)
    return compute.if_else(nan, pa.scalar(None, numbers.type), numbers) if compute.any(nan).as_py() else numbers


def _integers_beyond(text: "pa.Array", style: NumberStyle) -> bool:
    clean, _ = _clean(text, style)
    digits = compute.replace_substring_regex(clean, r"^[+-]?0*([0-9]+)(?:\.0*)?$", r"\1")
    return bool(compute.any(compute.match_substring_regex(digits, r"^[0-9]{16,}$")).as_py())


@lru_cache(maxsize=64)
def _pattern(style: NumberStyle) -> str:
    point = re.escape(style.decimal)
    whole = "[0-9]+"
    if style.thousands is not None:
        # Two digits in a group are Indian lakhs: 12,34,567.
        sign = f"[{_SPACES}]" if style.thousands in _SPACES else "[" + re.escape(style.thousands) + "]"
        whole = f"(?:[0-9]+|[0-9]{{1,3}}(?:{sign}[0-9]{{2,3}})*{sign}[0-9]{{3}})"
    return rf"^(?:[+-]?(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:nan))$"


def _clean(text: "pa.Array", style: NumberStyle) -> Result:
    """Trimmed numbers with a point and without signs between thousands; blank cells are null, others do not fit."""
    trimmed = compute.utf8_trim_whitespace(text)
    blank = compute.equal(trimmed, "")
    if compute.any(blank).as_py():
        trimmed = compute.if_else(blank, pa.scalar(None, pa.string()), trimmed)
    clean, failed = _also(trimmed, None, compute.invert(compute.match_substring_regex(trimmed, _pattern(style))))
    if style.thousands is not None:
        for sign in _SPACES if style.thousands in _SPACES else style.thousands:
            clean = compute.replace_substring(clean, sign, "")
    if style.decimal != ".":
        clean = compute.replace_substring(clean, style.decimal, ".")
    return clean, failed


def _also(text: "pa.Array", failed: "pa.Array | None", more: "pa.Array") -> Result:
    """Cells where `more` is true become null and are added to the failed ones."""
    if not compute.any(more).as_py():
        return text, failed
    more = compute.fill_null(more, False)
    text = compute.if_else(more, pa.scalar(None, text.type), text)
    return text, more if failed is None else compute.or_(failed, more)


def _written_out(text: "pa.Array", failed: "pa.Array | None") -> Result:
    """`1.5e3` as `1500`, so that digits can be counted; an exponent too large for 38 digits does not fit."""
    values: list[str | None] = []
    bad: list[bool] = []
    for value in text.to_pylist():
        try:
            number = None if value is None else Decimal(value)
            unfit = number is not None and abs(number.adjusted()) > 38
        except InvalidOperation:  # an exponent beyond what Python's decimals know
            number, unfit = None, True
        bad.append(unfit)
        values.append(None if number is None or unfit else format(number, "f"))
    more = pa.array(bad, pa.bool_())
    failed = more if failed is None else compute.or_(failed, more)
    return pa.array(values, pa.string()), failed if any(bad) or compute.any(failed).as_py() else None
