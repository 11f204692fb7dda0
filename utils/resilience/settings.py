"""What can be set about a provider's resilience; the defaults are right for most. Seconds are `float`."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When the provider's circuit opens and for how long; see `CircuitBreaker`."""

    window: int = 20
    minimum_calls: int = 5
    failure_rate: float = 0.5
    failure_threshold: int | None = None
    slow_call: float = 10.0
    slow_rate: float = 0.8
    open_for: float = 60.0
    max_open_for: float = 3600.0
    half_open_calls: int = 3
    window_time: float | None = None


@dataclass(frozen=True, slots=True)
class RateLimitSettings:
    """How many requests in how many seconds, and how many at once after a silence; see `RateLimiter`.

    `quota`: at most so many in `quota_per` seconds, over all processes; `None`: no quota; see `Quota`.
    """

    rate: float = 10.0
    per: float = 1.0
    burst: int | None = 20
    quota: int | None = None
    quota_per: float = 86_400.0


@dataclass(frozen=True, slots=True)
class BulkheadSettings:
    """How many requests at the same time; see `Bulkhead`."""

    concurrency: int = 8


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How a failed request is tried again; it belongs to the dataset, so it is given with each call; see `Retry`."""

    attempts: int = 4
    initial: float = 0.2
    max: float = 10.0
    jitter: bool = True
    multiplier: float = 2.0


@dataclass(frozen=True, slots=True)
class ProviderResilience:
    """All that belongs to a provider. `None` lifts the rate limit, its quota included, or the bulkhead."""

    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    rate_limit: RateLimitSettings | None = field(default_factory=RateLimitSettings)
    bulkhead: BulkheadSettings | None = field(default_factory=BulkheadSettings)
    retry_budget: float = 0.2
