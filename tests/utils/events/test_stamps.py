"""Moments as the log writes them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.events import rfc3339
from utils.events.event import stamp


def test_moments_are_written_in_utc_with_a_fixed_width() -> None:
    """Text order is time order."""
    moment = datetime(2026, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))

    assert rfc3339(moment) == "2026-02-28T23:00:00.000000Z"


@pytest.mark.parametrize("micro", [0, 1, 499_999, 999_999], ids=str)
def test_the_quick_stamp_is_the_same_text(micro: int) -> None:
    """Of any second, however its parts are rounded as a float."""
    for second in (0, 1, 951_782_399, 1_795_000_000, 4_102_444_799):
        moment = datetime.fromtimestamp(second, UTC).replace(microsecond=micro)
        assert stamp(moment.timestamp()) == rfc3339(moment)


@given(st.floats(0.0, 4_102_444_800.0))
def test_the_stamp_of_any_clock_reading_is_that_of_its_moment(now: float) -> None:
    """Also between two microseconds: else what happened at a moment would lie after it."""
    assert stamp(now) == rfc3339(datetime.fromtimestamp(now, UTC))
