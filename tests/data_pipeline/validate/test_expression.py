"""The grammar of `compare`: what it takes, where it says that something is wrong, and what Arrow makes of it."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.validate.engine import validate
from data_pipeline.validate.rules import parse_rule
from tests.counts import few
from tests.data_pipeline.validate.plain import NOW, batch_of
from utils.arrow import pa
from utils.expression.grammar import ExpressionError, parse_expression

Row = dict[str, Any]
Reading = tuple[str, Callable[[Row], Any]]


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 1, "unexpected end, "),
        ("a <", 4, "unexpected end, "),
        ("a <== b", 5, "unexpected `=`"),
        ("(a < b", 7, "`)` should stand here"),
        ("a < b)", 6, "unexpected `)`"),
        ("a < b < c", 7, "do not chain"),
        ("a + b", 3, "must be true or false"),
        ("1 < 2", 3, "names no column"),
        ("size(a) > 1", 1, "unknown function `size`"),
        ("len(3) > a", 5, "`len` needs text, this is a number"),
        ("a + 'x' > 1", 5, "`+` needs a number, this is text"),
        ("-'x' < a", 2, "`-` needs a number"),
        ("not 5 and a", 5, "`not` needs something true or false"),
        ("a < 1 or 'x' == 2", 14, "cannot compare text with a number"),
        ("(a < 1) < (b < 2)", 9, "cannot order true and false"),
        ("a == 'abc", 6, "never closed"),
        ("a > 2026-02-30", 5, "is no date"),
        ("a > 3x", 5, "means nothing here"),
        ("a ; b", 3, "means nothing here"),
        ("and > 1", 1, "unexpected `and`"),
        ("a.__class__()", 1, "unknown function"),
        ("__import__('os') == 1", 1, "unknown function `__import__`"),
        ("(" * 40 + "a < 1" + ")" * 40, 31, "nested deeper"),
        ("a < 1" + " or a < 1" * 100, 676, "at most 300"),
    ],
)
def test_errors_carry_the_position(text, position, says):
    """Every refused expression names the fault and the character where it stands, counted from 1."""
    with pytest.raises(ExpressionError, match="at position") as caught:
        parse_expression(text)

    assert caught.value.position == position
    assert says in str(caught.value)
    assert f"at position {position} of `" in str(caught.value)


@given(st.text(alphabet="ab 1.0'<>=()+-*/`,notrdl_é2026", max_size=40))
@settings(max_examples=few(200))
def test_any_text_is_parsed_or_refused_with_a_position(text):
    """No input ends in anything but a tree or an ExpressionError."""
    refused_at = None
    try:
        parse_expression(text)
    except ExpressionError as error:
        refused_at = error.position

    assert refused_at is None or 1 <= refused_at <= len(text) + 1


def test_operators_bind_as_everybody_expects():
    """`not` before `and` before `or`; product before sum; from the left; brackets change it."""
    rows = {"a": [1], "b": [2], "t": [True], "f": [False]}

    for true in (
        "a + b * 3 == 7",
        "(a + b) * 3 == 9",
        "10 - 3 - 2 == a + 4",
        "t or t and f",
        "not f and t",
        "not (t and f)",
        "-a + b == 1",
        "a - -b == 3",
        "a <> b",
        "8 / 4 / 2 == a",
        "NOT f AND t",
    ):
        assert judged(rows, true) == (0, 1), true
        assert judged(rows, f"not ({true})") == (1, 1), true


@pytest.mark.parametrize(
    "true",
    [
        "name == 'it''s'",
        "len(name) == 4",
        "upper(name) = 'IT''S'",
        "lower(`Order ID`) == 'x1'",
        "created < updated",
        "created == 2026-01-31",
        "created == '2026-01-31'",
        "updated == 2026-01-31T12:00:00+01:00",
        "day <= updated and day == created",
        "year(created) == 2026 and year(day) = 2026",
        "abs(low) == 2.5",
        "price == 0.1 and price + 0.2 == 0.3",
        "price < half",
        "gone > 1 or price < 1",
        "is_null(gone) and not is_null(price)",
        "ok == true",
        "größe.cm > 1e2",
        "half / 0 > 5 or price > 0",
        "big > 9007199254740992.0 and big == 9007199254740993",
        "big < 9007199254740994",
        "unsigned > 9223372036854775807",
        "unsigned > low",
    ],
)
def test_every_part_of_the_grammar_reads_its_column_type(true):
    """Text, numbers exact to the digit, times of any unit, dates, null, odd column names."""
    noon = datetime(2026, 1, 31, 11, tzinfo=UTC)
    rows = {
        "name": ["it's"],
        "Order ID": ["X1"],
        "created": pa.array([datetime(2026, 1, 31)], pa.timestamp("s")),
        "updated": pa.array([noon], pa.timestamp("us", "UTC")),
        "day": [date(2026, 1, 31)],
        "low": [-2.5],
        "half": [0.5],
        "price": [Decimal("0.1")],
        "gone": pa.array([None], pa.int64()),
        "ok": [True],
        "größe.cm": [180],
        "big": [2**53 + 1],
        "unsigned": pa.array([2**64 - 1], pa.uint64()),
    }

    assert judged(rows, true) == (0, 1)
    assert judged(rows, f"not ({true})") == (1, 1)


def test_unknown_passes_and_leaves_the_denominator():
    """As in SQL: a null makes a comparison unknown, unless the other side of `and` or `or` decides."""
    rows = {"a": [1, None, 5, None], "b": [2, 2, 2, 0]}

    assert judged(rows, "a <= b") == (1, 2)
    assert judged(rows, "a <= b and b > 1") == (2, 3)
    assert judged(rows, "is_null(a) or a <= b") == (1, 4)


def test_declared_decimals_are_calculated_at_once_and_exactly(monkeypatch):
    """They have 38 digits, and their product more than that type holds; it is not judged row by row all the same."""
    monkeypatch.setattr("data_pipeline.validate.kernels.compare.evaluate_rows", lambda *_: pytest.fail("row by row"))
    most = Decimal("99999999999999999999.99")
    product = Decimal(f"{9_999_999_999_999_999_999_999 * (2**53 + 1)}e-2")  # the operator would round it
    columns = {
        "price": pa.array([Decimal("1.25"), most, None, Decimal("0.01")], pa.decimal128(38, 2)),
        "pieces": pa.array([2, 2**53 + 1, 1, -3], pa.int64()),
        "total": pa.array([Decimal("2.50"), product, Decimal(1), Decimal("0.03")], pa.decimal256(60, 2)),
    }

    (outcome,) = validate(
        batch_of(columns), parse_rule({"compare": "price * pieces == total"}), now=NOW
    ).report.outcomes

    assert (outcome.failed, outcome.of) == (1, 3)


def test_an_overflow_is_judged_row_by_row_and_exactly():
    """Integers never wrap around: a chunk that overflows int64 is judged with exact numbers."""
    rows = {"a": [2**62, 2, None], "b": [4, 4, 4]}

    assert judged(rows, "a * b > 100") == (1, 2)
    assert judged(rows, "a * b * a * b == 64") == (1, 2)
    assert judged(rows, "a + b - b == a") == (0, 2)
    assert judged({"a": [-(2**63)]}, "abs(a) > 0 and -a > 0") == (0, 1)


def judged(rows: dict[str, Any], expression: str) -> tuple[int, int]:
    report = validate(batch_of(rows), parse_rule({"compare": expression}), now=NOW).report
    assert not report.outcomes[0].detail
    return report.outcomes[0].failed, report.outcomes[0].of


# Expressions as a pair: their text, and the plain Python reading of it.


def _lift(operation: Callable[..., Any]) -> Callable[..., Any]:
    """None in, None out; NaN is None."""

    def lifted(*values: Any) -> Any:
        if any(value is None for value in values):
            return None
        found = operation(*values)
        return None if isinstance(found, float) and math.isnan(found) else found

    return lifted


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _math(operation: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def calculate(left: Any, right: Any) -> Any:
        if isinstance(left, float) or isinstance(right, float):
            return operation(_float(left), _float(right))
        return operation(left, right)

    return _lift(calculate)


def _and(left: Any, right: Any) -> Any:
    return False if left is False or right is False else None if None in (left, right) else True


def _or(left: Any, right: Any) -> Any:
    return True if left is True or right is True else None if None in (left, right) else False


_BINARY = {
    "+": _math(lambda a, b: a + b),
    "-": _math(lambda a, b: a - b),
    "*": _math(lambda a, b: a * b),
    "/": _lift(lambda a, b: _float(a) / _float(b) if _float(b) else None),
}
_COMPARED = {
    "<": _lift(lambda a, b: a < b),
    "<=": _lift(lambda a, b: a <= b),
    ">": _lift(lambda a, b: a > b),
    ">=": _lift(lambda a, b: a >= b),
    "==": _lift(lambda a, b: a == b),
    "!=": _lift(lambda a, b: a != b),
}


def _of(kinds: dict[str, Callable[..., Any]], parts: st.SearchStrategy[Reading]) -> st.SearchStrategy[Reading]:
    def build(op: str, left: Reading, right: Reading) -> Reading:
        return f"({left[0]} {op} {right[0]})", lambda row: kinds[op](left[1](row), right[1](row))

    return st.builds(build, st.sampled_from(sorted(kinds)), parts, parts)


_columns = st.sampled_from(["i", "j", "f"]).map(lambda name: (name, lambda row: row[name]))
_literals = st.sampled_from([0, 1, 3, 2**53 + 1]).map(lambda value: (str(value), lambda _row: value))
_leaves = st.one_of(_columns, _columns, _literals)
_negated = _columns.map(lambda part: (f"-{part[0]}", lambda row: _lift(lambda value: -value)(part[1](row))))
_abs = _columns.map(lambda part: (f"abs({part[0]})", lambda row: _lift(abs)(part[1](row))))
_numbers = st.one_of(_leaves, _negated, _abs, _of(_BINARY, _leaves), _of(_BINARY, _of(_BINARY, _leaves)))
_is_null = _numbers.map(lambda part: (f"is_null({part[0]})", lambda row: part[1](row) is None))
_booleans = st.one_of(_of(_COMPARED, _numbers), _is_null)
_whole = st.one_of(_booleans, _of({"and": _and, "or": _or}, _booleans)).filter(
    lambda part: any(name in part[0].replace("is_null", "") for name in "ijf")
)
_integers = st.none() | st.integers(-3, 3) | st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, -(2**63)])
_floats = st.none() | st.sampled_from([math.nan, 0.0, -0.0, 0.5, 3.0, float(2**53), 1e308]) | st.floats(-3, 3)
_row = st.fixed_dictionaries({"i": _integers, "j": _integers, "f": _floats})


@given(_whole, st.lists(_row, min_size=1, max_size=6))
@settings(max_examples=few(300), deadline=None)
def test_arrow_agrees_with_the_plain_reading(reading: Reading, rows: list[Row]):
    """Any expression over integers and floats gives what exact Python gives, whichever way it is judged."""
    text, read = reading
    clean = [{k: None if v is not None and math.isnan(v) else v for k, v in row.items()} for row in rows]
    expected = [read(row) for row in clean]
    types = {"i": pa.int64(), "j": pa.int64(), "f": pa.float64()}
    columns = {name: pa.array([row[name] for row in rows], type_) for name, type_ in types.items()}

    assert judged(columns, text) == (expected.count(False), len(expected) - expected.count(None))
