"""The rejections tell who refused, for how long, and travel between processes."""

import copy

import pytest

from utils.resilience.errors import (
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    RateLimitedError,
    RejectedError,
)

ALL = [CircuitOpenError, RateLimitedError, BulkheadFullError, DeadlineExceededError]


@pytest.mark.parametrize("kind", ALL)
def test_every_rejection_says_who_how_long_and_what_to_do(kind: type[RejectedError]) -> None:
    """All four are one family with the same facts, and transient."""
    error = kind("ecb", "ecb: no", 1.5, "wait")

    assert isinstance(error, RejectedError)
    assert (str(error), error.name, error.retry_after, error.hint, error.transient) == (
        "ecb: no",
        "ecb",
        1.5,
        "wait",
        True,
    )


@pytest.mark.parametrize("kind", ALL)
def test_a_rejection_survives_being_rebuilt_from_its_arguments(kind: type[RejectedError]) -> None:
    """A worker process sends errors home by class and `args`."""
    error = copy.copy(kind("ecb", "ecb: no", 1.5, "wait"))

    assert (type(error), error.name, error.retry_after, error.hint) == (kind, "ecb", 1.5, "wait")
