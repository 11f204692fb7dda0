"""`aggregate` against the plain reading of it, and whole against merged parts."""

import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.validate.engine import judge, observe, validate
from data_pipeline.validate.kernels import groups
from data_pipeline.validate.kernels.aggregate import Aggregated, aggregate
from data_pipeline.validate.kernels.columns import Chunk, loader_of
from data_pipeline.validate.report import RuleOutcome
from data_pipeline.validate.rules import parse_rule
from data_pipeline.validate.surroundings import NOTHING_AROUND
from tests.counts import few
from tests.data_pipeline.validate import tables
from tests.data_pipeline.validate.plain import NOW, batch_of
from utils.arrow import pa

SCHEMA = pa.schema(
    [
        ("shop", pa.string()),
        ("till", pa.int64()),
        ("whole", pa.int64()),
        ("price", pa.decimal128(38, 2)),
        ("float", pa.float64()),
        ("total", pa.decimal128(38, 2)),
    ]
)
Row = dict[str, Any]

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "shop": st.sampled_from(["a", "b", "ä", None]),
            "till": st.sampled_from([1, 2**53, 2**53 + 1, None]),
            "whole": st.none() | st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1]) | st.integers(-3, 3),
            "price": st.none() | st.decimals(-3, 3, places=2, allow_nan=False),
            "float": st.none() | st.sampled_from([0.1, 0.2, -0.3, 1e16, -1e16, 2.5, math.nan, math.inf]),
            "total": st.none() | st.sampled_from([Decimal("0.00"), Decimal("1.50"), Decimal("-2.25")]),
        }
    ),
    max_size=14,
)


def table(rows: Sequence[Row]) -> "pa.Table":
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def one(columns: dict[str, Any], argument: dict[str, Any], **more: Any) -> RuleOutcome:
    (outcome,) = validate(batch_of(columns), parse_rule({"aggregate": argument, **more}), now=NOW).report.outcomes
    return outcome


# --- the plain reading


def known(rows: Sequence[Row], column: str) -> list[Any]:
    """Values that are there; NaN is none."""
    return [row[column] for row in rows if row[column] is not None and row[column] == row[column]]


def exact_sum(rows: Sequence[Row], column: str) -> Any:
    values = known(rows, column)
    if any(isinstance(value, float) and math.isinf(value) for value in values):
        return math.inf
    return sum(map(Fraction, values)) if values else None


def single(rows: Sequence[Row], column: str) -> Any:
    """The one value of a group, `...` for several, None for none."""
    values = set(known(rows, column))
    return ... if len(values) > 1 else values.pop() if values else None


class Case(NamedTuple):
    """A rule's argument, what is found and what is expected, in a group of rows; both None: unknown."""

    argument: dict[str, Any]
    found: Callable[[Sequence[Row]], Any]
    good: Callable[[Any, Sequence[Row]], bool | None]


def _near(found: Any, expected: float, rows: Sequence[Row], column: str) -> bool:
    if math.isinf(found):
        return False
    largest = max((abs(value) for value in known(rows, column) if not math.isinf(value)), default=0)
    return abs(found - Fraction(str(expected))) <= Fraction(1, 10**9) * Fraction(abs(found) + abs(expected) + largest)


def _is_total(found: Any, rows: Sequence[Row]) -> bool | None:
    total = single(rows, "total")
    if total is ...:
        return False
    return None if total is None or found is None else found == Fraction(total)


