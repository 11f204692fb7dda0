"""Ctrl-C in the worst place, inside the breaker or the bulkhead themselves: nothing they lend is lost."""

import threading
from collections.abc import Callable

import pytest

from tests.utils.resilience.memory import MemoryState
from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker
from utils.resilience.bulkhead import Bulkhead, Slot
from utils.resilience.shared_state import Verdict


class Interrupted(MemoryState):
    """A shared state in which Ctrl-C arrives once, at the next decision."""

    armed = False

    def change(self, name: str, step: Callable[[Verdict | None], Verdict]) -> None:
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt
        super().change(name, step)


class InterruptedClock(ManualClock):
    """Ctrl-C arrives once, at the next look at the clock."""

    armed = False

    def monotonic(self) -> float:
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt
        return super().monotonic()


def interrupted(action: Callable[[], object]) -> bool:
    """Whether Ctrl-C came out of it; nothing keeps its traceback, which would hold what the frames held."""
    try:
        action()
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize("end", ["give_back", "succeeded", "failed"])
def test_the_only_permit_is_lent_again(end: str) -> None:
    """The outcome may be lost with the interrupt, the permit is not."""
    clock, shared = ManualClock(), Interrupted()
    breaker = CircuitBreaker(
        "ecb", failure_threshold=1, open_for=10.0, half_open_calls=1, half_open_for=3600.0, slow_call=3600.0,
        shared=shared, clock=clock,
    )  # fmt: skip
    breaker.record_failure()
    clock.advance(11.0)
    tickets = [breaker.enter()]
    shared.armed = True

    assert interrupted(lambda: getattr(breaker, end)(tickets.pop()))

    assert breaker.call(lambda: "rates") == "rates"
    assert breaker.state == "closed"


def test_a_permit_is_not_lost_while_it_is_taken_back() -> None:
    """One that was dropped, and the interrupt comes to the one who gives it back for it."""
    clock, shared = ManualClock(), Interrupted()
    breaker = CircuitBreaker(
        "ecb", failure_threshold=1, open_for=10.0, half_open_calls=1, half_open_for=3600.0, slow_call=3600.0,
        shared=shared, clock=clock,
    )  # fmt: skip
    breaker.record_failure()
    clock.advance(11.0)
    breaker.enter()  # and nobody keeps it
    shared.armed = True

    assert interrupted(lambda: breaker.call(lambda: "rates"))

    assert breaker.call(lambda: "rates") == "rates"


def test_a_slot_is_not_lost_while_it_is_given_back() -> None:
    """By hand, and by the decorator; the counts stay."""
    clock = InterruptedClock()
    bulkhead = Bulkhead("ecb", concurrency=1, clock=clock)
    slots: list[Slot] = [bulkhead.acquire()]
    clock.armed = True
    assert interrupted(lambda: slots.pop().release())

    @bulkhead
    def call() -> None:
        clock.armed = True

    assert interrupted(call)

    figures = bulkhead.figures()
    assert (figures.in_use, figures.entered) == (0, 2)
    with bulkhead.acquire(timeout=0.0):
        assert bulkhead.figures().in_use == 1


def test_who_stands_in_line_gets_the_place_after_a_lost_one() -> None:
    """Another slot comes back: then the lost one is made anew for the second in line."""
    clock = InterruptedClock()
    bulkhead = Bulkhead("ecb", concurrency=2, clock=clock)
    slots = [bulkhead.acquire(), bulkhead.acquire()]
    got: list[Slot] = []
    both = [threading.Thread(target=lambda: got.append(bulkhead.acquire())) for _ in range(2)]
    for thread in both:
        thread.start()
    while bulkhead.figures().waiting < 2:
        threading.Event().wait(0.001)
    clock.armed = True
    assert interrupted(lambda: slots.pop().release())
    slots.pop().release()

    for thread in both:
        thread.join(120)

    assert len(got) == 2
