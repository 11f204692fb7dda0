"""How patiently a provider is treated, and how long a dataset may take."""

from typing import Annotated, Literal

from pydantic import Field

from config.durations import Duration, SomeTime
from config.errors import Fault, shown
from config.model import Section
from config.sections import Count, Share


class BreakerSettings(Section):
    """When to stop calling, and when to try again. Seconds; rates are shares of the window's calls.

    `failure_threshold`: failures in a row that open the circuit; null: only the rate decides.
    `window_time`: all calls of that time are judged, not the last `window` ones.
    """

    window: Count = 20
    window_time: SomeTime | None = None
    minimum_calls: Count = 5
    failure_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    failure_threshold: Count | None = None
    slow_call: SomeTime = 10.0
    slow_rate: Annotated[float, Field(gt=0, le=1)] = 0.8
    open_for: SomeTime = 60.0
    max_open_for: SomeTime = 3600.0
    half_open_calls: Count = 3

    def fault(self) -> tuple[str, Fault] | None:
        """Key and fault, when the numbers do not go together; asked once the sections lie over each other."""
        if self.window_time is None and self.minimum_calls > self.window:
            return "minimum_calls", Fault(
                f"expected at most the window of {self.window} calls, got {shown(self.minimum_calls)}",
                hint="Make `window` larger, or `minimum_calls` smaller.",
            )
        if self.max_open_for < self.open_for:
            return "max_open_for", Fault(
                f"expected at least `open_for` ({self.open_for:g}s), got {shown(self.max_open_for)}",
                hint="It is the longest that a circuit stays open.",
            )
        return None


class RateLimitSettings(Section):
    """`rate` requests `per` seconds on average, at most `burst` at once; `quota`: at most so many in `quota_per`."""

    rate: Annotated[float, Field(gt=0)] = 10.0
    per: SomeTime = 1.0
    burst: Count = 20
    quota: Count | None = None
    quota_per: SomeTime = 86_400.0


class BulkheadSettings(Section):
    """Requests that may be under way at once."""

    concurrency: Count = 8


class ProviderResilience(Section):
    """What protects a provider. `rate_limit` and `bulkhead` are None when there is none."""

    breaker: BreakerSettings = BreakerSettings()
    rate_limit: RateLimitSettings | None = RateLimitSettings()
    bulkhead: BulkheadSettings | None = BulkheadSettings()
    retry_budget: Share = 0.2


class TimeoutSettings(Section):
    """Of one request, in seconds: until connected, and between two pieces of the answer."""

    connect: SomeTime = 5.0
    read: SomeTime = 30.0


class RetrySettings(Section):
    """Attempts in all, and the waits between them: `initial` seconds, doubling up to `max`."""

    attempts: Annotated[int, Field(ge=1, le=100)] = 4
    initial: Duration = 0.2
    max: Duration = 10.0
    jitter: bool = True


class DatasetResilience(Section):
    """How long one collection may take (seconds), how often requests are tried, what is served when it fails."""

    timeout: TimeoutSettings = TimeoutSettings()
    deadline: SomeTime = 120.0
    retry: RetrySettings = RetrySettings()
    fallback: tuple[Literal["last_good", "snapshot"], ...] = ("last_good", "snapshot")