CASES = [
    Case({"expr": "sum(whole)", "equals": 3}, lambda rows: exact_sum(rows, "whole"), lambda found, _: found == 3),
    Case(
        {"expr": "sum(whole)", "min": -5, "max": 2**63},
        lambda rows: exact_sum(rows, "whole"),
        lambda found, _: -5 <= found <= 2**63,
    ),
    Case({"expr": "sum(price)", "equals": "total"}, lambda rows: exact_sum(rows, "price"), _is_total),
    Case(
        {"expr": "sum(price)", "equals": 1, "tolerance": 0.25},
        lambda rows: exact_sum(rows, "price"),
        lambda found, _: abs(found - 1) <= Fraction(1, 4),
    ),
    Case(
        {"expr": "sum(float)", "equals": 0.3},
        lambda rows: exact_sum(rows, "float"),
        lambda found, rows: _near(found, 0.3, rows, "float"),
    ),
    Case({"expr": "count(*)", "max": 2}, len, lambda found, _: found <= 2),
    Case({"expr": "count(price)", "min": 1}, lambda rows: len(known(rows, "price")), lambda found, _: found >= 1),
    Case(
        {"expr": "max(till)", "equals": 2**53},
        lambda rows: max(known(rows, "till"), default=None),
        lambda f, _: f == 2**53,
    ),
    Case({"expr": "min(price)", "min": 0}, lambda rows: min(known(rows, "price"), default=None), lambda f, _: f >= 0),
    Case(
        {"expr": "max(shop)", "equals": "'b'"},
        lambda rows: max(known(rows, "shop"), default=None),
        lambda f, _: f == "b",
    ),
    Case(
        {"expr": "sum(price * till)", "min": 0},
        lambda rows: (
            sum(products)
            if (
                products := [
                    Fraction(row["price"]) * row["till"] for row in rows if None not in (row["price"], row["till"])
                ]
            )
            else None
        ),
        lambda found, _: found >= 0,
    ),
]


def expected(case: Case, by: Sequence[str], rows: Sequence[Row]) -> tuple[int, int]:
    """How many groups fail, of how many that are judged."""
    found: dict[Any, list[Row]] = {} if by else {(): list(rows)}
    for row in rows if by else ():
        if None not in (key := tuple(row[name] for name in by)):
            found.setdefault(key, []).append(row)
    verdicts = []
    for group in found.values():
        figure = case.found(group)
        if case.argument.get("equals") == "total" and single(group, "total") is ...:
            verdicts.append(False)
        elif figure is not None and (good := case.good(figure, group)) is not None:
            verdicts.append(good)
    return verdicts.count(False), len(verdicts)


@given(
    ROWS,
    st.sampled_from(CASES),
    st.sampled_from([(), ("shop",), ("till", "shop")]),
    st.lists(st.integers(1, 13), max_size=3),
)
@settings(max_examples=few(120), deadline=None)
def test_every_figure_agrees_with_the_plain_reading(
    rows: list[Row], case: Case, by: tuple[str, ...], cuts: list[int]
) -> None:
    """Groups that fail and groups that are judged, however the rows are cut."""
    argument = {**case.argument, **({"by": list(by)} if by else {})}

    (outcome,) = validate(tables.batch(table(rows), cuts), parse_rule({"aggregate": argument}), now=NOW).report.outcomes

    assert (outcome.failed, outcome.of) == (expected(case, by, rows) if rows else (0, 0)), outcome.detail


@given(
    ROWS,
    st.sampled_from(CASES),
    st.booleans(),
    st.lists(st.integers(1, 13), max_size=4),
    st.randoms(use_true_random=False),
)
@settings(max_examples=few(60), deadline=None)
def test_whole_equals_merge_of_parts(
    rows: list[Row], case: Case, grouped: bool, cuts: list[int], chance: random.Random
) -> None:
    """In any order, also when parts travel as bytes: figures, verdict and words, to the last bit of a float."""
    argument = {**case.argument, **({"by": "shop"} if grouped else {})}
    rules = tuple(parse_rule({"aggregate": argument}))
    whole = table(rows)
    parts = list(tables.parts(whole, cuts))
    chance.shuffle(parts)

    assert (
        judge([observe(tables.batch(part), rules, now=NOW) for part in parts])
        == validate(tables.batch(whole), rules, now=NOW).report
    )
    states = [Aggregated.from_bytes(gathered(rules[0], part).to_bytes()) for part in parts]
    merged = states[0]
    for state in states[1:]:
        merged = merged.merge(state)
    assert merged == gathered(rules[0], whole)


def gathered(rule: Any, rows: "pa.Table") -> Aggregated:
    places = {name: (at, SCHEMA.field(name).type) for at, name in enumerate(SCHEMA.names)}
    loads = [(column.combine_chunks(), loader_of(column.type)) for column in rows.columns]
    arrays = [array if load is None else load(array) for array, load in loads]
    found = aggregate(rule, places)(Chunk(arrays, rows.num_rows, {}, 0, NOTHING_AROUND))
    assert isinstance(found, Aggregated)
    return found


