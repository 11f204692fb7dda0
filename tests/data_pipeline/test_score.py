"""A score that cannot lie, and advice to paste."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.dataset import Cap
from data_pipeline.score import CAPS, advice, score
from data_pipeline.validate.report import Report, RuleOutcome

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


@given(st.lists(outcomes(), min_size=1, max_size=6), st.data())
@settings(max_examples=100)
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
@settings(max_examples=100)
def test_passing_rules_never_hide_a_failing_one(found, count):
    """However many passing rules are added, the score stays at or below the cap of what failed."""
    more = [*found, *[outcome("not_null")] * count]

    quality = score(report(*more))

    caps = [CAPS[o.severity] for o in found if not o.passed and o.severity in CAPS]
    assert quality.cap is None if not caps else quality.cap.at == min(caps)
    assert quality.score <= min([*caps, 100])
    assert any(o.failed for o in found) == (quality.uncapped < 100)


def test_the_order_of_rules_does_not_matter_beyond_the_last_digit():
    """The same outcomes in another order give the same score to the tenth."""
    found = [outcome("not_null", 1), outcome("range", 7), outcome("compare", 3, 90, "warning")]

    assert score(report(*found)).score == score(report(*reversed(found))).score


def test_advice_comes_worst_first_with_a_line_to_paste():
    """Every broken rule gets one sentence; its tolerance line would let this very batch pass."""
    told = advice(
        report(
            outcome("not_null", 1, 245, tolerance=0.1),
            outcome("range", 2, 245),
            outcome("unique", 2, severity="critical"),
            outcome("compare"),
        )
    )

    assert [line.split(":")[0] for line in told] == ["unique(a)", "range(a)", "not_null(a)"]
    assert "2 of 245 rows (0.82 %) lie outside the bounds in `a`" in told[1]
    assert told[1].endswith("add to the rule: `tolerance: 0.0082`")
    assert told[2].endswith("within its tolerance.")


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_proposed_tolerance_suffices(failed, of):
    """Pasted, the proposed tolerance lets the batch pass, and it is a share."""
    failed, of = min(failed, of), max(failed, of)

    (line,) = advice(report(outcome("range", failed, of)))

    tolerance = float(line.rsplit(" ", 1)[1].strip("`"))
    assert failed / of <= tolerance <= 1


def test_what_has_a_detail_is_told_in_its_own_words():
    """Batch rules and rules that could not judge say what happened."""
    stale = replace(report(outcome("not_null", 1, 1)._replace(detail="column `a` is not in the batch (has: b)")))

    assert advice(stale) == ["not_null(a): column `a` is not in the batch (has: b)"]
