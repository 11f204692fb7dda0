"""Sums without rounding, whatever the order."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_pipeline.validate.kernels.columns import CannotJudge
from data_pipeline.validate.kernels.exact_sums import FLOAT, sliced, total
from utils.arrow import pa

INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, -1, 2**32, -(2**32), 2**53 + 1])
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def added(values: "pa.Array | list[Any]") -> "pa.Array":
    """The sum of one column, as the rules make it: sliced, added bin by bin, put together."""
    count = np.array([len(values) - (values.count(None) if isinstance(values, list) else values.null_count)])
    (found,) = sliced(values)
    return total(found.scale, {k: np.array([part.sum()]) for k, part in found.bins.items()}, count)


@given(st.lists(st.none() | INTEGERS))
@example([2**63 - 1] * 3)
@example([-(2**63), None])
def test_integers_add_up_to_the_digit(values: list[int | None]) -> None:
    """Also beyond 64 bits, where 64-bit sums wrap around."""
    known = [value for value in values if value is not None]

    (found,) = added(pa.array(values, pa.int64())).to_pylist()

    assert found == (sum(known) if known else None)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_unsigned_integers_add_up(values: list[int]) -> None:
    """The upper half of 64 bits is no minus sign."""
    assert added(pa.array(values, pa.uint64())).to_pylist() == [sum(values)]


@given(st.lists(st.none() | st.decimals(-(10**30), 10**30, places=4, allow_nan=False)), st.sampled_from([38, 60]))
def test_decimals_add_up_to_the_digit(values: list[Decimal | None], digits: int) -> None:
    """In both widths, negative ones and nulls among them."""
    kind = pa.decimal128(38, 4) if digits == 38 else pa.decimal256(60, 4)
    known = [value for value in values if value is not None]

    (found,) = added(pa.array(values, kind)).to_pylist()

    assert found == (sum(map(Fraction, known)) if known else None)


@given(st.lists(FLOATS, min_size=1, max_size=30))
@example([1e308, 1e308, -1e308, 5e-324])
@example([0.1] * 10)
@example([1e16, 1.0, -1e16])
def test_the_slices_of_floats_are_exact(values: list[float]) -> None:
    """The sum of all slices is the sum of the numbers as fractions, and what is told is next to it."""
    (found,) = sliced(pa.array(values))
    exact = sum(map(Fraction, values))

    assert sum(Fraction(int(part.sum())) * Fraction(2) ** (32 * k) for k, part in found.bins.items()) == exact
    (told,) = added(pa.array(values)).to_pylist()
    if abs(exact) < 10**308:
        assert told == pytest.approx(float(exact), rel=1e-15, abs=1e-320)


@given(st.lists(FLOATS, min_size=1, max_size=12), st.integers(0, 12), st.randoms(use_true_random=False))
def test_no_order_and_no_split_changes_a_sum_of_floats(values: list[float], cut: int, chance: Any) -> None:
    """Bit for bit, where plain addition depends on both."""
    shuffled = list(values)
    chance.shuffle(shuffled)
    parts = [sliced(pa.array(part, pa.float64()))[0].bins for part in (shuffled[:cut], shuffled[cut:])]
    merged = {k: np.array([sum(int(part[k].sum()) for part in parts if k in part)]) for k in {*parts[0], *parts[1]}}

    assert total(FLOAT, merged, np.array([len(values)])).equals(added(pa.array(values)))


@given(st.lists(st.none() | st.integers(-(2**200), 2**200) | st.decimals(-(10**20), 10**20, places=3), min_size=1))
def test_exact_numbers_of_python_add_up(values: list[Any]) -> None:
    """What Arrow's types did not reach."""
    known = [Fraction(value) for value in values if value is not None]

    (found,) = added(values).to_pylist()

    assert found is None if not known else Fraction(found) == sum(known)


def test_infinite_numbers_stand_beside_the_sum() -> None:
    """They are counted, not added."""
    (found,) = sliced(pa.array([math.inf, 1.0, -math.inf, None]))

    assert found.infinite is not None
    assert found.infinite.tolist() == [1, 0, -1, 0]
    assert found.bins[0].tolist() == [0, 1, 0, 0]


def test_a_sum_of_too_many_digits_is_refused() -> None:
    """In words, for no type of Arrow holds it."""
    with pytest.raises(CannotJudge, match="more than 76 digits"):
        added([10**76])


def test_text_has_no_sum() -> None:
    """Whatever it looks like."""
    with pytest.raises(CannotJudge, match="string has no sum"):
        sliced(pa.array(["1"]))


def test_a_slice_of_an_array_is_that_slice() -> None:
    """What stands before and behind it in its buffers is not added."""
    for kind in (pa.int64(), pa.float64(), pa.decimal128(38, 2), pa.decimal256(50, 2)):
        values = pa.array([1, 2, 3, 4]).cast(kind).slice(1, 2)

        assert float(added(values)[0].as_py()) == 5.0, kind
