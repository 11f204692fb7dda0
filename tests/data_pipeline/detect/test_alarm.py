"""When a figure is an alarm."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.detect.alarm import FIRST, alarms, told_at
from data_pipeline.detect.fitted import Fitted
from tests.counts import few

LONG = 10_000  # points before: limits as they are in the end


@pytest.mark.parametrize(
    ("figures", "strange"),
    [([0, 5.6, 0], [1]), ([0, 5.4, 0], []), ([0, 3.1, 4.1], [2]), ([0, 2.9, 4.1], []), ([0, 4.1, 3.1], [])],
    ids=["plainly once", "not plainly", "twice in a row", "the first too low", "the second too low"],
)
def test_plainly_once_or_twice_in_a_row(figures, strange):
    """By the figures of the usual rate."""
    assert np.flatnonzero(alarms(np.array(figures, float), LONG).strange).tolist() == strange


def test_an_episode_lasts_until_five_points_are_quiet():
    """A point that is not quiet begins the count again."""
    figures = np.array([6.0, 1.0, 1.0, 1.6, *[1.0] * 6])

    assert alarms(figures, LONG).open.tolist() == [True] * 8 + [False] * 2


def test_what_comes_soon_after_is_no_news():
    """A tenth of the history: ten points of a hundred, not before."""
    figures = np.zeros(40)
    figures[[0, 8, 30]] = 7.0

    assert np.flatnonzero(alarms(figures, 100).onset).tolist() == [0, 30]


@pytest.mark.parametrize("earlier", [12, 50, 1000])
def test_a_short_history_and_a_low_rate_ask_for_more(earlier):
    """Twice as much at twenty points; a rate widens the limit to 1.36 times at most."""
    assert told_at(earlier, 0.5) == pytest.approx(4.0 * (1.0 + (20.0 / earlier) ** 2))
    assert told_at(earlier, 5.0) < told_at(earlier, 0.5) < told_at(earlier, 0.1) < told_at(earlier, 0.001)
    assert told_at(earlier, 0.001) == pytest.approx(1.36 * told_at(earlier, 0.5))


@settings(max_examples=few(50), deadline=None)
@given(st.lists(st.floats(-3.0, 8.0), max_size=60), st.integers(0, 60))
def test_going_on_later_is_as_if_there_had_been_no_break(figures, cut):
    """What is kept of the points before is all that it takes."""
    whole = np.array(figures)
    first = alarms(whole[:cut], 30, FIRST)
    second = alarms(whole[cut:], 30 + len(whole[:cut]), first.standing)

    at_once = alarms(whole, 30)

    for name in ("strange", "open", "onset"):
        parts = np.concatenate((getattr(first, name), getattr(second, name)))
        assert parts.tolist() == getattr(at_once, name).tolist()
    assert second.standing == at_once.standing


def test_noise_is_silent_as_promised_and_the_rate_moves_the_alarms():
    """On 1,800 points of normal noise after histories of three lengths, and as many with a heavy tail."""
    told = {}
    for draw, points, seed in product(("normal", "student"), (40, 100, 300), range(6)):
        random = np.random.default_rng(seed)
        values = random.normal(size=points + 100) if draw == "normal" else random.standard_t(5, size=points + 100)
        times = 3600.0 * np.arange(points + 100)
        figures = Fitted.to("rows", times[:points], values[:points]).figures(times, values, 100).fused
        for rate in (0.1, 0.5, 20.0):
            told[draw, rate] = told.get((draw, rate), 0) + int(alarms(figures, points, rate=rate).onset.sum())

    assert told["normal", 0.5] <= 2 * 0.5 * 1.8
    for draw in ("normal", "student"):
        assert told[draw, 0.1] <= told[draw, 0.5] < told[draw, 20.0] <= 20.0 * 1.8
