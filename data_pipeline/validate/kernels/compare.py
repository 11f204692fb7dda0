"""The `compare` rule: a checked expression compiled to Arrow kernels, exact like the row-wise reading of it.

Integers stay integers, decimals decimals; a float beside them makes floats. Where Arrow says that a chunk does not fit
(an overflow, an integer beyond 2^53 beside a float), that chunk is judged row by row with Python's exact numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from data_pipeline.validate.kernels.bounds import microseconds
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk, without_nan
from data_pipeline.validate.kernels.rowwise import evaluate_rows
from utils.arrow import compute, pa
from utils.expression.grammar import (
    COMPARISONS,
    A,
    Call,
    Column,
    ExpressionError,
    Kind,
    Literal,
    Node,
    check,
    columns_of,
    moment_of,
    parse_expression,
)

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["Value", "compare", "holds", "kind_of", "truth", "value"]

_KERNELS = {
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "==": "equal",
    "!=": "not_equal",
    "and": "and_kleene",
    "or": "or_kleene",
    "not": "invert",
    "lower": "utf8_lower",
    "upper": "utf8_upper",
    "len": "utf8_length",
    "year": "year",
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "negate": "negate",
    "abs": "abs",
}
_UNIT = "us"

Evaluate = Callable[[Chunk], Any]


class _RowByRow(Exception):
    """A literal that no Arrow scalar of its neighbour's type can hold exactly."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A compiled part. `family`: integer, float, decimal, text, boolean, time, null. `literal`: set when it is one."""

    family: str
    evaluate: Evaluate
    literal: Literal | None = None


def compare(rule: "Rule", columns: "Mapping[str, tuple[int, pa.DataType]]") -> Check:
    """Fails where the expression is false; unknown (a null decides) passes and is not judged.

    Raises:
        CannotJudge: the expression does not fit the columns' types; with the position.
    """
    holds = truth(rule.params["expr"], columns)

    def judge(chunk: Chunk) -> tuple[int, Any]:
        found = holds(chunk)
        judged = chunk.rows - found.null_count
        return judged, compute.invert(found) if found.false_count else None

    return judge


def truth(text: str, columns: "Mapping[str, tuple[int, pa.DataType]]") -> "Callable[[Chunk], pa.BooleanArray]":
    """What tells for each row of a chunk whether an expression is true, false or unknown (null).

    Args:
        columns: Name -> index and type of every column that the expression names, maybe of others.

    Raises:
        CannotJudge: the expression does not fit the columns' types; with the position.
    """
    node = parse_expression(text)
    try:
        found = check(node, lambda name: kind_of(columns[name][1]), text)
        if found not in {"boolean", "any"}:
            raise ExpressionError(text, node.position, f"the whole must be true or false, this is {A[found]}")
    except ExpressionError as error:
        raise CannotJudge(str(error)) from error
    return holds(node, columns)


def holds(node: Node, columns: "Mapping[str, tuple[int, pa.DataType]]") -> "Callable[[Chunk], pa.BooleanArray]":
    """The same for a tree that was checked with the kinds of its columns."""
    found = value(node, columns)

    def judge(chunk: Chunk) -> "pa.BooleanArray":
        judged = found.of(chunk)
        return pa.array(judged, pa.bool_()) if isinstance(judged, list) else judged

    return judge


@dataclass(frozen=True, slots=True)
class Value:
    """What gives an expression's value in each row.

    Attributes:
        family: integer, float, decimal, text, boolean, time, null.
        of: For a chunk an array (or a scalar, for an expression without columns); a list of Python's exact values where
            Arrow's types do not reach.
    """

    family: str
    of: "Callable[[Chunk], pa.Array | pa.Scalar | list[Any]]"


