"""Whoever sleeps under a token wakes as soon as it is cancelled."""

import asyncio
import signal
import threading
import time

import pytest

from utils.clock import ManualClock
from utils.resilience.cancellation import Cancelled, CancelToken, Wakeup, cancellable, sleep, sleep_async, wait_for


def cancel_soon(token: CancelToken, times: list[float]) -> threading.Thread:
    """Another thread calls the work off a little later and notes when."""

    def run() -> None:
        threading.Event().wait(0.02)
        times.append(time.monotonic())
        token.cancel("Ctrl-C")

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_sleeper_wakes_within_a_tenth_of_a_second() -> None:
    """An hour's sleep ends at once; a machine that has something else to do may need some tries to show it."""

    def seconds_to_wake() -> float:
        token, times = CancelToken(), list[float]()
        thread = cancel_soon(token, times)
        with cancellable(token), pytest.raises(Cancelled, match="Ctrl-C"):
            sleep(3600.0)
        woke = time.monotonic()
        thread.join()
        return woke - times[0]

    assert any(seconds_to_wake() < 0.1 for _ in range(100))


def test_a_signal_handler_may_cancel() -> None:
    """The main thread sleeps, the handler runs in it, and the sleep ends."""
    token = CancelToken()
    before = signal.signal(signal.SIGALRM, lambda number, frame: token.cancel("signal"))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with cancellable(token), pytest.raises(Cancelled, match="signal"):
            sleep(60.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert token.cancelled


def test_a_cancelled_token_stops_every_later_sleep_before_it_begins() -> None:
    """No time goes by."""
    clock, token = ManualClock(), CancelToken()
    token.cancel()

    with cancellable(token), pytest.raises(Cancelled):
        sleep(5.0, clock)

    assert clock.slept == []


def test_a_sleep_takes_its_time_on_the_given_clock() -> None:
    """With and without a token, in one piece."""
    clock = ManualClock()

    sleep(5.0, clock)
    with cancellable(CancelToken()):
        sleep(7.0, clock)

    assert clock.slept == [5.0, 7.0]


def test_a_short_real_sleep_under_a_token_ends_by_itself() -> None:
    """And returns without an error."""
    started = time.monotonic()

    with cancellable(CancelToken()):
        sleep(0.01)

    assert time.monotonic() - started >= 0.01


def test_the_first_reason_stays() -> None:
    """A second Ctrl-C changes nothing."""
    token = CancelToken()

    token.cancel("first")
    token.cancel("second")

    assert token.reason == "first"


def test_a_token_forgets_who_waited() -> None:
    """A long run with many sleeps does not grow."""
    token = CancelToken()

    with cancellable(token):
        for _ in range(100):
            sleep(0.0)

    assert not token._wakeups


def test_a_wakeup_is_seen_before_and_while_waiting() -> None:
    """Set twice is set once; without it the time runs out."""
    wakeup, clock = Wakeup(), ManualClock()
    wakeup.set()
    wakeup.set()

    assert [wait_for(wakeup, 5.0, clock), wait_for(wakeup, 5.0, clock)] == [True, False]
    assert clock.slept == [5.0]


def test_no_exception_handler_swallows_a_cancellation() -> None:
    """`except Exception`, which serves the fallback, lets it through."""
    assert not issubclass(Cancelled, Exception)


def test_coroutines_sleep_without_blocking_the_loop() -> None:
    """Real time is asyncio's; a manual clock only moves."""
    clock = ManualClock()

    async def scenario() -> int:
        turns = 0
        task = asyncio.create_task(sleep_async(0.01))
        while not task.done():
            turns += 1
            await asyncio.sleep(0.001)
        await sleep_async(5.0, clock)
        return turns

    assert asyncio.run(scenario()) >= 2
    assert clock.slept == [5.0]
