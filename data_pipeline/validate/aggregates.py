"""The grammar of `aggregate` rules: what is known of a group of rows, in the words of `expression.py`. Needs no Arrow.

    value += AGGREGATE "(" expression ")" | "count" "(" "*" ")"
    AGGREGATE := "sum" | "count" | "min" | "max" | "mean" | "avg"

Inside of an aggregate stands an expression over a row, outside of it one over the group: there a column is the one
value that all rows of the group have. `mean` (and `avg`) is the sum divided by the count. As in SQL, values that are
null are left out; `count(*)` counts rows, `count(column)` values; the sum of no value has no value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from utils.expression.grammar import (
    FUNCTIONS,
    Call,
    Column,
    Kind,
    Literal,
    Node,
    Parser,
    check,
    columns_of,
    worded,
)
from utils.expression.words import ExpressionError, Token

__all__ = ["AGGREGATES", "Aggregate", "Fold", "GroupParser", "folded", "lifted", "parse_aggregate"]

AGGREGATES = ("sum", "count", "min", "max", "mean", "avg")


@dataclass(frozen=True, slots=True)
class Fold:
    """One figure of a group.

    Attributes:
        op: `sum`, `count`, `min`, `max`, or `one`: the value that all rows have.
        part: What it is of, row by row; None: rows are counted.
    """

    op: str
    part: Node | None = None

    @property
    def name(self) -> str:
        """One text for equal figures."""
        return f"{self.op}({'*' if self.part is None else worded(self.part)})"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An expression over groups.

    Attributes:
        node: Its tree, in which a column is the name of a figure.
        folds: The figures by their names.
        columns: The columns it needs, each once, in order of appearance.
    """

    text: str
    node: Node
    folds: Mapping[str, Fold]
    columns: tuple[str, ...]

    @property
    def adds_up(self) -> bool:
        """Whether it looks at more than what is the same in all rows of a group."""
        return any(fold.op != "one" for fold in self.folds.values())


@lru_cache(maxsize=1024)
def parse_aggregate(text: str) -> Aggregate:
    """The expression that a text is; it gives a number, a time or text.

    Raises:
        ExpressionError: what is wrong and where, types included as far as they can be known without the data.
    """
    tree = GroupParser(text).whole()
    node, folds, kind = lifted(tree, text)
    if kind == "boolean":
        what = "the whole must be a number, a time or text, which `equals`, `min` or `max` is held against"
        raise ExpressionError(text, tree.position, what)
    return Aggregate(text, node, folds, columns_of(tree))


def folded(fold: Fold) -> Column:
    """A figure as a part of a tree over groups."""
    return Column(fold.name, 0)


def lifted(tree: Node, text: str) -> tuple[Node, dict[str, Fold], Kind]:
    """The tree over groups that a parsed one is, its figures by their names, and what it gives.

    Raises:
        ExpressionError: a part is not what its place needs.
    """
    folds: dict[str, Fold] = {}
    node = _lifted(tree, folds, text)
    kinds = {name: _kind(fold, text) for name, fold in folds.items()}
    return node, folds, check(node, lambda name: kinds[name], text)


class GroupParser(Parser):
    """The grammar of a row with functions over many."""

    functions = (*AGGREGATES, *FUNCTIONS)
    _inside = False

    def _call(self, name: Token) -> Node:
        if name.text not in AGGREGATES:
            return super()._call(name)
        if self._inside:
            raise ExpressionError(self._text, name.position, f"`{name.text}` stands inside of another aggregate")
        if name.text == "count" and self._take("*"):
            self._close()
            return Call("count", (), name.position)
        self._inside = True
        part = self._either()
        self._inside = False
        self._close()
        if not columns_of(part):
            what = f"`{name.text}` names no column (`count(*)` counts rows)"
            raise ExpressionError(self._text, part.position, what)
        return Call(name.text, (part,), name.position)


def _lifted(node: Node, folds: dict[str, Fold], text: str) -> Node:
    """The tree over groups, its figures noted."""
    if isinstance(node, Literal):
        return node
    if isinstance(node, Column):
        return _noted(Fold("one", node), node.position, folds)
    if node.op not in AGGREGATES:
        return Call(node.op, tuple(_lifted(part, folds, text) for part in node.parts), node.position)
    part = node.parts[0] if node.parts else None
    if part is not None and check(part, lambda _: "any", text) not in _TAKES.get(node.op, _ANYTHING):
        raise ExpressionError(text, part.position, f"`{node.op}` needs a number, this is something else")
    if node.op in {"mean", "avg"}:
        both = [_noted(Fold(op, part), node.position, folds) for op in ("sum", "count")]
        return Call("/", tuple(both), node.position)
    return _noted(Fold(node.op, part), node.position, folds)


_ANYTHING: tuple[Kind, ...] = ("number", "text", "boolean", "time", "any")
_TAKES: dict[str, tuple[Kind, ...]] = dict.fromkeys(("sum", "mean", "avg"), ("number", "any"))


def _noted(fold: Fold, position: int, folds: dict[str, Fold]) -> Column:
    folds.setdefault(fold.name, fold)
    return Column(fold.name, position)


def _kind(fold: Fold, text: str) -> Kind:
    if fold.op in {"sum", "count"} or fold.part is None:
        return "number"
    return check(fold.part, lambda _: "any", text)
