"""Bound how many calls to one provider run at the same time, so that a slow one cannot take every thread."""

import functools
import inspect
import math
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, cast
from weakref import WeakSet

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.cancellation import Wakeup, wait_for, wait_for_async
from utils.resilience.deadline import check, remaining
from utils.resilience.decorating import refuse_generators
from utils.resilience.errors import BulkheadFullError, in_seconds
from utils.resilience.window import require

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class BulkheadFigures:
    """A bulkhead in numbers; the counts and seconds are since its start."""

    name: str
    concurrency: int
    in_use: int
    waiting: int
    entered: int
    refused: int
    waited: float  # seconds, summed over all callers
    time_in_use: float  # seconds, summed over all slots that were given back
    longest_use: float  # seconds


class Place:
    """What `take` hands out. It has one holder at a time, who alone writes its counts: so they need no lock.

    Args:
        lost: Where its counts go when nobody holds it any more: its holder was interrupted, and another one is made.
    """

    __slots__ = ("__weakref__", "_lost", "longest", "since", "time", "uses")

    def __init__(self, lost: "deque[tuple[int, float, float]]") -> None:
        self._lost = lost
        self.since = 0.0  # monotonic
        self.uses = 0
        self.time = self.longest = 0.0

    def __del__(self) -> None:
        # Runs anywhere, perhaps under our own lock: it must not take one. The next who finds nothing free looks here.
        self._lost.append((self.uses, self.time, self.longest))


