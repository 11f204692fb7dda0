"""Never more callers at once than allowed, in line, and every slot comes back."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from utils.clock import ManualClock
from utils.resilience.bulkhead import Bulkhead, Slot
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.resilience.deadline import deadline
from utils.resilience.errors import BulkheadFullError, DeadlineExceededError

PATIENCE = 30.0


def waiting(bulkhead: Bulkhead, how_many: int) -> None:
    """Return when so many callers stand in line."""
    looked = threading.Event()
    for _ in range(10_000):
        if bulkhead.figures().waiting == how_many:
            return
        looked.wait(0.001)
    raise AssertionError(f"never saw {how_many} waiting: {bulkhead.figures()}")


def test_slots_are_given_out_and_come_back() -> None:
    """Two of two in use, then none; also after an error in the block."""
    bulkhead = Bulkhead("ecb", concurrency=2, clock=ManualClock())

    inside = list[int]()

    def request() -> None:
        inside.append(bulkhead.figures().in_use)
        raise ConnectionError("away")

    with pytest.raises(ConnectionError), bulkhead.acquire(), bulkhead.acquire():
        request()

    assert (inside, bulkhead.figures().in_use) == ([2], 0)


def test_a_slot_is_given_back_once() -> None:
    """`release` inside the block and the end of the block are one."""
    bulkhead = Bulkhead("ecb", concurrency=2, clock=ManualClock())

    with bulkhead.acquire() as slot:
        slot.release()
        slot.release()

    assert bulkhead.figures().in_use == 0


def test_a_full_bulkhead_refuses_after_the_timeout() -> None:
    """It waited as long as asked, and says so."""
    clock = ManualClock()
    bulkhead = Bulkhead("ecb", concurrency=1, clock=clock)
    bulkhead.take()

    with pytest.raises(BulkheadFullError, match="ecb: all 1 slots stayed taken for 5 s") as caught:
        bulkhead.acquire(timeout=5.0)

    assert (clock.slept, caught.value.name, caught.value.retry_after > 0) == ([5.0], "ecb", True)


def test_a_timeout_of_zero_does_not_wait() -> None:
    """Refused at once."""
    clock = ManualClock()
    bulkhead = Bulkhead("ecb", concurrency=1, clock=clock)
    bulkhead.take()

    with pytest.raises(BulkheadFullError):
        bulkhead.acquire(timeout=0.0)

    assert clock.slept == []


def test_waiting_ends_with_the_deadline() -> None:
    """However long the timeout; and a deadline that is over already is its own error."""
    clock = ManualClock()
    bulkhead = Bulkhead("ecb", concurrency=1, clock=clock)
    bulkhead.take()

    with deadline(2.0, clock):
        with pytest.raises(BulkheadFullError):
            bulkhead.acquire(timeout=60.0)
        with pytest.raises(DeadlineExceededError):
            bulkhead.acquire(timeout=60.0)

    assert clock.slept == [2.0]


def test_the_refusal_estimates_the_wait_by_the_mean_use() -> None:
    """Two uses of 4 s and 8 s: try again in 6 s."""
    clock = ManualClock()
    bulkhead = Bulkhead("ecb", concurrency=1, clock=clock)
    for seconds in (4.0, 8.0):
        with bulkhead.acquire():
            clock.advance(seconds)
    bulkhead.take()

    with pytest.raises(BulkheadFullError) as caught:
        bulkhead.acquire(timeout=0.0)

    assert caught.value.retry_after == 6.0


def test_figures_tell_the_time_in_use() -> None:
    """Summed and the longest, in seconds."""
    clock = ManualClock()
    bulkhead = Bulkhead("ecb", concurrency=2, clock=clock)

    with bulkhead.acquire():
        clock.advance(3.0)
        with bulkhead.acquire():
            clock.advance(1.0)

    figures = bulkhead.figures()
    assert (figures.entered, figures.time_in_use, figures.longest_use, figures.concurrency) == (2, 5.0, 4.0, 2)


def test_who_came_first_is_served_first() -> None:
    """A slot is handed over in the order of the line."""
    bulkhead, served = Bulkhead("ecb", concurrency=1), list[int]()
    slot = bulkhead.acquire()

    def caller(number: int) -> None:
        with bulkhead.acquire(timeout=PATIENCE):
            served.append(number)

    with ThreadPoolExecutor(3) as pool:
        calls = []
        for number in range(3):
            calls.append(pool.submit(caller, number))
            waiting(bulkhead, number + 1)
        slot.release()
        for call in calls:
            call.result()

    assert (served, bulkhead.figures().in_use) == ([0, 1, 2], 0)


def test_never_more_inside_than_allowed_among_many_threads() -> None:
    """Of 16 threads that come 20 times each, at most 3 are inside at any time, and all get in."""
    bulkhead, lock = Bulkhead("ecb", concurrency=3), threading.Lock()
    inside, most = [0], [0]

    def caller() -> None:
        for _ in range(20):
            with bulkhead.acquire(timeout=PATIENCE):
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                with lock:
                    inside[0] -= 1

    with ThreadPoolExecutor(16) as pool:
        for call in [pool.submit(caller) for _ in range(16)]:
            call.result()

    figures = bulkhead.figures()
    assert most[0] <= 3
    assert (figures.entered, figures.refused, figures.in_use, figures.waiting) == (320, 0, 0, 0)


def test_a_cancelled_caller_leaves_the_line() -> None:
    """At once, and the slot goes to the next one."""
    bulkhead, token = Bulkhead("ecb", concurrency=1), CancelToken()
    slot = bulkhead.acquire()

    def called_off() -> None:
        with cancellable(token), pytest.raises(Cancelled):
            bulkhead.acquire()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(called_off)
        waiting(bulkhead, 1)
        second = pool.submit(bulkhead.acquire, PATIENCE)
        waiting(bulkhead, 2)
        token.cancel()
        first.result(PATIENCE)
        waiting(bulkhead, 1)
        slot.release()
        second.result(PATIENCE).release()

    assert (bulkhead.figures().in_use, bulkhead.figures().waiting) == (0, 0)


def test_a_caller_that_is_called_off_as_it_is_served_gives_the_slot_back() -> None:
    """Handed over and cancelled in the same moment: the slot is not lost."""

    class ServesThenCancels(ManualClock):
        """While the caller sleeps it gets the slot, and then the work is called off."""

        def sleep(self, seconds: float) -> None:
            bulkhead.give_back(taken)
            token.cancel()

    token = CancelToken()
    bulkhead = Bulkhead("ecb", concurrency=1, clock=ServesThenCancels())
    taken = bulkhead.take()

    with cancellable(token), pytest.raises(Cancelled):
        bulkhead.acquire(timeout=5.0)

    assert (bulkhead.figures().in_use, bulkhead.figures().waiting) == (0, 0)


def test_a_bulkhead_without_slots_is_refused() -> None:
    """It would never let anybody in."""
    with pytest.raises(ValueError, match="bulkhead ecb: concurrency must be at least 1, got 0"):
        Bulkhead("ecb", concurrency=0)


class BulkheadMachine(RuleBasedStateMachine):
    """Any order of taking and giving back agrees with a plain counter."""

    slots = Bundle("slots")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.bulkhead = Bulkhead("ecb", concurrency=3, clock=self.clock)
        self.out, self.entered, self.refused = 0, 0, 0

    @rule(target=slots, timeout=st.sampled_from([0.0, 1.0]))
    def acquire(self, timeout: float) -> Slot | None:
        if self.out < 3:
            self.out, self.entered = self.out + 1, self.entered + 1
            return self.bulkhead.acquire(timeout)
        self.refused += 1
        with pytest.raises(BulkheadFullError):
            self.bulkhead.acquire(timeout)
        return None

    @rule(slot=consumes(slots), twice=st.booleans())
    def release(self, slot: Slot | None, twice: bool) -> None:
        if slot is not None:
            self.out -= 1
            slot.release()
            if twice:
                slot.release()

    @invariant()
    def the_figures_agree(self) -> None:
        figures = self.bulkhead.figures()
        assert (figures.in_use, figures.entered, figures.refused, figures.waiting) == (
            self.out,
            self.entered,
            self.refused,
            0,
        )


TestBulkheadMachine = BulkheadMachine.TestCase
TestBulkheadMachine.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