# --- what a user sees


def test_groups_that_fail_are_counted_and_the_worst_are_named() -> None:
    """In the words of the rule; what they hold stands in the examples, not in the detail."""
    orders = {
        "order": [1, 1, 2, 2, 3],
        "amount": pa.array(map(Decimal, ["1.10", "2.20", "5.00", "1.00", "9.99"]), pa.decimal128(38, 2)),
        "header": pa.array(map(Decimal, ["3.30", "3.30", "5.00", "5.00", "10.00"]), pa.decimal128(38, 2)),
    }

    outcome = one(orders, {"expr": "sum(amount)", "by": "order", "equals": "header"})

    assert (outcome.failed, outcome.of, outcome.passed) == (2, 3, False)
    assert outcome.detail == "2 of 3 groups by `order`: `sum(amount)` is not `header`, off by up to 1"
    assert outcome.examples == (
        (("order", "2"), ("sum(amount)", "6.00"), ("header", "5.00")),
        (("order", "3"), ("sum(amount)", "9.99"), ("header", "10.00")),
    )
    assert one(orders, {"expr": "sum(amount)", "by": "order", "equals": "header", "tolerance": 0.01}).failed == 1
    assert one(orders, {"expr": "sum(amount)", "by": "order", "equals": "header"}, tolerance=0.7).passed


def test_twenty_groups_are_named_of_many_that_fail() -> None:
    """The worst of them; all are counted."""
    outcome = one(
        {"order": list(range(30)), "amount": list(range(30))}, {"expr": "sum(amount)", "by": "order", "max": -1}
    )

    assert outcome.failed == 30
    assert [dict(example)["order"] for example in outcome.examples] == [str(order) for order in range(29, 9, -1)]


def test_a_column_that_should_have_one_value_and_has_several_is_told() -> None:
    """The group fails: nobody knows which of them is meant."""
    rows = {"order": [1, 1, 2], "amount": [1, 2, 5], "header": [3, 4, 5]}

    outcome = one(rows, {"expr": "sum(amount)", "by": "order", "equals": "header"})

    assert (outcome.failed, outcome.of) == (1, 2)
    assert (
        outcome.detail
        == "1 of 2 groups by `order`: `sum(amount)` is not `header`; `header` has more than one value in 1 of them"
    )
    assert (
        one(rows, {"expr": "count(*)", "equals": "header"}).detail
        == "`count(*)` is not `header`: `header` has more than one value"
    )
    assert outcome.examples == ((("order", "1"), ("sum(amount)", "3"), ("header", "more than one value")),)


@pytest.mark.parametrize(
    ("argument", "detail"),
    [
        ({"expr": "sum(a)", "equals": 5}, "`sum(a)` is 6, not 5"),
        ({"expr": "sum(a)", "equals": "b"}, "`sum(a)` is not `b`"),
        (
            {"expr": "sum(a)", "equals": "3 * 9223372036854775807"},
            "`sum(a)` is 6, not 27670116110564327421 (`3 * 9223372036854775807`)",
        ),
        ({"expr": "mean(a)", "max": 1.5}, "`mean(a)` is 2, at most 1.5 expected"),
        (
            {"expr": "max(a)-min(a)", "min": 3, "max": 4},
            "`max(a)-min(a)` is below `3` or is above `4`",
        ),
        (
            {"expr": "max(t)", "equals": "min(u)"},
            "`max(t)` is not `min(u)`",
        ),
        ({"expr": "max(s)", "equals": "'x'"}, "`max(s)` is not `'x'`"),
        ({"expr": "sum(s)", "equals": 1}, "`sum` needs a number, this is text, at position 5 of `sum(s)`"),
        ({"expr": "max(s)", "equals": 1}, "`max(s)` is text, `equals: 1` is a number"),
        ({"expr": "sum(c)", "equals": 1}, "column `c` is not in the batch (has: a, b, s, t, u, l)"),
        ({"expr": "count(*)", "by": "l", "equals": 1}, "`l` is list<item: int64>, by which rows cannot be grouped"),
    ],
)
def test_the_batch_as_one_tells_figure_and_bound(argument: dict[str, Any], detail: str) -> None:
    """Sums, counts and means; what is a value of a row is not told, for it would stand in an event."""
    times = pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC"))
    later = pa.array([datetime(2026, 1, 1, 6, tzinfo=UTC)] * 3, pa.timestamp("s", "UTC"))
    batch = {"a": [1, 2, 3], "b": [7] * 3, "s": ["u", "v", "w"], "t": times, "u": later, "l": [[1]] * 3}

    outcome = one(batch, argument)

    assert (outcome.failed, outcome.of, outcome.detail) == (1, 1, detail)


