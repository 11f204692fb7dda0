"""All protection for one provider, in one fixed order around each request.

    retry( breaker( limiter( bulkhead( quota( timeout( request ))))))

So a retry asks the breaker anew, a refused call takes no turn of the rate, and neither waiting for
our own limits nor a rejection counts against the provider. A request of the quota is taken last, when nothing can
keep it from being made any more.
"""

import functools
import random
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Literal, TypeVar

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.breaker import BreakerFigures, CircuitBreaker, Transition
from utils.resilience.bulkhead import Bulkhead, BulkheadFigures
from utils.resilience.circuit import Ticket
from utils.resilience.counting import Count
from utils.resilience.deadline import check, deadline
from utils.resilience.errors import RejectedError
from utils.resilience.first_byte import Stopwatch
from utils.resilience.limiter import LimiterFigures, RateLimiter
from utils.resilience.quota import Quota, QuotaFigures, SharedQuotas
from utils.resilience.retry import OnRetry, Retry, RetryFigures, RetryTally, hint_of, is_transient
from utils.resilience.retry_budget import RetryBudget
from utils.resilience.settings import (
    BreakerSettings,
    BulkheadSettings,
    ProviderResilience,
    RateLimitSettings,
    RetrySettings,
)
from utils.resilience.shared_rates import SharedRates
from utils.resilience.shared_state import SharedState

__all__ = [
    "BreakerSettings",
    "BulkheadSettings",
    "PolicyFigures",
    "ProviderResilience",
    "RateLimitSettings",
    "ResiliencePolicy",
    "RetrySettings",
]

T = TypeVar("T")

Predicate = Callable[[Exception], bool]
OnWait = Callable[[Literal["rate_limit", "bulkhead"], float], object]  # for what, seconds that it took


@dataclass(frozen=True, slots=True)
class PolicyFigures:
    """One provider in numbers, pattern by pattern; `None`: lifted. `requests`: made, each attempt by itself."""

    name: str
    requests: int
    breaker: BreakerFigures
    limiter: LimiterFigures | None
    bulkhead: BulkheadFigures | None
    retry: RetryFigures
    quota: QuotaFigures | None = None


