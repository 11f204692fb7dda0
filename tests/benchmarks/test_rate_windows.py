"""The checker of rates finds every excess that is there, and none that may be the clock's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rate_windows import largest_excess


def exactly(*moments: float) -> list[tuple[float, float]]:
    return [(moment, moment) for moment in moments]


@pytest.mark.parametrize(
    ("moments", "excess"),
    [
        pytest.param([0.0, 0.0, 0.5, 1.0, 1.5], 0.0, id="the burst, then the plain rate"),
        pytest.param([0.0, 0.0, 0.5, 1.0, 1.0, 1.5], 1.0, id="one call too many in the middle"),
        pytest.param([0.0, 5.0, 5.0, 5.0, 9.0], 1.0, id="a burst that is one too large"),
        pytest.param([0.0, 9.0], -1.0, id="far below the rate"),
        pytest.param([], -2.0, id="no grant at all"),
    ],
)
def test_the_worst_window_is_found(moments: list[float], excess: float) -> None:
    """Two calls a second with a burst of two."""
    assert largest_excess(exactly(*moments), rate=2.0, burst=2) == pytest.approx(excess)


def test_a_process_that_was_held_up_is_no_excess() -> None:
    """Its grant may lie anywhere between its two moments, so the window is taken as long as it may have been."""
    assert largest_excess([(0.0, 0.0), (0.0, 0.0), (0.5, 0.5), (0.4, 2.0)], rate=2.0, burst=2) <= 0.0


@given(
    st.lists(st.floats(0.0, 3.0), min_size=20, max_size=40),
    st.floats(0.0, 100.0),
    st.integers(1, 6),
)
def test_a_planted_excess_is_found_wherever_it_is(gaps: list[float], start: float, more: int) -> None:
    """A limiter that keeps the rate shows none; the burst and some more at one moment show at least these."""
    moments, moment = [], start
    for gap in gaps:
        moment += 0.5 + gap  # one interval at least: the rate is kept without any burst
        moments.append(moment)

    kept = largest_excess(exactly(*moments), rate=2.0, burst=2)
    broken = largest_excess(exactly(*moments, *[moments[7]] * (2 + more - 1)), rate=2.0, burst=2)

    assert kept <= 1e-9
    assert broken >= more - 1e-9
