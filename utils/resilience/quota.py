"""Keep to a provider's quota: so many requests in a day (or an hour, a week), over all processes and restarts."""

import math
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.errors import QuotaUsedUpError
from utils.resilience.window import require

__all__ = ["Quota", "QuotaFigures", "SharedQuotas", "window_of"]


class SharedQuotas(Protocol):
    """Counts requests for all processes. Whatever it raises, the process's own count stands."""

    def used(self, name: str, per: float, window: int) -> int:
        """How many requests were counted in a window. Takes nothing, so it must be cheap."""
        ...

    def take(self, name: str, per: float, window: int, limit: int, owed: int, known: int) -> tuple[bool, int]:
        """Count `owed` requests that were made already, then one more if that stays within `limit`.

        `known`: the count was this high before; what shows less was lost, and goes on from there.

        Gives whether that one may be made, and how many are counted now.
        """
        ...


@dataclass(frozen=True, slots=True)
class QuotaFigures:
    """A quota in numbers. `used`: in the current window, as far as this process knows; `refused`: since the start."""

    name: str
    limit: int
    used: int
    refused: int


def window_of(moment: float, per: float) -> tuple[int, float]:
    """The number of the window that holds `moment`, and when the next one begins; seconds since the epoch (UTC).

    >>> window_of(86_400.0, 86_400.0)
    (1, 172800.0)
    """
    number = math.floor(moment / per)
    # The quotient of two floats may round over a border that the moment itself has not passed.
    if number * per > moment:
        number -= 1
    while (number + 1) * per <= moment:
        number += 1
    return number, (number + 1) * per


class Quota:
    """At most `limit` requests in each window of `per` seconds; windows start at multiples of `per` since the epoch.

    A window of `1d` is a day in UTC. Who asks too often is refused at once: nobody waits until midnight.
    Thread-safe.

    Args:
        name: The provider's name.
        limit: Requests a window.
        per: Seconds.
        shared: Where processes count together; `None`: each process by itself.

    >>> from utils.clock import ManualClock
    >>> quota = Quota("ecb", limit=1, per=3600.0, clock=ManualClock())
    >>> quota.take()
    >>> try:
    ...     quota.take()
    ... except QuotaUsedUpError as refused:
    ...     refused.retry_after
    3600.0
    """

    def __init__(
        self,
        name: str,
        *,
        limit: int,
        per: float = 86_400.0,
        shared: SharedQuotas | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        owner = f"quota {name}"
        require(owner, "limit", limit, lambda requests: requests >= 1, "at least 1", whole=True)
        require(owner, "per", per, lambda seconds: 0 < seconds < math.inf, "above 0 and finite")
        self.name, self.limit, self.per = name, limit, per
        self._shared = shared
        self._clock = clock
        self._lock = threading.Lock()
        self._window = -1
        self._used = 0
        self._owed = 0  # counted here while the shared count was out of reach
        self._refused = 0
        self._told = False

    def check(self) -> None:
        """Raise when no request is left, without taking one: before anybody stands in line for it."""
        now = self._clock.time()
        with self._lock:
            window = self._turn(now)
            if self._used < self.limit and self._shared is not None:
                try:
                    self._used = max(self._used, self._shared.used(self.name, self.per, window) + self._owed)
                except Exception as error:  # noqa: BLE001 - whatever became of the shared count, our own one stands
                    self._out_of_reach(error)
            if self._used >= self.limit:
                raise self._exhausted(now)

    def take(self) -> None:
        """Count one request.

        Raises:
            QuotaUsedUpError: No request is left in this window; `retry_after` says when the next one begins.
        """
        now = self._clock.time()
        with self._lock:
            window = self._turn(now)
            if self._used >= self.limit:
                raise self._exhausted(now)
            if self._shared is None:
                self._used += 1
                return
            try:
                granted, used = self._shared.take(
                    self.name, self.per, window, self.limit, self._owed, self._used - self._owed
                )
            except Exception as error:  # noqa: BLE001 - see above
                self._out_of_reach(error)
                self._used += 1
                self._owed += 1
                return
            self._used, self._owed, self._told = used, 0, False
            if not granted:
                raise self._exhausted(now)

    def figures(self) -> QuotaFigures:
        """The counts, taken at one moment."""
        now = self._clock.time()
        with self._lock:
            self._turn(now)
            return QuotaFigures(self.name, self.limit, self._used, self._refused)

    def _turn(self, now: float) -> int:
        """The current window; what was counted in another one does not matter in it."""
        window, _ = window_of(now, self.per)
        if window != self._window:
            self._window, self._used, self._owed = window, 0, 0
        return window

    def _exhausted(self, now: float) -> QuotaUsedUpError:
        self._refused += 1
        _, end = window_of(now, self.per)
        free = datetime.fromtimestamp(end, UTC)
        return QuotaUsedUpError(
            self.name,
            f"{self.name}: the quota of {self.limit:,} requests in {_in_words(self.per)} is used up "
            f"({self._used:,} made); free again at {free:%Y-%m-%d %H:%M:%S} UTC",
            end - now,
            "Ask less often, or raise `rate_limit.quota` of this provider if it allows more.",
        )

    def _out_of_reach(self, error: Exception) -> None:
        if not self._told:  # once, not with every request
            self._told = True
            from utils.logger import get_logger

            get_logger("resilience").warning("quota.counted_alone", provider=self.name, error=str(error))


def _in_words(seconds: float) -> str:
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"
