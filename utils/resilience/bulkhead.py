"""Bound how many calls to one provider run at the same time, so that a slow one cannot take every thread."""

import math
import threading
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.cancellation import Wakeup, wait_for
from utils.resilience.deadline import check, remaining
from utils.resilience.errors import BulkheadFullError
from utils.resilience.window import require


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


class Slot:
    """One of the bulkhead's slots: give it back by leaving the block, or with `release`."""

    __slots__ = ("_bulkhead", "_taken_at", "waited")

    def __init__(self, bulkhead: "Bulkhead", taken_at: float, waited: float) -> None:
        self._bulkhead: Bulkhead | None = bulkhead
        self._taken_at = taken_at
        self.waited = waited

    def release(self) -> None:
        """Give the slot back; a second call does nothing."""
        bulkhead, self._bulkhead = self._bulkhead, None
        if bulkhead is not None:
            bulkhead.give_back(self._taken_at)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


class _Waiter:
    __slots__ = ("served", "wakeup")

    def __init__(self) -> None:
        self.wakeup = Wakeup()
        self.served = False


class Bulkhead:
    """At most `concurrency` callers at the same time; the others wait in line.

    A slot that is given back is handed to the first in line, so nobody overtakes and only one thread wakes.

    >>> bulkhead = Bulkhead("ecb", concurrency=1)
    >>> with bulkhead.acquire(timeout=5.0):
    ...     bulkhead.figures().in_use
    1
    """

    def __init__(self, name: str, *, concurrency: int = 8, clock: Clock = SYSTEM_CLOCK) -> None:
        require(f"bulkhead {name}", "concurrency", concurrency, concurrency >= 1, "at least 1")
        self.name = name
        self.concurrency = concurrency
        self._clock, self._monotonic = clock, clock.monotonic
        self._lock = threading.Lock()
        self._free = concurrency
        self._line: deque[_Waiter] = deque()
        self._entered = self._refused = 0
        self._waited = self._time_in_use = self._longest_use = 0.0

    def acquire(self, timeout: float | None = None) -> Slot:
        """Take a slot, for a `with` block; wait at most `timeout` seconds for it, and never beyond the deadline.

        Raises:
            BulkheadFullError: Every slot stayed taken. `retry_after` is the mean time in use, an estimate.
            DeadlineExceededError: The deadline is over already.
            Cancelled: The work was called off while it waited.
        """
        asked = self._monotonic()
        taken = self.take(timeout)
        return Slot(self, taken, taken - asked)

    def take(self, timeout: float | None = None) -> float:
        """The bare form of `acquire`: answers with the moment that `give_back` wants. Same errors."""
        now = self._monotonic()
        with self._lock:
            if self._free > 0:
                self._free -= 1
                self._entered += 1
                return now
            patience = min(math.inf if timeout is None else timeout, remaining())
            if patience <= 0.0:
                self._refused += 1
                waiter = None
            else:
                waiter = _Waiter()
                self._line.append(waiter)
        if waiter is None:
            check(self.name)
            raise self._full(0.0)
        return self._wait_in_line(waiter, patience, now)

    def give_back(self, taken_at: float) -> None:
        """Return a slot that `take` gave out at `taken_at`."""
        now = self._monotonic()
        used = now - taken_at
        with self._lock:
            self._time_in_use += used
            self._longest_use = max(self._longest_use, used)
            next_one = self._pass_on()
        if next_one is not None:
            next_one.wakeup.set()

    def figures(self) -> BulkheadFigures:
        """The state and the counts, taken at one moment."""
        with self._lock:
            return BulkheadFigures(
                name=self.name,
                concurrency=self.concurrency,
                in_use=self.concurrency - self._free,
                waiting=len(self._line),
                entered=self._entered,
                refused=self._refused,
                waited=self._waited,
                time_in_use=self._time_in_use,
                longest_use=self._longest_use,
            )

    def _wait_in_line(self, waiter: _Waiter, patience: float, since: float) -> float:
        interrupted = True
        try:
            wait_for(waiter.wakeup, patience, self._clock)
            interrupted = False
        finally:
            now = self._monotonic()
            next_one = None
            with self._lock:
                self._waited += now - since
                if not waiter.served:
                    self._line.remove(waiter)
                    self._refused += 1
                elif interrupted:  # called off just as the slot was handed over
                    self._refused += 1
                    next_one = self._pass_on()
                else:
                    self._entered += 1
            if next_one is not None:
                next_one.wakeup.set()
        if not waiter.served:
            raise self._full(now - since)
        return now

    def _pass_on(self) -> _Waiter | None:
        """Hand a slot to the first in line, or keep it free. The lock is held."""
        if not self._line:
            self._free += 1
            return None
        waiter = self._line.popleft()
        waiter.served = True
        return waiter

    def _full(self, waited: float) -> BulkheadFullError:
        with self._lock:
            done = self._entered - (self.concurrency - self._free)
            # Nobody gave one back yet: a second is as good a guess as any.
            mean = self._time_in_use / done if done > 0 else 1.0
        return BulkheadFullError(
            self.name,
            f"{self.name}: all {self.concurrency} slots stayed taken for {waited:.3g} s",
            mean,
            "Raise `concurrency` if the provider allows it, or the deadline.",
        )
