"""`where` and `by`: a rule sees some of the rows, segment by segment, as if each were a batch of its own."""

import json
import math
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.validate.engine import judge, observe, validate
from data_pipeline.validate.kernels import segments
from data_pipeline.validate.report import FailingSegment, Report
from data_pipeline.validate.rules import Rule, parse_rule
from data_pipeline.validate.state_bytes import states_from_bytes, states_to_bytes
from tests.counts import few
from tests.data_pipeline.validate import tables
from tests.data_pipeline.validate.kernels.judged import judged
from tests.data_pipeline.validate.tables import NOW
from utils.arrow import pa

WHERE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "": lambda row: True,
    "flag": lambda row: row["flag"] is True,
    "not flag": lambda row: row["flag"] is False,
    "is_null(category)": lambda row: row["category"] is None,
    "text == 'a' or whole > 0": lambda row: row["text"] == "a" or (row["whole"] is not None and row["whole"] > 0),
    "small < 0": lambda row: False,
}
"""Expression -> what it means for a row."""

BY: list[list[str]] = [[], ["flag"], ["category"], ["flag", "small"], ["float"], ["time", "category"], ["price", "day"]]

ORDERED = [{"monotonic": "whole"}, {"monotonic": {"column": "text", "strict": True}}]
OF_BATCHES = [{"row_count": {"min": 2, "max": 4}}, {"fresh": {"column": "time", "within": "6h"}}]


@st.composite
def narrowed_rules(draw: st.DrawFn) -> Rule:
    """Any rule, with some `where` and `by`."""
    plain = draw(tables.rules() | st.sampled_from(ORDERED + OF_BATCHES).map(lambda raw: parse_rule(raw)[0]))
    tolerance = draw(st.sampled_from([0.0, 0.3]))
    more = {"where": draw(st.sampled_from(list(WHERE))), "by": tuple(draw(st.sampled_from(BY)))}
    return _changed(plain, **more, tolerance=tolerance)


def _changed(rule: Rule, **fields: Any) -> Rule:
    kept = {name: getattr(rule, name) for name in ("id", "kind", "columns", "severity", "params")}
    return Rule(**{**kept, **fields})


def _segment(value: Any) -> Any:
    """What makes two rows of one segment: NaN is null, -0.0 is 0.0."""
    if isinstance(value, float):
        return None if math.isnan(value) else value + 0.0
    return value


def expected(
    rule: Rule, rows: list[dict[str, Any]], build: Callable[[list[dict[str, Any]]], pa.Table] = tables.table
) -> tuple[list[int], int, dict[tuple[Any, ...], tuple[int, int]]]:
    """Failing rows, judged rows (or segments), and failing segments: each segment judged as a batch of its own."""
    parts: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for at, row in enumerate(build(rows).to_pylist()):
        if WHERE[rule.where](row):
            parts[tuple(_segment(row[name]) for name in rule.by)].append(at)
    plain = _changed(rule, severity="error", tolerance=rule.tolerance)
    failing, of, broken = [], 0, {}
    if not rule.by and not parts and rule.kind == "row_count":
        return [], 1, {(): (1, 1)}
    for values, places in parts.items():
        found = judged(plain, build([rows[at] for at in places]))
        failing += [places[row] for row in found.rows]
        of += found.outcome.of
        if not found.outcome.passed:
            broken[values] = found.counts
    return sorted(failing), of, broken


@given(tables.rows(14), narrowed_rules(), st.lists(st.integers(1, 13), max_size=3))
@settings(max_examples=few(50), deadline=None)
def test_each_segment_is_judged_as_a_batch_of_its_own(rows, rule, cuts):
    """The very rows, the counts and which segments fail are those of the segments by themselves, however it is cut."""
    failing, of, broken = expected(rule, rows)

    found = judged(rule, tables.table(rows), cuts)

    outcome = found.outcome
    assert outcome.of == of
    assert outcome.failed == (len(failing) if rule.judges_rows else sum(failed for failed, _ in broken.values()))
    assert outcome.passed is not bool(broken)
    assert found.rows == (failing if rule.quarantines else [])
    if rule.by and outcome.segments is not None:
        assert outcome.segments.failed == len(broken)
        assert sorted((s.failed, s.of) for s in outcome.segments.worst) == sorted(broken.values())
    else:
        assert not (rule.by and broken)


