"""`drift`: what has moved is told from what chance does, whatever the split; small versions are compared exactly."""

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.validate.engine import judge, observe, validate
from data_pipeline.validate.kernels import bins as bins_module
from data_pipeline.validate.kernels.bins import Bins, bins_of
from data_pipeline.validate.kernels.drift import Drifted, _psi
from data_pipeline.validate.report import RuleOutcome
from data_pipeline.validate.rules import parse_rule
from tests.counts import few
from tests.data_pipeline.validate import tables
from tests.data_pipeline.validate.kernels.around import Made
from tests.data_pipeline.validate.plain import NOW, batch_of
from utils.arrow import pa

LEVELS = np.random.default_rng(7)


def outcome(before: Any, now: Any, argument: dict[str, Any] | None = None, **more: Any) -> RuleOutcome:
    around = Made(None if before is None else pa.table({"a": before} if not isinstance(before, dict) else before))
    batch = batch_of({"a": now} if not isinstance(now, dict) else now)
    rule = parse_rule({"drift": {"column": "a", **(argument or {"psi": 0.2})}, **more})
    (found,) = validate(batch, rule, now=NOW, surroundings=around).report.outcomes
    return found


def exact_ks(before: Sequence[float], now: Sequence[float]) -> float:
    """The definition: at every value, how the shares at or below it differ."""
    one, two = sorted(before), sorted(now)
    return max(abs(bisect_right(one, x) / len(one) - bisect_right(two, x) / len(two)) for x in (*one, *two))


NUMBERS = st.lists(st.integers(-6, 6) | st.sampled_from([-(2**63), 2**63 - 1, 2**53 + 1]), min_size=1, max_size=40)


@given(NUMBERS, NUMBERS)
@settings(max_examples=few(80), deadline=None)
def test_ks_of_few_numbers_is_exact(before: list[int], now: list[int]) -> None:
    """As whole numbers, far beyond what floats tell apart."""
    bins = bins_of(lambda: [pa.array(before, pa.int64())], "whole", 1000)
    assert bins is not None
    placed = bins.placed(pa.array(now, pa.int64()))

    shares = [np.cumsum(counts) / sum(counts) for counts in (bins.counts, placed)]

    assert np.abs(shares[0] - shares[1]).max() == pytest.approx(exact_ks(before, now), abs=1e-12)


def test_ks_of_many_numbers_is_at_most_a_thousandth_too_small() -> None:
    """At the quantiles of the version before."""
    before, now = LEVELS.normal(0, 1, 20_000), LEVELS.normal(0.15, 1.1, 15_000)
    bins = bins_of(lambda: [pa.array(before)], "float", 1000)
    assert bins is not None

    shares = [np.cumsum(counts) / sum(counts) for counts in (bins.counts, bins.placed(pa.array(now)))]

    exact = exact_ks(before.tolist(), now.tolist())
    assert exact - 0.0011 <= np.abs(shares[0] - shares[1]).max() <= exact + 1e-12


@given(st.lists(st.floats(allow_nan=False) | st.sampled_from([0.0, 1.0]), min_size=1, max_size=60))
@settings(max_examples=few(80), deadline=None)
def test_every_value_lies_in_one_bin_and_a_frequent_one_in_its_own(values: list[float]) -> None:
    """Counts add up; a value that fills two tenths shares its bin with no other."""
    bins = bins_of(lambda: [pa.array(values)], "float", 10)
    assert bins is not None

    assert sum(bins.counts) == len(values)
    assert list(bins.edges) == sorted(set(bins.edges))
    for value in set(values):
        if values.count(value) >= 0.2 * len(values) + 2:
            at = bisect_left(bins.edges, value)
            assert bins.counts[at] == values.count(value)


@pytest.mark.parametrize(
    ("before", "now", "argument"),
    [
        (list(range(1000)), [value * 100 for value in range(1000)], {"psi": 0.2}),
        (list(range(1000)), [value + 300 for value in range(1000)], {"ks": 0.1}),
        ([5] * 400, [3] * 400, {"psi": 0.2}),
        ([0.0] * 500 + [1.5] * 500, [0.0] * 900 + [1.5] * 100, {"psi": 0.2}),
        (["de", "fr"] * 300, ["de", "it"] * 300, {"psi": 0.25}),
        ([True, False] * 300, [True] * 600, {"psi": 0.25}),
        ([date(2026, 1, day) for day in range(1, 29)] * 20, [date(2026, 2, 1)] * 500, {"psi": 0.2}),
        (list(range(1000)), pa.array([Decimal(value) for value in range(1000, 2000)]), {"psi": 0.2}),
    ],
    ids=[
        "cents",
        "shifted",
        "another constant",
        "a share",
        "another country",
        "a truth",
        "another month",
        "as decimals",
    ],
)
def test_what_has_moved_is_told(before: Any, now: Any, argument: dict[str, Any]) -> None:
    """Numbers, times, text and truths; and the same values again have not moved."""
    (measure, most) = next(iter(argument.items()))

    moved = outcome(before, now, argument)

    assert (moved.failed, moved.of, moved.passed) == (1, 1, False)
    assert moved.detail.startswith(f"{measure} ")
    assert moved.detail.endswith(f"against the version before, {most} allowed")
    assert outcome(before, before, argument)[7:11] == (0, 1, True, "")


