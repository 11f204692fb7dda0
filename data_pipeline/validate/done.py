"""The grammar of a window's `done_when`: what must be true of the rows delivered. Needs no Arrow.

It is the grammar of `aggregate` rules, the whole of which is true or false, with two words for days: `today` and
`yesterday`. A time that is compared with a day counts as the day on which it falls, so `max(date) == today` holds for a
column of dates and for one of times. A column of such a name stands in backticks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from data_pipeline.validate.aggregates import Fold, GroupParser, lifted
from utils.expression.grammar import COMPARISONS, Call, Column, ExpressionError, Literal, Node, columns_of
from utils.expression.words import Token

__all__ = ["DAYS", "Done", "parse_done"]

DAYS: Mapping[str, timedelta] = {"today": timedelta(0), "yesterday": timedelta(days=-1)}
"""Word -> how far the day is from today."""

_ANY_DAY = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Done:
    """What must be true.

    Attributes:
        node: Its tree, in which a column is the name of a figure, or of its day.
        folds: The figures by their names.
        columns: The columns it needs, each once.
        days: Names of days in the tree -> the figure that falls on it.
    """

    text: str
    node: Node
    folds: Mapping[str, Fold]
    columns: tuple[str, ...]
    days: Mapping[str, str]


def parse_done(text: str, today: date = _ANY_DAY) -> Done:
    """The expression that a text is, on a day.

    Raises:
        ExpressionError: what is wrong and where, types included as far as they can be known without the data.
    """
    tree = _Parser(text, today).whole()
    node, folds, kind = lifted(tree, text)
    if kind != "boolean":
        what = "the whole must be true or false, such as `max(date) == today`; this is not"
        raise ExpressionError(text, tree.position, what)
    if not folds:
        raise ExpressionError(text, tree.position, "the expression looks at no rows")
    days: dict[str, str] = {}
    return Done(text, _with_days(node, days), folds, columns_of(tree), days)


@dataclass(frozen=True, slots=True)
class _Day(Literal):
    """A day that was named by its word."""


class _Parser(GroupParser):
    """The grammar of groups with words for days."""

    def __init__(self, text: str, today: date) -> None:
        super().__init__(text)
        self._today = datetime(today.year, today.month, today.day, tzinfo=UTC)

    def _word(self, token: Token) -> Node:
        distance = DAYS.get(token.text.lower())
        return super()._word(token) if distance is None else _Day(self._today + distance, token.position)


def _with_days(node: Node, days: dict[str, str]) -> Node:
    """The tree with figures that stand beside a day turned into their days."""
    if not isinstance(node, Call):
        return node
    parts = node.parts
    if node.op in COMPARISONS and any(isinstance(part, _Day) for part in parts):
        parts = tuple(_day(part, days) if isinstance(part, Column) else part for part in parts)
    return Call(node.op, tuple(_with_days(part, days) for part in parts), node.position)


def _day(figure: Column, days: dict[str, str]) -> Column:
    name = f"day of {figure.name}"
    days[name] = figure.name
    return Column(name, figure.position)