def narrow(rows: list[dict[str, Any]]) -> pa.Table:
    """Few columns of few values: many rows that meet."""
    kinds = {"flag": pa.bool_(), "category": pa.string(), "small": pa.int8(), "time": pa.timestamp("us", "UTC")}
    more = {"text": pa.string(), "whole": pa.int64()}
    return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in {**kinds, **more}.items()})


_NARROW = st.fixed_dictionaries(
    {
        "flag": st.sampled_from([True, True, False, None]),
        "category": st.sampled_from(["x", "y", None]),
        "small": st.integers(0, 9) | st.none(),
        "time": st.integers(0, 9).map(lambda hours: NOW - timedelta(hours=hours)) | st.none(),
        "text": st.sampled_from(["a", "b", "ab"]),
        "whole": st.integers(-1, 9),
    }
)


@given(
    st.lists(_NARROW, min_size=4, max_size=30),
    st.sampled_from(
        [
            {"monotonic": "small"},
            {"monotonic": {"column": "small", "strict": True}},
            {"monotonic": "text"},
            {"unique": ["small", "text"]},
            {"unique": "small"},
            {"fresh": {"column": "time", "within": "3h"}},
            {"row_count": {"min": 3, "max": 9}},
            {"compare": "small >= whole"},
            {"not_null": "time"},
        ]
    ),
    st.sampled_from(["", "flag", "not flag", "text == 'a' or whole > 0"]),
    st.sampled_from([["category"], ["category", "flag"], []]),
    st.lists(st.integers(1, 29), max_size=4),
)
@settings(max_examples=few(100), deadline=None)
def test_segments_that_are_mixed_are_told_apart(rows, raw, where, by, cuts):
    """Rows of several segments in any order, over several chunks: order and keys are those within each segment."""
    rule = _changed(parse_rule(raw)[0], where=where, by=tuple(by))
    failing, of, broken = expected(rule, rows, narrow)

    found = judged(rule, narrow(rows), cuts)

    assert found.rows == (failing if rule.quarantines else [])
    assert (found.outcome.of, found.outcome.passed) == (of, not broken)
    if by and broken:
        assert found.outcome.segments is not None
        named = {one.values: (one.failed, one.of) for one in found.outcome.segments.worst}
        told = {None: None, True: "true", False: "false"}
        assert named == {tuple(told.get(v, v) for v in values): count for values, count in broken.items()}


@given(
    st.lists(_NARROW, min_size=2, max_size=20),
    st.sampled_from([*ORDERED, *OF_BATCHES, {"unique": "small"}, {"not_null": "time"}, {"compare": "small > whole"}]),
    st.sampled_from(["", "flag"]),
    st.sampled_from([[], ["category"], ["category", "flag"]]),
    st.lists(st.integers(1, 19), min_size=1, max_size=4),
)
@settings(max_examples=few(70), deadline=None)
def test_whole_equals_merge_of_parts_in_their_order(rows, raw, where, by, cuts):
    """Also when the states of the parts went through bytes."""
    rule = _changed(parse_rule(raw)[0], where=where, by=tuple(by))
    whole = narrow(rows)
    batches = [tables.batch(part) for part in tables.parts(whole, cuts)]
    states = [observe(batch, (rule,), now=NOW, part=f"part {at}") for at, batch in enumerate(batches)]
    named = {f"part {at}": batch for at, batch in enumerate(batches)}
    read = [states_from_bytes(states_to_bytes(state), (rule,), batches=named) for state in states]

    expected = validate(tables.batch(whole), (rule,), now=NOW).report

    assert judge(states).outcomes == judge(read).outcomes == expected.outcomes


