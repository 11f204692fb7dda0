"""Ages and durations in words."""

from datetime import UTC, datetime

import pytest

from utils.ages import age, duration


@pytest.mark.parametrize(
    ("seconds", "whole", "precise"),
    [
        (0.26, "0 s", "0.2 s"),
        (119.99, "119 s", "119.9 s"),
        (120, "2 min", "2 min"),
        (7199, "119 min", "119.9 min"),
        (9000, "2 h", "2.5 h"),
        (259_199, "71 h", "71.9 h"),
        (302_400, "3 d", "3.5 d"),
        (86_400_000 * 1.5, "1,500 d", "1,500 d"),
        (None, "unknown", "unknown"),
    ],
)
def test_a_duration_is_rounded_down(seconds: float | None, whole: str, precise: str) -> None:
    assert duration(seconds) == whole
    assert duration(seconds, decimals=1) == precise


def test_an_age_is_never_negative() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert age("2025-12-31T23:59:58.500Z", now) == 1.5
    assert age("2026-01-01T00:00:09Z", now) == 0.0
    assert age(None, now) is None
