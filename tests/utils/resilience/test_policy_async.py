"""All patterns together around a coroutine: the same chain, while the event loop goes on."""

import asyncio

import pytest

from tests.utils.resilience.providers import QUIET, TooMany, lifted
from utils.clock import ManualClock
from utils.resilience.deadline import remaining
from utils.resilience.errors import CircuitOpenError
from utils.resilience.policy import (
    BreakerSettings,
    BulkheadSettings,
    ProviderResilience,
    RateLimitSettings,
    ResiliencePolicy,
)


def test_coroutines_go_through_the_same_chain() -> None:
    """Retried, counted, held back by a hint; waiting for our own limits is not the provider's slowness."""
    clock, starts = ManualClock(), list[float]()
    settings = ProviderResilience(rate_limit=RateLimitSettings(rate=1, per=60.0, burst=1), bulkhead=BulkheadSettings(1))
    policy = ResiliencePolicy("ecb", settings, clock=clock)

    async def request() -> str:
        starts.append(clock.monotonic())
        if len(starts) == 1:
            raise TooMany(90.0)
        return "rates"

    async def twice() -> list[str]:
        return [await policy.call_async(request, retry=QUIET) for _ in range(2)]

    results, figures = asyncio.run(twice()), policy.figures()

    assert results == ["rates", "rates"]
    assert starts == [0.0, 90.0, 150.0]
    assert figures.bulkhead is not None
    assert (figures.requests, figures.retry.recovered, figures.bulkhead.in_use) == (3, 1, 0)
    assert (figures.breaker.failures, figures.breaker.slow_rate) == (1, 0.0)


def test_a_refused_coroutine_is_not_asked_and_a_cancelled_one_leaves_nothing_behind() -> None:
    """No slot, no count, and the trial permit is free for the next one."""
    clock, asked = ManualClock(), list[int]()
    policy = ResiliencePolicy(
        "ecb", ProviderResilience(breaker=BreakerSettings(failure_threshold=1, half_open_calls=1)), clock=clock
    )

    async def fails() -> None:
        asked.append(1)
        raise ConnectionError("away")

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def works() -> float:
        return remaining()

    async def story() -> float:
        with pytest.raises(ConnectionError):
            await policy.call_async(fails, retry=QUIET)
        with pytest.raises(CircuitOpenError):
            await policy.call_async(fails, retry=QUIET)
        clock.advance(60.0)
        trial = asyncio.create_task(policy.call_async(hangs))
        while policy.bulkhead is None or not policy.bulkhead.figures().in_use:
            await asyncio.sleep(0)
        trial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trial
        return await policy.call_async(works, timeout=5.0)

    assert (asyncio.run(story()), asked, policy.breaker.state) == (5.0, [1], "closed")


def test_a_coroutine_s_waits_are_told() -> None:
    """For a turn only if it waited; for a slot always, for that is when it goes on."""
    clock, told = ManualClock(), list[tuple[str, float]]()
    settings = ProviderResilience(rate_limit=RateLimitSettings(rate=1, per=60.0, burst=1), bulkhead=BulkheadSettings(1))
    policy = ResiliencePolicy("ecb", settings, clock=clock)

    async def request() -> str:
        return "rates"

    async def twice() -> None:
        for _ in range(2):
            await policy.call_async(request, on_wait=lambda what, seconds: told.append((what, seconds)))

    asyncio.run(twice())

    assert told == [("bulkhead", 0.0), ("rate_limit", 60.0), ("bulkhead", 0.0)]


def test_a_coroutine_waits_for_its_slot_while_the_event_loop_goes_on() -> None:
    """Three of them, one slot: nobody blocks the loop that has to end the first."""
    policy = ResiliencePolicy("ecb", lifted(bulkhead=BulkheadSettings(1)))

    async def request() -> str:
        await asyncio.sleep(0)
        return "rates"

    async def three() -> list[str]:
        return await asyncio.gather(*(policy.call_async(request) for _ in range(3)))

    assert asyncio.run(three()) == ["rates"] * 3
    assert policy.figures().bulkhead is not None