def test_psi_is_the_index_of_the_books() -> None:
    """By hand: shares of 0.6 and 0.4 become 0.3 and 0.7."""
    found = outcome(["a"] * 600 + ["b"] * 400, ["a"] * 300 + ["b"] * 700, {"psi": 0.01})

    by_hand = (0.3 - 0.6) * math.log(0.3 / 0.6) + (0.7 - 0.4) * math.log(0.7 / 0.4)
    assert found.detail == f"psi {by_hand:.3g} against the version before, 0.01 allowed"


def test_what_chance_does_to_psi_is_near_the_chi_square_distribution() -> None:
    """By parts of the batch that have rows: one less is the degrees of freedom."""
    from scipy.stats import chi2

    for parts in (2, 4, 10):
        _, by_chance = _psi((25,) * parts, (25,) * parts, 1.0)
        assert by_chance == pytest.approx(chi2.isf(0.001, parts - 1), rel=0.04)


def test_a_frequent_value_lies_in_a_bin_of_its_own() -> None:
    """Wherever it stands in the order: its bin begins just below it."""
    sample = np.sort(np.concatenate([np.arange(1.0, 1001.0), np.full(3000, 500.0)]))

    edges = bins_module._edges(sample, 10)

    assert edges[edges.index(500.0) - 1] == np.nextafter(500.0, 0.0)


def test_few_values_differ_by_chance() -> None:
    """Of small samples of one distribution next to none is said to have drifted, of shifted ones nearly all."""
    same = [outcome(LEVELS.normal(size=60), LEVELS.normal(size=50), {measure: 0.1}) for measure in ("psi", "ks") * 100]
    moved = [outcome(LEVELS.normal(size=60), LEVELS.normal(3, 1, size=50), {m: 0.1}) for m in ("psi", "ks") * 25]

    assert sum(one.failed for one in same) <= 2
    assert sum(one.failed for one in moved) >= 48
    told = next(one.detail for one in same if one.detail)
    assert "but so few values differ by up to" in told


@pytest.mark.parametrize(
    ("before", "now", "detail"),
    [
        (None, [1, 2], "there is no version before with a value to hold it against"),
        (pa.nulls(3, pa.int64()), [1, 2], "there is no version before with a value to hold it against"),
        ([1, 2], pa.nulls(2, pa.int64()), "no row has a value"),
        ([1, 2], [math.nan, math.nan], "no row has a value"),
    ],
    ids=["the first batch", "nothing before", "nothing now", "NaN now"],
)
def test_without_values_there_is_nothing_to_judge(before: Any, now: Any, detail: str) -> None:
    """No evidence is no verdict."""
    assert outcome(before, now)[7:11] == (0, 0, True, detail)


@pytest.mark.parametrize(
    ("before", "now", "argument", "detail"),
    [
        (["1", "2"], [1, 2], {"psi": 0.2}, "column `a`: it was string and is int64, which are not"),
        (["x"], ["x"], {"ks": 0.2}, "column `a` is string: `ks` needs an order of its values; take `psi`"),
        ([[1]], [[1]], {"psi": 0.2}, "it was list<item: int64> and is list<item: int64>, which are not held"),
    ],
    ids=["text became numbers", "ks of text", "lists"],
)  # fmt: skip
def test_what_cannot_be_compared_is_told(before: Any, now: Any, argument: dict[str, Any], detail: str) -> None:
    """And fails: what is not known to be good is not good."""
    found = outcome(before, now, argument)

    assert (found.failed, found.of) == (1, 1)
    assert detail in found.detail


