"""Whether something holds of an event's data: `rows < 10 and error.type = 'PayloadUnreadable'`.

The grammar is that of `compare` rules (`utils.expression`). A name is a field of the data; `error.type` is a field of a
field. What is not there, or null, is unknown, and as in SQL whatever is compared with it is neither true nor false.
"""

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from utils.expression.grammar import COMPARISONS, Column, Literal, Node, columns_of, moment_of, parse_expression

__all__ = ["Condition", "compiled"]

Values = Mapping[str, Any]
Reading = Callable[[Values], Any]

_ORDER: dict[str, Callable[[Any, Any], Any]] = dict(
    zip(COMPARISONS, (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne), strict=True)
)
_SUMS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


class Condition:
    """An expression that is true, false or unknown (None) of an event's data.

    >>> compiled("rows < 10 and not partial")({"rows": 3, "partial": False})
    True

    Attributes:
        text: As written.
        fields: The names in it.
    """

    __slots__ = ("_reading", "fields", "text")

    def __init__(self, text: str, node: Node) -> None:
        self.text = text
        self.fields = columns_of(node)
        self._reading = _reading(node)

    def __call__(self, data: Values) -> bool | None:
        found = self._reading(data)
        return found if isinstance(found, bool) else None

    def missing(self, data: Values) -> list[str]:
        """The names in it that the data does not have; one that is null is there."""
        return [name for name in self.fields if _look(data, name) is _ABSENT]


def compiled(text: str) -> Condition:
    """The condition that a text says.

    Raises:
        ExpressionError: what is wrong with it, and where.
    """
    return Condition(text, parse_expression(text))


_ABSENT = object()


def _look(data: Values, name: str) -> Any:
    if name in data:
        return data[name]
    found: Any = data
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _ABSENT
        found = found[part]
    return found


def _reading(node: Node) -> Reading:
    if isinstance(node, Literal):
        value = float(node.value) if isinstance(node.value, Decimal) else node.value
        return lambda _: value
    if isinstance(node, Column):
        return _field(node.name)
    parts = [_reading(part) for part in node.parts]
    if node.op in {"and", "or"}:
        return _joined(parts[0], parts[1], decides=node.op == "or")
    if node.op == "not":
        return lambda data: (not found) if isinstance(found := parts[0](data), bool) else None
    if node.op in _ORDER:
        return _compared(_ORDER[node.op], parts[0], parts[1])
    if node.op in _SUMS:
        return _summed(_SUMS[node.op], parts[0], parts[1])
    function = _FUNCTIONS[node.op]
    return lambda data: function(parts[0](data))


def _field(name: str) -> Reading:
    if "." not in name:
        return lambda data: data.get(name)

    def read(data: Values) -> Any:
        found = _look(data, name)
        return None if found is _ABSENT else found

    return read


def _joined(left: Reading, right: Reading, *, decides: bool) -> Reading:
    """Kleene's `and` and `or`: the value that `decides` does so whatever the other part is."""

    def read(data: Values) -> bool | None:
        one = left(data)
        other = None if one is decides else right(data)
        if one is decides or other is decides:
            return bool(decides)
        return not decides if isinstance(one, bool) and isinstance(other, bool) else None

    return read


_ORDERED = (int, float, str, datetime)
"""Of what one can be less than another; lists and maps are equal or not."""


def _compared(order: Callable[[Any, Any], Any], left: Reading, right: Reading) -> Reading:
    def read(data: Values) -> bool | None:
        one, other = left(data), right(data)
        if isinstance(one, datetime) or isinstance(other, datetime):
            one, other = _moment(one), _moment(other)
        if one is None or other is None or (_sort(one) is not _sort(other)):
            return None
        if order not in (operator.eq, operator.ne) and (isinstance(one, bool) or not isinstance(one, _ORDERED)):
            return None
        return bool(order(one, other))

    return read


def _summed(sums: Callable[[Any, Any], Any], left: Reading, right: Reading) -> Reading:
    def read(data: Values) -> float | None:
        one, other = _number(left(data)), _number(right(data))
        if one is None or other is None:
            return None
        try:
            return float(sums(one, other))
        except (ZeroDivisionError, OverflowError):
            return None

    return read


def _sort(value: Any) -> type | None:
    """What a value may be compared with; None: with nothing."""
    if isinstance(value, bool):
        return bool
    if isinstance(value, int | float):
        return float
    return type(value) if isinstance(value, str | datetime) else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _moment(value: Any) -> datetime | None:
    return moment_of(value) if isinstance(value, str) else value if isinstance(value, datetime) else None


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, str | list | tuple) else None


def _absolute(value: Any) -> float | None:
    number = _number(value)
    return None if number is None else abs(number)


def _negated(value: Any) -> float | None:
    number = _number(value)
    return None if number is None else -number


def _year(value: Any) -> int | None:
    moment = _moment(value)
    return None if moment is None else moment.year


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "len": _length,
    "lower": lambda value: value.lower() if isinstance(value, str) else None,
    "upper": lambda value: value.upper() if isinstance(value, str) else None,
    "abs": _absolute,
    "year": _year,
    "is_null": lambda value: value is None,
    "negate": _negated,
}
