"""Keep one policy a provider, so that ten datasets of one dead provider open one circuit."""

import threading
from collections.abc import Callable

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.exchange import Transition
from utils.resilience.policy import PolicyFigures, Predicate, ResiliencePolicy
from utils.resilience.quota import SharedQuotas
from utils.resilience.retry import is_transient
from utils.resilience.settings import ProviderResilience
from utils.resilience.shared_state import SharedState


class ResilienceRegistry:
    """Makes each provider's policy at its first use. Thread-safe.

    Args:
        settings_for: The settings of a provider by name.
        shared: Where processes share the breakers' verdicts.
        quotas: Where processes count the requests of quotas together.
        listener: Told every breaker's transitions.
        clock: Where time and sleep come from.
        is_transient: Which failures may pass and are tried again.
        counts_in_breaker: Which failures tell against the provider; default: the transient ones.
    """

    def __init__(
        self,
        settings_for: Callable[[str], ProviderResilience],
        shared: SharedState | None = None,
        listener: Callable[[Transition], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        *,
        quotas: SharedQuotas | None = None,
        is_transient: Predicate = is_transient,
        counts_in_breaker: Predicate | None = None,
    ) -> None:
        self._settings_for = settings_for
        self._shared, self._quotas, self._listener, self._clock = shared, quotas, listener, clock
        self._is_transient, self._counts_in_breaker = is_transient, counts_in_breaker
        self._policies: dict[str, ResiliencePolicy] = {}
        self._lock = threading.Lock()

    def policy(self, provider: str) -> ResiliencePolicy:
        """The one policy of `provider`."""
        policy = self._policies.get(provider)
        if policy is None:
            made = ResiliencePolicy(
                provider,
                self._settings_for(provider),
                is_transient=self._is_transient,
                counts_in_breaker=self._counts_in_breaker,
                shared=self._shared,
                quotas=self._quotas,
                listener=self._listener,
                clock=self._clock,
            )
            with self._lock:  # two threads may have made one; both take the first
                policy = self._policies.setdefault(provider, made)
        return policy

    def figures(self) -> dict[str, PolicyFigures]:
        """The counts of every provider that was used, by name."""
        with self._lock:
            policies = sorted(self._policies.items())
        return {name: policy.figures() for name, policy in policies}
