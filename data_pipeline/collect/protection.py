"""What the configuration says about resilience, as the resilience patterns take it; they know no configuration."""

from functools import lru_cache

from config import resilience as written
from utils.resilience.settings import (
    BreakerSettings,
    BulkheadSettings,
    ProviderResilience,
    RateLimitSettings,
    RetrySettings,
)


@lru_cache(maxsize=1024)  # most providers share one section, and then what is made of it
def of_provider(section: written.ProviderResilience) -> ProviderResilience:
    """What protects a provider."""
    limit, bulkhead = section.rate_limit, section.bulkhead
    return ProviderResilience(
        breaker=BreakerSettings(**section.breaker.model_dump()),
        rate_limit=RateLimitSettings(**limit.model_dump()) if limit else None,
        bulkhead=BulkheadSettings(bulkhead.concurrency) if bulkhead else None,
        retry_budget=section.retry_budget,
    )


def retries(section: written.RetrySettings) -> RetrySettings:
    """How often a dataset's requests are tried."""
    return RetrySettings(section.attempts, section.initial, section.max, jitter=section.jitter)