def test_what_has_no_value_is_not_judged() -> None:
    """Neither a sum of nothing but nulls, nor a group without a key."""
    rows = {"a": pa.array([None, None], pa.int64()), "k": pa.array([None, None], pa.string())}

    assert one(rows, {"expr": "sum(a)", "min": 1})[7:11] == (0, 0, True, "`sum(a)` has no value to be judged")
    assert one(rows, {"expr": "count(*)", "by": "k", "min": 1})[7:11] == (0, 0, True, "no row has a value in `k`")
    assert one(rows, {"expr": "count(a)", "min": 1}).detail == "`count(a)` is 0, at least 1 expected"


def test_floats_are_not_held_to_what_binary_cannot_hold() -> None:
    """0.1 + 0.2 is 0.3, also where nearly all of it cancels out; a millionth is a difference."""
    cents = {"a": [0.1] * 10 + [1e9, -1e9]}

    assert one(cents, {"expr": "sum(a)", "equals": 1}).passed
    assert not one({"a": [0.1] * 10}, {"expr": "sum(a)", "equals": 1.000001}).passed
    assert one({"a": [0.1] * 10}, {"expr": "sum(a)", "equals": 1.01, "tolerance": 0.01}).passed
    assert one({"a": [math.inf, 1.0]}, {"expr": "sum(a)", "equals": "max(a)"}).passed
    assert one({"a": [math.inf, -math.inf]}, {"expr": "sum(a)", "equals": 0}).of == 0


def test_where_chooses_the_rows_that_add_up() -> None:
    """Rows for which it is false or unknown are in no figure, and groups of nothing else are not there."""
    rows = {"order": [1, 1, 2, 3], "amount": [5, 7, 9, 1], "state": ["paid", "void", None, "paid"]}

    outcome = one(rows, {"expr": "sum(amount)", "by": "order", "min": 5}, where="state == 'paid'")

    assert (outcome.failed, outcome.of) == (1, 2)
    assert outcome.examples == ((("order", "3"), ("sum(amount)", "1"), ("min", "5")),)


def test_more_groups_than_are_kept_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are spread over the parts; memory stays bounded, and no verdict is made up."""
    monkeypatch.setattr(groups, "MOST_GROUPS", 50)
    monkeypatch.setattr(groups, "_PENDING", 20)
    rules = tuple(parse_rule({"aggregate": {"expr": "count(*)", "by": "k", "equals": 1}}))
    parts = [batch_of({"k": list(range(start, start + 10))}) for start in (*range(0, 60, 10), 0)]

    report = judge([observe(part, rules, now=NOW) for part in parts])

    assert (
        report.outcomes[0].detail == "cannot be judged: there are more than 50 groups, which is the most that are kept"
    )
    assert not report.outcomes[0].passed
    assert judge([observe(part, rules, now=NOW) for part in parts[:5]]).outcomes[0].passed


def test_examples_of_groups_stand_in_no_event() -> None:
    """They are values of rows; the report that goes into the log tells counts and figures."""
    rule = parse_rule({"aggregate": {"expr": "count(*)", "by": "who", "max": 1}})
    report = validate(batch_of({"who": ["anna", "anna"]}), rule, now=NOW).report

    assert "anna" in str(report.outcomes[0].examples)
    assert "anna" not in str(report.to_json())
