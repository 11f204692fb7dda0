"""A wall clock that is set back or forth an hour moves no circuit that this process opened."""

from collections.abc import Callable

import pytest

from tests.utils.resilience.memory import MemoryState
from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker

HOUR = 3600.0
JUMPS = pytest.mark.parametrize("jump", [ManualClock.set_back, ManualClock.set_forward], ids=["back", "forth"])


def opened(clock: ManualClock, **settings: object) -> CircuitBreaker:
    """Open for 30 s, never longer than 600."""
    given = {"failure_threshold": 1, "open_for": 30.0, "max_open_for": 600.0, "half_open_calls": 1, "clock": clock}
    breaker = CircuitBreaker("ecb", **given | settings)  # type: ignore[arg-type]  # settings of many types
    breaker.record_failure()
    return breaker


@JUMPS
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_the_process_that_opened_it_rests_as_long_as_it_said(
    jump: Callable[[ManualClock, float], None], shared: bool
) -> None:
    """Neither a trial call at once, nor a rest of an hour."""
    clock = ManualClock()
    breaker = opened(clock, shared=MemoryState() if shared else None)

    jump(clock, HOUR)
    clock.advance(29.9)
    before = (breaker.retry_after, breaker.allows())
    clock.advance(0.1)

    assert before == (pytest.approx(0.1), False)
    assert breaker.allows()


@JUMPS
def test_a_process_that_took_the_verdict_over_keeps_to_its_end(jump: Callable[[ManualClock, float], None]) -> None:
    """It measured the rest when it heard of it."""
    clock, shared = ManualClock(), MemoryState()
    other = CircuitBreaker("ecb", shared=shared, clock=clock)
    breaker = opened(clock, shared=shared)
    clock.advance(0.125)
    heard = other.state

    jump(clock, HOUR)
    clock.advance(29.0)
    before = other.retry_after

    assert (heard, before, breaker.retry_after) == ("open", pytest.approx(0.875), pytest.approx(0.875))


@pytest.mark.parametrize(
    ("seconds", "rest"), [(-HOUR, 0.0), (-4.0, 30.0), (10.0, 20.0), (HOUR, 0.0)], ids=["-1 h", "-4 s", "10 s", "1 h"]
)
def test_after_a_restart_no_rest_is_longer_than_it_was(seconds: float, rest: float) -> None:
    """Whatever the wall clock says by then. What opened in the future has rested: a process that lives for a second
    would begin the rest anew each time, until the clock is where it was."""
    clock, shared = ManualClock(), MemoryState()
    opened(clock, shared=shared)
    clock.set_forward(seconds)

    restarted = CircuitBreaker("ecb", shared=shared, clock=clock)

    assert (restarted.state, restarted.retry_after) == ("open", pytest.approx(rest))


@JUMPS
def test_the_rest_that_follows_a_jump_is_bounded_too(jump: Callable[[ManualClock, float], None]) -> None:
    """The trial fails after the jump; the next rest doubles, and no more."""
    clock = ManualClock()
    breaker = opened(clock, shared=MemoryState())
    jump(clock, HOUR)
    clock.advance(30.0)
    breaker.failed(breaker.enter())

    assert 48.0 <= breaker.retry_after <= 60.0


@JUMPS
def test_a_trial_keeps_its_permits(jump: Callable[[ManualClock, float], None]) -> None:
    """They are measured by the clock that nobody sets: none is lent twice, none is lost."""
    clock, shared = ManualClock(), MemoryState()
    breaker = opened(clock, shared=shared)
    clock.advance(30.0)
    trial = breaker.enter()

    jump(clock, HOUR)
    clock.advance(0.125)
    other = CircuitBreaker("ecb", half_open_calls=1, shared=shared, clock=clock)
    refused = not other.allows()
    breaker.succeeded(trial)

    assert (refused, breaker.state) == (True, "closed")


def test_a_trial_of_before_the_machine_was_started_anew_is_over() -> None:
    """Its moments lie in the future of a clock that began at nought."""
    clock, shared = ManualClock(), MemoryState()
    breaker = opened(clock, shared=shared)
    clock.advance(30.0)
    trial = breaker.enter()
    rebooted = ManualClock(clock.now())

    restarted = CircuitBreaker("ecb", shared=shared, clock=rebooted)

    assert breaker.still_admits(trial)
    assert (restarted.state, restarted.figures().reason) == ("open", "the trial calls did not come back")
