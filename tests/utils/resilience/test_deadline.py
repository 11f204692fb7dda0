"""The time that is left is known everywhere below, and only shrinks."""

import contextvars
import math
import threading

import pytest

from utils.clock import ManualClock
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.resilience.deadline import check, deadline, remaining
from utils.resilience.errors import DeadlineExceededError


def test_without_a_deadline_there_is_no_limit() -> None:
    """Infinite, and `check` says nothing."""
    check()

    assert remaining() == math.inf


def test_the_time_that_is_left_goes_down_and_never_below_zero() -> None:
    """In seconds of the deadline's clock."""
    clock = ManualClock()

    with deadline(10.0, clock):
        readings = [remaining()]
        for _ in range(3):
            clock.advance(4.0)
            readings.append(remaining())

    assert (readings, remaining()) == ([10.0, 6.0, 2.0, 0.0], math.inf)


@pytest.mark.parametrize(("inner", "left"), [(3.0, 3.0), (60.0, 10.0), (None, 10.0), (-5.0, 0.0)])
def test_a_nested_deadline_only_shrinks(inner: float | None, left: float) -> None:
    """And the outer one is back afterwards."""
    clock = ManualClock()

    with deadline(10.0, clock):
        with deadline(inner, clock):
            within = remaining()
        after = remaining()

    assert (within, after) == (left, 10.0)


def test_a_nested_deadline_on_another_clock_shrinks_too() -> None:
    """What counts is the time that is left, not the reading of the clock."""
    outer, inner = ManualClock(), ManualClock()
    inner.advance(1000.0)

    with deadline(10.0, outer), deadline(60.0, inner):
        assert remaining() == 10.0


def test_check_raises_when_the_time_is_over() -> None:
    """It names the task, the time it had, and what to do."""
    clock = ManualClock()

    with deadline(10.0, clock):
        clock.advance(10.0)
        with pytest.raises(DeadlineExceededError, match="fx_daily: the deadline of 10 s is over") as caught:
            check("fx_daily")

    assert (caught.value.name, caught.value.retry_after, caught.value.hint != "") == ("fx_daily", 0.0, True)


def test_check_raises_when_the_work_is_called_off() -> None:
    """The deadline's check is the cancellation's too."""
    token = CancelToken()
    token.cancel("Ctrl-C")

    with cancellable(token), pytest.raises(Cancelled, match="Ctrl-C"):
        check()


def test_a_thread_takes_the_deadline_along_with_a_copied_context() -> None:
    """And starts without one otherwise."""
    clock, seen = ManualClock(), list[float]()

    with deadline(10.0, clock):
        context = contextvars.copy_context()
        for run in (lambda: context.run(lambda: seen.append(remaining())), lambda: seen.append(remaining())):
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()

    assert seen == [10.0, math.inf]


def test_not_a_number_is_refused() -> None:
    """It would compare false with everything and never end."""
    with pytest.raises(ValueError, match="deadline: the time must be a number of seconds, got nan"), deadline(math.nan):
        pass