def test_too_many_different_texts_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids have no shares that could drift; memory stays bounded."""
    monkeypatch.setattr(bins_module, "_MOST_DIFFERENT", 50)

    found = outcome([f"id{number}" for number in range(60)], ["id1"])

    assert found.detail == "column `a`: it has more than 50 different values: their shares say nothing"


def test_where_chooses_the_rows_of_both_versions() -> None:
    """Else a batch of one country would be held against the whole world."""
    before = {"a": [1] * 500 + [9] * 500, "land": ["de"] * 500 + ["fr"] * 500}
    now = {"a": [1] * 500, "land": ["de"] * 500}

    assert outcome(before, now, where="land == 'de'")[7:10] == (0, 1, True)
    assert outcome(before, now).failed == 1
    assert outcome(before, now, where="land == 'fr'").of == 0


def test_the_version_before_is_read_once_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice when it has more numbers than are held: once for the edges, once to count them all."""
    around = Made(pa.table({"a": list(range(5_000))}))
    rule = tuple(parse_rule({"drift": {"column": "a", "psi": 0.2}}))
    batch = tables.batch(pa.table({"a": list(range(5_000))}), [1_000, 2_000])

    validate(batch, rule, now=NOW, surroundings=around)
    assert around.asked == [("a",)] * 2  # once for the type
    monkeypatch.setattr(bins_module, "_SAMPLE", 1_000)
    (sampled,) = validate(batch, rule, now=NOW, surroundings=around).report.outcomes

    assert around.asked == [("a",)] * 5
    assert sampled.passed


def test_edges_of_a_sample_are_near_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the rows are in order, or repeat themselves; every value is counted."""
    values = [float(row % 1000) for row in range(50_000)]
    monkeypatch.setattr(bins_module, "_SAMPLE", 4_000)

    bins = bins_of(lambda: [pa.array(values[:20_000]), pa.array(values[20_000:])], "float", 10)

    assert bins is not None
    assert sum(bins.counts) == 50_000
    assert all(4_000 <= count <= 6_000 for count in bins.counts)


COLUMNS: dict[str, Any] = {
    "whole": st.lists(st.none() | st.integers(-3, 3), max_size=12),
    "float": st.lists(st.none() | st.sampled_from([0.1, -0.0, 0.0, 2.5, math.inf, math.nan]), max_size=12),
    "text": st.lists(st.none() | st.sampled_from(["", "a", "é"]), max_size=12),
}
TYPES = {"whole": pa.int64(), "float": pa.float64(), "text": pa.string()}


@given(
    st.sampled_from(sorted(COLUMNS)),
    st.data(),
    st.lists(st.integers(1, 11), max_size=3),
    st.randoms(use_true_random=False),
)
@settings(max_examples=few(60), deadline=None)
def test_whole_equals_merge_of_parts(kind: str, data: Any, cuts: list[int], chance: random.Random) -> None:
    """In any order; states travel as bytes."""
    before, now = (pa.array(data.draw(COLUMNS[kind]), TYPES[kind]) for _ in range(2))
    around = Made(pa.table({"a": before}))
    rules = tuple(parse_rule({"drift": {"column": "a", "psi": 0.01}}))
    whole = pa.table({"a": now})
    states = [observe(tables.batch(part), rules, now=NOW, surroundings=around) for part in tables.parts(whole, cuts)]
    chance.shuffle(states)

    assert judge(states) == validate(tables.batch(whole), rules, now=NOW, surroundings=around).report
    for state in states:
        gathered = state.of_rules[0].gathered
        if isinstance(gathered, Drifted):
            assert Drifted.from_bytes(gathered.to_bytes()) == gathered


def test_parts_held_against_different_versions_do_not_merge() -> None:
    """Their bins are others."""
    one, two = (Drifted(Bins("whole", (1,), counts), (1, 0)) for counts in ((1, 0), (2, 0)))

    with pytest.raises(ValueError, match="different versions"):
        one.merge(two)


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ({"column": "a"}, "needs `psi` or `ks`"),
        ({"column": "a", "psi": 0.1, "ks": 0.1}, "needs `psi` or `ks`"),
        ({"column": "a", "psi": 0}, "`psi` must be above 0, not 0"),
        ({"column": "a", "ks": 1}, "`ks` must be above 0 and below 1, not 1"),
        ({"column": "a", "psi": "much"}, "`psi` must be a number"),
        ({"psi": 0.2}, "needs a column"),
    ],
    ids=["no limit", "two limits", "nothing allowed", "all allowed", "no number", "no column"],
)
def test_a_wrong_argument_is_refused(argument: dict[str, Any], says: str) -> None:
    """When the configuration is read."""
    with pytest.raises(ValueError, match=says):
        parse_rule({"drift": argument})
