"""The rejections tell who refused, for how long, and travel between processes."""

import copy
import pickle

import pytest

from utils.resilience.errors import (
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    QuotaUsedUpError,
    RateLimitedError,
    RejectedError,
)

ALL = [CircuitOpenError, RateLimitedError, QuotaUsedUpError, BulkheadFullError, DeadlineExceededError]


@pytest.mark.parametrize("kind", ALL)
def test_every_rejection_says_who_how_long_and_what_to_do(kind: type[RejectedError]) -> None:
    """All of them are one family with the same facts, and transient."""
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
    error = kind("ecb", "ecb: no", 1.5, "wait")

    for rebuilt in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(rebuilt), rebuilt.name, rebuilt.retry_after, rebuilt.hint) == (kind, "ecb", 1.5, "wait")


def test_each_part_that_refuses_has_a_word_of_its_own() -> None:
    """For programs that must tell them apart without knowing the classes."""
    words = [kind.refused_by for kind in ALL]

    assert words == ["circuit", "limit", "quota", "bulkhead", "deadline"]