def test_a_small_segment_is_not_hidden_by_large_ones():
    """Tolerance holds in each segment: 2 of 1,002 rows are few, 2 of 2 are all."""
    columns = {"shop": ["big"] * 1_000 + ["small"] * 2, "price": [1.0] * 1_000 + [None, None]}

    whole = judged({"not_null": "price", "tolerance": 0.05}, columns).outcome
    each = judged({"not_null": "price", "tolerance": 0.05, "by": "shop"}, columns).outcome

    assert (whole.failed, whole.of, whole.passed) == (2, 1_002, True)
    assert (each.failed, each.of, each.passed) == (2, 1_002, False)
    assert each.segments is not None
    assert (each.segments.failed, each.segments.of) == (1, 2)
    assert each.segments.worst == (FailingSegment(("small",), 2, 2),)
    assert each.detail == "1 of 2 segments by `shop` fails"


def test_the_report_names_the_worst_twenty_segments():
    """By share, then by rows; and says how many there are."""
    columns = {"key": [f"k{at:02}" for at in range(30) for _ in range(at + 1)], "a": [None] * 465}
    columns["a"][0] = 1  # k00 is well

    found = judged({"not_null": "a", "by": "key"}, columns).outcome.segments

    assert found is not None
    assert (found.failed, found.of) == (29, 30)
    assert [segment.values for segment in found.worst] == [(f"k{at:02}",) for at in range(29, 9, -1)]


def test_an_event_holds_counts_of_segments_and_no_values():
    """With the names given back it is what it was; a rule without `by` writes no word more."""
    rules = (*parse_rule({"not_null": "a", "by": ["s", "t"]}), *parse_rule({"not_null": "a"}))
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    table = pa.table({"a": [None, 1], "s": ["ü", None], "t": [moment, None]})
    report = validate(tables.batch(table), rules, now=NOW).report

    told = json.loads(json.dumps(report.to_json()))

    assert told["outcomes"][0]["segments"] == {"failed": 1, "of": 2, "worst": [{"failed": 1, "of": 1}]}
    assert "segments" not in told["outcomes"][1]
    assert report.names() == {"not_null(a)": [["ü", "2026-03-01T12:00:00Z"]]}
    assert Report.from_json(told).named(report.names()) == report
    assert Report.from_json(told).named({}) == Report.from_json(told)


@pytest.mark.parametrize(
    ("column", "names"),
    [
        (pa.array([2**53, 2**53 + 1, None]), ["9007199254740992", "9007199254740993", None]),
        (pa.array([Decimal("1.10"), Decimal("-0.01"), None]), ["1.10", "-0.01", None]),
        (pa.array([0.0, -0.0, float("nan")]), ["0.0", None]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array(["", "null", None]), ["", "null", None]),
        (pa.array([b"\x00", b"a", None]), ["00", "61", None]),
        (pa.array(["x", "x", None]).dictionary_encode(), ["x", None]),
        (
            pa.array([1, 2, None], pa.timestamp("ns")),
            ["1970-01-01T00:00:00.000000001", "1970-01-01T00:00:00.000000002", None],
        ),
        (pa.nulls(3), [None]),
    ],
    ids=["2^53+1", "decimals", "floats", "truths", "text", "bytes", "categories", "nanoseconds", "nothing"],
)
def test_segments_are_exact_and_null_is_one(column, names):
    """Neighbours beyond 2^53 and single nanoseconds are told apart; the text `null` is no null."""
    found = judged({"compare": "a > 0", "by": "key"}, {"key": column, "a": [0, 0, 0]}).outcome.segments

    assert found is not None
    assert {segment.values for segment in found.worst} == {(name,) for name in names}


