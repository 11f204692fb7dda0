"""The breaker among many threads and tasks: nobody waits for another's call, permits are exact."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker, CircuitOpenError

PATIENCE = 120.0  # seconds until a hanging test gives up; nothing waits that long when the promise holds


def half_open(clock: ManualClock, **settings: object) -> CircuitBreaker:
    """A breaker whose rest is over."""
    breaker = CircuitBreaker("ecb", **{"failure_threshold": 1, "open_for": 30.0, "clock": clock, **settings})  # type: ignore[arg-type]  # settings of many types
    breaker.record_failure()
    clock.advance(30.0)
    return breaker


def test_eight_threads_are_inside_at_the_same_time() -> None:
    """No lock is held around the caller's function, else the barrier would never fill."""
    barrier = threading.Barrier(8)
    breaker = CircuitBreaker("ecb")

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(breaker.call, barrier.wait, PATIENCE) for _ in range(8)]

    assert sorted(call.result() for call in calls) == list(range(8))


def test_of_fifty_callers_exactly_the_trial_calls_pass() -> None:
    """While the trial calls are out, the other forty-seven are refused."""
    breaker = half_open(ManualClock(), half_open_calls=3)
    all_refused = threading.Event()
    entered, refused, lock = [0], [0], threading.Lock()

    def request() -> None:
        with lock:
            entered[0] += 1
        assert all_refused.wait(PATIENCE)

    def caller() -> None:
        try:
            breaker.call(request)
        except CircuitOpenError:
            with lock:
                refused[0] += 1
                if refused[0] == 47:
                    all_refused.set()

    with ThreadPoolExecutor(50) as pool:
        for call in [pool.submit(caller) for _ in range(50)]:
            call.result()

    assert (entered[0], refused[0], breaker.state) == (3, 47, "closed")


def test_callers_may_use_the_breaker_from_inside_a_call() -> None:
    """Asking for figures within the guarded function does not hang."""
    breaker = half_open(ManualClock(), half_open_calls=1)

    assert breaker.call(lambda: breaker.figures().state) == "half_open"


def test_failures_of_many_threads_are_all_counted() -> None:
    """Each of 8 x 200 failures is in the totals, and the circuit opened once."""
    breaker = CircuitBreaker("ecb", minimum_calls=20)

    def record() -> None:
        for _ in range(200):
            ticket = window
            breaker.failed(ticket)

    window = breaker.enter()
    with ThreadPoolExecutor(8) as pool:
        for call in [pool.submit(record) for _ in range(8)]:
            call.result()

    assert (breaker.figures().failures, breaker.figures().opened) == (1600, 1)


def test_refusals_of_many_threads_are_all_counted() -> None:
    """Each of 8 x 200 refused calls is in the totals, though none of them takes a lock, and a reset forgets them."""
    breaker = CircuitBreaker("ecb", failure_threshold=1)
    breaker.record_failure()

    def ask() -> int:
        return sum(breaker.allows() for _ in range(200))

    with ThreadPoolExecutor(8) as pool:
        passed = sum(call.result() for call in [pool.submit(ask) for _ in range(8)])

    assert (passed, breaker.figures().rejected) == (0, 1600)
    breaker.reset()
    assert breaker.figures().rejected == 0


def test_a_cancelled_trial_call_gives_its_permit_back() -> None:
    """The task is cancelled while the provider hangs; the next task may try."""
    breaker = half_open(ManualClock(), half_open_calls=1)

    @breaker
    async def hang(started: asyncio.Event) -> None:
        started.set()
        await asyncio.Event().wait()

    async def scenario() -> bool:
        started = asyncio.Event()
        task = asyncio.create_task(hang(started))
        await started.wait()
        refused = not breaker.allows()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return refused

    refused = asyncio.run(scenario())

    assert (refused, breaker.state, breaker.allows()) == (True, "half_open", True)


def test_a_cancelled_async_block_gives_its_permit_back() -> None:
    """`async with` does so too."""
    breaker = half_open(ManualClock(), half_open_calls=1)

    async def block() -> None:
        async with breaker:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(block())

    assert breaker.allows()


def test_coroutines_are_judged_when_they_end() -> None:
    """Decorated, by `call` and in a block: three failures of an await are three failures."""
    breaker = CircuitBreaker("ecb", failure_threshold=3, clock=ManualClock())

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ConnectionError("away")

    async def scenario() -> list[str]:
        states = []
        with pytest.raises(ConnectionError):
            await breaker(fails)()
        states.append(breaker.state)
        with pytest.raises(ConnectionError):
            await breaker.call(fails)
        states.append(breaker.state)
        with pytest.raises(ConnectionError):
            async with breaker:
                await fails()
        return [*states, breaker.state]

    assert asyncio.run(scenario()) == ["closed", "closed", "open"]


def test_async_successes_close_a_half_open_circuit() -> None:
    """The result comes through, and counts."""
    breaker = half_open(ManualClock(), half_open_calls=2)

    async def rate(value: float) -> float:
        return value

    async def scenario() -> list[float]:
        return [await breaker(rate)(1.1), await breaker.call(rate, 1.2)]

    assert (asyncio.run(scenario()), breaker.state) == ([1.1, 1.2], "closed")


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_a_fallback_serves_coroutines(kind: str) -> None:
    """A plain function's result or a coroutine's: the caller awaits the same value."""

    async def yesterday_async() -> str:
        return "yesterday"

    breaker = CircuitBreaker("ecb", fallback=(lambda: "yesterday") if kind == "plain" else yesterday_async)
    breaker.force_open()

    @breaker
    async def rate() -> str:
        return "today"

    assert asyncio.run(rate()) == "yesterday"


def test_a_coroutine_that_nobody_awaits_takes_no_permit() -> None:
    """Calling a decorated coroutine function only makes the coroutine."""
    breaker = half_open(ManualClock(), half_open_calls=1)

    @breaker
    async def rate() -> str:
        return "today"

    rate().close()

    assert breaker.allows()


def test_blocks_of_interleaved_tasks_find_their_own_tickets() -> None:
    """Two tasks share a thread and a breaker; the one that fails is the one that counts."""
    breaker = CircuitBreaker("ecb", clock=ManualClock())

    async def one(order: asyncio.Event, wait: asyncio.Event, fails: bool) -> None:
        async with breaker:
            order.set()
            await wait.wait()
            if fails:
                raise ConnectionError("away")

    async def scenario() -> None:
        first, second = asyncio.Event(), asyncio.Event()
        await asyncio.gather(one(first, second, True), one(second, first, False), return_exceptions=True)

    asyncio.run(scenario())

    assert (breaker.figures().calls, breaker.figures().failures) == (2, 1)
