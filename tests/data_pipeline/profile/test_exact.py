"""Sums without rounding: what Python's fractions give, for any floats and any order."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.profile.exact import Sums, of_floats, of_wholes, root
from tests.counts import few

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def _plain(values):
    exact = [Fraction(value) for value in values]
    return Sums(sum(exact, Fraction(0)), sum((one * one for one in exact), Fraction(0)))


@given(st.lists(FLOATS, max_size=20), st.sampled_from([1, 20]))
@settings(max_examples=few(300), deadline=None)
def test_sums_of_floats_are_those_of_fractions(values, times):
    """Denormals and squares beyond the floats; a few values, and so many that they are summed in slices."""
    assert of_floats(np.array(values * times, np.float64)) == _plain(values * times)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([5e-324, -5e-324, 5e-324], id="the smallest there are"),
        pytest.param([1.7e308, 1.7e308, -1.7e308], id="a sum that floats cannot hold on the way"),
        pytest.param([1e160, 1e-160, 1.0], id="squares beyond the floats both ways"),
        pytest.param([2.0**511, 2.0**512, 2.0**-511], id="squares at the very edge"),
        pytest.param([1.9 * 2.0**511, 1.0], id="squares that floats hold and their sum that they do not"),
        pytest.param([1e16, 1.0, -1e16], id="a one that floats would lose"),
    ],
)
def test_nothing_is_lost_at_the_edges(values):
    """Where a plain float sum is wrong, infinite or zero."""
    assert of_floats(np.array(values)) == _plain(values)
    assert of_floats(np.array(values * 100)) == _plain(values * 100)


def test_long_columns_are_summed_in_parts_to_the_same_bit():
    """More than one part, in any order; a plain float sum differs."""
    values = np.random.default_rng(7).lognormal(4, 3, 50_000)
    shuffled = np.random.default_rng(8).permutation(values)

    assert of_floats(values) == of_floats(shuffled) == _plain(values.tolist())
    assert float(of_floats(values).total) == math.fsum(values.tolist())


@given(st.sampled_from(["<i8", "<u8"]), st.data())
@settings(max_examples=few(100), deadline=None)
def test_sums_of_whole_numbers_are_exact_up_to_the_ends_of_64_bits(kind, data):
    """Neither a sum nor a square goes round the end of its 64 bits."""
    ends = np.iinfo(kind)
    wholes = st.sampled_from([ends.min, ends.max, 0, 2**53 + 1]) | st.integers(int(ends.min), int(ends.max))
    values = data.draw(st.lists(wholes, min_size=1, max_size=20)) * data.draw(st.sampled_from([1, 20]))

    found = of_wholes(np.array(values, kind), min(values), max(values))

    assert found == (sum(values), sum(value * value for value in values))


def test_small_whole_numbers_in_great_number_are_exact():
    """Their sum of squares comes near to 2^63 a part, and passes it in all."""
    values = np.full(40_000, 2**25, np.int64)

    assert of_wholes(values, 2**25, 2**25) == (40_000 * 2**25, 40_000 * 2**50)


@pytest.mark.parametrize("number", [Fraction(2), Fraction(1, 3), Fraction(10) ** -400, Fraction(0), Fraction(7, 10**9)])
def test_a_root_is_within_one_step_of_the_true_one(number):
    """Also of what is too small for a float itself."""
    found = root(*number.as_integer_ratio())

    low, high = Fraction(math.nextafter(found, 0)), Fraction(math.nextafter(found, math.inf))
    assert low * low <= number <= high * high


def test_a_root_beyond_the_floats_is_an_error():
    """Rather than infinity."""
    with pytest.raises(OverflowError):
        root(10**620, 1)
