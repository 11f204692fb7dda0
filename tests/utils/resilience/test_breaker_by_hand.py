"""Forced open, forced closed: what a person decides stands until a person ends it."""

import math
from collections.abc import Callable

import pytest

from tests.utils.resilience.memory import MemoryState
from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker, CircuitOpenError, Transition


def make(clock: ManualClock, **settings: object) -> CircuitBreaker:
    """Opens at the first failure, for 30 s."""
    return CircuitBreaker("ecb", **{"failure_threshold": 1, "open_for": 30.0, "clock": clock, **settings})  # type: ignore[arg-type]  # settings of many types


def test_forced_closed_counts_but_never_opens() -> None:
    """A person knows better for now; the figures still tell what happens."""
    breaker = make(ManualClock())
    assert breaker.figures().reason == ""  # nobody decided anything yet
    breaker.force_closed("they announced it")

    for _ in range(9):
        breaker.record_failure()

    figures = breaker.figures()
    assert (figures.state, figures.held, figures.reason) == ("closed", True, "they announced it")
    assert (figures.calls, figures.failure_rate, figures.failures) == (9, 1.0, 9)


@pytest.mark.parametrize("end", [CircuitBreaker.close, CircuitBreaker.reset], ids=["close", "reset"])
@pytest.mark.parametrize("force", [CircuitBreaker.force_open, CircuitBreaker.force_closed], ids=["open", "closed"])
def test_close_and_reset_end_what_was_forced(
    force: Callable[[CircuitBreaker], None], end: Callable[[CircuitBreaker], None]
) -> None:
    """From then on failures open it as always."""
    breaker = make(ManualClock())
    force(breaker)

    end(breaker)
    before = (breaker.state, breaker.figures().held)
    breaker.record_failure()

    assert (before, breaker.state, breaker.figures().held) == (("closed", False), "open", False)


def test_forced_closed_lets_calls_through_an_open_circuit() -> None:
    """At once, without a trial."""
    breaker = make(ManualClock())
    breaker.record_failure()

    breaker.force_closed()

    assert [breaker.call(abs, -number) for number in range(9)] == list(range(9))


def test_the_listener_is_told_that_a_circuit_is_held() -> None:
    """Also when its state stays the same."""
    heard = list[Transition]()
    breaker = make(ManualClock(), listener=heard.append)

    breaker.force_closed()
    breaker.force_open("maintenance")
    breaker.close()

    assert [(t.before, t.after, t.held, t.reason) for t in heard] == [
        ("closed", "closed", True, "kept closed by hand"),
        ("closed", "open", True, "maintenance"),
        ("open", "closed", False, "closed by hand"),
    ]
    assert heard[1].open_until == math.inf


@pytest.mark.parametrize("state", ["open", "closed"])
def test_what_was_forced_is_kept_over_a_restart(state: str) -> None:
    """And holds in processes that are started later."""
    clock, shared = ManualClock(), MemoryState()
    first = make(clock, shared=shared)
    (first.force_open if state == "open" else first.force_closed)()
    clock.advance(1e7)

    restarted = make(clock, shared=shared)
    restarted.record_failure()

    assert (restarted.state, restarted.figures().held) == (state, True)


def test_an_opening_elsewhere_does_not_undo_what_was_forced() -> None:
    """A process that has not heard of it yet sees a failure, and takes over what a person decided."""
    clock, shared, heard = ManualClock(), MemoryState(), list[Transition]()
    unaware = make(clock, shared=shared, listener=heard.append)
    make(clock, shared=shared).force_closed("they announced it")

    unaware.record_failure()

    assert (unaware.state, unaware.figures().held, shared.verdicts["ecb"].state) == ("closed", True, "closed")
    assert heard == []


def test_a_trial_call_that_comes_back_does_not_undo_what_was_forced() -> None:
    """It began before the person decided."""
    clock = ManualClock()
    breaker = make(clock, half_open_calls=1)
    breaker.record_failure()
    clock.advance(30.0)
    trial = breaker.enter()
    breaker.force_open("maintenance")

    breaker.succeeded(trial)

    assert (breaker.state, breaker.figures().held) == ("open", True)


def test_a_refusal_by_hand_tells_the_reason_and_a_wait_to_plan_with() -> None:
    """The longest rest: nobody knows when it ends."""
    breaker = make(ManualClock(), max_open_for=600.0)
    breaker.force_open("maintenance until Monday")

    with pytest.raises(CircuitOpenError, match="maintenance until Monday") as refusal:
        breaker.enter()

    assert (refusal.value.retry_after, breaker.retry_after) == (600.0, 600.0)
