"""What is done about a piece that did not come."""

import pytest

from data_pipeline.backfill.policy import Later, most_at_once, wait_for
from data_pipeline.errors import (
    NetworkAway,
    PayloadUnreadable,
    PipelineError,
    ProviderRefused,
    ProviderUnavailable,
    RequestRefused,
    StoreError,
)


def refused(by: str, retry_after: float) -> RequestRefused:
    return RequestRefused("no", refused_by=by, retry_after=retry_after)


@pytest.mark.parametrize(
    ("error", "open_for", "seconds", "tried"),
    [
        (refused("circuit", 42.0), 42.0, 42.0, False),
        (refused("circuit", float("inf")), float("inf"), 300.0, False),
        (refused("quota", 7200.0), None, 3600.0, False),
        (refused("limit", 0.0), None, 1.0, False),
        (NetworkAway("away"), None, 30.0, False),
        (ProviderUnavailable("503"), 60.0, 60.0, True),
        (ProviderUnavailable("429", retry_after=90.0), None, 90.0, True),
        (ProviderUnavailable("503"), None, 0.0, True),
        (refused("deadline", 5.0), None, 0.0, True),
    ],
    ids=["circuit", "held circuit", "quota", "limit", "network", "outage", "429", "passing failure", "deadline"],
)
def test_what_is_not_the_fault_of_a_piece_is_asked_for_again(
    error: PipelineError, open_for: float | None, seconds: float, *, tried: bool
) -> None:
    """After a pause, when it is the provider that is in trouble."""
    assert wait_for(error, open_for=open_for, tries=0) == Later(seconds, str(error), tried=tried)


@pytest.mark.parametrize(
    "error",
    [ProviderRefused("404"), PayloadUnreadable("HTML"), StoreError("disk")],
    ids=["404", "unreadable", "store"],
)
def test_what_would_be_the_same_again_has_failed(error: PipelineError) -> None:
    """Whatever the circuit says."""
    assert wait_for(error, open_for=60.0, tries=0) is None


def test_a_piece_is_tried_three_times_at_most() -> None:
    """What our own protection refuses does not count."""
    assert wait_for(ProviderUnavailable("503"), open_for=60.0, tries=1) is not None
    assert wait_for(ProviderUnavailable("503"), open_for=60.0, tries=2) is None
    assert wait_for(refused("circuit", 1.0), open_for=60.0, tries=2) is not None


@pytest.mark.parametrize(("allowed", "expected"), [(None, 4), (1, 1), (3, 1), (4, 2), (8, 4), (100, 4)])
def test_half_of_a_provider_is_left_to_what_is_due(allowed: int | None, expected: int) -> None:
    """And four at once are enough."""
    assert most_at_once(allowed) == expected
