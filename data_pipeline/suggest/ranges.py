"""Bounds of numbers: those that a column's name speaks of, and those that its values keep, with room to both sides."""

import re
from collections.abc import Collection, Iterator
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from data_pipeline.suggest.candidate import Candidate, is_number, outward

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["by_name", "learned"]

_BOUNDED = (
    (re.compile(r"(?i)(?:.*[._ ])?lat(?:itude)?"), -90, 90),
    (re.compile(r"(?i)(?:.*[._ ])?(?:lon|lng|long)(?:itude)?"), -180, 180),
)
_NEVER_NEGATIVE = re.compile(
    r"(?i).*(?:price|rate|amount|count|quantity|qty|total|volume|population|size|weight|height|width|distance|speed|"
    r"percent|pct|share|duration|age|stock|fiyat|kur|adet|preis|menge|buying|selling|cases|deaths).*"
)
_COUNTER = re.compile(r"(?i)(?:.*[._ -])?(?:id|nr|no|number|index|seq|year|version|code|zip|plz)|.*Id")
FEWEST_ROWS = 100
FEW_VALUES = 12


def by_name(table: "pa.Table", besides: Collection[str]) -> Iterator[Candidate]:
    """Bounds where the name of a column suggests them and its values keep them; not for the columns `besides`."""
    for name, low, high in _numbers(table, besides):
        for pattern, least, most in _BOUNDED:
            if pattern.fullmatch(name) and least <= low and high <= most:
                rule = {"column": name, "min": least, "max": most}
                yield Candidate({"range": rule}, f"{low} to {high} were seen")
                break
        else:
            if _NEVER_NEGATIVE.fullmatch(name) and low >= 0:
                rule = {"column": name, "min": 0}
                yield Candidate({"range": rule, "severity": "warning"}, f"a guess: {low} to {high} were seen")


def learned(table: "pa.Table", besides: Collection[str]) -> Iterator[Candidate]:
    """Bounds beyond what was seen by half of its spread on each side: a guess, and so a warning.

    The largest of n values is surpassed by the next one with a chance of 1 in n + 1, so what was seen is no bound.
    Whole numbers and decimals are reckoned exactly. What counts on, row by row, has no bounds.
    """
    if table.num_rows < FEWEST_ROWS:
        return
    for name, low, high in _numbers(table, besides):
        if _COUNTER.fullmatch(name) or any(pattern.fullmatch(name) for pattern, *_ in _BOUNDED) or low == high:
            continue
        column = table.column(name)
        if column.length() - column.null_count < FEWEST_ROWS or _counts_on(column):
            continue
        bounds = _few(column, low, high) or _with_room(low, high)
        if bounds is not None:
            least, most, why = bounds
            yield Candidate({"range": {"column": name, "min": least, "max": most}, "severity": "warning"}, why)


def _numbers(table: "pa.Table", besides: Collection[str]) -> Iterator[tuple[str, Any, Any]]:
    """Each column of finite numbers with the least and the greatest of them."""
    from utils.arrow import compute

    for field in table.schema:
        if not is_number(field.type) or field.name in besides:
            continue
        ends = compute.min_max(table.column(field.name)).as_py()
        low, high = ends["min"], ends["max"]
        if low is not None and Decimal(low).is_finite() and Decimal(high).is_finite():
            yield field.name, low, high


def _counts_on(column: "pa.ChunkedArray") -> bool:
    """Whether nearly every value is greater than the one before: a number that was given, a meter."""
    from utils.arrow import compute

    values = column.drop_null()
    steps = compute.greater(values.slice(1), values.slice(0, len(values) - 1))
    return float(compute.mean(steps).as_py() or 0.0) >= 0.95


def _few(column: "pa.ChunkedArray", low: Any, high: Any) -> tuple[Any, Any, str] | None:
    """The very ends where only a few whole numbers come, each of them often: marks, levels, codes."""
    if not isinstance(low, int) or high - low >= FEW_VALUES:
        return None
    often = min(column.drop_null().value_counts().field(1).to_pylist())
    return (low, high, f"only the whole numbers {low} to {high} came, each of them often") if often >= 5 else None


def _with_room(low: Any, high: Any) -> tuple[int | float, int | float, str] | None:
    with localcontext(Context(prec=120)):
        least, most = _exact(low), _exact(high)
        spread = most - least
        unit = Decimal(1).scaleb((spread / 2).adjusted() - 1)
        if isinstance(low, int):
            unit = max(unit, Decimal(1))
        below = max(least - spread / 2, Decimal(0)) if least >= 0 else least - spread / 2
        ends = outward(below, unit, up=False), outward(most + spread / 2, unit, up=True)
    if ends[0] is None or ends[1] is None:
        return None
    return ends[0], ends[1], f"{_short(low)} to {_short(high)} were seen; half of that more on each side"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else f"{value}"


def _exact(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
