"""Quantiles: at most 1 % off, for any numbers, and the same for any split."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.profile.quantiles import Quantiles
from tests.counts import few

NORMAL = 2.2250738585072014e-308
NUMBERS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda one: one == 0.0 or abs(one) >= NORMAL)
SHARES = [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0]


def _of(values):
    array = np.array(values, np.float64)
    return Quantiles.of(array, array.min(initial=0.0), array.max(initial=0.0))


def _exact(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


@given(st.lists(NUMBERS, min_size=1, max_size=60))
@settings(max_examples=few(300), deadline=None)
def test_a_quantile_is_at_most_one_per_cent_off(values):
    """Of any floats, below and above 0, from the smallest normal one to the largest."""
    found = _of(values)

    for share in SHARES:
        exact = _exact(values, share)
        assert abs(found.quantile(share) - exact) <= 0.01 * abs(exact)


def test_small_counts_are_told_as_they_are():
    """What is told of a bin is its roundest number: of whole numbers below 256 the number itself."""
    for value in [*range(1, 256), 1000, 0.5, 2.5, -7]:
        assert _of([value]).quantile(0.5) == value


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.random.default_rng(1).lognormal(3, 2, 20_000), id="skewed"),
        pytest.param(np.random.default_rng(2).normal(0, 1, 20_000), id="round zero"),
        pytest.param(np.random.default_rng(3).integers(-5, 60, 20_000).astype(float), id="whole with zeros"),
    ],
)
def test_usual_distributions(values):
    """Against the sorted values."""
    found = _of(values)

    for share in SHARES:
        exact = _exact(values.tolist(), share)
        assert found.quantile(share) == pytest.approx(exact, rel=0.01)


@given(st.lists(st.lists(NUMBERS, max_size=8), min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=few(200), deadline=None)
def test_any_split_in_any_order_gives_the_same_bytes(parts, chance):
    """Bit for bit, and back from JSON."""
    whole = _of([value for part in parts for value in part])
    chance.shuffle(parts)

    merged = reduce(Quantiles.merge, map(_of, parts))

    assert merged == whole
    assert Quantiles.from_json(whole.to_json()) == whole


def test_of_nothing_there_is_no_quantile():
    """None, not 0."""
    assert Quantiles().quantile(0.5) is None
    assert Quantiles().merge(Quantiles()) == Quantiles()


def test_a_histogram_of_other_bins_is_refused():
    """Its numbers of bins mean something else."""
    with pytest.raises(ValueError, match="other bins"):
        Quantiles.from_json({**_of([1.0]).to_json(), "bits": 40})
