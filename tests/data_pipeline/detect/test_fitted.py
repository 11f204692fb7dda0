"""The causal ensemble's model of a series, and those that a process keeps."""

import numpy as np
import pytest

from data_pipeline.detect.fitted import Fitted, Models

HOUR = 3600.0


def noise(n, seed=0):
    return HOUR * np.arange(n), 100.0 + np.random.default_rng(seed).normal(size=n)


def test_points_at_once_and_one_by_one_have_the_same_figures():
    """A point is judged by what was learned and those before it."""
    times, values = noise(200)
    values[170] = 130.0
    fitted = Fitted.to("rows", times[:150], values[:150])
    at_once = fitted.figures(times, values, 50).fused

    one_by_one = [float(fitted.figures(times[:n], values[:n], 1).fused[-1]) for n in range(151, 201)]

    assert one_by_one == pytest.approx(at_once.tolist(), abs=1e-5)
    assert int(at_once.argmax()) == 20


def test_a_model_holds_until_its_series_has_outgrown_it():
    """Three tenths more points; and it never judges a point that it was learned from."""
    times, values = noise(200)
    models = Models()
    key = ("orders", "rows")
    first = models.fitted(key, times[:101], values[:101], 1)

    assert models.fitted(key, times[:131], values[:131], 1) is first
    assert models.fitted(key, times[:132], values[:132], 1) is not first
    assert models.fitted(key, times[:101], values[:101], 50).until == times[50]


def test_what_was_said_since_makes_a_model_useless():
    """It was learned from points that are no past any more."""
    times, values = noise(101)
    models = Models()

    one, other = (models.fitted(("orders", "rows"), times, values, 1, mark) for mark in ((), (7,)))

    assert one is not other


def test_the_models_that_are_kept_are_bounded_by_what_they_learned_from():
    """The one that was not asked about for longest goes first."""
    times, values = noise(101)
    models = Models(most=200)
    a, b = (models.fitted((name, "rows"), times, values, 1) for name in "ab")
    assert models.fitted(("a", "rows"), times, values, 1) is a

    models.fitted(("c", "rows"), times, values, 1)

    assert models.fitted(("a", "rows"), times, values, 1) is a
    assert models.fitted(("b", "rows"), times, values, 1) is not b