class Slot:
    """One of the bulkhead's slots: give it back by leaving the block, or with `release`. `waited`: seconds for it."""

    __slots__ = ("_bulkhead", "_place", "waited")

    def __init__(self, bulkhead: "Bulkhead", place: Place, waited: float) -> None:
        self._bulkhead: Bulkhead | None = bulkhead
        self._place = place
        self.waited = waited

    def release(self) -> None:
        """Give the slot back; a second call does nothing."""
        bulkhead, self._bulkhead = self._bulkhead, None
        if bulkhead is not None:
            bulkhead.give_back(self._place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


class _Waiter:
    """One caller in line; `wake` is called once its place is set."""

    __slots__ = ("patience", "place", "since", "wake")

    def __init__(self, wake: Callable[[], object], patience: float, since: float) -> None:
        self.wake, self.patience, self.since = wake, patience, since
        self.place: Place | None = None


class Bulkhead:
    """At most `concurrency` callers at the same time; the others wait in line.

    A slot that is given back is handed to the first in line, so nobody overtakes and only one caller wakes.
    One object serves threads and coroutines, as a decorator and as a block. While nobody waits, taking a slot
    and giving it back are one atomic operation each, without a lock.

    Args:
        name: The provider's name, in every error.
        concurrency: How many slots there are.
        clock: Where the time comes from; tests pass a `ManualClock`.

    >>> bulkhead = Bulkhead("ecb", concurrency=1)
    >>> with bulkhead.acquire(timeout=5.0):
    ...     bulkhead.figures().in_use
    1
    """

    def __init__(self, name: str, *, concurrency: int = 8, clock: Clock = SYSTEM_CLOCK) -> None:
        require(f"bulkhead {name}", "concurrency", concurrency, lambda slots: slots >= 1, "at least 1", whole=True)
        self.name = name
        self.concurrency = concurrency
        self._clock, self._monotonic = clock, clock.monotonic
        self._lock = threading.Lock()
        self._made = 0  # places, when they are first needed
        self._places: WeakSet[Place] = WeakSet()
        self._lost: deque[tuple[int, float, float]] = deque()
        self._before = (0, 0.0, 0.0)  # uses, seconds and the longest use of those that were lost
        self._free: deque[Place] = deque()
        self._line: deque[_Waiter] = deque()
        self._refused = 0
        self._waited = 0.0

    def acquire(self, timeout: float | None = None) -> Slot:
        """Take a slot, for a `with` block; wait at most `timeout` seconds for it, and never beyond the deadline.

        Raises:
            BulkheadFullError: Every slot stayed taken. `retry_after` is the mean time in use, an estimate.
            DeadlineExceededError: The deadline is over already.
            Cancelled: The work was called off while it waited.
        """
        asked = self._monotonic()
        place = self.take(timeout)
        return Slot(self, place, place.since - asked)

    @asynccontextmanager
    async def acquire_async(self, timeout: float | None = None) -> AsyncIterator[Slot]:
        """The same for coroutines, for an `async with` block: the event loop goes on while it waits."""
        asked = self._monotonic()
        place = await self.take_async(timeout)
        with Slot(self, place, place.since - asked) as slot:
            yield slot

    def take(self, timeout: float | None = None) -> Place:
        """The bare form of `acquire`: hand what it gives to `give_back`. One that nobody holds any more is free again.

        Raises:
            BulkheadFullError, DeadlineExceededError, Cancelled: As `acquire`.
        """
        place = self._at_once(timeout)
        if place is not None:
            return place
        wakeup = Wakeup()
        waiter = self._join(wakeup.set, timeout)
        interrupted = True
        try:
            if waiter.place is None and waiter.patience > 0.0:
                wait_for(wakeup, waiter.patience, self._clock)
            interrupted = False
        finally:
            self._leave(waiter, interrupted)
        return self._served(waiter)

    async def take_async(self, timeout: float | None = None) -> Place:
        """The same for coroutines."""
        place = self._at_once(timeout)
        if place is not None:
            return place
        import asyncio

        event, loop = asyncio.Event(), asyncio.get_running_loop()
        waiter = self._join(lambda: loop.call_soon_threadsafe(event.set), timeout)
        interrupted = True
        try:
            if waiter.place is None and waiter.patience > 0.0:
                await wait_for_async(event, waiter.patience, self._clock)
            interrupted = False
        finally:
            self._leave(waiter, interrupted)
        return self._served(waiter)

    def give_back(self, place: Place) -> None:
        """Return what `take` gave."""
        used = self._monotonic() - place.since
        place.time += used
        place.longest = max(place.longest, used)
        self._free.append(place)
        # Who joins the line after this look finds the place free: it looks again once it stands there.
        if self._line:
            self._hand_on()

    def figures(self) -> BulkheadFigures:
        """The state and the counts."""
        with self._lock:
            uses, seconds, longest = self._used()
            return BulkheadFigures(
                name=self.name,
                concurrency=self.concurrency,
                in_use=self._made - len(self._free),
                waiting=len(self._line),
                entered=uses,
                refused=self._refused,
                waited=self._waited,
                time_in_use=seconds,
                longest_use=longest,
            )

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function: each call waits for its slot.

        Raises:
            TypeError: It is a generator.
        """
        refuse_generators(f"bulkhead {self.name}", function, "use `with bulkhead.acquire():` inside it")
        if inspect.iscoroutinefunction(function):
            pending = cast("Callable[P, Awaitable[R]]", function)

            @functools.wraps(function)
            async def bounded_async(*args: P.args, **kwargs: P.kwargs) -> R:
                place = await self.take_async()
                try:
                    return await pending(*args, **kwargs)
                finally:
                    self.give_back(place)

            return cast("Callable[P, R]", bounded_async)

        @functools.wraps(function)
        def bounded(*args: P.args, **kwargs: P.kwargs) -> R:
            place = self.take()
            try:
                return function(*args, **kwargs)
            finally:
                self.give_back(place)

        return bounded

    def _at_once(self, timeout: float | None) -> Place | None:
        if timeout is not None:  # a wrong one is told also while a place is free
            wanted = "in seconds, or None"
            require(f"bulkhead {self.name}", "timeout", timeout, lambda seconds: not math.isnan(seconds), wanted)
        if not self._line:
            try:
                place = self._free.pop()
            except IndexError:
                return None
            place.since = self._monotonic()
            place.uses += 1
            return place
        return None

    def _join(self, wake: Callable[[], object], timeout: float | None) -> _Waiter:
        """Stand in line; the place is there at once when one is free."""
        patience = min(math.inf if timeout is None else timeout, remaining())
        waiter = _Waiter(wake, patience, self._monotonic())
        with self._lock:
            self._line.append(waiter)
        self._hand_on()
        return waiter

    def _leave(self, waiter: _Waiter, interrupted: bool) -> None:
        """The waiting is over, for whatever reason."""
        now = self._monotonic()
        with self._lock:
            self._waited += now - waiter.since
            place = waiter.place
            if place is None and waiter in self._line:
                self._line.remove(waiter)
            if place is None or interrupted:
                self._refused += 1
                waiter.place = None
        if place is not None and interrupted:  # called off just as the slot was handed over
            self._free.append(place)
            self._hand_on()
        elif place is not None:
            place.since = now
            place.uses += 1

    def _served(self, waiter: _Waiter) -> Place:
        if waiter.place is None:
            if waiter.patience <= 0.0:
                check(self.name)
            raise self._full(self._monotonic() - waiter.since)
        return waiter.place

    def _hand_on(self) -> None:
        """Give what is free to those who stand in line, the first come first."""
        while True:
            with self._lock:
                if not self._line:
                    return
                try:
                    place = self._free.pop()
                except IndexError:
                    self._write_off()
                    if self._made >= self.concurrency:
                        return
                    self._made += 1
                    place = Place(self._lost)
                    self._places.add(place)
                waiter = self._line.popleft()
                waiter.place = place
            try:
                waiter.wake()
            except RuntimeError:  # its event loop was closed over its head: nobody will come for the place
                with self._lock:
                    if waiter.place is not None:
                        waiter.place = None
                        self._free.append(place)
            del place, waiter  # of one who was interrupted nobody else knows: then the place is lost, and made anew

    def _write_off(self) -> None:
        """Places that nobody holds any more are no longer there; the lock is held."""
        while self._lost:
            uses, seconds, longest = self._lost.popleft()
            self._made -= 1
            self._before = (self._before[0] + uses, self._before[1] + seconds, max(self._before[2], longest))

    def _used(self) -> tuple[int, float, float]:
        """How often, how long in all, and how long at most places were taken; the lock is held."""
        self._write_off()
        used = [self._before, *((place.uses, place.time, place.longest) for place in self._places)]
        return sum(one[0] for one in used), sum(one[1] for one in used), max(one[2] for one in used)

    def _full(self, waited: float) -> BulkheadFullError:
        with self._lock:
            uses, seconds, _ = self._used()
            given_back = uses - (self._made - len(self._free))
            # Nobody gave one back yet: a second is as good a guess as any.
            mean = seconds / given_back if given_back > 0 else 1.0
        return BulkheadFullError(
            self.name,
            f"{self.name}: all {self.concurrency} slots stayed taken for {in_seconds(waited)}",
            mean,
            "Raise `concurrency` if the provider allows it, or the deadline.",
        )
