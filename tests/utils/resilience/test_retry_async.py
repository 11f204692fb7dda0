"""Retrying coroutines: as functions are, while the event loop goes on."""

import asyncio
import inspect
from collections.abc import Callable

import pytest

from tests.utils.resilience.providers import ProviderUnavailable, failing
from utils.clock import ManualClock
from utils.resilience.errors import CircuitOpenError
from utils.resilience.retry import Retry


def test_a_decorated_coroutine_is_retried_with_its_arguments() -> None:
    """By the same rules, and it stays a coroutine function."""
    clock, calls = ManualClock(), list[tuple[str, int]]()
    retry = Retry(jitter=False, clock=clock)

    @retry
    async def rate(currency: str, *, factor: int) -> str:
        calls.append((currency, factor))
        if len(calls) < 3:
            raise ProviderUnavailable(7.0 if len(calls) == 2 else None)
        return currency

    assert inspect.iscoroutinefunction(rate)
    assert asyncio.run(rate("USD", factor=2)) == "USD"
    assert (calls, clock.slept, retry.figures().recovered) == ([("USD", 2)] * 3, [0.2, 7.0], 1)


def test_a_called_coroutine_function_is_retried_when_it_is_awaited() -> None:
    """`call` cannot tell before that it got a coroutine; nothing is silently tried only once."""
    clock, answers = ManualClock(), iter([ConnectionError("first"), "rates"])

    async def request() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def call() -> object:
        return await Retry(clock=clock).call(request)

    assert (asyncio.run(call()), len(clock.slept)) == ("rates", 1)


def test_a_called_coroutine_function_whose_failure_will_not_pass_is_awaited_once() -> None:
    """Its own error is raised."""
    clock, asked = ManualClock(), list[int]()

    async def request() -> object:
        asked.append(1)
        raise ValueError("no such currency")

    async def call() -> object:
        return await Retry(clock=clock).call(request)

    with pytest.raises(ValueError, match="no such currency"):
        asyncio.run(call())

    assert (asked, clock.slept) == ([1], [])


def test_a_coroutine_that_keeps_failing_raises_its_last_error() -> None:
    """After as many attempts; a rejection ends it at once and tells the failure before it."""
    last, rejected = ConnectionError("last"), CircuitOpenError("ecb", "open", 5.0)

    async def both() -> tuple[BaseException, BaseException]:
        retry = Retry(attempts=2, clock=ManualClock())
        outcomes = []
        for second in (last, rejected):
            request = failing(ConnectionError("first"), second, "never")

            async def attempt(request: Callable[[], object] = request) -> object:
                return request()

            with pytest.raises((ConnectionError, CircuitOpenError)) as caught:
                await retry.call(attempt)
            outcomes.append(caught.value)
        return outcomes[0], outcomes[1]

    assert asyncio.run(both()) == (last, rejected)
    assert str(rejected.__cause__) == "first"


def test_a_coroutine_s_pause_lets_the_others_go_on_and_ends_when_its_task_is_cancelled() -> None:
    """The loop is not blocked for a minute, and the cancellation is not taken for a failure."""
    retry, calls = Retry(), list[int]()

    @retry
    async def request() -> None:
        calls.append(1)
        raise ProviderUnavailable(60.0)

    async def cancel_it() -> None:
        task = asyncio.create_task(request())
        while not retry.figures().retries:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_it())

    assert calls == [1]


def test_a_task_cancelled_in_its_second_attempt_ends_as_cancelled() -> None:
    """The library in between neither swallows it nor tries again."""
    calls = list[int]()

    @Retry(initial=0.0)
    async def request() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError("reset")
        await asyncio.Event().wait()

    async def cancel_it() -> bool:
        task = asyncio.create_task(request())
        while len(calls) < 2:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(cancel_it())
    assert len(calls) == 2
