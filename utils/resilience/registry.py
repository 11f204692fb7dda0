"""Keep one policy a provider, so that ten datasets of one dead provider open one circuit; other parts by name."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.breaker import BreakerFigures, CircuitBreaker
from utils.resilience.bulkhead import Bulkhead, BulkheadFigures
from utils.resilience.exchange import Transition
from utils.resilience.limiter import LimiterFigures, RateLimiter
from utils.resilience.named import Named
from utils.resilience.policy import PolicyFigures, Predicate, ResiliencePolicy
from utils.resilience.quota import SharedQuotas
from utils.resilience.retry import Retry, RetryFigures, is_transient
from utils.resilience.settings import ProviderResilience
from utils.resilience.shared_rates import SharedRates
from utils.resilience.shared_state import SharedState
from utils.resilience.totals import ProviderTotals


@dataclass(frozen=True, slots=True)
class RegistryFigures:
    """Every instance in numbers, by name: the providers' policies, and the parts that stand alone."""

    providers: dict[str, PolicyFigures]
    breakers: dict[str, BreakerFigures]
    limiters: dict[str, LimiterFigures]
    bulkheads: dict[str, BulkheadFigures]
    retries: dict[str, RetryFigures]


class ResilienceRegistry:
    """Makes each provider's policy at its first use, and each part that is asked for by name. Thread-safe.

    The settings of a part are those of its class, by keyword. The same name gives the same instance; other settings
    for a name that is taken are an error. A breaker with a provider's name shares the provider's verdict.

    Args:
        settings_for: The settings of a provider by name.
        shared: Where processes share the breakers' verdicts.
        quotas: Where processes count the requests of quotas together.
        rates: Where processes keep to the rate limits together.
        listener: Told every breaker's transitions.
        clock: Where time and sleep come from.
        is_transient: Which failures may pass and are tried again.
        counts_in_breaker: Which failures tell against the provider; default: the transient ones.

    >>> registry = ResilienceRegistry()
    >>> registry.breaker("ecb", failure_threshold=3) is registry.breaker("ecb")
    True
    """

    def __init__(
        self,
        settings_for: Callable[[str], ProviderResilience] = lambda _: ProviderResilience(),
        shared: SharedState | None = None,
        listener: Callable[[Transition], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        *,
        quotas: SharedQuotas | None = None,
        rates: SharedRates | None = None,
        is_transient: Predicate = is_transient,
        counts_in_breaker: Predicate | None = None,
    ) -> None:
        self._settings_for = settings_for
        self._shared, self._quotas, self._listener, self._clock = shared, quotas, listener, clock
        self._rates = rates
        self._is_transient, self._counts_in_breaker = is_transient, counts_in_breaker
        self._policies: dict[str, ResiliencePolicy] = {}
        self._told: dict[str, ProviderTotals] = {}
        self._asked: set[str] = set()  # since news was told last
        self._lock = threading.Lock()
        self._breakers = Named("breaker", self._new_breaker)
        self._limiters = Named("limiter", self._new_limiter)
        self._bulkheads = Named("bulkhead", self._new_bulkhead)
        self._retries = Named("retry", self._new_retry)

    def policy(self, provider: str) -> ResiliencePolicy:
        """The one policy of `provider`."""
        self._asked.add(provider)
        policy = self._policies.get(provider)
        if policy is None:
            made = ResiliencePolicy(
                provider,
                self._settings_for(provider),
                is_transient=self._is_transient,
                counts_in_breaker=self._counts_in_breaker,
                shared=self._shared,
                quotas=self._quotas,
                rates=self._rates,
                listener=self._listener,
                clock=self._clock,
            )
            with self._lock:  # two threads may have made one; both take the first
                policy = self._policies.setdefault(provider, made)
        return policy

    def breaker(self, name: str, **settings: Any) -> CircuitBreaker:
        """The one breaker of this name; its verdict is shared as those of providers are.

        Raises:
            ValueError: It was made with other settings, or cannot be made with these. So do the three below.
        """
        return self._breakers.get(name, settings)

    def limiter(self, name: str, **settings: Any) -> RateLimiter:
        """The one limiter of this name."""
        return self._limiters.get(name, settings)

    def bulkhead(self, name: str, **settings: Any) -> Bulkhead:
        """The one bulkhead of this name."""
        return self._bulkheads.get(name, settings)

    def retry(self, name: str, **settings: Any) -> Retry:
        """The one retry of this name."""
        return self._retries.get(name, settings)

    def figures(self) -> RegistryFigures:
        """The counts of every instance that was ever used or asked for."""
        return RegistryFigures(
            {name: policy.figures() for name, policy in self._all_policies()},
            {name: breaker.figures() for name, breaker in self._breakers.all().items()},
            {name: limiter.figures() for name, limiter in self._limiters.all().items()},
            {name: bulkhead.figures() for name, bulkhead in self._bulkheads.all().items()},
            {name: retry.figures() for name, retry in self._retries.all().items()},
        )

    def news(self, besides: Iterable[str] | None = None) -> dict[str, dict[str, float]]:
        """What the providers' policies counted since the last call, by provider and counter (`ProviderTotals`).

        Each step is told once, whoever asks: so that what is written down adds up.

        Args:
            besides: Look only at the policies that were asked for since the last call, and at these, whose calls may
                have ended only now; for a process may know ten thousand. Default: look at all.
        """
        with self._lock:
            asked, self._asked = self._asked, set()
            names = self._policies if besides is None else asked.union(besides)
            known = [(name, self._policies.get(name)) for name in sorted(names)]
        totals = {name: ProviderTotals.of(policy.figures()) for name, policy in known if policy is not None}
        with self._lock:
            told = {name: now.since(self._told.get(name, ProviderTotals())) for name, now in totals.items()}
            self._told |= totals
        return {name: grown for name, grown in told.items() if grown}

    def _all_policies(self) -> list[tuple[str, ResiliencePolicy]]:
        with self._lock:
            return sorted(self._policies.items())

    def _new_breaker(self, name: str, **settings: Any) -> CircuitBreaker:
        ours: dict[str, Any] = {"shared": self._shared, "listener": self._listener, "clock": self._clock}
        return CircuitBreaker(name, **(ours | settings))

    def _new_limiter(self, name: str, **settings: Any) -> RateLimiter:
        ours: dict[str, Any] = {"shared": self._rates, "clock": self._clock}
        return RateLimiter(name, **(ours | settings))

    def _new_bulkhead(self, name: str, **settings: Any) -> Bulkhead:
        return Bulkhead(name, clock=self._clock, **settings)

    def _new_retry(self, name: str, **settings: Any) -> Retry:
        return Retry(name, clock=self._clock, **settings)
