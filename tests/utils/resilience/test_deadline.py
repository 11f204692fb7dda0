"""The time that is left is known everywhere below, and only shrinks."""

import asyncio
import contextvars
import math
import threading
from collections.abc import Iterator

import pytest

from utils.clock import ManualClock
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.resilience.deadline import check, deadline, remaining
from utils.resilience.errors import DeadlineExceededError


def test_without_a_deadline_there_is_no_limit() -> None:
    """Infinite, and `check` says nothing."""
    check()

    assert remaining() == math.inf


def test_the_time_that_is_left_goes_down_and_never_below_zero() -> None:
    """In seconds of the deadline's clock."""
    clock = ManualClock()

    with deadline(10.0, clock):
        readings = [remaining()]
        for _ in range(3):
            clock.advance(4.0)
            readings.append(remaining())

    assert (readings, remaining()) == ([10.0, 6.0, 2.0, 0.0], math.inf)


@pytest.mark.parametrize(("inner", "left"), [(3.0, 3.0), (60.0, 10.0), (None, 10.0), (-5.0, 0.0)])
def test_a_nested_deadline_only_shrinks(inner: float | None, left: float) -> None:
    """And the outer one is back afterwards."""
    clock = ManualClock()

    with deadline(10.0, clock):
        with deadline(inner, clock):
            within = remaining()
        after = remaining()

    assert (within, after) == (left, 10.0)


def test_a_nested_deadline_on_another_clock_shrinks_too() -> None:
    """What counts is the time that is left, not the reading of the clock."""
    outer, inner = ManualClock(), ManualClock()
    inner.advance(1000.0)

    with deadline(10.0, outer), deadline(60.0, inner):
        assert remaining() == 10.0


def test_check_raises_when_the_time_is_over() -> None:
    """It names the task, the time it had, and what to do."""
    clock = ManualClock()

    with deadline(10.0, clock):
        clock.advance(10.0)
        with pytest.raises(DeadlineExceededError, match="fx_daily: the deadline of 10 s is over") as caught:
            check("fx_daily")

    assert (caught.value.name, caught.value.retry_after, caught.value.hint != "") == ("fx_daily", 0.0, True)


def test_check_raises_when_the_work_is_called_off() -> None:
    """The deadline's check is the cancellation's too."""
    token = CancelToken()
    token.cancel("Ctrl-C")

    with cancellable(token), pytest.raises(Cancelled, match="Ctrl-C"):
        check()


def test_a_thread_takes_the_deadline_along_with_a_copied_context() -> None:
    """And starts without one otherwise."""
    clock, seen = ManualClock(), list[float]()

    with deadline(10.0, clock):
        context = contextvars.copy_context()
        for run in (lambda: context.run(lambda: seen.append(remaining())), lambda: seen.append(remaining())):
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()

    assert seen == [10.0, math.inf]


def test_a_task_takes_the_deadline_along_and_keeps_it() -> None:
    """Also when it outlives the block; a task beside it knows nothing of it."""
    clock = ManualClock()

    async def look(after: asyncio.Event) -> float:
        await after.wait()
        return remaining()

    async def tasks() -> tuple[float, float, float]:
        after = asyncio.Event()
        beside = asyncio.create_task(look(after))
        with deadline(10.0, clock):
            inside = asyncio.create_task(look(after))
        clock.advance(4.0)
        after.set()
        return await inside, await beside, remaining()

    assert asyncio.run(tasks()) == (6.0, math.inf, math.inf)


def test_each_task_has_a_deadline_of_its_own() -> None:
    """Two that interleave do not shorten each other."""
    clock = ManualClock()

    async def work(seconds: float) -> float:
        with deadline(seconds, clock):
            await asyncio.sleep(0)
            return remaining()

    async def both() -> list[float]:
        return await asyncio.gather(work(5.0), work(60.0))

    assert asyncio.run(both()) == [5.0, 60.0]


def rows(seconds: float, clock: ManualClock) -> Iterator[float]:
    """A generator with a deadline of its own."""
    with deadline(seconds, clock):
        while True:
            yield remaining()


def test_generators_may_end_in_any_order() -> None:
    """The deadline of one that is over does not come back."""
    clock = ManualClock()
    first, second = rows(10.0, clock), rows(5.0, clock)
    next(first), next(second)

    first.close()
    second.close()

    assert remaining() == math.inf


def test_a_block_that_was_left_elsewhere_is_passed_over() -> None:
    """The innermost one that is still open is back, not the one that was left in another context meanwhile."""
    clock = ManualClock()
    with deadline(60.0, clock):
        middle, inner = deadline(10.0, clock), deadline(5.0, clock)
        middle.__enter__()
        inner.__enter__()
        contextvars.copy_context().run(middle.__exit__, None, None, None)

        inner.__exit__(None, None, None)

        assert remaining() == 60.0


def test_a_generator_left_half_way_leaves_no_deadline_behind() -> None:
    """The block around it ends first, as when something still refers to the generator; then it is closed."""
    clock, left = ManualClock(), list[float]()

    with deadline(60.0, clock):
        with deadline(10.0, clock):
            half_way = rows(5.0, clock)
            left.append(next(half_way))
        left.append(remaining())
    left.append(remaining())
    half_way.close()
    left.append(remaining())

    assert left == [5.0, 60.0, math.inf, math.inf]


def test_a_generator_left_half_way_is_closed_in_another_thread_without_harm() -> None:
    """As the garbage collector may do; the thread that closes it keeps its own deadline."""
    clock, seen = ManualClock(), list[float]()
    context = contextvars.copy_context()
    half_way = rows(5.0, clock)
    context.run(next, half_way)

    def close() -> None:
        with deadline(60.0, clock):
            half_way.close()
            seen.append(remaining())

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()

    assert (seen, remaining()) == ([60.0], math.inf)


def test_not_a_number_is_refused() -> None:
    """It would compare false with everything and never end."""
    with pytest.raises(ValueError, match="deadline: the time must be a number of seconds, got nan"), deadline(math.nan):
        pass
