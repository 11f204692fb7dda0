"""Repeating shapes that the algorithms take off."""

import numpy as np
import pytest

from data_pipeline.detect.season import DAY, WEEK
from data_pipeline.detect.shape import Shape, choose_shape

HOUR = 3600.0


def wave(n, step, period, noise=0.2):
    times = step * np.arange(n)
    return times, 5.0 * np.sin(2 * np.pi * times / period) + noise * np.random.default_rng(0).normal(size=n)


@pytest.mark.parametrize(
    ("n", "step", "period"),
    [(400, HOUR, DAY), (120, DAY, WEEK), (900, 300.0, 37 * 300.0)],
    ids=["hourly with a day", "daily with a week", "a period of its own"],
)
def test_a_period_is_found_and_taken_off(n, step, period):
    """What is left is little more than the noise; the clock or the series itself says the length."""
    times, values = wave(n, step, period)

    shape = choose_shape(times, values)

    assert shape is not None
    assert shape.period / period == pytest.approx(round(shape.period / period))  # a week has seven days in it
    assert np.std(values - shape.expected(times)) < 0.6


@pytest.mark.parametrize("n", [3, 15, 200], ids=str)
def test_noise_has_no_shape(n):
    """Slots fit noise a little; that is no season."""
    assert choose_shape(HOUR * np.arange(n), np.random.default_rng(2).normal(size=n)) is None


def test_repeated_moments_are_survived():
    """All points at one time have no step."""
    assert choose_shape(np.zeros(50), np.random.default_rng(2).normal(size=50)) is None


def test_a_state_brings_the_shape_back():
    """The same centres at the same times."""
    times, values = wave(400, HOUR, DAY)
    shape = choose_shape(times, values)
    assert shape is not None

    assert np.array_equal(Shape.from_state(shape.state()).expected(times), shape.expected(times))