class ResiliencePolicy:
    """Protects one provider, and us from it. Thread-safe; one object a provider.

    Args:
        name: The provider's name.
        settings: What belongs to the provider.
        is_transient: Which failures may pass and are tried again.
        counts_in_breaker: Which failures tell against the provider; default: the transient ones.
        shared: Where processes share the breaker's verdict.
        quotas: Where processes count the requests of a quota together.
        rates: Where processes keep to the rate limit together.
        listener: Told the breaker's transitions.
        clock: Where time and sleep come from; tests pass a `ManualClock`.
        rng: Where the jitter comes from.
    """

    def __init__(
        self,
        name: str,
        settings: ProviderResilience | None = None,
        *,
        is_transient: Predicate = is_transient,
        counts_in_breaker: Predicate | None = None,
        shared: SharedState | None = None,
        quotas: SharedQuotas | None = None,
        rates: SharedRates | None = None,
        listener: Callable[[Transition], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        settings = settings or ProviderResilience()
        self.name = name
        self.settings = settings
        breaker = settings.breaker
        self.breaker = CircuitBreaker(
            name,
            window=breaker.window,
            window_time=breaker.window_time,
            minimum_calls=breaker.minimum_calls,
            failure_rate=breaker.failure_rate,
            failure_threshold=breaker.failure_threshold,
            slow_call=breaker.slow_call,
            slow_rate=breaker.slow_rate,
            open_for=breaker.open_for,
            max_open_for=breaker.max_open_for,
            half_open_calls=breaker.half_open_calls,
            is_failure=counts_in_breaker or is_transient,
            listener=listener,
            shared=shared,
            clock=clock,
            rng=rng,
        )
        limit, bulkhead = settings.rate_limit, settings.bulkhead
        self.limiter = (
            None
            if limit is None
            else RateLimiter(name, rate=limit.rate, per=limit.per, burst=limit.burst, shared=rates, clock=clock)
        )
        self.quota = (
            None
            if limit is None or limit.quota is None
            else Quota(name, limit=limit.quota, per=limit.quota_per, shared=quotas, clock=clock)
        )
        self.bulkhead = None if bulkhead is None else Bulkhead(name, concurrency=bulkhead.concurrency, clock=clock)
        self.budget = RetryBudget(settings.retry_budget, clock=clock)
        self._is_transient = is_transient
        self._clock, self._monotonic = clock, clock.monotonic
        self._rng = rng
        self._tally = RetryTally(name)
        self._requests = Count()
        self._retries: dict[RetrySettings, Retry] = {}

    def call(
        self,
        request: Callable[[], T],
        *,
        retry: RetrySettings | None = None,
        timeout: float | None = None,
        on_retry: OnRetry | None = None,
        on_wait: OnWait | None = None,
        last_resort: bool = False,
    ) -> T:
        """The request's result, after as many attempts as `retry` allows (`None`: one).

        `timeout` bounds one attempt in seconds: the request asks `remaining()` and hands it to its client.
        A request that streams reports `first_byte_arrived()`. Its error's `retry_after` (seconds) holds
        back all requests to this provider, not only this one. `on_wait` is told after each wait for a turn or a
        slot. `last_resort`: one attempt, through an open circuit too,
        for want of another provider; see `CircuitBreaker.enter_as_last_resort`.

        Raises:
            RejectedError: Refused on this side: circuit open, no turn before the deadline, deadline over.
            Exception: The request's last error.
        """
        self.budget.request()
        attempt = request if timeout is None else functools.partial(self._timed, request, timeout)
        try:
            return self._attempt(attempt, on_wait, last_resort)
        except Exception as error:
            if retry is None or last_resort or isinstance(error, RejectedError):
                raise
            failure = error
        return self._retry(retry).resume(lambda: self._attempt(attempt, on_wait), failure, on_retry)

    async def call_async(
        self,
        request: Callable[[], Awaitable[T]],
        *,
        retry: RetrySettings | None = None,
        timeout: float | None = None,
        on_retry: OnRetry | None = None,
        on_wait: OnWait | None = None,
        last_resort: bool = False,
    ) -> T:
        """The same for a coroutine function: the event loop goes on while it waits for a limit, a slot or a retry."""
        self.budget.request()
        attempt = request if timeout is None else functools.partial(self._timed_async, request, timeout)
        try:
            return await self._attempt_async(attempt, on_wait, last_resort)
        except Exception as error:
            if retry is None or last_resort or isinstance(error, RejectedError):
                raise
            failure = error
        return await self._retry(retry).resume_async(lambda: self._attempt_async(attempt, on_wait), failure, on_retry)

    def figures(self) -> PolicyFigures:
        """The counts of every pattern."""
        return PolicyFigures(
            self.name,
            self._requests.value,
            self.breaker.figures(),
            self.limiter.figures() if self.limiter else None,
            self.bulkhead.figures() if self.bulkhead else None,
            self._tally.figures(),
            self.quota.figures() if self.quota else None,
        )

    def _attempt(self, request: Callable[[], T], on_wait: OnWait | None, last_resort: bool = False) -> T:
        breaker, bulkhead = self.breaker, self.bulkhead
        enter = breaker.enter_as_last_resort if last_resort else breaker.enter
        ticket = enter()
        taken, seconds = None, 0.0
        try:
            if self.quota is not None:
                self.quota.check()
            if self.limiter is not None:
                turn = self.limiter.acquire(wait=True)
                if turn.waited and on_wait is not None:
                    on_wait("rate_limit", turn.waited)
            if bulkhead is not None:
                asked = self._monotonic()
                taken = bulkhead.take()
                if on_wait is not None:
                    on_wait("bulkhead", taken.since - asked)
            ticket = self._after_the_wait(ticket, enter)
            if self.quota is not None:
                self.quota.take()
            self._requests.add()
            watch = Stopwatch(self._monotonic)
            try:
                result = request()
            finally:
                seconds = watch.stop()
            breaker.succeeded(ticket, seconds)
            return result
        except BaseException as error:
            breaker.ended_with(ticket, error, seconds)
            self._heed(error)
            raise
        finally:
            # After the breaker has heard of it: the next in line must not run into a provider that has just died.
            if bulkhead is not None and taken is not None:
                bulkhead.give_back(taken)

    async def _attempt_async(
        self, request: Callable[[], Awaitable[T]], on_wait: OnWait | None, last_resort: bool = False
    ) -> T:
        # Line by line the one above; what it awaits cannot be handed over to it.
        breaker, bulkhead = self.breaker, self.bulkhead
        enter = breaker.enter_as_last_resort if last_resort else breaker.enter
        ticket = enter()
        taken, seconds = None, 0.0
        try:
            if self.quota is not None:
                self.quota.check()
            if self.limiter is not None:
                turn = await self.limiter.acquire_async(wait=True)
                if turn.waited and on_wait is not None:
                    on_wait("rate_limit", turn.waited)
            if bulkhead is not None:
                asked = self._monotonic()
                taken = await bulkhead.take_async()
                if on_wait is not None:
                    on_wait("bulkhead", taken.since - asked)
            ticket = self._after_the_wait(ticket, enter)
            if self.quota is not None:
                self.quota.take()
            self._requests.add()
            watch = Stopwatch(self._monotonic)
            try:
                result = await request()
            finally:
                seconds = watch.stop()
            breaker.succeeded(ticket, seconds)
            return result
        except BaseException as error:
            breaker.ended_with(ticket, error, seconds)
            self._heed(error)
            raise
        finally:
            if bulkhead is not None and taken is not None:
                bulkhead.give_back(taken)

    def _after_the_wait(self, ticket: Ticket, enter: Callable[[], Ticket]) -> Ticket:
        """The ticket to make the request with: the circuit may have changed while we stood in line."""
        check(self.name)
        if self.breaker.still_admits(ticket):
            return ticket
        fresh = enter()
        self.breaker.give_back(ticket)
        return fresh

    def _timed(self, request: Callable[[], T], timeout: float) -> T:
        with deadline(timeout, self._clock):
            return request()

    async def _timed_async(self, request: Callable[[], Awaitable[T]], timeout: float) -> T:
        with deadline(timeout, self._clock):
            return await request()

    def _heed(self, error: BaseException) -> None:
        """Hold back the whole provider for as long as it asked; no longer than a circuit would rest at most."""
        if self.limiter is not None and not isinstance(error, RejectedError):
            hint = hint_of(error)
            if hint > 0.0:
                self.limiter.pause(min(hint, self.breaker.max_open_for))

    def _retry(self, settings: RetrySettings) -> Retry:
        retry = self._retries.get(settings)
        if retry is None:
            retry = self._retries[settings] = Retry(
                self.name,
                **asdict(settings),
                on=self._worth_retrying,
                budget=self.budget,
                tally=self._tally,
                clock=self._clock,
                rng=self._rng,
            )
        return retry

    def _worth_retrying(self, error: Exception) -> bool:
        # When this failure opened the circuit, the next attempt would only be refused: tell the real error now.
        return self._is_transient(error) and self.breaker.state != "open"
