"""The two windows, against plain lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.clock import ManualClock
from utils.resilience.window import FAILED, OK, SLOTS, SLOW, SLOW_FAILED, Counts, CountWindow, TimeWindow, count

CODES = st.sampled_from([OK, FAILED, SLOW, SLOW_FAILED])


def test_counts_tell_failures_slow_calls_and_the_last_row() -> None:
    """A slow success ends a row of failures, a slow failure belongs to it."""
    assert count([FAILED, SLOW, FAILED, SLOW_FAILED]) == Counts(calls=4, failed=3, slow=2, row=2)


def test_a_count_window_holds_the_last_calls() -> None:
    """Whenever they were."""
    window = CountWindow(maxlen=3)
    for code in (FAILED, FAILED, OK, OK, SLOW):
        window.append(code)

    assert window.counts() == Counts(calls=3, failed=0, slow=1, row=0)


@pytest.mark.parametrize(("seconds", "calls"), [(58.9, 1), (60.0, 0)], ids=["within", "after"])
def test_a_call_leaves_a_time_window_when_its_time_is_over(seconds: float, calls: int) -> None:
    """Not later than its seconds, and at most a sixtieth of them sooner."""
    clock = ManualClock()
    window = TimeWindow(60.0, clock.monotonic)
    window.append(FAILED)

    clock.advance(seconds)

    assert window.counts().calls == calls


def test_a_time_window_stays_small_at_any_rate() -> None:
    """Ten thousand calls in two windows' time are kept in sixty slots."""
    clock = ManualClock()
    window = TimeWindow(60.0, clock.monotonic)

    for _ in range(10_000):
        window.append(FAILED)
        clock.advance(0.012)

    assert len(window._slots) <= SLOTS
    assert 4_900 <= window.counts().calls <= 5_000


@given(st.lists(st.tuples(st.integers(0, 40), CODES, st.booleans()), max_size=60))
def test_a_time_window_agrees_with_a_list_of_all_calls(steps: list[tuple[int, int, bool]]) -> None:
    """Any gaps between calls, any outcomes, looked at or not in between."""
    clock, calls = ManualClock(), list[tuple[int, int]]()
    window = TimeWindow(60.0, clock.monotonic)
    for gap, code, looks in steps:
        clock.advance(gap)
        if looks:
            window.counts()
        window.append(code)
        calls.append((int(clock.monotonic()), code))

    now = int(clock.monotonic())

    assert window.counts() == count([code for second, code in calls if second > now - SLOTS])
