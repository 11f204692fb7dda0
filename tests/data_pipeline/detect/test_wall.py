"""Local hours, weekdays and days of the month."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.detect.season import choose
from data_pipeline.detect.wall import DAY, UTC_WALL, Wall
from tests.counts import few
from utils.calendars import Calendar

BERLIN = Wall("Europe/Berlin")


def at(*moments):
    return np.array([datetime.fromisoformat(moment).timestamp() for moment in moments])


@settings(max_examples=few(100), deadline=None)
@given(st.lists(st.integers(0, 4_000_000_000), max_size=20), st.sampled_from(["Europe/Berlin", "Asia/Kathmandu"]))
def test_the_clock_shows_what_the_zone_says(times, zone):
    """Of any moments in any order."""
    shown = Wall(zone).shown(np.array(times, np.float64))

    for time, seconds in zip(times, shown.tolist(), strict=True):
        wall = datetime.fromtimestamp(time, ZoneInfo(zone)).replace(tzinfo=UTC)
        assert seconds == wall.timestamp()


def test_both_sides_of_a_clock_change():
    """On one day there are two offsets."""
    times = at("2026-03-29T00:30Z", "2026-03-29T01:30Z", "2026-10-25T00:30Z", "2026-10-25T01:30Z")

    assert (BERLIN.of(times) % DAY / 3600).tolist() == [1.5, 3.5, 2.5, 2.5]


def test_a_day_off_is_as_good_as_a_sunday():
    """A Thursday that is no working day has the Sunday's slots; the weekend and working days are what they are."""
    wall = Wall("Europe/Berlin", Calendar(frozenset(range(5)), frozenset({date(2026, 5, 14)})))
    times = at("2026-05-13T10:00Z", "2026-05-14T10:00Z", "2026-05-16T10:00Z")

    moved = (wall.of(times) - wall.shown(times)) / DAY

    assert moved.tolist() == [0.0, 3.0, 0.0]
    assert [wall.is_day_off(time) for time in times.tolist()] == [False, True, False]
    assert wall.of(times[:1])[0] == times[0] + 7200.0


def test_a_season_of_weekdays_expects_a_holiday_to_be_like_a_sunday():
    """And its words say so."""
    wall = Wall("UTC", Calendar(frozenset(range(5)), frozenset({date(2026, 5, 14)})))
    times = at("2026-01-05T10:00Z")[0] + DAY * np.arange(120)
    values = np.where(np.arange(120) % 7 < 5, 1000.0, 100.0) + np.random.default_rng(0).normal(size=120)

    season = choose(times, values, wall)

    holiday = at("2026-05-14T10:00Z")
    assert abs(season.expected(holiday)[0] - season.expected(at("2026-05-17T10:00Z"))[0]) == 0.0
    assert season.phrase(float(holiday[0])) == "on a day off"
    assert season.phrase(float(at("2026-05-13T10:00Z")[0])) == "on a Wednesday"


def test_the_last_day_of_any_month_is_the_same():
    """In local time: at half past ten at night UTC it is the first already."""
    times = at("2026-01-31T12:00Z", "2026-02-28T12:00Z", "2028-02-29T12:00Z", "2026-04-30T22:30Z", "2026-04-15T12:00Z")

    assert BERLIN.of_month(times).tolist() == [30, 30, 30, 0, 14]
    assert BERLIN.of_year(times).tolist() == [131, 228, 229, 501, 415]


@pytest.mark.parametrize("wall", [UTC_WALL, BERLIN], ids=["UTC", "Berlin"])
def test_no_moments_and_impossible_ones_are_survived(wall):
    """Far beyond what a calendar knows, and none at all."""
    assert len(wall.of(np.zeros(0))) == 0
    assert np.isfinite(wall.of(np.array([-1e12, 0.0, 1e15]))).all()
    assert len(wall.of_month(np.array([1e15]))) == 1
