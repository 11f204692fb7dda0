"""From a rule and a schema to the check that judges it, or to the words why it cannot."""

from collections.abc import Callable, Mapping, Set
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.dataset import UNPARSED
from data_pipeline.validate.kernels.changed import Changed, changed
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk
from data_pipeline.validate.kernels.compare import compare
from data_pipeline.validate.kernels.duplicates import Keys, keys
from data_pipeline.validate.kernels.fresh import Newest, newest
from data_pipeline.validate.kernels.gathered import Gather, Gathered
from data_pipeline.validate.kernels.types import type_
from data_pipeline.validate.kernels.values import VALUE_KERNELS, not_null
from utils.arrow import pa

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["GATHERED", "Columns", "GatherKind", "bind", "bind_gather", "every_row_fails", "nothing_judged"]

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
}
"""Kind -> how it gathers, and how its state is read back."""


def bind(rule: "Rule", columns: Columns, *, excused: Set[str]) -> Check:
    """The check of a rule that judges row by row.

    Args:
        columns: Name -> index and type after loading.
        excused: Columns whose unparsed cells a `type` rule sets aside.

    Raises:
        CannotJudge: a column is missing or of a type that the rule cannot judge.
    """
    present(rule, columns)
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
        return VALUE_KERNELS[rule.kind](rule, at, of_type)
    except CannotJudge as error:
        raise CannotJudge(f"column `{name}` is {of_type}: {error}") from error


def bind_gather(rule: "Rule", columns: Columns) -> Gather:
    """What gathers for a rule whose kind is one of `GATHERED`.

    Raises:
        CannotJudge: a column is missing or of a type that the rule cannot judge.
    """
    present(rule, columns)
    return GATHERED[rule.kind].bind(rule, columns)


def present(rule: "Rule", columns: Columns) -> None:
    """Return when all columns of the rule are there; raises `CannotJudge`, naming what there is."""
    missing = [name for name in rule.columns if name not in columns]
    if missing:
        known = ", ".join(name for name in columns if name != UNPARSED) or "no columns"
        raise CannotJudge(f"column `{missing[0]}` is not in the batch (has: {known})")


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
