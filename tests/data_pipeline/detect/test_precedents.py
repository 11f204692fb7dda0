"""What comes back with a day of the month or of the year."""

import numpy as np
import pytest

from data_pipeline.detect.detect import detect
from data_pipeline.detect.detector import Series
from data_pipeline.detect.precedents import has_precedent
from data_pipeline.detect.wall import DAY, UTC_WALL

START = 1_735_689_600.0  # 2025-01-01T00:00:00Z, a Wednesday
REACH = 100.0


def days(n, *, last_days=(), first_of_year=False, step=DAY):
    times = START + step * np.arange(n)
    values = 1000.0 + 10.0 * np.random.default_rng(1).normal(size=n)
    values[np.isin(UTC_WALL.of_month(times), last_days)] = 5000.0
    if first_of_year:
        values[UTC_WALL.of_year(times) == 101] = 0.0
    return times, values


@pytest.mark.parametrize(
    ("n", "last_days", "news"),
    [(31, (30,), True), (59, (30,), True), (90, (30,), False), (243, (30,), False), (243, (), True)],
    ids=["the first month's end", "the second", "the third", "the eighth", "one end of many that were ordinary"],
)
def test_the_third_end_of_a_month_is_no_news(n, last_days, news):
    """However far from all other days, whether the months have 28, 30 or 31 days."""
    times, values = days(n, last_days=last_days)
    values[-1] = 5000.0

    assert has_precedent(times, values, REACH, UTC_WALL) is not news
    assert bool(detect([Series("rows", "orders", times, values)]).anomalies) is news


def test_an_end_of_month_that_is_not_as_the_others_is_news():
    """What comes back is the figure, not any figure."""
    times, values = days(243, last_days=(30,))
    values[-1] = 9000.0

    assert not has_precedent(times, values, REACH, UTC_WALL)


def test_the_new_year_is_as_the_last_one():
    """One year ago is enough; the day after is news."""
    times, values = days(367, first_of_year=True)

    assert has_precedent(times[:366], values[:366], REACH, UTC_WALL)
    values[366] = 0.0
    assert not has_precedent(times, values, REACH, UTC_WALL)


def test_points_nearer_than_days_have_no_such_days():
    """All hours of a last day would excuse each other."""
    times, values = days(24 * 90, last_days=(30,), step=3600.0)

    assert not has_precedent(times, values, REACH, UTC_WALL)
