"""From a rule and a schema to the check that judges it, or to the words why it cannot."""

from collections.abc import Mapping, Set
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.dataset import UNPARSED
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk
from data_pipeline.validate.kernels.compare import compare
from data_pipeline.validate.kernels.gathered import Gather, Gathered
from data_pipeline.validate.kernels.types import type_
from data_pipeline.validate.kernels.values import VALUE_KERNELS, not_null
from utils.arrow import pa

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = [
    "GATHERED",
    "Columns",
    "GatherKind",
    "bind",
    "bind_gather",
    "every_row_fails",
    "gathers",
    "nothing_judged",
    "present",
    "reads_of",
]

Columns = Mapping[str, "tuple[int, pa.DataType]"]
"""Name -> index and type after loading."""


class GatherKind(NamedTuple):
    """A kind of rule that gathers, imported when a rule of it is there."""

    module: str
    binder: str
    state_class: str

    def bind(self, rule: "Rule", columns: Columns) -> Gather:
        """What gathers for one rule; may raise `CannotJudge`."""
        gather: Gather = self._import(self.binder)(rule, columns)
        return gather

    @property
    def state(self) -> type[Gathered]:
        """The class of its state."""
        found: type[Gathered] = self._import(self.state_class)
        return found

    def _import(self, name: str) -> Any:
        return getattr(import_module(f"data_pipeline.validate.kernels.{self.module}"), name)


GATHERED: Mapping[str, GatherKind] = {
    "unique": GatherKind("duplicates", "keys", "Keys"),
    "fresh": GatherKind("fresh", "newest", "Newest"),
    "changed": GatherKind("changed", "changed", "Changed"),
    "row_count": GatherKind("row_count", "counted", "Counted"),
    "monotonic": GatherKind("monotonic", "monotonic", "Rises"),
    "python": GatherKind("python_rule", "python_rule", "Framed"),
    "aggregate": GatherKind("aggregate", "aggregate", "Aggregated"),
    "drift": GatherKind("drift", "drift", "Drifted"),
}
"""Kind -> how it gathers, and how its state is read back."""


def gathers(rule: "Rule") -> bool:
    """Whether a rule gathers a state; else it judges row by row, or asks for the number of all rows, which is known."""
    return rule.kind in GATHERED and (rule.kind != "row_count" or bool(rule.where or rule.by))


def reads_of(rule: "Rule", columns: Columns) -> tuple[str, ...]:
    """The columns that a rule needs of a batch."""
    if rule.kind == "python" and not rule.columns:
        return tuple(name for name in columns if name != UNPARSED)
    return rule.reads


def bind(rule: "Rule", columns: Columns, *, excused: Set[str]) -> Check:
    """The check of a rule that judges row by row, on all rows; `portions.py` knows `where` and `by`.

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
        return _of_values(rule, columns)
    except CannotJudge as error:
        raise CannotJudge(f"column `{name}` is {of_type}: {error}") from error


def _of_values(rule: "Rule", columns: Columns) -> Check:
    at, of_type = columns[rule.columns[0]]
    if rule.kind == "format":
        from data_pipeline.validate.kernels.formats import format_

        return format_(rule, at, of_type)
    if rule.kind == "references":
        from data_pipeline.validate.kernels.references import references

        return references(rule, at, of_type)
    if rule.kind == "change":
        from data_pipeline.validate.kernels.change import change

        return change(rule, at, of_type, columns)
    return VALUE_KERNELS[rule.kind](rule, at, of_type)


def bind_gather(rule: "Rule", columns: Columns) -> Gather:
    """What gathers for a rule that `gathers`, on all rows.

    Raises:
        CannotJudge: a column is missing or of a type that the rule cannot judge.
    """
    present(rule, columns)
    return GATHERED[rule.kind].bind(rule, columns)


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
