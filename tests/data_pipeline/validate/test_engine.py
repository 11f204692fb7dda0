"""The engine against the oracle, and whole against merged parts."""

import random
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance
from data_pipeline.validate.engine import judge, observe, validate
from data_pipeline.validate.rules import Rule, parse_rule, parse_rules
from tests.counts import few
from tests.data_pipeline.validate import oracle, tables
from tests.data_pipeline.validate.tables import NOW
from utils.arrow import pa, with_pandas


def as_stored(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as Arrow gives them back: a float32 is no longer the float that went in."""
    return tables.table(rows).to_pylist()


def one(columns: dict[str, Any], *raw: dict[str, Any]) -> Any:
    """The outcome of the first rule on a small table."""
    return validate(tables.batch(pa.table(columns)), parse_rules(raw), now=NOW).report.outcomes[0]


@given(tables.rows(), st.lists(tables.rules(), min_size=1, max_size=4), st.lists(st.integers(1, 11), max_size=3))
@settings(max_examples=few(150), deadline=None)
def test_every_kernel_agrees_with_the_oracle(rows, rules, cuts):
    """Counts, denominators and the very rows are those of the plain Python reading, however the rows are cut."""
    batch = tables.batch(tables.table(rows), cuts)

    found = validate(batch, rules, now=NOW)

    expected = [oracle.failing(rule, as_stored(rows), NOW) for rule in rules]
    assert [(o.failed, o.of) for o in found.report.outcomes] == [(len(bad), of) for bad, of in expected]
    quarantined = set().union(*[bad for rule, (bad, _) in zip(rules, expected, strict=True) if rule.quarantines])
    assert found.report.quarantined == len(quarantined)
    bad_rows = [bad for _, bad in found.split(batch) if bad is not None]
    assert [row - 1 for bad in bad_rows for row in bad.column("_row").to_pylist()] == sorted(quarantined)


@given(
    tables.rows(20),
    st.lists(tables.rules(), min_size=1, max_size=4),
    st.lists(st.integers(1, 19), max_size=5),
    st.randoms(use_true_random=False),
)
@settings(max_examples=few(80), deadline=None)
def test_whole_equals_merge_of_parts(rows: Any, rules: list[Rule], cuts: list[int], chance: random.Random):
    """Any split, in any order, gives the same report: uniqueness, freshness and quarantined rows included."""
    rules = [*rules, *parse_rules([{"fresh": {"column": "time", "within": "1h"}}, {"row_count": {"min": 5}}])]
    whole = tables.table(rows)
    states = [observe(tables.batch(part), tuple(rules), now=NOW) for part in tables.parts(whole, cuts)]
    chance.shuffle(states)

    merged = judge(states)

    assert merged == replace(validate(tables.batch(whole), rules, now=NOW).report, samples={})


def test_large_batches_take_the_sorting_way_and_agree():
    """Above the small-batch size uniqueness is judged by sorting, over several record batches, with nulls."""
    keys = [*range(9_000), None, None, 17, 8_999]
    random.Random(1).shuffle(keys)
    for type_ in (pa.int64(), pa.int32(), pa.uint64(), pa.timestamp("s"), pa.date32(), pa.float64(), pa.string()):
        cast = pa.array(keys).cast(type_ if type_ != pa.date32() else pa.int32()).cast(type_)
        batch = tables.batch(pa.table({"key": cast}), [100, 5_000])

        outcome = validate(batch, parse_rule({"unique": "key"}), now=NOW).report.outcomes[0]

        assert (outcome.failed, outcome.of) == (4, 9_002), type_


def test_minus_zero_is_zero():
    """0.0 and -0.0 are one value: a repeated key, and a member of the list."""
    rows = {"a": [0.0, -0.0, 1.0]}

    assert one(rows, {"unique": "a"}).failed == 2
    assert one(rows, {"one_of": {"column": "a", "values": [0, 1]}}).failed == 0


def test_a_batch_that_lies_in_a_spool_file_is_judged_the_same(monkeypatch):
    """Keys found in a spooled batch stay readable to the end, and its rows split like those in memory."""
    table = pa.table({"a": [1, 2, 3, 1, None], "s": ["x", "y", "x", None, "z"]})
    rules = parse_rules([{"unique": "a"}, {"unique": "s"}])
    expected = validate(tables.batch(table, [2]), rules, now=NOW).report
    monkeypatch.setattr("data_pipeline.batch.SPOOL_AFTER", 0)
    spooled = tables.batch(table, [2])

    found = validate(spooled, rules, now=NOW)

    assert found.report == expected
    assert [bad.column("_row").to_pylist() for _, bad in found.split(spooled) if bad is not None] == [[1], [3, 4]]


def test_unique_over_two_columns_knows_pairs_from_mixtures():
    """("a", "bc") and ("ab", "c") are different keys; every row of a repeated pair fails."""
    outcome = one({"x": ["a", "ab", "a", "a", None], "y": ["bc", "c", "bc", None, "bc"]}, {"unique": ["x", "y"]})

    assert (outcome.failed, outcome.of) == (2, 3)


def test_integers_beyond_2_to_53_are_told_apart():
    """Neighbours that are one and the same float are unique, and bounds hold to the digit."""
    rows = {"id": [2**53, 2**53 + 1, None]}

    assert one(rows, {"unique": "id"}).failed == 0
    assert one(rows, {"range": {"column": "id", "max": 2**53}}).failed == 1


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        ({"not_null": "b"}, "column `b` is not in the batch (has: a, t)"),
        ({"unique": ["a", "b"]}, "column `b` is not in the batch (has: a, t)"),
        ({"compare": "a < b"}, "column `b` is not in the batch (has: a, t)"),
        ({"range": {"column": "t", "min": 1}}, "column `t` is string: its bound is a number"),
        ({"matches": {"column": "a", "pattern": "x"}}, "column `a` is int64: it is not text"),
        ({"type": {"column": "a", "is": "date"}}, "column `a` is int64: not date"),
        (
            {"compare": "a < t"},
            "`<` cannot compare a number with text, at position 3 of `a < t`",
        ),
    ],
    ids=["missing", "missing key", "missing in expression", "text in range", "number as text", "type", "expression"],
)
def test_a_rule_that_cannot_judge_fails_on_every_row(raw, detail):
    """What is not known to be good is not good, and the reason is told."""
    outcome = one({"a": [1, 2, 3], "t": ["x", "y", "z"]}, raw)

    assert (outcome.failed, outcome.of, outcome.passed, outcome.detail) == (3, 3, False, detail)


def test_a_pattern_that_only_re2_can_refuse_is_told():
    """What slips through the scan at configuration time fails with RE2's own words."""
    outcome = one({"a": ["x"]}, {"matches": {"column": "a", "pattern": r"\y"}})

    assert not outcome.passed
    assert "RE2 refuses the pattern" in outcome.detail


def test_an_all_null_column_leaves_value_rules_without_evidence():
    """A column of the null type passes value rules with nothing judged, and fails not_null everywhere."""
    rows = {"a": pa.nulls(3)}

    assert one(rows, {"range": {"column": "a", "min": 1}})[7:10] == (0, 0, True)
    assert one(rows, {"unique": "a"})[7:10] == (0, 0, True)
    assert one(rows, {"compare": "a > 1"})[7:10] == (0, 0, True)
    assert one(rows, {"not_null": "a"})[7:10] == (3, 3, False)


def test_tolerance_is_a_share_of_the_judged_rows():
    """Two of four judged rows fail: 0.5 passes, 0.49 does not; the row with the null is not counted."""
    rows = {"a": [1, 2, 30, 40, None]}

    assert one(rows, {"range": {"column": "a", "max": 9}, "tolerance": 0.5}).passed
    assert not one(rows, {"range": {"column": "a", "max": 9}, "tolerance": 0.49}).passed


@pytest.mark.parametrize(
    ("wanted", "bad"),
    [
        ("integer", ["1.5", "x", ""]),
        ("float", ["x", "1e", "--1"]),
        ("decimal", ["1e5", "1,5"]),
        ("boolean", ["yes", "1"]),
        ("date", ["2026-02-30", "2026-1-1", "2026-01-01T00:00:00Z"]),
        ("timestamp", ["2026-02-30T10:00:00", "2026-01-01T25:00:00Z", "soon"]),
    ],
)
def test_text_is_judged_as_the_type_it_should_be(wanted, bad):
    """In a column of text each value that does not read as the type fails; nulls do not."""
    good = {"integer": "-12", "float": "1e5", "decimal": "1.50", "boolean": "True", "date": "2024-02-29"}
    texts = [good.get(wanted, "2026-01-01T10:00:00.5+02:00"), None, *bad]

    outcome = one({"a": texts}, {"type": {"column": "a", "is": wanted}})

    assert (outcome.failed, outcome.of) == (len(bad), len(bad) + 1)


def test_whole_floats_pass_as_integers_and_fractions_do_not():
    """A float column declared integer fails where a value has a fraction or is infinite."""
    outcome = one({"a": [1.0, 2.5, float("inf"), float("nan")]}, {"type": {"column": "a", "is": "integer"}})

    assert (outcome.failed, outcome.of) == (2, 3)


def test_cells_that_did_not_parse_fail_type_and_nothing_else():
    """A cell with text that does not parse fails `type` in its row; not_null counts it as a value."""
    rows = {"mag": pa.array([1.0, None, None]), "__unparsed__": [None, '{"mag": "n/a?"}', None]}
    rules = parse_rules([{"not_null": "mag"}, {"type": {"column": "mag", "is": "float"}}])

    outcomes = validate(tables.batch(pa.table(rows)), rules, now=NOW).report.outcomes

    assert [(o.rule, o.failed, o.of) for o in outcomes] == [("not_null(mag)", 1, 3), ("type(mag)", 1, 2)]


def test_unparsed_cells_are_nulls_when_no_rule_sets_them_aside():
    """If `type` only warns, readers would get the null, so not_null must see it."""
    rows = {"mag": pa.array([1.0, None]), "__unparsed__": [None, '{"mag": "n/a?"}']}
    rules = parse_rules([{"not_null": "mag"}, {"type": {"column": "mag", "is": "float"}, "severity": "warning"}])

    report = validate(tables.batch(pa.table(rows)), rules, now=NOW).report

    assert report.outcomes[0].failed == 1


@pytest.mark.parametrize(
    ("age", "failed"), [(timedelta(hours=3), 0), (timedelta(hours=3, seconds=1), 1), (-timedelta(days=1), 0)]
)
def test_fresh_looks_at_the_newest_value(age, failed):
    """The newest time may be at most `within` old; a time ahead of us is fresh."""
    times = pa.array([NOW - timedelta(days=400), NOW - age, None], pa.timestamp("ms", "UTC"))

    outcome = one({"t": times}, {"fresh": {"column": "t", "within": "3h"}})

    assert (outcome.failed, outcome.of) == (failed, 1)


def test_fresh_fails_when_no_row_says_a_time():
    """All times null is not fresh; no rows at all is nothing to judge."""
    assert one({"t": pa.nulls(2, pa.timestamp("s"))}, {"fresh": {"column": "t", "within": 60}}).failed == 1
    assert one({"t": pa.nulls(0, pa.timestamp("s"))}, {"fresh": {"column": "t", "within": 60}}).of == 0


@pytest.mark.parametrize(("bounds", "passed"), [({"min": 3}, True), ({"min": 4}, False), ({"max": 2}, False)])
def test_row_count_judges_the_whole_batch(bounds, passed):
    """Bounds are inclusive; a batch rule counts as one of one."""
    outcome = one({"a": [1, 2, 3]}, {"row_count": bounds})

    assert (outcome.passed, outcome.of) == (passed, 1)


def test_parts_of_other_rules_or_moments_do_not_merge():
    """Merging needs the same rules and the same now; the message says which differs."""
    batch = tables.batch(pa.table({"a": [1]}))
    states = observe(batch, parse_rule({"not_null": "a"}), now=NOW)

    with pytest.raises(ValueError, match="different rules"):
        states.merge(observe(batch, parse_rule({"not_null": "a", "severity": "critical"}), now=NOW))
    with pytest.raises(ValueError, match="different moments"):
        states.merge(observe(batch, parse_rule({"not_null": "a"}), now=NOW + timedelta(seconds=1)))


def test_validating_never_imports_pandas():
    """The whole of validate, split, profile and score runs without pandas; parsing rules without Arrow."""
    code = (
        "import sys; from data_pipeline.validate.rules import parse_rules\n"
        "rules = parse_rules([{'unique': 'a'}, {'range': {'column': 'a', 'min': 2}}, {'compare': 'a < 9'},"
        " {'matches': {'column': 's', 'pattern': 'x'}}])\n"
        "assert 'pyarrow' not in sys.modules\n"
        "from tests.data_pipeline.validate.plain import NOW, batch_of\n"
        "from data_pipeline.validate.engine import validate\n"
        "from data_pipeline.profile import profile; from data_pipeline.score import score\n"
        "from data_pipeline.advice.advise import advise\n"
        "batch = batch_of({'a': [1, 1, 3] * 3000, 's': ['x', None, 'y'] * 3000})\n"
        "found = validate(batch, rules, now=NOW)\n"
        "assert found.report.quarantined == 9000; list(found.split(batch))\n"
        "profile(batch).metrics(); score(found.report); advise(found.report)\n"
        "assert 'pandas' not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_batch_that_comes_as_one_large_part_is_judged_in_slices():
    """400,000 rows at once: marks and the split fit the slices, and the rows are those that were planted."""
    size = 400_000
    table = pa.table({"id": [*range(size - 1), 17], "x": [float(number % 1000) for number in range(size)]})
    whole = Batch(
        table.schema,
        lambda: iter(table.combine_chunks().to_batches()),
        rows=size,
        nbytes=table.nbytes,
        provenance=Provenance("test", NOW),
    )
    rules = parse_rules([{"unique": "id"}, {"range": {"column": "x", "max": 998}}])

    found = validate(whole, rules, now=NOW)

    assert [mark.rows for mark in found.marks] == [131_072, 131_072, 131_072, size - 3 * 131_072]
    assert [outcome.failed for outcome in found.report.outcomes] == [2, 400]
    pairs = list(found.split(whole))
    assert sum(good.num_rows for good, _ in pairs) == size - 401  # the last row breaks both
    bad = [row for _, part in pairs if part is not None for row in part.column("_row").to_pylist()]
    assert bad == sorted({18, size, *range(1000, size + 1, 1000)})


@pytest.mark.parametrize("dtype", ["object", "str", "string[pyarrow]", "category"])
def test_frames_of_every_kind_of_text_are_judged_alike(dtype):
    """Objects as pandas 2 has them, strings as pandas 3 has them, categories: nulls, Unicode, and what is no text."""
    pandas = with_pandas()
    values = ["new", None, "paid", "new", "é🎉", ""]
    frame = pandas.DataFrame({"s": pandas.Series(values, dtype=dtype), "n": [1, 2, None, 4, 5, 6]})
    table = pa.Table.from_pandas(frame, preserve_index=False)
    rules = parse_rules(
        [
            {"not_null": ["s", "n"]},
            {"unique": "s"},
            {"one_of": {"column": "s", "values": ["new", "paid", "é🎉"]}},
            {"matches": {"column": "s", "pattern": "[a-z]*"}},
            {"length": {"column": "s", "min": 1, "max": 3}},
        ]
    )

    outcomes = validate(tables.batch(table), rules, now=NOW).report.outcomes

    assert [(o.failed, o.of) for o in outcomes] == [(1, 6), (1, 6), (2, 5), (1, 5), (1, 5), (2, 5)]
