"""Call providers that fail: one pattern a file, `policy.py` stacks them around a request, `registry.py` keeps them."""

from utils.resilience.breaker import CircuitBreaker
from utils.resilience.bulkhead import Bulkhead
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable
from utils.resilience.deadline import check, deadline, remaining
from utils.resilience.errors import (
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    QuotaUsedUpError,
    RateLimitedError,
    RejectedError,
)
from utils.resilience.exchange import Transition
from utils.resilience.fallback import Served, with_fallback
from utils.resilience.first_byte import first_byte_arrived
from utils.resilience.limiter import Grant, RateLimiter
from utils.resilience.policy import ResiliencePolicy
from utils.resilience.quota import Quota, SharedQuotas
from utils.resilience.registry import ResilienceRegistry
from utils.resilience.retry import Retry
from utils.resilience.retry_budget import RetryBudget
from utils.resilience.settings import (
    BreakerSettings,
    BulkheadSettings,
    ProviderResilience,
    RateLimitSettings,
    RetrySettings,
)
from utils.resilience.shared_rates import SharedRates
from utils.resilience.shared_state import SharedState, Verdict

__all__ = [
    "BreakerSettings",
    "Bulkhead",
    "BulkheadFullError",
    "BulkheadSettings",
    "CancelToken",
    "Cancelled",
    "CircuitBreaker",
    "CircuitOpenError",
    "DeadlineExceededError",
    "Grant",
    "ProviderResilience",
    "Quota",
    "QuotaUsedUpError",
    "RateLimitSettings",
    "RateLimitedError",
    "RateLimiter",
    "RejectedError",
    "ResiliencePolicy",
    "ResilienceRegistry",
    "Retry",
    "RetryBudget",
    "RetrySettings",
    "Served",
    "SharedQuotas",
    "SharedRates",
    "SharedState",
    "Transition",
    "Verdict",
    "cancellable",
    "check",
    "deadline",
    "first_byte_arrived",
    "remaining",
    "with_fallback",
]
