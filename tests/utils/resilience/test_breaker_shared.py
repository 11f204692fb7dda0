"""A verdict is shared by processes, outlives them, and never depends on the store."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.utils.resilience.memory import MemoryState
from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker, Transition
from utils.resilience.shared_state import Verdict


def make(clock: ManualClock, shared: MemoryState, **settings: object) -> CircuitBreaker:
    """A breaker as each process makes its own."""
    return CircuitBreaker(
        "ecb",
        **{"failure_threshold": 1, "open_for": 30.0, "clock": clock, "shared": shared, **settings},  # type: ignore[arg-type]  # settings of many types
    )


def test_a_verdict_is_kept_over_a_restart() -> None:
    """The next process starts with the circuit open, for the time that is left."""
    clock, shared = ManualClock(), MemoryState()
    make(clock, shared).record_failure()
    clock.advance(10.0)

    restarted = make(clock, shared)

    assert (restarted.state, restarted.retry_after) == ("open", pytest.approx(20.0))


def test_after_a_restart_the_rest_goes_on_doubling() -> None:
    """How often it opened in a row is part of the verdict."""
    clock, shared = ManualClock(), MemoryState()
    make(clock, shared).record_failure()
    restarted = make(clock, shared)
    clock.advance(30.0)
    restarted.allows()

    restarted.record_failure()

    assert restarted.figures().times_opened == 2
    assert restarted.retry_after >= 48.0


def test_a_rest_that_ended_while_we_were_down_leads_to_a_trial_call() -> None:
    """Not to a closed circuit: nobody has seen the provider well since."""
    clock, shared = ManualClock(), MemoryState()
    make(clock, shared).record_failure()
    clock.advance(3600.0)

    restarted = make(clock, shared, half_open_calls=1)

    assert [restarted.allows(), restarted.allows(), restarted.state] == [True, False, "half_open"]


def test_another_process_sees_an_opening_within_a_tenth_of_a_second() -> None:
    """And refuses without a failure of its own."""
    clock, shared = ManualClock(), MemoryState()
    one, other = make(clock, shared), make(clock, shared)
    one.record_failure()

    clock.advance(0.1)

    assert not other.allows()


def test_another_process_sees_a_recovery() -> None:
    """The one that tried successfully closes it for all."""
    clock, shared = ManualClock(), MemoryState()
    one, other = make(clock, shared, half_open_calls=1), make(clock, shared)
    one.record_failure()
    clock.advance(0.1)
    before = other.state
    clock.advance(30.0)
    one.call(lambda: None)
    clock.advance(0.1)

    assert (before, other.state) == ("open", "closed")


def test_another_process_sees_a_circuit_opened_and_closed_by_hand() -> None:
    """What the command line does reaches a running process."""
    clock, shared = ManualClock(), MemoryState()
    running = make(clock, shared)
    make(clock, shared).force_open("maintenance at the provider")
    clock.advance(1e6)
    refused = not running.allows()

    make(clock, shared).reset()
    clock.advance(0.1)

    assert (refused, running.allows()) == (True, True)


def test_trial_calls_are_counted_over_all_processes() -> None:
    """Two may pass: one here, one there."""
    clock, shared = ManualClock(), MemoryState()
    one, other = make(clock, shared, half_open_calls=2), make(clock, shared, half_open_calls=2)
    one.record_failure()
    clock.advance(30.0)

    assert [one.allows(), other.allows(), other.allows(), one.allows()] == [True, True, False, False]


def test_the_store_is_looked_at_ten_times_a_second_at_most() -> None:
    """And loaded only when something changed."""
    clock, shared = ManualClock(), MemoryState()
    breaker = make(clock, shared)
    looks, loads = shared.looks, shared.loads

    for _ in range(1000):
        breaker.call(clock.advance, 0.001)

    assert shared.looks - looks <= 11
    assert shared.loads == loads


def test_a_store_that_fails_leaves_the_local_decision() -> None:
    """Opening, refusing and trying go on; the errors are counted."""
    clock, shared = ManualClock(), MemoryState()
    shared.broken = True
    breaker = make(clock, shared, half_open_calls=1)

    breaker.record_failure()
    refused = not breaker.allows()
    clock.advance(30.0)
    breaker.call(lambda: None)

    assert (refused, breaker.state) == (True, "closed")
    assert breaker.figures().shared_errors >= 3


def test_an_older_verdict_in_a_store_that_came_back_changes_nothing() -> None:
    """It was not decided anew, so our own newer decision stands."""
    clock, shared = ManualClock(), MemoryState()
    make(clock, shared).close()
    breaker = make(clock, shared)
    shared.broken = True
    breaker.record_failure()
    shared.broken = False
    CircuitBreaker("another", shared=shared, clock=clock).close()  # moves the version

    clock.advance(0.1)

    assert breaker.state == "open"


def test_a_decision_on_its_way_to_the_store_is_not_undone_by_what_is_there() -> None:
    """Somebody else's older verdict is read just before ours is saved."""

    class SlowState(MemoryState):
        """While a verdict is being saved, time goes by and the breaker looks."""

        def change(self, name: str, step: Callable[[Verdict | None], Verdict]) -> None:
            if breakers:
                clock.advance(0.1)
                seen.append(breakers.pop().state)
            super().change(name, step)

    clock, shared, seen, breakers = ManualClock(), SlowState(), list[str](), list[CircuitBreaker]()
    breaker = make(clock, shared)
    make(clock, shared).close("closed elsewhere")  # which this breaker has not seen yet
    breakers.append(breaker)

    breaker.record_failure()
    clock.advance(0.1)

    assert (seen, breaker.state, shared.verdicts["ecb"].state) == (["open"], "open", "open")


