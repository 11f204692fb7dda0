"""Samples of failing rows: bounded, spread over the whole, the same for whoever asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.validate.engine import validate
from data_pipeline.validate.quarantine import sampled
from data_pipeline.validate.rules import parse_rules
from data_pipeline.validate.samples import SAMPLE, chosen, together
from tests.data_pipeline.validate import tables
from tests.data_pipeline.validate.plain import NOW
from utils.arrow import pa

RULES = parse_rules([{"range": {"column": "n", "max": 10}}, {"not_null": "name"}])


@given(numbers=st.sets(st.integers(1, 2**40), max_size=200), cut=st.integers(0, 200), size=st.integers(0, 30))
def test_the_sample_of_a_whole_is_that_of_its_parts(numbers: set[int], cut: int, size: int) -> None:
    """Whatever the split and the order; never more than asked for; all of few."""
    rows = list(numbers)

    whole = chosen(rows, size)

    assert whole == together([chosen(rows[cut:], size), chosen(rows[:cut], size)], size)
    assert len(whole) == min(size, len(rows))
    assert list(whole) == sorted(whole)
    assert set(whole) <= numbers


def test_samples_are_not_the_first_rows() -> None:
    """Twenty of a hundred thousand come from all over them: each tenth of the rows is met by a few thousand."""
    few, many = chosen(range(1, 100_001)), chosen(range(1, 100_001), 5_000)

    tenths = [sum(1 for number in many if number // 10_001 == tenth) for tenth in range(10)]
    assert max(few) > 50_000
    assert all(400 < count < 600 for count in tenths)
    assert set(few) <= set(many)


@pytest.mark.parametrize("cuts", [[], [1], [7, 100, 101]], ids=["whole", "first row apart", "four parts"])
def test_samples_of_a_batch_do_not_depend_on_how_it_was_split(cuts: list[int]) -> None:
    """Each broken rule has its own, by the rows' numbers in the batch."""
    names = [None if n % 3 == 0 else "x" for n in range(1, 201)]
    batch = tables.batch(pa.table({"n": list(range(1, 201)), "name": names}), cuts)

    found = sampled(validate(batch, RULES, now=NOW).marks)

    assert found == {"range(n)": chosen(range(11, 201)), "not_null(name)": chosen(range(3, 201, 3))}
    assert len(found["range(n)"]) == SAMPLE
