"""Queries: every value is bound, whatever stands around it, and mistakes are told before anything is asked."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.collect.placeholders import Partition, Values
from data_pipeline.collect.sql.query import bind, check

NOW = datetime(2026, 3, 1, 7, 5, 30, tzinfo=UTC)


def bound(query: str, params: dict[str, Any] | None = None, **values: Any) -> tuple[str, dict[str, Any]]:
    made = bind(query, params or {}, Values(NOW, **values))
    return " ".join(made.text.split()), made.values


def test_a_placeholder_becomes_a_parameter_with_a_value_of_its_type() -> None:
    """The text never holds the value; each place has a parameter of its own."""
    text, values = bound("SELECT * FROM t WHERE a >= {cursor} AND b < {now} AND d = {run_date}", cursor=7)
    assert text == "SELECT * FROM t WHERE a >= :value_1 AND b < :value_2 AND d = :value_3"
    assert values == {"value_1": 7, "value_2": NOW, "value_3": NOW.date()}


def test_no_cursor_is_null_and_zero_is_a_cursor() -> None:
    """NULL as a keyword fits every type; 0 and the empty text are bound like any other value."""
    query = "SELECT 1 WHERE {cursor} IS NULL OR a >= {cursor}"
    assert bound(query) == ("SELECT 1 WHERE NULL IS NULL OR a >= NULL", {})
    assert bound(query, cursor=0) == ("SELECT 1 WHERE 0 IS NULL OR a >= :value_1", {"value_1": 0})
    assert bound(query, cursor="") == ("SELECT 1 WHERE 0 IS NULL OR a >= :value_1", {"value_1": ""})


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{now:%Y%m%d}", "20260301"),
        ("{now:epoch_s}", 1772348730),
        ("{now:epoch_ms}", 1772348730000),
        ("{now:iso}", "2026-03-01T07:05:30Z"),
        ("{cursor}", 1772348730),
        ("{partition.start}", NOW),
        ("{partition.key}", "2026-03-01"),
    ],
    ids=["strftime", "epoch", "milliseconds", "iso", "the-dataset's-format", "a-partition's-start", "its-key"],
)
def test_a_format_decides_what_is_bound(written: str, value: object) -> None:
    """A format gives text, an epoch a number; the cursor has the dataset's own format."""
    made = bind(f"SELECT {written}", {}, Values(NOW, NOW, "epoch_s", partition=Partition("2026-03-01", NOW, NOW)))
    assert made.values == {"value_1": value}


def test_parameters_are_bound_by_name_and_may_hold_placeholders() -> None:
    """One alone keeps its type, within a text it is written out; a list is for IN."""
    made = bind(
        "SELECT :since, :day, :limit WHERE a IN :ids",
        {"since": "{cursor}", "day": "d={run_date}", "limit": 5, "ids": [1, 2]},
        Values(NOW, cursor=NOW),
    )
    assert made.values == {"value_1": NOW, "value_2": "d=2026-03-01", "value_3": 5, "value_4": [1, 2]}
    assert made.lists == ("value_4",)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a::date, b->>'x' FROM t",
        "SELECT '12:30', 'at :noon', \"a:b\"",
        "SELECT a FROM t -- not a :parameter, nor a {placeholder}",
        "SELECT /* {x} :y */ 1",
        "SELECT $$ it's :here $$, $q$ :there $q$",
        "SELECT E'it\\'s :x'",
        "SELECT a[1:n] FROM t WHERE b LIKE '50%'",
    ],
    ids=["casts", "quotes", "line-comment", "comment", "dollar-quotes", "escape-string", "slice-and-percent"],
)
def test_colons_that_are_no_parameters_stay(query: str) -> None:
    """Casts, clock times and what stands in quotes or comments come out as they were written."""
    import sqlalchemy as sa

    check(query, {})
    made = bind(query, {}, Values(NOW))
    assert made.values == {}
    assert str(sa.text(made.text).compile()) == query


def test_a_cast_after_a_placeholder_is_no_obstacle() -> None:
    """`{cursor}::date` is a parameter with a cast."""
    import sqlalchemy as sa

    made = bind("SELECT {cursor}::date", {}, Values(NOW, cursor="2026-01-01"))
    assert list(sa.text(made.text).compile().params) == ["value_1"]


def test_literal_braces_are_doubled_and_a_last_semicolon_goes() -> None:
    """In quotes and outside of them."""
    assert bound("SELECT '{{1,2}}'::int[], {{x}} ; ")[0] == "SELECT '{1,2}'::int[], {x}"


@pytest.mark.parametrize(
    ("query", "params", "words"),
    [
        ("SELECT {cursr}", {}, "unknown placeholder `{cursr}`"),
        ("SELECT '{cursor}'", {}, "stands in quotes"),
        ("SELECT '{1,2}'", {}, "lonely"),
        ("SELECT {", {}, "lonely"),
        ("SELECT :since", {"sinse": 1}, "`:since` stands in the query and not in `params`"),
        ("SELECT 1", {"since": 1}, "`params.since` is not used"),
        ("SELECT :a", {"a": "{nowt}"}, "unknown placeholder `{nowt}`"),
    ],
    ids=["misspelt", "in-quotes", "array-literal", "lonely-brace", "not-in-params", "not-used", "in-params"],
)
def test_mistakes_are_told_before_anything_is_asked(query: str, params: dict[str, Any], words: str) -> None:
    """With the name, so that it is found."""
    with pytest.raises(ValueError, match=words.replace("{", r"\{")):
        check(query, params)


@given(st.text())
def test_no_value_ever_becomes_part_of_the_text(value: str) -> None:
    """Whatever the cursor holds, the text is the same, and the value arrives whole."""
    made = bind("SELECT * FROM t WHERE a > {cursor}", {}, Values(NOW, cursor=value))
    assert made.text.split() == ["SELECT", "*", "FROM", "t", "WHERE", "a", ">", ":value_1"]
    assert made.values == {"value_1": value}
