"""Keep to a provider's rate: so many calls in so many seconds, with a burst on top."""

import functools
import inspect
import math
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar, cast

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.cancellation import sleep, sleep_async
from utils.resilience.deadline import check, remaining
from utils.resilience.errors import RateLimitedError
from utils.resilience.window import require

P = ParamSpec("P")
R = TypeVar("R")

# Slots are sums of floats: a caller who slept until its slot must not be refused for the last bit.
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to `acquire`: true when the call may be made.

    Args:
        allowed: Whether it may.
        waited: Seconds that were slept for it.
        retry_after: Seconds until the next try makes sense; 0.0 when allowed.
    """

    allowed: bool
    waited: float = 0.0
    retry_after: float = 0.0

    def __bool__(self) -> bool:
        return self.allowed


_AT_ONCE = Grant(True)


@dataclass(frozen=True, slots=True)
class LimiterFigures:
    """A limiter in numbers since its start; seconds are summed over all callers."""

    name: str
    granted: int
    refused: int
    waits: int
    waited: float
    clients: int
    paused_for: float


class RateLimiter:
    """A token bucket, kept as one number a client: the generic cell rate algorithm (ITU-T I.371).

    In any stretch of `t` seconds at most `burst + rate * t / per` calls are granted, to every client
    by itself (calls without a client id share one bucket). Waiting callers get their turn in order.

    Args:
        name: The provider's name, in every error.
        rate: Calls in `per` seconds.
        per: Seconds.
        burst: Calls that may come at once after a silence; default: those of one `per`, at least 1.
        clock: Where the time comes from; tests pass a `ManualClock`.

    >>> from utils.clock import ManualClock
    >>> limiter = RateLimiter("ecb", rate=2, burst=1, clock=ManualClock())
    >>> bool(limiter.acquire()), limiter.acquire()
    (True, Grant(allowed=False, waited=0.0, retry_after=0.5))
    """

    def __init__(
        self, name: str, *, rate: float, per: float = 1.0, burst: int | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        owner = f"limiter {name}"
        require(owner, "rate", rate, 0 < rate < math.inf, "above 0 and finite")
        require(owner, "per", per, 0 < per < math.inf, "above 0 and finite")
        require(owner, "burst", burst, burst is None or burst >= 1, "at least 1")
        self.name = name
        self._every = per / rate
        self._tolerance = ((max(1, int(rate)) if burst is None else burst) - 1) * self._every
        self._clock, self._monotonic = clock, clock.monotonic
        self._lock = threading.Lock()
        # The theoretical arrival time of a client's next call; a client that is not here is at `_floor`.
        self._arrivals: dict[str | None, float] = {}
        self._floor = -math.inf
        self._tidy_at = 1024
        self._paused_until = -math.inf
        self._pauses = 0
        self._granted = self._refused = self._waits = 0
        self._waited = 0.0

    def acquire(
        self, client_id: str | None = None, *, wait: bool = False, on_wait: Callable[[float], object] | None = None
    ) -> Grant:
        """Ask to make one call now, or with `wait` as soon as the rate has room.

        Waiting is bounded by the current deadline only: when the turn would come later, the error is raised
        at once and no turn is taken. `on_wait` is told the seconds before each sleep.

        Raises:
            RateLimitedError: With `wait`: the turn would come after the deadline.
            DeadlineExceededError: With `wait`: the deadline is over already.
            Cancelled: The work was called off while it waited; its turn is lost.
        """
        now = self._monotonic()
        with self._lock:
            # The grant at once, written out of `_take`: this is what every call pays.
            arrival = self._arrivals.get(client_id, self._floor)
            if arrival < now:  # noqa: PLR1730 - max() is a call, and this runs once a request
                arrival = now
            if arrival - self._tolerance - now <= _EPSILON and len(self._arrivals) < self._tidy_at:
                self._arrivals[client_id] = arrival + self._every
                self._granted += 1
                return _AT_ONCE
        delay, pauses = self._take(client_id, wait)
        if delay <= 0.0:
            return _AT_ONCE
        if not wait:
            return Grant(False, retry_after=delay)
        waited = 0.0
        while delay > 0.0:
            if on_wait is not None:
                on_wait(delay)
            sleep(delay, self._clock)
            waited += delay
            delay, pauses = self._after_sleep(client_id, pauses, delay)
        return Grant(True, waited)

    async def acquire_async(
        self, client_id: str | None = None, *, wait: bool = True, on_wait: Callable[[float], object] | None = None
    ) -> Grant:
        """The same for coroutines: the event loop goes on while it waits."""
        delay, pauses = self._take(client_id, wait)
        if delay <= 0.0:
            return _AT_ONCE
        if not wait:
            return Grant(False, retry_after=delay)
        waited = 0.0
        while delay > 0.0:
            if on_wait is not None:
                on_wait(delay)
            await sleep_async(delay, self._clock)
            waited += delay
            delay, pauses = self._after_sleep(client_id, pauses, delay)
        return Grant(True, waited)

    def delay(self, client_id: str | None = None) -> float:
        """Seconds until a call would be granted; 0.0: now. Takes nothing."""
        with self._lock:
            return max(0.0, self._slot(client_id, self._monotonic())[1])

    def pause(self, seconds: float) -> None:
        """Grant nothing to anybody for `seconds`, as a provider asks by status 429 and Retry-After.

        Who waits already waits on. Afterwards calls come at the plain rate, without a burst.
        A shorter pause within a longer one changes nothing.
        """
        if not 0.0 < seconds < math.inf:
            return
        with self._lock:
            # At least one interval, so that a short pause never lets calls through that the rate would not.
            until = self._monotonic() + max(seconds, self._every)
            if until > self._paused_until:
                self._paused_until = until
                self._floor = until + self._tolerance
                self._arrivals.clear()
                self._pauses += 1

    def figures(self) -> LimiterFigures:
        """The counts, taken at one moment."""
        with self._lock:
            return LimiterFigures(
                name=self.name,
                granted=self._granted,
                refused=self._refused,
                waits=self._waits,
                waited=self._waited,
                clients=len(self._arrivals),
                paused_for=max(0.0, self._paused_until - self._monotonic()),
            )

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function: each call waits for its turn."""
        if inspect.iscoroutinefunction(function):
            pending = cast("Callable[P, Awaitable[R]]", function)

            @functools.wraps(function)
            async def limited_async(*args: P.args, **kwargs: P.kwargs) -> R:
                await self.acquire_async(wait=True)
                return await pending(*args, **kwargs)

            return cast("Callable[P, R]", limited_async)

        @functools.wraps(function)
        def limited(*args: P.args, **kwargs: P.kwargs) -> R:
            self.acquire(wait=True)
            return function(*args, **kwargs)

        return limited

    def _take(self, client_id: str | None, wait: bool) -> tuple[float, int]:
        """Seconds until our turn, which is ours then when 0.0 or with `wait`; and how many pauses there were."""
        now = self._monotonic()
        with self._lock:
            arrival, delay = self._slot(client_id, now)
            at_once = delay <= _EPSILON
            if at_once or (wait and delay < remaining()):
                self._granted += at_once
                self._waits += not at_once
                self._arrivals[client_id] = arrival + self._every
                if len(self._arrivals) >= self._tidy_at:
                    self._tidy(now)
                return 0.0 if at_once else delay, self._pauses
            self._refused += 1
            if not wait:
                return delay, self._pauses
        check(self.name)
        raise RateLimitedError(
            self.name,
            f"{self.name}: the rate limit leaves room in {delay:.3g} s, the deadline ends in {remaining():.3g} s",
            delay,
            "Raise the deadline, ask for less at a time, or raise the rate if the provider allows it.",
        )

    def _slot(self, client_id: str | None, now: float) -> tuple[float, float]:
        arrival = self._arrivals.get(client_id, self._floor)
        arrival = max(arrival, now)
        return arrival, arrival - self._tolerance - now

    def _after_sleep(self, client_id: str | None, pauses: int, slept: float) -> tuple[float, int]:
        with self._lock:
            self._waited += slept
            if pauses == self._pauses:
                self._granted += 1
                return 0.0, pauses
        # A pause came while we slept and dropped every turn given out before: take a new one.
        return self._take(client_id, wait=True)

    def _tidy(self, now: float) -> None:
        """Forget the clients whose bucket is full again, so that a crawler with many names costs no memory."""
        if self._floor <= now:
            self._arrivals = {client: arrival for client, arrival in self._arrivals.items() if arrival > now}
        self._tidy_at = max(1024, 2 * len(self._arrivals))
