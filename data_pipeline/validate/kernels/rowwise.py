"""An expression judged row by row with Python's exact numbers: slow, for chunks where Arrow's types do not reach."""

import math
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Any

from data_pipeline.validate.kernels.bounds import microseconds, storage_of
from data_pipeline.validate.kernels.columns import Chunk
from utils.arrow import pa
from utils.expression.grammar import Call, Column, Literal, Node

__all__ = ["evaluate_rows"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_CALCULATE: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def evaluate_rows(node: Node, chunk: Chunk, places: Mapping[str, int]) -> list[Any]:
    """The value in each row, None where there is none. Times are counted in nanoseconds since 1970."""
    names = list(places)
    columns = [_values(chunk.arrays[places[name]]) for name in names]
    rows = zip(*columns, strict=True) if columns else [()] * chunk.rows
    with localcontext(Context(prec=400)):
        return [_evaluate(node, dict(zip(names, row, strict=True))) for row in rows]


def _values(array: "pa.Array") -> list[Any]:
    storage = storage_of(array.type)
    if storage is None or not storage.is_time:
        return list(array.to_pylist())
    counts = array.view(pa.int64() if array.type.bit_width == 64 else pa.int32()).to_pylist()
    nanoseconds = 10**9 / storage.per_unit
    return [None if count is None else int(count * nanoseconds) for count in counts]


def _evaluate(node: Node, row: Mapping[str, Any]) -> Any:
    if isinstance(node, Literal):
        return microseconds(node.value) * 1000 if isinstance(node.value, datetime) else node.value
    if isinstance(node, Column):
        return row[node.name]
    if node.op in {"and", "or"}:
        return _kleene(node, row)
    values = [_evaluate(part, row) for part in node.parts]
    if node.op == "is_null":
        return values[0] is None
    if any(value is None for value in values):
        return None
    if node.op in _COMPARE:
        return _COMPARE[node.op](*_comparable(*values))
    return _calculate(node.op, values)


def _kleene(node: Call, row: Mapping[str, Any]) -> bool | None:
    values = [_evaluate(part, row) for part in node.parts]
    decides = node.op == "or"
    if any(value is decides for value in values):
        return decides
    return None if None in values else not decides


def _calculate(op: str, values: list[Any]) -> Any:
    first = values[0]
    if op == "not":
        return not first
    if op == "len":
        return len(first)
    if op == "year":
        return (_EPOCH + timedelta(microseconds=first // 1000)).year
    if op in {"lower", "upper"}:
        return first.lower() if op == "lower" else first.upper()
    if op in {"abs", "negate"}:
        return abs(first) if op == "abs" else -first
    if op == "/":
        return _number(_divided(_float(first), _float(values[1])))
    return _number(_CALCULATE[op](*_alike(*values)))


def _divided(left: float, right: float) -> float | None:
    return left / right if right else None


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond every float
        return math.inf if value > 0 else -math.inf


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    if isinstance(left, float) or isinstance(right, float):
        return _float(left), _float(right)
    return left, right


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    """Python compares integers with floats exactly; a decimal meets a float as a float, as on the fast way."""
    if isinstance(left, Decimal) and isinstance(right, float):
        return float(left), right
    if isinstance(left, float) and isinstance(right, Decimal):
        return left, float(right)
    return left, right
