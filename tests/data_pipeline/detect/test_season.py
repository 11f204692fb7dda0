"""A season is taken only when it clearly helps."""

import numpy as np
import pytest

from data_pipeline.detect.season import DAY, WEEK, choose

HOUR = 3600.0


@pytest.mark.parametrize(
    ("step", "count"), [(HOUR, 256), (DAY, 60), (300.0, 2000)], ids=["hourly", "daily", "five minutes"]
)
def test_noise_has_no_season(step, count):
    """A shape with many slots fits any noise a little; that is not enough."""
    for seed in range(20):
        assert choose(step * np.arange(count), np.random.default_rng(seed).normal(size=count)) is None


def test_the_hour_of_the_day_is_found():
    """A daily wave is a season of a day, and a moment in it is named by its hour."""
    times = HOUR * np.arange(200)
    season = choose(times, 100 + 20 * np.sin(2 * np.pi * times / DAY))

    assert season is not None
    assert (season.period, season.phrase(14 * HOUR)) == (DAY, "at 14:00 UTC")
    assert season.expected(np.array([6 * HOUR, 30 * HOUR])) == pytest.approx([20.0, 20.0], abs=1.0)


def test_the_day_of_the_week_is_found():
    """Low weekends are a season of a week; the epoch's first day was a Thursday."""
    days = np.arange(40)
    season = choose(DAY * days, np.where((days + 3) % 7 >= 5, 1.0, 5.0))

    assert season is not None
    assert (season.period, len(season.centres), season.phrase(0.0)) == (WEEK, 7, "on a Thursday")


def test_hours_that_differ_by_weekday_are_found():
    """Office hours need the hour of the week."""
    hours = np.arange(24 * 7 * 5)
    office = ((hours // 24 + 3) % 7 < 5) & (hours % 24 >= 8) & (hours % 24 < 18)
    season = choose(HOUR * hours, np.where(office, 100.0, 5.0))

    assert season is not None
    assert len(season.centres) == 168
    assert season.phrase(9 * HOUR) == "on a Thursday at 09:00 UTC"


@pytest.mark.parametrize("count", [0, 1, 3, 13], ids=str)
def test_too_little_history_has_no_season(count):
    """Under three cycles nothing repeats."""
    assert choose(DAY * np.arange(count), np.where(np.arange(count) % 7 < 5, 5.0, 1.0)) is None
