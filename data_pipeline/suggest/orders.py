"""Pairs of columns of which one is never greater than the other, and not because they are of different sizes."""

from collections.abc import Iterator
from itertools import permutations
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.suggest.candidate import Candidate, is_number, is_time, quoted, tolerance_of

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["orders"]

FEWEST_ROWS = 100
MOST_COLUMNS = 12
"""Columns of one kind that are paired; the first ones."""

NEARLY_ALWAYS = 0.999
BY_CHANCE = 0.95
"""Share of rows that may hold it when the two columns are shifted against each other; above it, it is no relation."""


def orders(table: "pa.Table") -> Iterator[Candidate]:
    """`compare` for pairs of times, and of numbers: `a <= b` in at least 99.9 % of the rows.

    Held against chance: shifted by half the rows, the same two columns must hold it clearly less often, else it only
    says that one of them is large.
    """
    if table.num_rows < FEWEST_ROWS:
        return
    for belongs in (is_time, is_number):
        names = [field.name for field in table.schema if belongs(field.type)][:MOST_COLUMNS]
        found = {(low, high): held for low, high in permutations(names, 2) if (held := _holds(table, low, high))}
        for (low, high), held in found.items():
            if not _follows(low, high, found):
                yield from _written(low, high, held)


class _Held(NamedTuple):
    """Rows that broke it of those judged, and the share of rows that hold it by chance."""

    failed: int
    of: int
    chance: float


def _holds(table: "pa.Table", low: str, high: str) -> _Held | None:
    """How well it holds; None when it is no relation."""
    from utils.arrow import compute, pa

    left, right = table.column(low).combine_chunks(), table.column(high).combine_chunks()
    try:
        here = compute.less_equal(left, right)
        same = compute.equal(left, right)
        half = len(right) // 2
        shifted = pa.concat_arrays([right.slice(half), right.slice(0, half)])
        chance = _share(compute.less_equal(left, shifted))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None  # kinds that do not compare: a time with a zone and one without
    judged = len(here) - here.null_count
    if judged < FEWEST_ROWS or _share(same) > 0.5:
        return None
    failed = judged - here.true_count
    return _Held(failed, judged, chance) if failed <= (1 - NEARLY_ALWAYS) * judged and chance <= BY_CHANCE else None


def _share(mask: Any) -> float:
    judged = len(mask) - mask.null_count
    return mask.true_count / judged if judged else 0.0


def _follows(low: str, high: str, found: dict[tuple[str, str], _Held]) -> bool:
    """Whether two others say it already: a <= b and b <= c."""
    middles = {one for _, one in found if one not in {low, high}}
    return any((low, middle) in found and (middle, high) in found for middle in middles)


def _written(low: str, high: str, held: _Held) -> Iterator[Candidate]:
    left, right = quoted(low), quoted(high)
    if left is None or right is None:
        return
    why = f"put together by chance, {100 * held.chance:.0f} % of the rows would hold it"
    rule: dict[str, Any] = {"compare": f"{left} <= {right}"}
    if held.failed:
        rule |= {"severity": "warning", "tolerance": tolerance_of(held.failed, held.of)}
    yield Candidate(rule, why)