def test_a_decision_made_while_the_store_is_read_stands() -> None:
    """What was read is older than what we decided meanwhile."""

    class SlowState(MemoryState):
        """While a verdict is being loaded, another thread sees the provider fail."""

        def load(self, name: str) -> Verdict | None:
            verdict = super().load(name)
            if breakers:
                breakers.pop().record_failure()
            return verdict

    clock, shared, breakers = ManualClock(), SlowState(), list[CircuitBreaker]()
    breaker = make(clock, shared)
    make(clock, shared).close("closed elsewhere")
    breakers.append(breaker)

    clock.advance(0.1)

    assert breaker.state == "open"


def test_a_wall_clock_set_back_does_not_keep_it_open_for_a_day() -> None:
    """After a restart it is tried again at once: how long it has rested, nobody knows."""
    clock, shared = ManualClock(), MemoryState()
    make(clock, shared).record_failure()
    clock.set_back(86400.0)

    restarted = make(clock, shared)

    assert restarted.retry_after == 0.0


def test_a_wall_clock_set_back_does_not_touch_a_rest_of_our_own() -> None:
    """It is measured by the clock that never goes backwards."""
    clock, shared = ManualClock(), MemoryState()
    breaker = make(clock, shared)
    breaker.record_failure()
    clock.set_back(86400.0)

    clock.advance(30.0)

    assert breaker.allows()


def test_only_the_process_that_decides_tells_its_listener() -> None:
    """One outage is one event, however many processes see it."""
    clock, shared = ManualClock(), MemoryState()
    heard_here, heard_there = list[Transition](), list[Transition]()
    here, there = make(clock, shared, listener=heard_here.append), make(clock, shared, listener=heard_there.append)

    here.record_failure()
    clock.advance(0.1)

    assert there.state == "open"
    assert (len(heard_here), len(heard_there)) == (1, 0)


def test_what_is_saved_says_when_why_and_until_when() -> None:
    """In seconds since the epoch, so that it means the same to everybody."""
    clock, shared = ManualClock(), MemoryState()
    start = clock.time()

    make(clock, shared).record_failure()

    assert shared.saved == [Verdict("open", start, start + 30.0, 1, "1 failure in a row")]


def test_opened_by_hand_has_no_end() -> None:
    """`open_until` is infinite until somebody closes it."""
    clock, shared = ManualClock(), MemoryState()

    make(clock, shared).force_open()

    assert shared.verdicts["ecb"].open_until == math.inf


def test_a_verdict_of_an_unknown_state_is_refused() -> None:
    """A damaged row is an error of the store, not a state."""
    with pytest.raises(ValueError, match="closed, open, half_open; got 'ajar'"):
        Verdict("ajar")  # type: ignore[arg-type]  # what a damaged store may hold


def test_a_store_that_gives_garbage_is_a_store_that_is_away() -> None:
    """The process's own decisions stand, and the garbage is counted."""

    class Garbage(MemoryState):
        def load(self, name: str) -> Any:
            return "open"

        def change(self, name: str, step: Callable[[Any], Verdict]) -> None:
            step("open")

    clock = ManualClock()
    breaker = CircuitBreaker("ecb", failure_threshold=1, open_for=5.0, half_open_calls=1, shared=Garbage(), clock=clock)
    breaker.record_failure()
    assert breaker.state == "open"
    clock.advance(6.0)

    assert breaker.call(lambda: "rates") == "rates"
    figures = breaker.figures()
    assert (figures.state, figures.shared_errors > 0) == ("closed", True)