def value(node: Node, columns: "Mapping[str, tuple[int, pa.DataType]]") -> Value:
    """Compiles a tree that was checked with the kinds of its columns.

    Raises:
        CannotJudge: a column is of a type that expressions do not know.
    """
    families = {name: _family(columns[name][1]) for name in columns_of(node)}
    node = _with_times(node, families)
    places = {name: columns[name][0] for name in families}
    try:
        part = _compile(node, columns, families)
    except (_RowByRow, pa.ArrowInvalid):
        return Value("decimal", lambda chunk: evaluate_rows(node, chunk, places))

    def of(chunk: Chunk) -> Any:
        try:
            return part.evaluate(chunk)
        except pa.ArrowInvalid:
            return evaluate_rows(node, chunk, places)

    return Value(part.family, of)


def kind_of(type_: "pa.DataType") -> Kind:
    """What a column of a type is in an expression.

    Raises:
        CannotJudge: no expression can use it.
    """
    return _KIND[_family(type_)]


_KIND: dict[str, Kind] = {
    "integer": "number",
    "float": "number",
    "decimal": "number",
    "text": "text",
    "boolean": "boolean",
    "time": "time",
    "null": "any",
}


def _family(type_: "pa.DataType") -> str:
    types = pa.types
    if types.is_integer(type_):
        return "decimal" if type_ == pa.uint64() else "integer"
    if types.is_floating(type_):
        return "float"
    if types.is_decimal(type_):
        return "decimal"
    if types.is_string(type_) or types.is_large_string(type_):
        return "text"
    if types.is_boolean(type_):
        return "boolean"
    if types.is_timestamp(type_) or types.is_date(type_):
        return "time"
    if types.is_null(type_):
        return "null"
    raise CannotJudge(f"an expression cannot use {type_}")


def _with_times(node: Node, families: Mapping[str, str]) -> Node:
    """The tree with quoted text read as a time where a time column stands beside it."""
    if not isinstance(node, Call):
        return node
    parts = tuple(_with_times(part, families) for part in node.parts)
    if node.op in COMPARISONS and any(isinstance(p, Column) and families[p.name] == "time" for p in parts):
        parts = tuple(_as_time(part) for part in parts)
    return Call(node.op, parts, node.position)


def _as_time(part: Node) -> Node:
    if isinstance(part, Literal) and isinstance(part.value, str) and (found := moment_of(part.value)):
        return Literal(found, part.position)
    return part


def _compile(node: Node, columns: "Mapping[str, tuple[int, pa.DataType]]", families: Mapping[str, str]) -> _Part:
    if isinstance(node, Literal):
        return _literal(node)
    if isinstance(node, Column):
        return _column(families[node.name], *columns[node.name])
    parts = [_compile(part, columns, families) for part in node.parts]
    if node.op == "is_null":
        inner = parts[0].evaluate
        return _Part("boolean", lambda chunk: compute.is_null(inner(chunk)))
    if node.op in {"and", "or", "not"}:
        return _call(_KERNELS[node.op], parts, "boolean")
    if any(part.family == "null" for part in parts):
        return _Part("null", lambda chunk: pa.nulls(chunk.rows, pa.bool_()))
    if node.op in COMPARISONS:
        return _call(_KERNELS[node.op], _alike(parts), "boolean")
    if node.op in {"lower", "upper"}:
        return _call(_KERNELS[node.op], parts, "text")
    if node.op in {"len", "year"}:
        count = _call(_KERNELS[node.op], parts, "integer").evaluate
        return _Part("integer", lambda chunk: compute.cast(count(chunk), pa.int64()))
    return _arithmetic(node.op, parts)


def _literal(node: Literal) -> _Part:
    value = node.value
    if isinstance(value, bool):
        family, scalar = "boolean", pa.scalar(value)
    elif isinstance(value, str):
        family, scalar = "text", pa.scalar(value)
    elif isinstance(value, Decimal):
        family, scalar = "decimal", pa.scalar(Decimal(format(value, "f")))
    elif isinstance(value, int):
        small = -(2**63) <= value < 2**63
        family, scalar = "integer" if small else "decimal", pa.scalar(value if small else Decimal(value))
    else:
        family, scalar = "time", pa.scalar(microseconds(value), pa.timestamp(_UNIT))
    return _Part(family, lambda _chunk: scalar, literal=node)


