"""Never more callers at once than allowed, in line, and every slot comes back."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from utils.clock import ManualClock
from utils.resilience.bulkhead import Bulkhead
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.resilience.deadline import deadline
from utils.resilience.errors import BulkheadFullError, DeadlineExceededError

PATIENCE = 120.0


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
    _held = bulkhead.take()

    with pytest.raises(BulkheadFullError, match="ecb: all 1 slots stayed taken for 5 s") as caught:
        bulkhead.acquire(timeout=5.0)

    assert (clock.slept, caught.value.name, caught.value.retry_after > 0) == ([5.0], "ecb", True)


def test_a_timeout_of_zero_does_not_wait() -> None:
    """Refused at once."""
    clock = ManualClock()
    bulkhead = Bulkhead("ecb", concurrency=1, clock=clock)
    _held = bulkhead.take()

    with pytest.raises(BulkheadFullError):
        bulkhead.acquire(timeout=0.0)

    assert clock.slept == []


def test_waiting_ends_with_the_deadline() -> None:
    """However long the timeout; and a deadline that is over already is its own error."""
    clock = ManualClock()
    bulkhead = Bulkhead("ecb", concurrency=1, clock=clock)
    _held = bulkhead.take()

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
    _held = bulkhead.take()

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


def test_a_decorated_function_holds_a_slot_while_it_runs() -> None:
    """Also when it fails."""
    bulkhead = Bulkhead("ecb", concurrency=2, clock=ManualClock())

    @bulkhead
    def rate(currency: str, *, factor: int) -> tuple[str, int, int]:
        if not currency:
            raise ConnectionError("away")
        return currency, factor, bulkhead.figures().in_use

    result = rate("USD", factor=2)
    with pytest.raises(ConnectionError):
        rate("", factor=2)

    assert (result, bulkhead.figures().in_use, bulkhead.figures().entered) == (("USD", 2, 1), 0, 2)


def test_a_decorated_coroutine_waits_for_its_slot_while_the_event_loop_goes_on() -> None:
    """Five calls through two slots, and a clock that ticks meanwhile."""
    bulkhead, inside, most = Bulkhead("ecb", concurrency=2), 0, 0

    @bulkhead
    async def rate(number: int) -> int:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.001)
        inside -= 1
        return number

    async def everybody() -> tuple[list[int], int]:
        turns, over = 0, asyncio.Event()

        async def other_work() -> None:
            nonlocal turns
            while not over.is_set():
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(other_work())
        numbers = await asyncio.gather(*(rate(number) for number in range(5)))
        over.set()
        await beside
        return numbers, turns

    numbers, turns = asyncio.run(everybody())

    assert (numbers, most, turns > 3, bulkhead.figures().in_use) == ([0, 1, 2, 3, 4], 2, True, 0)


def test_a_generator_is_refused() -> None:
    """Its body runs after the call, when the slot would be gone."""
    bulkhead = Bulkhead("ecb")

    def pages() -> Iterator[int]:
        yield 1

    async def pages_async() -> AsyncIterator[int]:
        yield 1

    for function in (pages, pages_async):
        with pytest.raises(TypeError, match=f"bulkhead ecb: {function.__name__} is a generator"):
            bulkhead(function)


def test_a_coroutine_waits_no_longer_than_its_timeout_and_the_deadline() -> None:
    """With the errors of the other form."""
    clock = ManualClock()
    bulkhead = Bulkhead("ecb", concurrency=1, clock=clock)
    _held = bulkhead.take()

    async def wait(timeout: float | None) -> None:
        async with bulkhead.acquire_async(timeout=timeout):
            raise AssertionError("let in")

    async def all_ways() -> None:
        with pytest.raises(BulkheadFullError, match="stayed taken for 5 s"):
            await wait(5.0)
        with deadline(2.0, clock):
            with pytest.raises(BulkheadFullError, match="stayed taken for 2 s"):
                await wait(None)
            with pytest.raises(DeadlineExceededError):
                await wait(None)

    asyncio.run(all_ways())

    assert (clock.slept, bulkhead.figures().refused, bulkhead.figures().waiting) == ([5.0, 2.0], 3, 0)


def test_threads_and_coroutines_stand_in_one_line() -> None:
    """A slot that a thread gives back wakes a coroutine of another thread's event loop."""
    bulkhead = Bulkhead("ecb", concurrency=1)
    slot = bulkhead.acquire()

    async def caller() -> float:
        async with bulkhead.acquire_async(timeout=PATIENCE) as mine:
            return mine.waited

    with ThreadPoolExecutor(2) as pool:
        coroutine = pool.submit(asyncio.run, caller())
        waiting(bulkhead, 1)
        thread = pool.submit(bulkhead.acquire, PATIENCE)
        waiting(bulkhead, 2)
        slot.release()
        assert coroutine.result(PATIENCE) > 0.0
        thread.result(PATIENCE).release()

    assert (bulkhead.figures().in_use, bulkhead.figures().entered) == (0, 3)


def test_a_place_handed_to_a_closed_event_loop_goes_to_the_next_one() -> None:
    """Somebody stopped the loop while a coroutine stood in line: its turn is not lost."""
    bulkhead, loop = Bulkhead("ecb", concurrency=1), asyncio.new_event_loop()
    slot = bulkhead.acquire()
    abandoned = bulkhead.take_async()
    task = loop.create_task(abandoned)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    with ThreadPoolExecutor(1) as pool:
        waiting(bulkhead, 1)
        thread = pool.submit(bulkhead.acquire, PATIENCE)
        waiting(bulkhead, 2)
        slot.release()
        mine = thread.result(PATIENCE)
        abandoned.close()
        mine.release()

    task._log_destroy_pending = False  # type: ignore[attr-defined]  # it never ends, which is what this test is about
    assert (bulkhead.figures().in_use, bulkhead.figures().waiting) == (0, 0)
