"""Bound a provider's retries, so that an outage does not multiply the requests that it gets."""

import math
import threading
from collections import deque

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.counting import Count
from utils.resilience.window import require


class RetryBudget:
    """Retries may be at most a share of the requests of the last minute; a few a minute are always allowed.

    After Finagle's budget: in an outage every request would else become `attempts` requests.

    Args:
        share: Retries per request, 0..1.
        free_per_minute: Retries that are allowed in any minute, however few the requests.
        clock: Where the time comes from; tests pass a `ManualClock`.
    """

    _BUCKETS, _WIDTH = 6, 10.0  # requests are counted in buckets of ten seconds

    def __init__(self, share: float = 0.2, free_per_minute: int = 10, *, clock: Clock = SYSTEM_CLOCK) -> None:
        require("retry budget", "share", share, lambda part: 0 <= part <= 1, "between 0 and 1")
        require("retry budget", "free_per_minute", free_per_minute, lambda retries: retries >= 0, "at least 0")
        self.share, self.free_per_minute = share, free_per_minute
        self._monotonic = clock.monotonic
        self._lock = threading.Lock()
        self._total = Count()
        self._before = 0  # requests up to the current bucket's start
        self._requests = [0] * self._BUCKETS  # the current bucket's are in the total
        self._bucket = 0
        self._next_bucket_at = -math.inf
        self._retries: deque[float] = deque()

    def request(self) -> None:
        """Count a request (its first attempt)."""
        now = self._monotonic()
        if now >= self._next_bucket_at:
            with self._lock:
                if now >= self._next_bucket_at:
                    self._turn(now)
        self._total.add()

    def take(self) -> bool:
        """Ask for one retry; true when the budget has it, which counts it."""
        now = self._monotonic()
        with self._lock:
            if now >= self._next_bucket_at:
                self._turn(now)
            while self._retries and now - self._retries[0] >= 60.0:
                self._retries.popleft()
            if len(self._retries) + 1 > max(self.free_per_minute, self.share * self._in_the_last_minute()):
                return False
            self._retries.append(now)
            return True

    def _in_the_last_minute(self) -> int:
        return self._total.value - self._before + sum(self._requests)

    def _turn(self, now: float) -> None:
        counted = self._total.value
        self._requests[self._bucket], self._before = counted - self._before, counted
        number = int(now // self._WIDTH)
        passed = (
            self._BUCKETS
            if self._next_bucket_at == -math.inf
            else number - int(self._next_bucket_at // self._WIDTH) + 1
        )
        for step in range(1, min(passed, self._BUCKETS) + 1):
            self._requests[(self._bucket + step) % self._BUCKETS] = 0
        self._bucket = (self._bucket + passed) % self._BUCKETS
        self._next_bucket_at = (number + 1) * self._WIDTH
