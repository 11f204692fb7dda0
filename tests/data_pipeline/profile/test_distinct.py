"""The count of different values: exact while they are few, then within its bound, and the same for any split."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.hashing import mixed
from data_pipeline.profile.distinct import Distinct
from tests.counts import few


def _hashes(first: int, last: int):
    return mixed(np.arange(first, last, dtype=np.uint64))


@pytest.mark.parametrize("count", [0, 1, 2, 100, 1024])
def test_few_values_are_counted_exactly(count):
    """Up to 1,024, however often each comes."""
    assert Distinct.of(np.tile(_hashes(0, count), 5)).count() == count


@pytest.mark.parametrize("count", [1_025, 5_000, 30_000, 60_000, 300_000, 2_000_000])
def test_many_values_are_estimated_within_the_bound(count):
    """The standard error of 2^14 registers is 0.8 %: four of them, over several sets of values; and no bias."""
    errors = [Distinct.of(_hashes(start, start + count)).count() / count - 1 for start in range(0, 10**9, 2 * 10**8)]

    assert max(map(abs, errors)) < 4 * 1.04 / 2**7
    assert abs(sum(errors) / len(errors)) < 3 * 1.04 / 2**7 / len(errors) ** 0.5


@given(st.lists(st.sampled_from([1, 40, 600, 1_024, 1_100, 5_000]), min_size=1, max_size=5), st.randoms())
@settings(max_examples=few(40), deadline=None)
def test_any_split_in_any_order_gives_the_same_bytes(sizes, chance):
    """Parts that are exact, parts that are estimates, overlapping: the state is that of the whole."""
    parts = [_hashes(start := chance.randrange(3_000), start + size) for size in sizes]
    whole = Distinct.of(np.concatenate(parts))
    chance.shuffle(parts)

    assert reduce(Distinct.merge, map(Distinct.of, parts)) == whole
    assert Distinct.from_json(whole.to_json()) == whole


def test_a_part_that_is_exact_by_itself_becomes_an_estimate_with_the_others():
    """Which of the two a state is depends on all values together."""
    one, other = Distinct.of(_hashes(0, 700)), Distinct.of(_hashes(600, 1_300))

    assert (one.registers, other.registers) == (b"", b"")
    assert one.merge(other) == Distinct.of(_hashes(0, 1_300))
    assert one.merge(other).count() == pytest.approx(1_300, rel=0.03)
    assert one.merge(Distinct.of(_hashes(0, 900))).count() == 900


def test_repeated_values_at_the_start_do_not_hide_the_others():
    """The first look is at 4,096 values; the rest is counted all the same."""
    found = np.concatenate([np.tile(_hashes(0, 3), 4_000), _hashes(0, 50_000)])

    assert Distinct.of(found) == Distinct.of(_hashes(0, 50_000))
    assert Distinct.of(np.tile(_hashes(0, 3), 4_000)).count() == 3


def test_a_sketch_of_another_hash_is_refused():
    """Merged, it would count everything twice."""
    kept = Distinct.of(_hashes(0, 5)).to_json()

    with pytest.raises(ValueError, match="other-hash"):
        Distinct.from_json({**kept, "hash": "other-hash"})
    with pytest.raises(ValueError, match="12"):
        Distinct.from_json({**kept, "precision": 12})
