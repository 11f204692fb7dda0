"""A rule bound to a portion of the rows: those of its `where`, divided by its `by`."""

from collections.abc import Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from data_pipeline.validate.kernels.binding import GATHERED, Columns, bind, present, reads_of
from data_pipeline.validate.kernels.columns import Check, Chunk
from data_pipeline.validate.kernels.gathered import Gather, Gathered
from data_pipeline.validate.kernels.segments import (
    ByLook,
    Segmented,
    Tallied,
    Tally,
    gather_by,
    labelled,
    look_by,
    tallied,
)
from data_pipeline.validate.kernels.where import Prepare, check_where, emptied, marked, narrowed, selected_by
from utils.arrow import pa

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["bind_portion", "bind_tallied", "gather_portion", "preparation", "state_by"]

_LABEL = "\0segment"
"""The column that a chunk gets with the name of each row's segment."""


def bind_portion(rule: "Rule", columns: Columns, *, excused: Set[str]) -> Check:
    """The check of a rule that judges row by row where its `where` is true; see `bind`."""
    check = bind(rule, columns, excused=excused)
    return check_where(check, selected_by(rule, columns), _places(rule, columns))


def bind_tallied(rule: "Rule", columns: Columns, *, excused: Set[str]) -> Tallied:
    """The check of a rule that judges row by row, with its counts by segment; see `bind`."""
    check = tallied(rule, bind(rule, columns, excused=excused), columns)
    return check_where(check, selected_by(rule, columns), _places(rule, columns)) if rule.where else check


def gather_portion(rule: "Rule", columns: Columns) -> Gather:
    """What gathers for a rule that `gathers` and has `where` or `by`, of chunks as they are; see `bind_gather`."""
    present(rule, columns)
    kind = GATHERED[rule.kind]
    if rule.by and rule.kind == "unique":
        inner = replace(rule, columns=(_LABEL, *rule.columns))
        gather = kind.bind(inner, {**columns, _LABEL: (_width(columns), pa.string())})
    else:
        gather = kind.bind(rule, columns)
    if rule.by and (rule.kind == "monotonic" or not rule.judges_rows):
        gather = gather_by(rule, gather, columns)
    if rule.by and rule.judges_rows:
        gather = look_by(rule, gather, columns, [columns[name][0] for name in rule.columns])
    prepare, counts = preparation(rule, columns), rule.kind == "row_count"

    def gathered(chunk: Chunk) -> Any:
        part = prepare(chunk) if prepare is not None else chunk
        return gather(part) if part.rows or counts else None

    return gathered


def preparation(rule: "Rule", columns: Columns) -> Prepare | None:
    """What `where` and `by` make of a chunk before a rule that gathers sees it; None: nothing."""
    steps: list[Prepare] = []
    if rule.where:
        selected = selected_by(rule, columns)
        if rule.kind == "python":
            steps.append(marked(selected, _width(columns)))
        elif rule.judges_rows:
            steps.append(emptied(selected, columns[rule.columns[0]][0]))
        else:
            steps.append(narrowed(selected, _places(rule, columns)))
    if rule.by and rule.kind == "unique":
        steps.append(labelled([columns[name][0] for name in rule.by], _width(columns)))
    if len(steps) == 2:
        first, second = steps
        return lambda chunk: second(first(chunk))
    return steps[0] if steps else None


def state_by(rule: "Rule") -> type[Gathered]:
    """The class of the state of a rule with `by`, for reading it back."""
    if rule.kind not in GATHERED:
        return Tally
    return ByLook if rule.judges_rows else Segmented


def _places(rule: "Rule", columns: Columns) -> list[int]:
    return [columns[name][0] for name in reads_of(rule, columns)]


def _width(columns: Columns) -> int:
    """The place behind all columns of a chunk."""
    return max(at for at, _ in columns.values()) + 1
