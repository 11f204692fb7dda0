"""What a provider's protection did, in sums that can be added up over processes and runs."""

from dataclasses import dataclass, fields
from typing import Self

from utils.resilience.policy import PolicyFigures


@dataclass(frozen=True, slots=True)
class ProviderTotals:
    """Sums since some moment.

    Args:
        requests: Requests that were made, each attempt by itself.
        failures: Those that told against the provider.
        refused_by_circuit: Requests that were not made because the circuit was open.
        circuit_opened: How often it opened.
        retries: Attempts after the first one.
        recovered: Calls that a retry saved.
        given_up: Calls that were given up: no attempt, time or budget was left.
        retry_wait_s: Seconds slept between attempts, over all callers; so are the other waits.
        limit_waits: Requests that waited for the rate.
        limit_wait_s: Seconds they waited.
        refused_by_limit: Requests whose turn would have come after the deadline.
        refused_by_quota: Requests beyond the quota.
        bulkhead_wait_s: Seconds waited for a slot.
        bulkhead_use_s: Seconds that slots were in use.
        refused_by_bulkhead: Requests that got no slot in time.
    """

    requests: float = 0
    failures: float = 0
    refused_by_circuit: float = 0
    circuit_opened: float = 0
    retries: float = 0
    recovered: float = 0
    given_up: float = 0
    retry_wait_s: float = 0
    limit_waits: float = 0
    limit_wait_s: float = 0
    refused_by_limit: float = 0
    refused_by_quota: float = 0
    bulkhead_wait_s: float = 0
    bulkhead_use_s: float = 0
    refused_by_bulkhead: float = 0

    @classmethod
    def of(cls, figures: PolicyFigures) -> Self:
        """Those of a policy, since it was made."""
        breaker, retry, limiter, bulkhead = figures.breaker, figures.retry, figures.limiter, figures.bulkhead
        return cls(
            requests=figures.requests,
            failures=breaker.failures,
            refused_by_circuit=breaker.rejected,
            circuit_opened=breaker.opened,
            retries=retry.retries,
            recovered=retry.recovered,
            given_up=retry.exhausted + retry.over_deadline + retry.over_budget,
            retry_wait_s=retry.waited,
            limit_waits=limiter.waits if limiter else 0,
            limit_wait_s=limiter.waited if limiter else 0,
            refused_by_limit=limiter.refused if limiter else 0,
            refused_by_quota=figures.quota.refused if figures.quota else 0,
            bulkhead_wait_s=bulkhead.waited if bulkhead else 0,
            bulkhead_use_s=bulkhead.time_in_use if bulkhead else 0,
            refused_by_bulkhead=bulkhead.refused if bulkhead else 0,
        )

    def since(self, before: Self) -> dict[str, float]:
        """What was added since `before`, by name; what did not change is left out."""
        grown = {field.name: getattr(self, field.name) - getattr(before, field.name) for field in fields(self)}
        # A breaker that was reset counts from 0 again: less than before is no growth.
        return {name: round(value, 6) for name, value in grown.items() if round(value, 6) > 0}
