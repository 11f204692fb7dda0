"""Providers that fail, as collectors tell of them; and settings with little in the way."""

from collections.abc import Callable

from utils.resilience.settings import ProviderResilience, RetrySettings

QUIET = RetrySettings(jitter=False)


class ProviderUnavailable(Exception):
    """A provider's error as a collector raises it."""

    transient = True

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__("503")
        self.retry_after = retry_after


def failing(*outcomes: object) -> Callable[[], object]:
    """A request that goes through these outcomes, raising the exceptions."""
    left = iter(outcomes)

    def request() -> object:
        outcome = next(left)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return request


class TooMany(Exception):
    """A 429 as a collector raises it."""

    transient = True

    def __init__(self, retry_after: float) -> None:
        super().__init__("429")
        self.retry_after = retry_after


def away() -> None:
    """A provider that is away."""
    raise ConnectionError("away")


def lifted(**settings: object) -> ProviderResilience:
    """Settings without a rate limit and a bulkhead."""
    return ProviderResilience(**{"rate_limit": None, "bulkhead": None, **settings})  # type: ignore[arg-type]  # of many types
