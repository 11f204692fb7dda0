"""Interrupt everything that waits: one flag that a Ctrl-C sets and every sleeping retry, limiter and bulkhead sees."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from utils.clock import SYSTEM_CLOCK, Clock, SystemClock

if TYPE_CHECKING:
    import asyncio


class Cancelled(BaseException):
    """The work was called off while it waited.

    Like `asyncio.CancelledError` no `Exception`: code that turns failures into a fallback must not swallow it.
    """


class Wakeup:
    """A one-shot event made of a bare lock.

    `threading.Event` takes a lock in `set()`, so a signal handler that interrupts a thread inside
    the same event would wait for itself; releasing a bare lock never blocks.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        """Wake the waiting thread; a second call does nothing."""
        try:
            self._lock.release()
        except RuntimeError:
            return  # it was set already

    def wait(self, seconds: float) -> bool:
        """Block for at most `seconds` (`inf`: no limit); true when it was set. Takes the signal with it."""
        if seconds <= 0:
            return self._lock.acquire(blocking=False)
        return self._lock.acquire(timeout=-1 if seconds == math.inf else min(seconds, threading.TIMEOUT_MAX))


class CancelToken:
    """Calls off the work that runs under it. `cancel()` may be called from any thread and from a signal handler.

    >>> token = CancelToken()
    >>> token.cancel("Ctrl-C")
    >>> token.cancelled, token.reason
    (True, 'Ctrl-C')
    """

    def __init__(self) -> None:
        self.reason = ""
        self.cancelled = False
        self._wakeups: set[Wakeup] = set()

    def cancel(self, reason: str = "cancelled") -> None:
        """Call the work off and wake whoever waits; the first reason stays."""
        if not self.cancelled:
            self.reason = reason
            self.cancelled = True
        for wakeup in tuple(self._wakeups):
            wakeup.set()

    def check(self) -> None:
        """Raise `Cancelled` when the work was called off."""
        if self.cancelled:
            raise Cancelled(self.reason)

    def wait(self, wakeup: Wakeup, seconds: float, clock: Clock) -> bool:
        """Wait for `wakeup`; raises `Cancelled` as soon as the token is cancelled."""
        self._wakeups.add(wakeup)
        try:
            self.check()  # after the line above: a cancel in between is seen by one of the two
            woken = _block(wakeup, seconds, clock)
            self.check()
            return woken
        finally:
            self._wakeups.discard(wakeup)


current_token: ContextVar[CancelToken | None] = ContextVar("cancel_token", default=None)


@contextmanager
def cancellable(token: CancelToken) -> Iterator[CancelToken]:
    """Let `token` interrupt what waits inside the block. A new thread starts without a token: enter it there."""
    before = current_token.set(token)
    try:
        yield token
    finally:
        current_token.reset(before)


def check_cancelled() -> None:
    """Raise `Cancelled` when the work around us was called off."""
    token = current_token.get()
    if token is not None and token.cancelled:
        token.check()


def sleep(seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
    """Sleep on `clock`; raises `Cancelled` at once when the work around us is called off."""
    token = current_token.get()
    if token is None:
        clock.sleep(seconds)
    else:
        token.wait(Wakeup(), seconds, clock)


async def sleep_async(seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
    """The same for coroutines, where asyncio's own cancellation interrupts the sleep."""
    check_cancelled()
    if isinstance(clock, SystemClock):
        import asyncio

        await asyncio.sleep(max(0.0, seconds))
    else:
        clock.sleep(seconds)


def wait_for(wakeup: Wakeup, seconds: float, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Wait until `wakeup` is set, at most `seconds`; true when it was. Raises `Cancelled`."""
    token = current_token.get()
    return _block(wakeup, seconds, clock) if token is None else token.wait(wakeup, seconds, clock)


async def wait_for_async(event: "asyncio.Event", seconds: float, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Wait until `event` is set, at most `seconds`, while the event loop goes on; true when it was."""
    import asyncio

    check_cancelled()
    if isinstance(clock, SystemClock) or seconds == math.inf:
        try:
            async with asyncio.timeout(None if seconds == math.inf else seconds):
                return await event.wait()
        except TimeoutError:
            return event.is_set()
    if not event.is_set():
        clock.sleep(seconds)
        await asyncio.sleep(0)  # what was set from elsewhere meanwhile is seen after a turn of the loop
    return event.is_set()


def _block(wakeup: Wakeup, seconds: float, clock: Clock) -> bool:
    if isinstance(clock, SystemClock) or seconds == math.inf:
        return wakeup.wait(seconds)
    # Any other clock has a time of its own, in which a real lock cannot wait: sleep there, then look.
    if wakeup.wait(0):
        return True
    clock.sleep(seconds)
    return wakeup.wait(0)
