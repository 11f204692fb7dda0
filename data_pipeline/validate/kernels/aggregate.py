"""`aggregate`: figures of the whole batch, or of each of its groups, held against what they must be.

Sums of integers and decimals are exact, and so is what they are compared with. Sums of floats are exact as well, but
their values are not what was written: 0.1 is a little more than that. So floats equal each other when they differ by
less than 1e-9 of the figures and of the largest value that went in.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from data_pipeline.validate.aggregates import Aggregate, Fold, folded, parse_aggregate
from data_pipeline.validate.kernels.columns import CannotJudge, Chunk
from data_pipeline.validate.kernels.compare import holds, kind_of, value
from data_pipeline.validate.kernels.failing_groups import Failing, Worst, worst_of
from data_pipeline.validate.kernels.gathered import Found, Gather
from data_pipeline.validate.kernels.groups import Groups, figure, in_order, lines
from data_pipeline.validate.surroundings import NOTHING_AROUND
from utils.arrow import compute, pa
from utils.expression.grammar import A, Call, ExpressionError, Kind, Literal, Node, check, columns_of

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["Aggregated", "Columns", "Figures", "aggregate", "figures_of", "fold_kind"]

_SLACK = Decimal("1e-9")

Columns = Mapping[str, "tuple[int, pa.DataType]"]


class _Held(NamedTuple):
    """A rule in pieces: what is held against what, and the figures of all of it.

    Attributes:
        against: `equals`, `min` or `max` -> the expression.
        extra: Figures that are wanted of floats only: the largest value that went into each sum.
    """

    found: Aggregate
    against: Mapping[str, Aggregate]
    folds: tuple[Fold, ...]
    extra: tuple[Fold, ...]


@lru_cache(maxsize=1024)
def _held(expr: str, equals: str, low: str, high: str) -> _Held:
    found = parse_aggregate(expr)
    texts = {"equals": equals, "min": low, "max": high}
    against = {name: parse_aggregate(text) for name, text in texts.items() if text}
    folds = {name: fold for one in (found, *against.values()) for name, fold in one.folds.items()}
    sums = [fold.part for fold in folds.values() if fold.op == "sum" and fold.part is not None]
    extra = tuple(Fold("max", Call("abs", (part,), 0)) for part in sums) if equals else ()
    return _Held(found, against, tuple(folds.values()), extra)


def _of(rule: "Rule") -> _Held:
    given = rule.params
    return _held(given["expr"], given["equals"], given["min"], given["max"])


class Aggregated(NamedTuple):
    """The figures of all groups; without `by` all rows are one."""

    groups: Groups

    def merge(self, other: "Aggregated") -> "Aggregated":
        return Aggregated(self.groups.merge(other.groups))

    def found(self, rule: "Rule", now: datetime) -> Found:
        groups = self.groups.together()
        if groups.problem:
            return Found(1, 1, f"cannot be judged: {groups.problem}")
        if not groups.lines.num_rows:
            return Found(0, 0, f"no row has a value in {_listed(rule.params['by'])}")
        try:
            return _verdict(groups.lines, rule, _of(rule))
        except CannotJudge as error:
            return Found(1, 1, f"cannot be judged: {error}")

    def to_bytes(self) -> bytes:
        return self.groups.to_bytes()

    @classmethod
    def from_bytes(cls, found: bytes) -> "Aggregated":
        return cls(Groups.from_bytes(found))


def aggregate(rule: "Rule", columns: Columns) -> Gather:
    """Gathers the figures of a rule.

    Raises:
        CannotJudge: an expression does not fit the columns' types, with the position; or a key cannot be one.
    """
    held, by = _of(rule), rule.params["by"]
    for name in by:
        if pa.types.is_nested(columns[name][1]):
            raise CannotJudge(f"`{name}` is {columns[name][1]}, by which rows cannot be grouped")
    kinds = {fold.name: fold_kind(fold, columns, one.text) for one in _all(held) for fold in one.folds.values()}
    _same_kind(held, kinds)
    values = {fold.name: value(fold.part, columns) for fold in held.folds if fold.part is not None}
    for fold in held.extra:
        if fold.part is not None and (found := value(fold.part, columns)).family == "float":
            values[fold.name] = found
    folds, places = (*held.folds, *held.extra), [columns[name][0] for name in by]
    return lambda chunk: Aggregated(lines(chunk, folds, values, places))


def _all(held: _Held) -> tuple[Aggregate, ...]:
    return (held.found, *held.against.values())


def fold_kind(fold: Fold, columns: Columns, text: str) -> Kind:
    """What a figure is.

    Raises:
        CannotJudge: its part does not fit the columns' types, with the position.
    """
    if fold.part is None:
        return "number"
    try:
        found = check(fold.part, lambda name: kind_of(columns[name][1]), text)
        if fold.op == "sum" and found not in {"number", "any"}:
            raise ExpressionError(text, fold.part.position, f"`sum` needs {A['number']}, this is {A[found]}")
    except ExpressionError as error:
        raise CannotJudge(str(error)) from error
    return "number" if fold.op in {"sum", "count"} else found


def _same_kind(held: _Held, kinds: Mapping[str, Kind]) -> None:
    """Raises `CannotJudge` when what is held against each other cannot be compared."""
    try:
        found, *against = (check(one.node, lambda name: kinds[name], one.text) for one in _all(held))
    except ExpressionError as error:
        raise CannotJudge(str(error)) from error
    for (name, one), its in zip(held.against.items(), against, strict=True):
        if found != its and "any" not in {found, its}:
            raise CannotJudge(f"`{held.found.text}` is {A[found]}, `{name}: {one.text}` is {A[its]}")


class Figures(NamedTuple):
    """The figures of some groups as columns of a chunk. `several`: where rows differ that should not; None: nowhere."""

    chunk: Chunk
    columns: Columns
    several: "pa.BooleanArray | None"


def figures_of(table: "pa.Table", folds: Sequence[Fold], extra: Sequence[Fold] = ()) -> Figures:
    """The figures of a table of groups.

    Args:
        extra: Figures after the others, of which some may not be there.
    """
    arrays: list[pa.Array] = []
    columns: dict[str, tuple[int, pa.DataType]] = {}
    several = None
    for number, fold in enumerate((*folds, *extra)):
        if fold in extra and f"h{number}" not in table.column_names:
            continue
        columns[fold.name] = len(arrays), (array := figure(table, number, fold)).type
        arrays.append(array)
        if fold.op == "one" and not pa.types.is_null(array.type):
            other = compute.fill_null(compute.not_equal(array, figure(table, number, Fold("max", fold.part))), False)
            several = other if several is None else compute.or_(several, other)
    return Figures(Chunk(arrays, table.num_rows, {}, 0, NOTHING_AROUND), columns, several)


def _verdict(table: "pa.Table", rule: "Rule", held: _Held) -> Found:
    figures = figures_of(table, held.folds, held.extra)
    tree = _tree(held, figures.columns, rule.params["tolerance"])
    good = holds(tree, figures.columns)(figures.chunk)
    bad = compute.fill_null(compute.invert(good), False)
    judged = compute.is_valid(good)
    if figures.several is not None:
        bad, judged = compute.or_(bad, figures.several), compute.or_(judged, figures.several)
    of, failed = judged.true_count, bad.true_count
    if not of:
        return Found(0, 0, f"`{held.found.text}` has no value to be judged")
    if not failed:
        return Found(0, of)
    worst = worst_of(_failing(table.filter(bad), rule, held))
    if not rule.params["by"]:
        told = _alone(held, worst)
        return Found(1, 1, told or _broken(held, rule.params["tolerance"]), examples=() if told else worst.examples)
    about = f"{failed:,} of {of:,} groups by {_listed(rule.params['by'])}: {_broken(held, rule.params['tolerance'])}"
    about += worst.off if _sums(held.found) else ""
    about += f"; {worst.several} of them" if worst.several else ""
    return Found(failed, of, about, examples=worst.examples)


def _failing(table: "pa.Table", rule: "Rule", held: _Held) -> Failing:
    """What the failing groups have and should have."""
    by = rule.params["by"]
    table = in_order(table, len(by))
    figures = figures_of(table, held.folds, held.extra)
    found, *against = (value(one.node, figures.columns).of(figures.chunk) for one in _all(held))
    keys = {name: table[f"k{number}"] for number, name in enumerate(by)}
    words = [one.text if one.columns else name for name, one in held.against.items()]
    expected = {name: (text, its) for name, text, its in zip(held.against, words, against, strict=True)}
    single = tuple(name for fold in held.folds if fold.op == "one" and fold.part for name in columns_of(fold.part))
    return Failing(table.num_rows, keys, (held.found.text, found), expected, single, figures.several)


def _tree(held: _Held, columns: Columns, tolerance: int | float | None) -> Node:
    """What must be true of a group."""
    left = held.found.node
    parts: list[Node] = []
    if "equals" in held.against:
        right = held.against["equals"].node
        floats = "float" in {value(left, columns).family, value(right, columns).family}
        same, off = _call("==", left, right), _call("abs", _call("-", left, right))
        allowed: Node = Literal(Decimal(repr(tolerance or 0)), 0)
        if floats:
            sizes: list[Node] = [_call("abs", left), _call("abs", right)]
            for size in sizes + [folded(fold) for fold in held.extra if fold.name in columns]:
                allowed = _call("+", allowed, _call("*", Literal(_SLACK, 0), size))
            finite = _call("not", _call("is_null", _call("-", off, off)))  # what is infinite equals itself alone
            parts.append(_call("or", same, _call("and", finite, _call("<=", off, allowed))))
        else:
            parts.append(same if tolerance is None else _call("<=", off, allowed))
    parts += [_call(sign, left, held.against[name].node) for name, sign in _SIGNS.items() if name in held.against]
    return parts[0] if len(parts) == 1 else _call("and", *parts)


def _call(op: str, *parts: Node) -> Call:
    return Call(op, parts, 0)


_SIGNS = {"min": ">=", "max": "<="}


def _broken(held: _Held, tolerance: int | float | None) -> str:
    words = {"equals": "is not", "min": "is below", "max": "is above"}
    found = " or ".join(f"{words[name]} `{one.text}`" for name, one in held.against.items())
    return f"`{held.found.text}` {found}" + (f" within {tolerance}" if tolerance else "")


def _alone(held: _Held, worst: Worst) -> str:
    """What is wrong with the batch as one; empty where that would tell a value of a row, which no event may hold."""
    if worst.several:
        return f"{_broken(held, None)}: {worst.several.removesuffix(' in 1')}"
    if not all(map(_sums, _all(held))):
        return ""
    words = {"equals": "not {}", "min": "at least {} expected", "max": "at most {} expected"}
    told = []
    for name, one in held.against.items():
        shown = worst.figures[name]
        told.append(words[name].format(shown if shown == one.text else f"{shown} (`{one.text}`)"))
    return f"`{held.found.text}` is {worst.figures['found']}, {', '.join(told)}"


def _sums(one: Aggregate) -> bool:
    """Whether an expression is made of sums and counts: the least, the greatest and the one value are those of rows."""
    return all(fold.op in {"sum", "count"} for fold in one.folds.values())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
