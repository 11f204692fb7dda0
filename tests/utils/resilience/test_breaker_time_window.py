"""A breaker that judges all calls of the last seconds."""

import math

import pytest

from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker


def make(clock: ManualClock, **settings: object) -> CircuitBreaker:
    """Of the last minute."""
    return CircuitBreaker("ecb", **{"window_time": 60.0, "clock": clock, **settings})  # type: ignore[arg-type]  # settings of many types


def record(breaker: CircuitBreaker, outcomes: str, clock: ManualClock, every: float) -> None:
    """S: a success, F: a failure, one every so many seconds."""
    for outcome in outcomes:
        clock.advance(every)
        (breaker.record_success if outcome == "S" else breaker.record_failure)()


@pytest.mark.parametrize(
    ("outcomes", "every", "state"),
    [
        ("FSFFS", 1.0, "open"),
        ("FFFF", 1.0, "closed"),
        ("FFFFF", 15.1, "closed"),
        ("S" * 30 + "F" * 30, 0.5, "open"),
        ("S" * 31 + "F" * 29, 0.5, "closed"),
    ],
    ids=["60 % with a success last", "below the minimum", "too seldom", "half of many", "below half of many"],
)
def test_the_failure_rate_of_the_last_minute_decides(outcomes: str, every: float, state: str) -> None:
    """However many calls that were."""
    clock = ManualClock()
    breaker = make(clock)

    record(breaker, outcomes, clock, every)

    assert breaker.state == state


def test_the_minimum_may_be_larger_than_the_window_of_calls() -> None:
    """`window` is not used then."""
    clock = ManualClock()
    breaker = make(clock, window=1, minimum_calls=100)

    record(breaker, "F" * 99, clock, 0.1)
    before = breaker.state
    record(breaker, "F", clock, 0.1)

    assert (before, breaker.state) == ("closed", "open")
    assert breaker.figures().reason == "100 of the last 100 calls in 60 s failed"


def test_a_success_is_judged_when_older_ones_have_left() -> None:
    """Three of seven are too few; once two successes are too old, three of six are not."""
    clock = ManualClock()
    breaker = make(clock)
    record(breaker, "SS", clock, 1.0)
    clock.advance(50.0)
    record(breaker, "SSFFF", clock, 0.1)
    before = breaker.state

    clock.advance(10.0)
    breaker.record_success()

    assert (before, breaker.state) == ("closed", "open")


def test_a_row_of_failures_must_lie_within_the_time() -> None:
    """The first of three failures in a row is too old to count."""
    clock = ManualClock()
    breaker = make(clock, failure_threshold=3, minimum_calls=50)

    record(breaker, "FFF", clock, 31.0)
    before = breaker.state
    record(breaker, "FF", clock, 1.0)

    assert (before, breaker.state) == ("closed", "open")


def test_slow_calls_of_the_last_minute_open_it() -> None:
    """As in a window of calls."""
    clock = ManualClock()
    breaker = make(clock, slow_call=2.0)

    for _ in range(5):
        breaker.call(clock.advance, 2.0)

    assert (breaker.state, breaker.figures().reason) == ("open", "5 of the last 5 calls in 60 s took 2 s or more")


def test_figures_are_those_of_the_time_window() -> None:
    """What is too old is gone from them, too."""
    clock = ManualClock()
    breaker = make(clock)
    record(breaker, "SSSF", clock, 1.0)
    during = breaker.figures()

    clock.advance(60.0)

    assert (during.calls, during.failure_rate) == (4, 0.25)
    assert (breaker.figures().calls, breaker.figures().failure_rate) == (0, None)


@pytest.mark.parametrize("window_time", [0.0, -1.0, math.inf], ids=str)
def test_a_window_without_an_end_or_a_length_is_refused(window_time: float) -> None:
    """The message names the key."""
    with pytest.raises(ValueError, match="breaker ecb: window_time must be above 0 and finite, or None"):
        CircuitBreaker("ecb", window_time=window_time)