def test_too_many_segments_are_refused_in_words(monkeypatch):
    """The bound is told, and every row fails: what is not known to be good is not good."""
    monkeypatch.setattr(segments, "MOST_SEGMENTS", 3)
    columns = {"a": [1] * 5, "id": list(range(5)), "t": [NOW] * 5}

    for rule in ({"not_null": "a"}, {"monotonic": "a"}, {"row_count": 1}):
        found = judged({**rule, "by": "id"}, columns, cuts=[2])
        assert "`by` divides the rows into more than 3 segments" in found.outcome.detail
        assert not found.outcome.passed


def test_by_a_column_that_has_no_segments_cannot_be_judged():
    """Lists are not told apart; a column that is missing is named."""
    columns = {"a": [1], "list": [[1]]}

    assert judged({"not_null": "a", "by": "list"}, columns).outcome.detail == (
        "`by`: column `list` is list<item: int64>, which has no segments"
    )
    assert "column `shop` is not in the batch" in judged({"not_null": "a", "by": "shop"}, columns).outcome.detail


@pytest.mark.parametrize("rule", [{"not_null": "b", "where": "a"}, {"compare": "a"}], ids=["where", "compare"])
def test_a_column_alone_must_be_true_or_false(rule):
    """What it holds is known with the rows only; every row fails, and no traceback."""
    found = judged(rule, {"a": [1, None], "b": ["x", "y"]}, [])

    assert found.outcome.detail.endswith("the whole must be true or false, this is a number, at position 1 of `a`")
    assert found.counts == (2, 2)


def test_where_that_does_not_fit_the_columns_says_its_position():
    """Every row fails; the words begin with the key."""
    found = judged({"not_null": "a", "where": "a == 1 and b"}, {"a": [1], "b": ["x"]}).outcome

    assert (found.failed, found.of) == (1, 1)
    assert (
        found.detail == "`where`: `and` needs something true or false, this is text, at position 12 of `a == 1 and b`"
    )


def test_cells_that_did_not_parse_are_judged_where_their_row_is():
    """`type` with `where` and `by` sees the text as sent, which is null in the column."""
    from data_pipeline.dataset import UNPARSED

    columns = {
        "price": [1.0, None, None, None],
        "shop": ["x", "x", "y", "y"],
        UNPARSED: [None, '{"price": "abc"}', '{"price": "-"}', None],
    }
    rule = {"type": {"column": "price", "is": "float"}}

    assert judged({**rule, "where": "shop == 'y'"}, columns).rows == [2]
    by_shop = judged({**rule, "by": "shop", "tolerance": 0.5}, columns)
    assert (by_shop.counts, by_shop.rows, by_shop.outcome.passed) == ((2, 3), [1, 2], False)
    assert by_shop.outcome.segments is not None
    assert by_shop.outcome.segments.worst == (FailingSegment(("y",), 1, 1),)


def test_rows_for_which_where_is_unknown_are_not_judged():
    """As in SQL: a comparison with null is not true."""
    columns = {"a": [None, None, None], "state": ["paid", None, "open"]}

    assert judged({"not_null": "a", "where": "state == 'paid'"}, columns).rows == [0]
    assert judged({"not_null": "a", "where": "state != 'paid'"}, columns).rows == [2]


def test_freshness_of_a_segment_is_judged_again_later():
    """A provider that has no news: what was fresh in each shop is stale in the oldest a day later."""
    columns = {"shop": ["x", "y"], "at": [NOW, NOW - timedelta(hours=5)]}
    table = tables.batch(pa.table(columns))
    rules = parse_rule({"fresh": {"column": "at", "within": "6h"}, "by": "shop"})
    report = validate(table, rules, now=NOW).report

    later = Report.from_json(report.to_json()).rejudged(NOW + timedelta(hours=2))

    assert (report.outcomes[0].passed, later.outcomes[0].passed) == (True, False)
