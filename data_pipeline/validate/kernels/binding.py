"""From a rule and a schema to the check that judges it, or to the words why it cannot."""

from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.dataset import UNPARSED
from data_pipeline.validate.kernels.aggregate import Aggregated, aggregate
from data_pipeline.validate.kernels.change import change
from data_pipeline.validate.kernels.changed import Changed, changed
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk
from data_pipeline.validate.kernels.compare import compare
from data_pipeline.validate.kernels.drift import Drifted, drift
from data_pipeline.validate.kernels.duplicates import Keys, keys
from data_pipeline.validate.kernels.formats import format_
from data_pipeline.validate.kernels.fresh import Newest, newest
from data_pipeline.validate.kernels.gathered import Gather, Gathered
from data_pipeline.validate.kernels.monotonic import Rises, monotonic
from data_pipeline.validate.kernels.python_rule import Framed, python_rule
from data_pipeline.validate.kernels.references import references
from data_pipeline.validate.kernels.row_count import Counted, counted
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
from data_pipeline.validate.kernels.types import type_
from data_pipeline.validate.kernels.values import VALUE_KERNELS, not_null
from data_pipeline.validate.kernels.where import Prepare, check_where, emptied, marked, narrowed, selected_by
from utils.arrow import pa

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = [
    "GATHERED",
    "Columns",
    "GatherKind",
    "bind",
    "bind_gather",
    "bind_tallied",
    "every_row_fails",
    "gathers",
    "nothing_judged",
    "preparation",
    "reads_of",
    "state_of",
]

Columns = Mapping[str, "tuple[int, pa.DataType]"]
"""Name -> index and type after loading."""


class GatherKind(NamedTuple):
    """A kind of rule that gathers: what gathers for one rule (may raise `CannotJudge`), and the class of its state."""

    bind: "Callable[[Rule, Columns], Gather]"
    state: type[Gathered]


GATHERED: Mapping[str, GatherKind] = {
    "unique": GatherKind(keys, Keys),
    "fresh": GatherKind(newest, Newest),
    "changed": GatherKind(changed, Changed),
    "row_count": GatherKind(counted, Counted),
    "monotonic": GatherKind(monotonic, Rises),
    "python": GatherKind(python_rule, Framed),
    "aggregate": GatherKind(aggregate, Aggregated),
    "drift": GatherKind(drift, Drifted),
}
"""Kind -> how it gathers, and how its state is read back."""


_LABEL = "\0segment"
"""The column that a chunk gets with the name of each row's segment."""


def gathers(rule: "Rule") -> bool:
    """Whether a rule gathers a state; else it judges row by row, or asks for the number of all rows, which is known."""
    return rule.kind in GATHERED and (rule.kind != "row_count" or bool(rule.where or rule.by))


def reads_of(rule: "Rule", columns: Columns) -> tuple[str, ...]:
    """The columns that a rule needs of a batch."""
    if rule.kind == "python" and not rule.columns:
        return tuple(name for name in columns if name != UNPARSED)
    return rule.reads


def state_of(rule: "Rule") -> type[Gathered]:
    """The class of the state that a rule gathers, for reading it back."""
    if not rule.by:
        return GATHERED[rule.kind].state
    if rule.kind not in GATHERED:
        return Tally
    return ByLook if rule.judges_rows else Segmented


def bind(rule: "Rule", columns: Columns, *, excused: Set[str]) -> Check:
    """The check of a rule that judges row by row.

    Args:
        columns: Name -> index and type after loading.
        excused: Columns whose unparsed cells a `type` rule sets aside.

    Raises:
        CannotJudge: a column is missing or of a type that the rule cannot judge.
    """
    present(rule, columns)
    check = _check(rule, columns, excused)
    return check_where(check, selected_by(rule, columns), _places(rule, columns)) if rule.where else check


def bind_tallied(rule: "Rule", columns: Columns, *, excused: Set[str]) -> Tallied:
    """The check of a rule that judges row by row, with its counts by segment; see `bind`."""
    present(rule, columns)
    check = tallied(rule, _check(rule, columns, excused), columns)
    return check_where(check, selected_by(rule, columns), _places(rule, columns)) if rule.where else check


def _check(rule: "Rule", columns: Columns, excused: Set[str]) -> Check:
    if rule.kind == "compare":
        return compare(rule, {name: columns[name] for name in rule.columns})
    name = rule.columns[0]
    at, of_type = columns[name]
    if rule.kind == "not_null":
        return not_null(at, excused=name if name in excused else None)
    if pa.types.is_null(of_type) and rule.kind != "type":
        return nothing_judged
    try:
        if rule.kind == "type":
            return nothing_but_unparsed(name) if pa.types.is_null(of_type) else type_(rule, at, of_type)
        if rule.kind == "change":
            return change(rule, at, of_type, columns)
        return _OF_VALUES[rule.kind](rule, at, of_type)
    except CannotJudge as error:
        raise CannotJudge(f"column `{name}` is {of_type}: {error}") from error


_OF_VALUES = {**VALUE_KERNELS, "format": format_, "references": references}


def bind_gather(rule: "Rule", columns: Columns) -> Gather:
    """What gathers for a rule that `gathers`, of chunks as they are.

    Raises:
        CannotJudge: a column is missing or of a type that the rule cannot judge.
    """
    present(rule, columns)
    kind = GATHERED[rule.kind]
    if not (rule.by or rule.where):
        return kind.bind(rule, columns)
    if rule.by and rule.kind == "unique":
        inner = replace(rule, columns=(_LABEL, *rule.columns))
        gather = kind.bind(inner, {**columns, _LABEL: (_width(columns), pa.string())})
    else:
        gather = kind.bind(rule, columns)
    if rule.by and (rule.kind == "monotonic" or not rule.judges_rows):
        gather = gather_by(rule, gather, columns)
    if rule.by and rule.judges_rows:
        gather = look_by(rule, gather, columns, [columns[name][0] for name in rule.columns])
    prepare = preparation(rule, columns)
    every = rule.judges_rows or rule.kind == "row_count"  # one state a chunk, also where it has no rows

    def gathered(chunk: Chunk) -> Any:
        part = prepare(chunk) if prepare is not None else chunk
        return gather(part) if part.rows or every else None

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


def _places(rule: "Rule", columns: Columns) -> list[int]:
    return [columns[name][0] for name in reads_of(rule, columns)]


def _width(columns: Columns) -> int:
    """The place behind all columns of a chunk."""
    return max(at for at, _ in columns.values()) + 1


def present(rule: "Rule", columns: Columns) -> None:
    """Return when all columns of the rule are there; raises `CannotJudge`, naming what there is."""
    missing = [name for name in rule.reads if name not in columns]
    if missing:
        known = ", ".join(name for name in columns if name != UNPARSED) or "no columns"
        raise CannotJudge(f"column `{missing[0]}` is not in the batch (has: {known})")
    for name in rule.by:
        if pa.types.is_nested(columns[name][1]):
            raise CannotJudge(f"`by`: column `{name}` is {columns[name][1]}, which has no segments")


def every_row_fails(chunk: Chunk) -> tuple[int, Any]:
    """The check of a rule that cannot judge: what is not known to be good is not good."""
    return chunk.rows, pa.repeat(pa.scalar(True), chunk.rows)


def nothing_judged(_chunk: Chunk) -> tuple[int, Any]:
    """The check of a value rule on a column without any value."""
    return 0, None


def nothing_but_unparsed(name: str) -> Check:
    def check(chunk: Chunk) -> tuple[int, Any]:
        mask = chunk.unparsed.get(name)
        return (0, None) if mask is None else (mask.true_count, mask)

    return check
