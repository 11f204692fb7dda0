"""A score that cannot lie."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data_pipeline.batch import Batch
from data_pipeline.dataset import Cap, Coverage, Evidence, Provenance, Quality
from data_pipeline.score import CAPS, coverage, score
from data_pipeline.validate.engine import judge, observe, validate
from data_pipeline.validate.report import Report, RuleOutcome
from data_pipeline.validate.rules import parse_rules
from tests.counts import few
from utils.arrow import pa

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEIGHTS = {"warning": 1.0, "error": 3.0, "critical": 5.0}
KINDS = {"not_null": "completeness", "range": "validity", "unique": "uniqueness", "compare": "consistency"}


def outcome(kind: str = "not_null", failed: int = 0, of: int = 100, severity: str = "error", tolerance: float = 0.0):
    passed = not failed or failed / of <= tolerance
    return RuleOutcome(
        f"{kind}(a)", kind, ("a",), severity, KINDS[kind], WEIGHTS[severity], tolerance, failed, of, passed
    )


def report(*outcomes: RuleOutcome) -> Report:
    return Report(rows=100, quarantined=0, now=NOW, outcomes=outcomes)


@st.composite
def outcomes(draw: st.DrawFn) -> RuleOutcome:
    of = draw(st.integers(0, 200))
    return outcome(
        draw(st.sampled_from(sorted(KINDS))),
        draw(st.integers(0, of)),
        of,
        draw(st.sampled_from(sorted(WEIGHTS))),
        draw(st.sampled_from([0.0, 0.1, 1.0])),
    )


def test_no_evidence_is_no_score():
    """Without rules, or with nothing judged, there is no figure, least of all 100."""
    for empty in (report(), report(outcome(of=0))):
        quality = score(empty)

        assert (quality.score, quality.uncapped, quality.cap) == (None, None, None)
        assert set(quality.dimensions.values()) == {None}


def test_dimensions_weigh_what_their_rules_weigh():
    """Weighted means by hand: completeness (5*0.9 + 1*1)/6, validity 0.5, the whole over 9."""
    quality = score(
        report(
            outcome("not_null", 10, 100, "critical", tolerance=0.5),
            outcome("not_null", 0, 50, "warning"),
            outcome("range", 50, 100, tolerance=0.5),
            outcome("unique", 0, 0),
        )
    )

    assert quality.dimensions["completeness"] == 91.7
    assert quality.dimensions["validity"] == 50.0
    assert quality.dimensions["uniqueness"] is None
    assert quality.dimensions["accuracy"] is None
    assert (quality.score, quality.uncapped, quality.cap) == (77.8, 77.8, None)


@pytest.mark.parametrize(
    ("severity", "expected", "cap"),
    [("warning", 99.9, None), ("error", 85.0, Cap(85, "range(a)")), ("critical", 60.0, Cap(60, "range(a)"))],
)
def test_one_broken_rule_caps_the_score_and_is_named(severity, expected, cap):
    """A rule beyond its tolerance leaves at most 85 (error) or 60 (critical) points, whatever else passes."""
    quality = score(report(outcome(of=10**9), outcome("range", 1, 10**9, severity)))

    assert (quality.score, quality.uncapped, quality.cap) == (expected, 99.9, cap)


def test_the_lowest_cap_is_named():
    """A broken critical rule wins over a broken error, wherever it stands."""
    quality = score(report(outcome("range", 1), outcome("unique", 2, severity="critical")))

    assert quality.cap == Cap(60, "unique(a)")


def test_of_rules_that_cap_alike_the_first_is_named():
    """In the order of the configuration."""
    quality = score(report(outcome("range", 1, severity="critical"), outcome("unique", 2, severity="critical")))

    assert quality.cap == Cap(60, "range(a)")


@given(st.lists(outcomes(), min_size=1, max_size=6), st.data())
@settings(max_examples=few(100))
def test_one_more_bad_row_never_raises_the_score(found, data):
    """Monotone: the score, the uncapped one and every dimension can only fall; all stay within 0..100."""
    at = data.draw(st.integers(0, len(found) - 1))
    if found[at].failed == found[at].of:
        found[at] = outcome(found[at].kind, 0, found[at].of + 1, found[at].severity, found[at].tolerance)
    bad = found[at].failed + 1
    worse = [*found]
    worse[at] = outcome(found[at].kind, bad, found[at].of, found[at].severity, found[at].tolerance)

    before, after = score(report(*found)), score(report(*worse))

    assert 0 <= after.score <= before.score <= 100
    assert after.uncapped <= before.uncapped
    assert after.uncapped < 100
    for name, points in after.dimensions.items():
        assert (points is None) == (before.dimensions[name] is None)
        assert points is None or points <= before.dimensions[name]


@given(st.lists(outcomes(), min_size=1, max_size=5), st.integers(1, 50))
@settings(max_examples=few(100))
def test_passing_rules_never_hide_a_failing_one(found, count):
    """However many passing rules are added, the score stays at or below the cap of what failed."""
    more = [*found, *[outcome("not_null")] * count]

    quality = score(report(*more))

    caps = [CAPS[o.severity] for o in found if not o.passed and o.severity in CAPS]
    assert quality.cap is None if not caps else quality.cap.at == min(caps)
    assert quality.score <= min([*caps, 100])
    assert any(o.failed for o in found) == (quality.uncapped < 100)


@given(st.lists(outcomes(), min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=few(100))
def test_the_order_of_rules_does_not_matter(found, random):
    """The same outcomes in another order give the same points and the same sums, to the last bit."""
    shuffled = [*found]
    random.shuffle(shuffled)

    one, other = score(report(*found)), score(report(*shuffled))

    assert (one.score, one.uncapped, one.dimensions) == (other.score, other.uncapped, other.dimensions)
    assert (one.evidence, one.parts) == (other.evidence, other.parts)


def test_numerator_and_denominator_are_told_for_the_whole_and_each_part():
    """Whoever doubts a score can reckon it: 100 * numerator / denominator is the uncapped one; rules are counted."""
    quality = score(
        report(outcome("not_null", 10, 100, "critical"), outcome("not_null", 0, 50), outcome("range", 0, 0))
    )

    assert quality.to_json()["parts"] == {"completeness": {"numerator": 7.5, "denominator": 8.0, "rules": 2}}
    assert (quality.evidence, quality.rules) == (Evidence(7.5, 8.0, 2), 3)
    assert quality.uncapped == round(100 * 7.5 / 8.0, 1)


@given(st.lists(outcomes(), max_size=6))
@settings(max_examples=few(100))
def test_the_sums_give_the_points(found):
    """The published sums are those that the points were made of, for every dimension and the whole."""
    quality = score(report(*found))

    pairs = [(quality.uncapped, quality.evidence), *((quality.dimensions[n], p) for n, p in quality.parts.items())]
    for points, (numerator, denominator, rules) in pairs:
        assert (points is None) == (rules == 0)
        assert points is None or points == pytest.approx(100 * numerator / denominator, abs=0.1)
    assert sum(part.rules for part in quality.parts.values()) == quality.evidence.rules == sum(o.of > 0 for o in found)


def test_coverage_counts_columns_that_a_rule_speaks_of():
    """Columns that are not in the batch do not count, and a column counts once, however many rules speak of it."""
    found = report(
        outcome("not_null")._replace(columns=("a", "b")),
        outcome("range"),
        outcome("unique")._replace(columns=("gone",)),
    )

    assert coverage(found, {"a", "b", "c", "d"}) == Coverage(2, 4)
    assert score(found, coverage(found, {"a"})).to_json()["coverage"] == {"with_rules": 1, "columns": 1}


@given(st.lists(outcomes(), max_size=4))
@settings(max_examples=few(50))
def test_a_quality_comes_back_from_json(found):
    """What was written is read back whole."""
    quality = score(report(*found), Coverage(1, 3))

    assert Quality.from_json(quality.to_json()) == quality


def test_a_quality_of_an_earlier_release_is_read():
    """It told points and cap only; what it did not tell is not made up."""
    old = {"score": 85.0, "uncapped": 99.0, "cap": {"at": 85, "by": "x"}, "dimensions": {"validity": 99.0}}

    quality = Quality.from_json(old)

    assert (quality.score, quality.cap, quality.dimensions) == (85.0, Cap(85, "x"), {"validity": 99.0})
    assert (quality.coverage, quality.parts, quality.evidence) == (None, {}, Evidence())


def test_a_weight_that_no_sum_can_hold_is_refused():
    """Two of the greatest numbers would be infinite together; the configuration says what is possible."""
    with pytest.raises(ValueError, match="`weight` must be 1,000,000 at most"):
        parse_rules([{"not_null": "a", "weight": 1e308}])


RULES = parse_rules(
    [
        {"not_null": "a", "severity": "critical"},
        {"range": {"column": "a", "min": 0, "max": 9}},
        {"one_of": {"column": "b", "values": ["x", "y"]}, "tolerance": 0.5},
        {"not_null": "b"},
        {"unique": ["a", "b"], "severity": "warning"},
        {"compare": "a < 5 or b == 'x'", "weight": 0.5},
    ]
)
CELLS = st.tuples(st.sampled_from([None, -1, 0, 4, 7, 20]), st.sampled_from([None, "x", "y", "z"]))


def judged(rows) -> Report:
    table = pa.table(
        {"a": pa.array([a for a, _ in rows], pa.int64()), "b": pa.array([b for _, b in rows], pa.string())}
    )
    return validate(Batch.from_table(table, provenance=Provenance("p", NOW)), RULES, now=NOW).report


@given(st.lists(CELLS, min_size=1, max_size=12), st.data())
@settings(max_examples=few(80))
def test_a_value_of_a_good_row_that_becomes_null_never_raises_the_score(rows, data):
    """Judged by the engine itself: nulls leave the denominators of rules on values, and no score gains by it."""
    good = [n for n, (a, b) in enumerate(rows) if a in {0, 4} and b in {"x", "y"} and rows.count((a, b)) == 1]
    before = score(judged(rows))
    assume(good)
    number = data.draw(st.sampled_from(good))
    row = list(rows[number])
    row[data.draw(st.integers(0, 1))] = None

    after = score(judged([*rows[:number], tuple(row), *rows[number + 1 :]]))

    assert after.score <= before.score


@given(st.integers(2, 60), st.data())
@settings(max_examples=few(60))
def test_nothing_is_gained_by_sending_nothing_in_place_of_something_wrong(rows, data):
    """In a complete column with `not_null` at the same weight, a wrong value that becomes null raises no score."""
    pair = parse_rules([{"not_null": "a"}, {"range": {"column": "a", "min": 0}}])
    wrong = data.draw(st.integers(1, rows))

    def points(values):
        table = pa.table({"a": pa.array(values, pa.int64())})
        return score(validate(Batch.from_table(table, provenance=Provenance("p", NOW)), pair, now=NOW).report)

    before = points([-1] * wrong + [1] * (rows - wrong))
    after = points([None] + [-1] * (wrong - 1) + [1] * (rows - wrong))

    assert after.uncapped <= before.uncapped
    assert after.score <= before.score


@given(st.lists(CELLS, min_size=1, max_size=20), st.lists(st.integers(0, 20), max_size=3))
@settings(max_examples=few(60))
def test_parts_that_are_merged_give_the_same_score(rows, cuts):
    """Whole or in parts, in any split: the same points and sums, bit for bit."""
    edges = sorted({0, len(rows), *[cut for cut in cuts if cut < len(rows)]})
    parts = [rows[low:high] for low, high in pairwise(edges)]

    def states(part):
        a, b = pa.array([a for a, _ in part], pa.int64()), pa.array([b for _, b in part], pa.string())
        return observe(Batch.from_table(pa.table({"a": a, "b": b}), provenance=Provenance("p", NOW)), RULES, now=NOW)

    assert score(judge([states(part) for part in parts])) == score(judged(rows))
