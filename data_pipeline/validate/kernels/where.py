"""`where` of a rule: rows for which its expression is not true are as if they were not there."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from data_pipeline.validate.kernels.columns import CannotJudge, Chunk
from data_pipeline.validate.kernels.compare import truth
from utils.arrow import compute, pa

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["Prepare", "Selected", "check_where", "emptied", "marked", "narrowed", "selected_by", "widened"]

Selected = Callable[[Chunk], "pa.BooleanArray | None"]
"""Which rows of a chunk a rule judges, without nulls; None: all."""

Prepare = Callable[[Chunk], Chunk]
"""Makes of a chunk what a rule is to see of it."""


def selected_by(rule: "Rule", columns: "Mapping[str, tuple[int, pa.DataType]]") -> Selected:
    """What tells for which rows `where` is true: not those for which it is unknown.

    Raises:
        CannotJudge: the expression does not fit the columns' types; with the position.
    """
    try:
        holds = truth(rule.where, columns)
    except CannotJudge as error:
        raise CannotJudge(f"`where`: {error}") from error

    def selected(chunk: Chunk) -> "pa.BooleanArray | None":
        found = holds(chunk)
        if found.true_count == chunk.rows:
            return None
        return compute.fill_null(found, False) if found.null_count else found

    return selected


def narrowed(selected: Selected, places: Sequence[int]) -> Prepare:
    """Leaves only the rows that are judged, of the columns at these places."""

    def prepare(chunk: Chunk) -> Chunk:
        rows = selected(chunk)
        return chunk if rows is None else _filtered(chunk, rows, places)

    return prepare


def emptied(selected: Selected, at: int) -> Prepare:
    """Leaves all rows, those that are not judged without a value in this column: such a row is not judged either."""

    def prepare(chunk: Chunk) -> Chunk:
        rows = selected(chunk)
        if rows is None:
            return chunk
        found = copy(chunk)
        found.arrays = list(chunk.arrays)
        array = chunk.arrays[at]
        found.arrays[at] = compute.if_else(rows, array, pa.scalar(None, array.type))
        return found

    return prepare


def marked(selected: Selected, at: int) -> Prepare:
    """Leaves all rows, and says at this place, behind all columns, which are judged; None there: all."""

    def prepare(chunk: Chunk) -> Chunk:
        found = copy(chunk)
        found.arrays = [*chunk.arrays[:at], selected(chunk)]
        return found

    return prepare


def check_where(check: Callable[[Chunk], Any], selected: Selected, places: Sequence[int]) -> Callable[[Chunk], Any]:
    """A check, or one that counts by segment as well, that judges only the rows that are to be judged."""

    def judge(chunk: Chunk) -> Any:
        rows = selected(chunk)
        if rows is None:
            return check(chunk)
        judged, mask, *counts = check(_filtered(chunk, rows, places))
        return judged, None if mask is None else widened(mask, rows), *counts

    return judge


def _filtered(chunk: Chunk, rows: "pa.BooleanArray", places: Sequence[int]) -> Chunk:
    found = copy(chunk)
    found.arrays = [None] * len(chunk.arrays)
    for at in places:
        found.arrays[at] = chunk.arrays[at].filter(rows)
    found.unparsed = {name: mask.filter(rows) for name, mask in chunk.unparsed.items()}
    found.rows = rows.true_count
    return found


def widened(mask: "pa.BooleanArray", rows: "pa.BooleanArray") -> "pa.BooleanArray":
    """The mask of the judged rows as one of all rows; null where a row was not judged."""
    import numpy as np

    places = np.cumsum(rows.to_numpy(zero_copy_only=False)) - 1
    return mask.take(pa.array(places, mask=~rows.to_numpy(zero_copy_only=False)))
