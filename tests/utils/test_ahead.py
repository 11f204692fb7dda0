"""Time to threshold: the interval covers as often as it says, noise has no future, neither have steps."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from utils.ahead import ahead

HOUR = 3600.0
DRAWS: dict[str, Any] = {
    "normal": lambda random, n: random.normal(size=n),
    "student": lambda random, n: random.standard_t(3, size=n),
    "alike": lambda random, n: alike(random, n, 0.5),
}


def alike(random: np.random.Generator, n: int, share: float) -> Any:
    shocks = random.normal(size=n + 100) * np.sqrt(1 - share**2)
    found = np.zeros(n + 100)
    for point in range(1, n + 100):
        found[point] = share * found[point - 1] + shocks[point]
    return found[100:]


def hours(n: int) -> Any:
    return HOUR * np.arange(n)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize(("n", "grown"), [(40, 8.0), (120, 5.0)])
def test_the_interval_holds_the_moment_nine_times_in_ten(draw: str, n: int, grown: float) -> None:
    """Of 150 lines with noise, with their threshold as far ahead as they are long; chance takes some."""
    random = np.random.default_rng(3)
    found = [ahead(hours(n), grown * np.arange(n) / n + DRAWS[draw](random, n), 2.0 * grown) for _ in range(150)]
    told = [one for one in found if one.state == "ahead"]

    covered = sum(one.earliest <= 2.0 * n * HOUR <= one.latest for one in told)

    assert len(told) >= 120
    assert covered / len(told) >= 0.83
    assert np.median([one.latest - one.earliest for one in told]) < n * HOUR


@pytest.mark.parametrize("draw", [*DRAWS, "season"])
@pytest.mark.parametrize("n", [20, 100])
def test_noise_and_seasons_have_no_future(draw: str, n: int) -> None:
    """Also with the threshold close by: at most one in a hundred is told to grow."""
    random = np.random.default_rng(4)
    day = 2.0 * np.sin(2 * np.pi * np.arange(n) / 24)
    make = DRAWS.get(draw, lambda random, n: day + 0.3 * random.normal(size=n))

    told = [ahead(hours(n), make(random, n), 6.0).state for _ in range(200)]

    assert told.count("ahead") <= 2


@pytest.mark.parametrize(
    ("values", "state"),
    [
        (np.full(60, 5.0), "steady"),
        (np.repeat([1.0, 9.0], 30), "steady"),
        (np.arange(60.0)[::-1], "steady"),
        (np.tile(np.arange(10.0), 6), "steady"),
        (np.arange(60.0) / 1000, "steady"),
        (np.arange(60.0) * 2, "there"),
        (np.arange(19.0), "learning"),
        (np.arange(60.0), "ahead"),
    ],
    ids=["constant", "a step", "falling", "sawtooth", "too slow to say", "past it", "too short", "a line"],
)
def test_only_what_grows_steadily_lies_ahead(values: Any, state: str) -> None:
    assert ahead(hours(len(values)), values, 100.0).state == state


def test_a_clean_line_is_met_on_the_minute() -> None:
    """In the unit of the metric and in seconds; a spike and a gap move nothing."""
    values = np.arange(60.0)
    values[[10, 30]] = 1e6, np.nan

    found = ahead(hours(60), values, 100.0)

    assert found.reached == pytest.approx(100 * HOUR)
    assert found.slope == pytest.approx(1 / HOUR)
    assert found.level == pytest.approx(59.0)
    assert found.earliest <= found.reached <= found.latest


@settings(max_examples=few(40), deadline=None)
@given(
    slope=st.floats(0.02, 50.0),
    start=st.floats(-1e3, 1e3),
    scale=st.sampled_from([1e-3, 1.0, 1e9]),
    seed=st.integers(0, 99),
)
def test_units_and_direction_do_not_matter(slope: float, start: float, scale: float, seed: int) -> None:
    """Falling free space and rising use, bytes and gigabytes: the same moment."""
    values = start + slope * np.arange(50) + np.random.default_rng(seed).normal(size=50)
    threshold = start + slope * 80

    up = ahead(hours(50), values, threshold)
    down = ahead(hours(50), -values * scale, -threshold * scale, rising=False)

    assert up.state == down.state
    if up.state == "ahead":
        assert (down.reached, down.earliest, down.latest) == pytest.approx((up.reached, up.earliest, up.latest))
        assert up.earliest <= up.reached <= up.latest


def test_a_confidence_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        ahead(hours(30), np.arange(30.0), 99.0, confidence=1.0)
