"""Counting values in bounded memory."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.advice.tally import Tally
from tests.counts import few

PARTS = st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 50)), max_size=20), max_size=10)


@given(PARTS, st.integers(1, 30))
@settings(max_examples=few(100))
def test_counts_are_exact_or_too_low_by_no_more_than_is_said(parts, most):
    """Against a plain count: never too high, never more values than allowed, the total always exact."""
    tally, plain = Tally(most), Counter()
    for part in parts:
        tally.add(part)
        for value, count in part:
            plain[value] += count

    assert tally.total == plain.total()
    assert len(tally.counts) <= most
    assert tally.exact == (tally.short == 0)
    for value, count in plain.items():
        assert count - tally.short <= tally.counts.get(value, 0) <= count
    if tally.exact:
        assert tally.counts == plain


@given(PARTS, st.integers(1, 30))
@settings(max_examples=few(60))
def test_a_frequent_value_is_never_forgotten(parts, most):
    """What makes up more than one part in `most + 1` is still there."""
    tally, plain = Tally(most), Counter()
    for part in parts:
        tally.add(part)
        for value, count in part:
            plain[value] += count

    for value, count in plain.items():
        assert value in tally.counts or count * (most + 1) <= plain.total()


def test_the_most_frequent_come_first_and_ties_in_a_fixed_order():
    """Whatever the order in which they came."""
    tally, other = Tally(10), Tally(10)
    tally.add([("b", 1), ("a", 1), (3, 5)])
    other.add([(3, 5), ("a", 1), ("b", 1)])

    assert tally.top(3) == other.top(3) == [(3, 5), ("a", 1), ("b", 1)]
