"""The rejections: our own parts refused a call before it reached the provider.

    RejectedError
    ├── CircuitOpenError         the breaker: the provider failed too often
    ├── RateLimitedError         the limiter: no room before the deadline
    │   └── QuotaUsedUpError     the quota: no request is left until its next window
    ├── BulkheadFullError        the bulkhead: too many calls at the same time
    └── DeadlineExceededError    the time given to the whole task is over

A rejection says nothing about the provider, so it never counts in a breaker and is never retried.
"""


class RejectedError(Exception):
    """A call was refused on this side. Base of those below, whose `refused_by` says in a word who refused.

    Args:
        name: Who refused: the provider's (breaker's, limiter's, bulkhead's) name.
        message: What was refused and why.
        retry_after: Seconds until a new try makes sense; 0.0: at once.
        hint: What the reader can do about it.
    """

    transient = True
    refused_by = ""

    def __init__(self, name: str, message: str, retry_after: float = 0.0, hint: str = "") -> None:
        # All of them go to `args`, so that the error survives the way back from a worker process.
        self.args = (name, message, retry_after, hint)
        self.name = name
        self.message = message
        self.retry_after = retry_after
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class CircuitOpenError(RejectedError):
    """The circuit is open, or half-open with every trial call taken."""

    refused_by = "circuit"


class RateLimitedError(RejectedError):
    """The rate limit leaves no room now, or not before the deadline."""

    refused_by = "limit"


class QuotaUsedUpError(RateLimitedError):
    """The quota has no request left in this window; `retry_after` says when the next one begins."""

    refused_by = "quota"


class BulkheadFullError(RejectedError):
    """Every slot stayed taken for as long as the caller could wait."""

    refused_by = "bulkhead"


class DeadlineExceededError(RejectedError):
    """The time given to the task was over before the call could start."""

    refused_by = "deadline"


def in_seconds(wait: float) -> str:
    """A wait in the words of a rejection.

    >>> in_seconds(0.125), in_seconds(41.3), in_seconds(3600.0)
    ('0.125 s', '41.3 s', '3,600 s')
    """
    return f"{wait:.3g} s" if wait < 999.5 else f"{wait:,.0f} s"