def _column(family: str, at: int, type_: "pa.DataType") -> _Part:
    if family == "null":
        return _Part(family, lambda chunk: pa.nulls(chunk.rows, pa.bool_()))
    if pa.types.is_timestamp(type_) and type_.tz is not None:
        naive = pa.timestamp(type_.unit)
        return _Part(family, lambda chunk: chunk.arrays[at].view(naive))
    wide = {"integer": pa.int64(), "float": pa.float64(), "text": type_, "boolean": type_, "time": type_}.get(family)
    if type_ == pa.uint64():
        wide = pa.decimal128(20, 0)
    if wide is None or wide == type_:
        return _Part(family, lambda chunk: chunk.arrays[at])
    return _Part(family, lambda chunk: chunk.arrays[at].cast(wide))


def _call(kernel: str, parts: list[_Part], family: str) -> _Part:
    function = compute.get_function(kernel)
    if len(parts) == 1:
        only = parts[0].evaluate
        return _Part(family, lambda chunk: function.call([only(chunk)]))
    left, right = parts[0].evaluate, parts[1].evaluate
    return _Part(family, lambda chunk: function.call([left(chunk), right(chunk)]))


def _alike(parts: list[_Part]) -> list[_Part]:
    """Decimals beside a float become floats; integers stay, Arrow itself refuses those that would lose digits."""
    if any(part.family == "float" for part in parts):
        return [_as_float(part) if part.family == "decimal" or part.literal else part for part in parts]
    return parts


def _as_float(part: _Part) -> _Part:
    if part.family == "float":
        return part
    if part.literal is not None:
        value = part.literal.value
        number = float(value) if isinstance(value, int | Decimal) else 0.0
        if isinstance(value, int) and number != value:
            raise _RowByRow
        scalar = pa.scalar(number)
        return _Part("float", lambda _chunk: scalar)
    inner = part.evaluate
    return _Part("float", lambda chunk: compute.cast(inner(chunk), pa.float64()))


def _arithmetic(op: str, parts: list[_Part]) -> _Part:
    if op == "/" or any(part.family == "float" for part in parts):
        return _float_arithmetic(op, [_as_float(part) for part in parts])
    if any(part.family == "decimal" for part in parts):
        return _call(_KERNELS[op], [_widened(part) for part in parts], "decimal")
    return _call(f"{_KERNELS[op]}_checked", parts, "integer")  # unchecked integers would wrap around


def _widened(part: _Part) -> _Part:
    """Decimals with room: Arrow refuses results of more digits than the type has, and declared ones have 38."""
    inner = part.evaluate

    def evaluate(chunk: Chunk) -> Any:
        found = inner(chunk)
        if pa.types.is_decimal128(found.type):
            return found.cast(pa.decimal256(found.type.precision, found.type.scale))
        return found

    return replace(part, evaluate=evaluate)


def _float_arithmetic(op: str, parts: list[_Part]) -> _Part:
    if op == "/":
        parts = [parts[0], _not_zero(parts[1])]
    inner = _call("divide" if op == "/" else _KERNELS[op], parts, "float").evaluate

    def evaluate(chunk: Chunk) -> Any:
        found = inner(chunk)
        return without_nan(found) if isinstance(found, pa.Array) else found

    return _Part("float", evaluate)


def _not_zero(part: _Part) -> _Part:
    """A division by zero has no value, so it is unknown."""
    inner = part.evaluate
    none, zero = pa.scalar(None, pa.float64()), pa.scalar(0.0)

    def evaluate(chunk: Chunk) -> Any:
        found = inner(chunk)
        return compute.if_else(compute.equal(found, zero), none, found)

    return _Part("float", evaluate)
