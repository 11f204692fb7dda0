"""The grammar of `aggregate`: what it takes, what it means, and where it says that something is wrong."""

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.validate.aggregates import parse_aggregate
from data_pipeline.validate.rules import parse_rule
from tests.counts import few
from utils.expression.words import ExpressionError


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 1, "unexpected end, "),
        ("sum(", 5, "unexpected end, "),
        ("sum(a", 6, "`)` should stand here"),
        ("sum(a) + max(sum(b))", 14, "`sum` stands inside of another aggregate"),
        ("sum(1 + 2)", 7, "`sum` names no column (`count(*)` counts rows)"),
        ("count()", 7, "unexpected `)`"),
        ("sum(*)", 5, "unexpected `*`"),
        ("sum(lower(a))", 5, "`sum` needs a number"),
        ("mean(a < b)", 8, "`mean` needs a number"),
        ("max(lower(a)) + 1", 1, "`+` needs a number, this is text"),
        ("sum(a) > 1", 8, "the whole must be a number, a time or text"),
        ("total(a)", 1, "unknown function `total` (known: sum, count, min, max, mean, avg, len"),
        ("sum(a) sum(b)", 8, "unexpected `sum`"),
        ("min(a == 'x", 10, "never closed"),
    ],
)
def test_errors_carry_the_position(text: str, position: int, says: str) -> None:
    """As those of `compare` do."""
    with pytest.raises(ExpressionError, match="at position") as caught:
        parse_aggregate(text)

    assert caught.value.position == position
    assert says in str(caught.value)


@given(st.text(alphabet="ab 1.0'<>=()+-*/`,summincountavg*_é2026", max_size=40))
@settings(max_examples=few(100))
def test_any_text_is_parsed_or_refused_with_a_position(text: str) -> None:
    """No input ends in anything but an expression or an ExpressionError."""
    refused_at = None
    try:
        parse_aggregate(text)
    except ExpressionError as error:
        refused_at = error.position

    assert refused_at is None or 1 <= refused_at <= len(text) + 1


def test_a_figure_that_is_named_twice_is_gathered_once() -> None:
    """Whatever its spelling; a mean is a sum and a count."""
    found = parse_aggregate("sum(a*b) / count(*) + mean( a * b ) - header")

    assert sorted(fold.op for fold in found.folds.values()) == ["count", "count", "one", "sum"]
    assert found.columns == ("a", "b", "header")


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ({}, "needs an expression such as .*, not None"),
        ("sum(a)", "needs `equals`, or `min`, `max` or both"),
        ({"expr": "sum(a)", "equals": 1, "min": 0}, "needs `equals`, or `min`, `max` or both"),
        ({"expr": "a + 1", "equals": 1}, "looks at no more than one row: use sum, count"),
        ({"expr": "sum(a)", "equals": "b +"}, "`equals`: unexpected end, .* at position 4 of `b \\+`"),
        ({"expr": "sum(a", "min": 0}, "`\\)` should stand here, at position 6"),
        ({"expr": "sum(a)", "min": True}, "`min` must be a number, not True"),
        ({"expr": "sum(a)", "min": 0, "tolerance": 1}, "goes with nothing else"),
        ({"expr": "sum(a)", "equals": 0, "tolerance": -1}, "0 or more"),
        ({"expr": "sum(a)", "equals": 0, "tolerance": "1%"}, "`tolerance` must be a number"),
        ({"expr": "sum(a)", "equals": 0, "by": []}, "needs a column or a list of columns"),
        ({"expr": "sum(a)", "equals": 0, "by": ["a", "a"]}, "names a column twice"),
        ({"expr": "sum(a)", "equal": 0}, "unknown key `equal` in rule `aggregate`; did you mean `equals`"),
    ],
    ids=[
        "nothing",
        "nothing to hold against",
        "two ways at once",
        "no aggregate",
        "a fault in equals",
        "a fault in the expression",
        "true as a number",
        "a tolerance of a bound",
        "a negative tolerance",
        "a tolerance in words",
        "no column",
        "a column twice",
        "a misspelt key",
    ],
)
def test_a_wrong_argument_is_refused(argument: Any, says: str) -> None:
    """When the configuration is read, with the key."""
    with pytest.raises(ValueError, match=says):
        parse_rule({"aggregate": argument})


def test_a_rule_knows_all_its_columns() -> None:
    """Those of the key, of the expression and of what it is held against, each once."""
    (rule,) = parse_rule({"aggregate": {"expr": "sum(net + tax)", "by": "order", "equals": "max(gross) + tax"}})

    assert rule.columns == ("order", "net", "tax", "gross")
    assert rule.id == "aggregate(sum(net + tax) by order)"
    assert not rule.judges_rows
    assert not rule.quarantines


@pytest.mark.parametrize(
    ("written", "means"),
    [
        (5, "5"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e9, "1000000000"),
        (10**30 + 1, "1000000000000000000000000000001"),
        (-3, "-3"),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime.fromisoformat("2026-01-31T12:00:00+00:00"), "2026-01-31T12:00:00+00:00"),
        ("header_total", "header_total"),
    ],
)
def test_bounds_mean_what_was_written(written: Any, means: str) -> None:
    """A number is that number, never the float next to it; text is an expression."""
    (rule,) = parse_rule({"aggregate": {"expr": "max(a)", "equals": written}})

    assert rule.params["equals"] == means


def test_two_tolerances_are_two_things() -> None:
    """Inside it is how far a figure may be off, beside it the share of groups that may fail."""
    (rule,) = parse_rule({"aggregate": {"expr": "sum(a)", "by": "b", "equals": 1, "tolerance": 2}, "tolerance": 0.5})

    assert (rule.params["tolerance"], rule.tolerance) == (2, 0.5)
