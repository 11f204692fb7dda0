"""Trial calls that hang, get lost or take too long: a half-open circuit always goes on."""

import gc
import threading

import pytest

from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker, CircuitOpenError, Transition


def half_open(clock: ManualClock, **settings: object) -> CircuitBreaker:
    """A breaker whose rest of 30 s is over; a call is slow from 5 s on, a phase lasts at most 60 s."""
    given = {"failure_threshold": 1, "open_for": 30.0, "slow_call": 5.0, "half_open_for": 60.0, "clock": clock}
    breaker = CircuitBreaker("ecb", **given | settings)  # type: ignore[arg-type]  # settings of many types
    breaker.record_failure()
    clock.advance(30.0)
    return breaker


def test_a_phase_of_which_some_came_back_well_closes_when_it_has_lasted_long_enough() -> None:
    """Two of three are out for a minute; the one that came decides."""
    clock = ManualClock()
    breaker = half_open(clock)
    tickets = [breaker.enter() for _ in range(3)]
    breaker.succeeded(tickets[0], 0.1)

    clock.advance(59.9)
    before = breaker.state
    clock.advance(0.1)

    assert (before, breaker.state) == ("half_open", "closed")
    assert breaker.figures().reason == "1 of 1 trial calls succeeded, the others took too long"


def test_a_phase_of_which_nothing_came_back_opens_again() -> None:
    """For longer than before, as after any failed trial."""
    clock = ManualClock()
    breaker = half_open(clock, slow_call=100.0)
    out = [breaker.enter() for _ in range(3)]

    clock.advance(60.0)

    figures = breaker.figures()
    assert len(out) == 3
    assert (figures.state, figures.reason, figures.times_opened) == ("open", "the trial calls did not come back", 2)
    assert figures.retry_after >= 48.0


def test_a_phase_in_which_nobody_calls_goes_on() -> None:
    """Its time begins with its first call: a permit that was given back is none."""
    clock = ManualClock()
    breaker = half_open(clock, half_open_calls=1)
    breaker.give_back(breaker.enter())
    clock.advance(1e6)
    before = breaker.state
    late = breaker.enter()
    clock.advance(5.0)

    breaker.succeeded(late, 4.9)

    assert (before, breaker.state) == ("half_open", "closed")


def test_a_call_that_told_nothing_leaves_its_trial_to_the_next() -> None:
    """It is no success and no failure, and no call that was counted."""
    breaker = half_open(ManualClock(), half_open_calls=1)

    asked = [breaker.allows(), breaker.allows()]
    breaker.record_nothing()

    assert (asked, breaker.state, breaker.allows()) == ([True, False], "half_open", True)


@pytest.mark.parametrize(
    ("slow_call", "longest"), [(5.0, 30.0), (40.0, 80.0), (float("inf"), 30.0)], ids=["rest", "slow", "never slow"]
)
def test_the_longest_phase_is_the_rest_or_twice_a_slow_call(slow_call: float, longest: float) -> None:
    """Unless it is given."""
    clock = ManualClock()
    breaker = half_open(clock, slow_call=slow_call, half_open_for=None, half_open_calls=2)
    breaker.succeeded(breaker.enter(), 0.1)

    clock.advance(longest - 0.1)
    before = breaker.state
    clock.advance(0.1)

    assert (before, breaker.state) == ("half_open", "closed")


def test_a_call_that_comes_back_after_its_phase_ends_the_rest() -> None:
    """It downloaded for minutes while others waited; the circuit had opened only because nobody had come back."""
    clock = ManualClock()
    breaker = half_open(clock, half_open_calls=1, slow_call=100.0)
    download = breaker.enter()
    clock.advance(180.0)
    before = breaker.state

    breaker.succeeded(download, 0.2)

    assert (before, breaker.state) == ("open", "closed")


def test_a_call_that_comes_back_badly_after_its_phase_changes_nothing() -> None:
    """The circuit is open already."""
    clock = ManualClock()
    breaker = half_open(clock, half_open_calls=1, slow_call=100.0)
    hanging = breaker.enter()
    clock.advance(60.0)
    before = breaker.figures()

    breaker.failed(hanging, 60.0)

    after = breaker.figures()
    assert (after.state, after.retry_after, after.times_opened) == ("open", before.retry_after, 2)


def test_the_permit_of_a_thread_that_died_is_back_at_once() -> None:
    """It asked, and ended without a word; nobody holds its ticket any more."""
    breaker = half_open(ManualClock(), half_open_calls=1)
    asked = list[bool]()

    def dies() -> None:
        ticket = breaker.enter()
        asked.append(ticket is not None)

    thread = threading.Thread(target=dies)
    thread.start()
    thread.join()
    gc.collect()

    assert (asked, breaker.allows()) == ([True], True)


def test_the_permit_of_a_block_that_nobody_goes_on_with_is_back() -> None:
    """A generator is dropped in the middle of its `with` block."""
    breaker = half_open(ManualClock(), half_open_calls=1)

    def pages():  # type: ignore[no-untyped-def]  # a generator as a user writes it
        with breaker:
            yield 1
            yield 2

    reading = pages()
    next(reading)
    refused = not breaker.allows()
    del reading
    gc.collect()

    assert (refused, breaker.allows()) == (True, True)


def test_more_outcomes_than_permits_close_it_once() -> None:
    """A permit was lent again because its call hung; both come back in the end."""
    clock, heard = ManualClock(), list[Transition]()
    breaker = half_open(clock, half_open_calls=1, listener=heard.append)
    hanging = breaker.enter()
    clock.advance(10.0)
    second = breaker.enter()

    breaker.succeeded(second, 0.1)
    breaker.succeeded(hanging, 0.1)

    assert [change.after for change in heard] == ["open", "half_open", "closed"]


def test_an_outcome_told_twice_counts_once() -> None:
    """A ticket is spent with its first outcome."""
    breaker = half_open(ManualClock(), half_open_calls=2)
    ticket = breaker.enter()

    breaker.succeeded(ticket)
    breaker.succeeded(ticket)

    assert (breaker.state, breaker.figures().calls) == ("half_open", 1)


def test_a_refusal_in_half_open_tells_how_long_the_trial_may_take() -> None:
    """A number to plan with: until the trial calls have answered."""
    breaker = half_open(ManualClock(), half_open_calls=1)
    trial = breaker.enter()

    with pytest.raises(CircuitOpenError) as refusal:
        breaker.enter()

    assert (breaker.still_admits(trial), refusal.value.retry_after) == (True, 5.0)


def test_a_longest_phase_that_cannot_work_is_refused() -> None:
    """The message names the key."""
    with pytest.raises(ValueError, match="breaker ecb: half_open_for must be above 0 and finite, or None, got 0"):
        CircuitBreaker("ecb", half_open_for=0)
