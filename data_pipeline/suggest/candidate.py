"""A rule that could hold, before anybody has tried it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Candidate", "Facts", "outward", "quoted", "tolerance_of", "wilson_lower"]

_WORDS = frozenset({"and", "or", "not", "true", "false", "null"})
"""Words of the expression grammar, in whichever letters."""

_Z = 1.96
"""Standard deviations of the normal distribution on both sides of 95 %."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One rule as it is written in a configuration, and why."""

    rule: Mapping[str, Any]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a dataset beside its rows.

    Attributes:
        key: What makes a row one row; (): nobody knows.
        time: The column of the rows' own time; None: there is none.
        row_counts: Rows of its batches so far, newest first.
        fresh_within: How old the newest row may be by the cadence seen (such as `3d`), and that cadence in words; None:
            new rows have no beat.
    """

    key: tuple[str, ...] = ()
    time: str | None = None
    row_counts: tuple[int, ...] = ()
    fresh_within: tuple[str, str] | None = None


def wilson_lower(count: int, of: int) -> float:
    """The least share that is likely (95 %) where `count` of `of` were seen.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    >>> round(wilson_lower(10_000, 10_000), 4), round(wilson_lower(90, 100), 3)
    (0.9996, 0.826)
    """
    share, square = count / of, _Z * _Z
    middle = share + square / (2 * of)
    half = _Z * ((share * (1 - share) + square / (4 * of)) / of) ** 0.5
    return float(max(0.0, (middle - half) / (1 + square / of)))


def tolerance_of(failed: int, of: int) -> float:
    """The share of rows that are likely to fail at most where some did, rounded up: what chance alone does not break.

    >>> tolerance_of(3, 4000)
    0.0023
    """
    open_ = 1 - wilson_lower(of - failed, of)
    size = 10.0 ** (math.floor(math.log10(open_)) - 1)
    return min(1.0, float(f"{math.ceil(open_ / size) * size:.2g}"))


def outward(value: Decimal, unit: Decimal, *, up: bool) -> int | float | None:
    """The next multiple of a power of ten beyond a number, as YAML writes it; None when YAML cannot write it exactly.

    >>> outward(Decimal("12.34"), Decimal("0.1"), up=True), outward(Decimal(-15), Decimal(10), up=False)
    (12.4, -20)
    """
    with localcontext(Context(prec=120)):
        counted = (value / unit).to_integral_value("ROUND_CEILING" if up else "ROUND_FLOOR") * unit
        if counted == counted.to_integral_value():
            return int(counted)
        made = float(counted)
        return made if Decimal(repr(made)) == counted else None


def quoted(name: str) -> str | None:
    """A column as an expression names it; None when it cannot."""
    if name.isidentifier() and name.isascii() and name.lower() not in _WORDS:
        return name
    return None if "`" in name or not name else f"`{name}`"


def is_text(kind: "pa.DataType") -> bool:
    from utils.arrow import pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_number(kind: "pa.DataType") -> bool:
    from utils.arrow import pa

    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def is_time(kind: "pa.DataType") -> bool:
    from utils.arrow import pa

    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))
