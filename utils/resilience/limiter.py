"""Keep to a provider's rate: so many calls in so many seconds, with a burst on top."""

import functools
import inspect
import math
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import ParamSpec, TypeVar, cast

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.cancellation import sleep, sleep_async
from utils.resilience.deadline import check, remaining
from utils.resilience.decorating import refuse_generators
from utils.resilience.errors import RateLimitedError, in_seconds
from utils.resilience.grant import AT_ONCE, Grant, LimiterFigures, Turn
from utils.resilience.leasing import Leasing
from utils.resilience.shared_rates import EPSILON, FURTHEST, SharedRates
from utils.resilience.window import require

__all__ = ["Grant", "LimiterFigures", "RateLimiter"]

P = ParamSpec("P")
R = TypeVar("R")

# A pause that another process was asked for is seen within this time; so long after a failure the shared rate is tried
# again. Seconds.
LOOK_EVERY = 0.5

# How late a caller who slept may wake up: a quarter of the interval, at most 5 ms. See `shared_rates`, "Waiting".
_LATE = 0.25
_LATE_AT_MOST = 0.005


class RateLimiter:
    """A token bucket, kept as one number a client: the generic cell rate algorithm (ITU-T I.371).

    In any stretch of `t` seconds at most `burst + rate * t / per` calls are granted, to every client
    by itself (calls without a client id share one bucket). Waiting callers get their turn in order.

    Args:
        name: The provider's name, in every error; limiters of one name share a rate.
        rate: Calls in `per` seconds.
        per: Seconds.
        burst: Calls that may come at once after a silence; default: those of one `per`, at least 1.
        shared: Where processes keep to the rate together; `None`: each by itself. Buckets of clients are always kept
            by the process: a client's requests come to the process that serves it.
        clock: Where the time comes from; tests pass a `ManualClock`.

    >>> from utils.clock import ManualClock
    >>> limiter = RateLimiter("ecb", rate=2, burst=1, clock=ManualClock())
    >>> bool(limiter.acquire()), limiter.acquire()
    (True, Grant(allowed=False, waited=0.0, retry_after=0.5))
    """

    def __init__(
        self,
        name: str,
        *,
        rate: float,
        per: float = 1.0,
        burst: int | None = None,
        shared: SharedRates | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        owner = f"limiter {name}"
        require(owner, "rate", rate, lambda calls: 0 < calls < math.inf, "above 0 and finite")
        require(owner, "per", per, lambda seconds: 0 < seconds < math.inf, "above 0 and finite")
        if burst is not None:
            require(owner, "burst", burst, lambda calls: calls >= 1, "at least 1", whole=True)
        self.name = name
        self._every = per / rate
        self._tolerance = ((max(1, int(rate)) if burst is None else burst) - 1) * self._every
        self._reach = self._tolerance + EPSILON
        self._clock, self._monotonic = clock, clock.monotonic
        self._lock = threading.Lock()
        self._leasing = None if shared is None else Leasing(name, shared, every=self._every, tolerance=self._tolerance)
        # The bucket of calls without a client id: no slot before `_next`; those up to `_last` are this process's own.
        # They may be given away until `_look_at`. A limiter that shares nothing owns them all.
        self._next = -math.inf
        self._last = self._look_at = math.inf if shared is None else -math.inf
        self._held = -math.inf  # where our stretch of shared theoretical time ends
        self._alone = False  # the shared rate is out of reach
        # The theoretical arrival time of a client's next call; a client that is not here is at `_floor`.
        self._arrivals: dict[str, float] = {}
        self._floor = -math.inf
        self._tidy_at = 1024
        self._paused_until = -math.inf
        self._at_once = self._after_wait = self._of_clients = self._refused = self._waits = 0
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
        if client_id is None:
            # The grant at once, written out of `_take`: this is what every call pays.
            with self._lock:
                now = self._monotonic()
                slot = self._next
                if slot < now:  # noqa: PLR1730 - max() is a call, and this runs once a request
                    slot = now
                if slot <= now + self._reach and slot <= self._last and now < self._look_at:
                    self._next = slot + self._every
                    self._at_once += 1
                    return AT_ONCE
        turn = self._take(client_id, wait)
        if turn.delay > 0.0 and not wait:
            return Grant(False, retry_after=turn.delay)
        waited = 0.0
        while turn.delay > 0.0:
            if on_wait is not None:
                on_wait(turn.delay)
            sleep(turn.delay, self._clock)
            waited += turn.delay
            turn = self._woken(turn)
        return Grant(True, waited) if waited else AT_ONCE

    async def acquire_async(
        self, client_id: str | None = None, *, wait: bool = True, on_wait: Callable[[float], object] | None = None
    ) -> Grant:
        """The same for coroutines: the event loop goes on while it waits."""
        turn = self._take(client_id, wait)
        if turn.delay > 0.0 and not wait:
            return Grant(False, retry_after=turn.delay)
        waited = 0.0
        while turn.delay > 0.0:
            if on_wait is not None:
                on_wait(turn.delay)
            await sleep_async(turn.delay, self._clock)
            waited += turn.delay
            turn = self._woken(turn)
        return Grant(True, waited) if waited else AT_ONCE

    def delay(self, client_id: str | None = None) -> float:
        """Seconds until a call would be granted; 0.0: now. Takes nothing."""
        with self._lock:
            now = self._monotonic()
            slot = max(self._next if client_id is None else self._arrivals.get(client_id, self._floor), now)
            if client_id is None and (slot > self._last or now >= self._look_at):
                slot = max(self._look(now), slot)
            return max(0.0, slot - self._tolerance - now)

    def pause(self, seconds: float) -> None:
        """Grant nothing to anybody for `seconds`, as a provider asks by status 429 and Retry-After.

        Who waits already waits on. Afterwards calls come at the plain rate, without a burst. Other processes see
        it when they need slots or wake up, after half a second at most. A shorter pause within a longer one changes
        nothing.
        """
        if not 0.0 < seconds < math.inf:
            return
        with self._lock:
            until = self._monotonic() + min(seconds, FURTHEST)
            if until > self._paused_until:
                self._hold_until(until)
                if self._leasing is not None:
                    self._leasing.pause(until)

    def figures(self) -> LimiterFigures:
        """The counts, taken at one moment."""
        with self._lock:
            return LimiterFigures(
                name=self.name,
                granted=self._at_once + self._after_wait + self._of_clients,
                refused=self._refused,
                waits=self._waits,
                waited=self._waited,
                clients=len(self._arrivals),
                paused_for=max(0.0, self._paused_until - self._monotonic()),
                shared_errors=0 if self._leasing is None else self._leasing.errors,
            )

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function: each call waits for its turn.

        Raises:
            TypeError: A generator's body runs after the call came back, so its requests would not be limited.
        """
        refuse_generators(f"limiter {self.name}", function, "put the limiter around what fetches inside it")
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

    def _take(self, client_id: str | None, wait: bool, late: float | None = None) -> Turn:
        """A slot, which is used when its delay is 0.0 and ours with `wait`."""
        patience = remaining() if wait else 0.0
        if late is None:
            late = max(0.0, min(self._every * _LATE, _LATE_AT_MOST) - self._tolerance)
        with self._lock:
            now = self._monotonic()
            if client_id is None:
                slot, now = self._own_slot(now, patience, late if wait else 0.0)
            else:
                slot = max(self._arrivals.get(client_id, self._floor), now)
            delay = slot - self._tolerance - now
            if delay <= EPSILON:
                delay = late = 0.0
            if delay < patience or not delay:
                self._give_away(client_id, slot, delay, late, now)
                return Turn(client_id, slot, delay, late)
            self._refused += 1
            if not wait:
                return Turn(client_id, slot, delay, late)
        check(self.name)
        raise RateLimitedError(
            self.name,
            f"{self.name}: the rate limit leaves room in {in_seconds(delay)}, "
            f"the deadline ends in {in_seconds(remaining())}",
            delay,
            "Raise the deadline, ask for less at a time, or raise the rate if the provider allows it.",
        )

    def _give_away(self, client_id: str | None, slot: float, delay: float, late: float, now: float) -> None:
        self._waits += delay > 0.0
        after = slot + late + self._every
        if client_id is None:
            self._next = after
            self._at_once += not delay
            return
        self._arrivals[client_id] = after
        self._of_clients += not delay
        if len(self._arrivals) >= self._tidy_at:
            self._tidy(now)

    def _own_slot(self, now: float, patience: float, late: float) -> tuple[float, float]:
        """The next slot of calls without a client id, leased if need be, and the moment it was looked for."""
        slot = max(self._next, now)
        leasing = self._leasing
        # Slots of others only grow more, so what they refused once needs no second look within `LOOK_EVERY`.
        if leasing is None or (
            now < self._look_at and (slot + late <= self._last or (not patience and slot > now + self._reach))
        ):
            return slot, now
        if slot + late <= self._last and not self._alone:
            self._look(now)
            slot = max(self._next, now)
            if slot + late <= self._last:
                return slot, now
        lease = leasing.lease(
            used=self._at_once + self._waits,
            floor=self._next,
            held=self._held,
            patience=patience,
            late=late,
            paused_until=self._paused_until,
        )
        if lease is None:
            now = self._monotonic()
            self._go_alone(now)
            return max(self._next, now), now
        self._alone, self._look_at = False, lease.moment + LOOK_EVERY
        self._hold_until(lease.paused_until)
        self._next = lease.start
        self._held = lease.end if lease.granted else -math.inf
        self._last = self._held - self._every
        return lease.start, lease.moment

    def _look(self, now: float) -> float:
        """See whether others were asked to pause; gives where the next slot would be that nobody has."""
        if self._leasing is None or self._alone:
            return self._next
        rate = self._leasing.look(now)
        if rate is None:
            self._go_alone(now)
            return self._next
        self._look_at = now + LOOK_EVERY
        self._hold_until(rate.paused_until)
        return self._next if rate.arrival == self._held else max(rate.arrival, self._next)

    def _go_alone(self, now: float) -> None:
        self._alone, self._held, self._last = True, -math.inf, math.inf
        self._look_at = now + LOOK_EVERY

    def _hold_until(self, until: float) -> None:
        if until > self._paused_until:
            self._paused_until = until
            # Arrivals are only ever moved on: what was granted before keeps its distance from what comes after.
            self._floor = until + self._tolerance
            self._next = max(self._next, self._floor)
            self._arrivals = {client: max(arrival, self._floor) for client, arrival in self._arrivals.items()}

    def _woken(self, turn: Turn) -> Turn:
        """What became of a turn that was slept for: used, to be slept for a little more, or another one."""
        with self._lock:
            self._waited += turn.delay
            now = self._monotonic()
            if turn.client_id is None:
                self._look(now)
                now = self._monotonic()
            # A slot within a pause that came while we slept cannot be used any more.
            late = None
            if turn.slot - self._tolerance >= self._paused_until - EPSILON:
                early = turn.slot - self._tolerance - now
                if early > EPSILON:
                    return replace(turn, delay=early)
                if now <= turn.slot + turn.late + EPSILON:
                    self._after_wait += 1
                    self._give_back(turn, now)
                    return replace(turn, delay=0.0)
                late = 2.0 * turn.late or self._every  # so that it gets through, however slow this machine is
        return self._take(turn.client_id, wait=True, late=late)

    def _give_back(self, turn: Turn, now: float) -> None:
        """Free the part of a slot that was kept for waking up late, when nobody took a slot since."""
        if turn.late:
            after, used = turn.slot + turn.late + self._every, max(turn.slot, now) + self._every
            if turn.client_id is None and self._next == after:
                self._next = used
            elif turn.client_id is not None and self._arrivals.get(turn.client_id) == after:
                self._arrivals[turn.client_id] = used

    def _tidy(self, now: float) -> None:
        """Forget the clients whose bucket is full again, so that a crawler with many names costs no memory."""
        if self._floor <= now:
            self._arrivals = {client: arrival for client, arrival in self._arrivals.items() if arrival > now}
        self._tidy_at = max(1024, 2 * len(self._arrivals))
