"""The promises of the median detector, fitted on a history and asked about points."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data_pipeline.detect.detector import ALARM, CRITICAL, Series
from data_pipeline.detect.median import MedianDetector, MedianModel
from tests.counts import few

HOUR, DAY = 3600.0, 86_400.0


def series(values, *, metric="x", step=DAY, start=0.0):
    values = np.asarray(values, np.float64)
    return Series(metric, "orders", start + step * np.arange(len(values)), values)


def score_of(history, *points, metric="x", step=DAY, **settings_):
    model = MedianDetector(**settings_).fit(series(history, metric=metric, step=step))
    return model.score(series(points, metric=metric, step=step, start=len(history) * step))


def noise(n, seed=1):
    return 1000.0 + 10.0 * np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize("level", [0.0, 1.0, 1000.0, -5.0, 1e12], ids=str)
def test_a_flat_line_is_silent(level):
    """A constant that stays, or moves by rounding, is nothing."""
    assert (score_of(np.full(60, level), level, level * (1 + 1e-9), level + 1e-12) < ALARM).all()


def test_a_real_step_on_a_constant_count_is_flagged():
    """1,000 rows each day for two months, then 900: strange, although the spread was zero."""
    assert score_of(np.full(60, 1000.0), 900.0)[0] >= ALARM


@pytest.mark.parametrize(
    ("history", "point"),
    [(noise(90), 1200.0), (noise(90), 0.0), (noise(20), 2000.0), (noise(90) * 1e12, 0.0)],
    ids=["spike", "drop to zero", "spike on a short history", "drop at 1e12"],
)
def test_spikes_and_drops_are_flagged(history, point):
    """A point far outside its past scores as critical."""
    assert score_of(history, point)[0] >= CRITICAL


def test_a_lasting_step_is_flagged_and_then_learned():
    """A new level is strange for some points, and usual once the majority of the newest stands on it."""
    after = score_of(noise(90), *(noise(12, seed=2) + 200.0))

    assert (after[:5] >= ALARM).all()
    assert (after[6:] < ALARM).all()


def test_an_incident_does_not_hide_its_repeat():
    """Five points of the same incident in the history leave the sixth as strange."""
    history = noise(90)
    history[40:45] = 0.0

    assert score_of(history, 0.0)[0] >= CRITICAL


def test_weekends_are_silent_and_a_weekday_like_a_weekend_is_not():
    """Two low days a week are a season; the same low count on a Wednesday is an anomaly."""
    days = np.arange(92)  # day 0 of the epoch is a Thursday
    weekend = np.isin((days + 3) % 7, [5, 6])
    values = np.where(weekend, 300.0, 1000.0) + np.random.default_rng(3).normal(size=92) * 5
    history = values[:84]

    usual = score_of(history, *values[84:])
    low_thursday = score_of(history, 300.0)

    assert (usual < ALARM).all()
    assert low_thursday[0] >= CRITICAL


def test_learning_gives_no_verdict():
    """Under 12 points, the judged one included, a score is NaN."""
    scores = score_of(noise(9), *noise(4, seed=2))

    assert np.isnan(scores[:2]).all()
    assert np.isfinite(scores[2:]).all()


@pytest.mark.parametrize("points", [0, 1, 3], ids=str)
def test_tiny_histories_are_survived(points):
    """Nothing, one point, three points: a model, and no verdict."""
    assert np.isnan(score_of(noise(points), 5.0)).all()


def test_nan_and_gaps_are_survived():
    """Points without a value get no score and do not disturb the others."""
    history, holes = noise(90), noise(90)
    holes[::7] = np.nan
    holes[3] = np.inf

    scores = score_of(holes, np.nan, 1000.0, np.inf, 0.0)

    assert np.isnan(scores[[0, 2]]).all()
    assert scores[1] < ALARM <= scores[3]
    assert score_of(history, 1000.0)[0] < ALARM


def test_order_and_duplicates_of_the_history_do_not_matter():
    """A shuffled history with repeated points is the history."""
    plain = series(noise(90))
    mixed = np.random.default_rng(4).permutation(np.concatenate((np.arange(90), np.arange(0, 90, 5))))
    shuffled = Series("x", "orders", plain.times[mixed], plain.values[mixed])
    points = series([1015.0, 1200.0], start=90 * DAY)

    a, b = (MedianDetector().fit(history).score(points) for history in (plain, shuffled))

    assert np.array_equal(a, b)


@pytest.mark.parametrize("step", [HOUR, DAY], ids=["hourly", "daily"])
def test_the_future_does_not_change_earlier_scores(step):
    """Each point is judged from the past only, and again gives the same answer."""
    values = noise(60)
    values[45] = 0.0
    model = MedianDetector().fit(series(values[:30], step=step))

    whole = model.score(series(values[30:], step=step, start=30 * step))
    prefix = model.score(series(values[30:50], step=step, start=30 * step))

    assert np.array_equal(whole[:20], prefix)
    assert np.array_equal(whole, model.score(series(values[30:], step=step, start=30 * step)))


def test_one_sided_metrics_are_silent_on_their_good_side():
    """A faster answer is no anomaly; a slower one is, and `direction` narrows it for others."""
    latencies = 1.0 + 0.1 * np.random.default_rng(5).random(60)

    assert score_of(latencies, 0.0, metric="latency_s")[0] == 0.0
    assert score_of(latencies, 60.0, metric="latency_s")[0] >= CRITICAL
    assert score_of(noise(60), 0.0, direction="up")[0] == 0.0


def test_a_lower_rate_is_quieter():
    """The rate says how many false episodes one accepts: fewer means a wider band."""
    quiet, loud = (score_of(noise(90), 1060.0, rate=rate)[0] for rate in (0.01, 50.0))

    assert quiet < ALARM <= loud


def test_state_survives_json():
    """A model that went through JSON scores as before."""
    history = np.where(np.arange(84) % 7 < 5, 1000.0, 300.0) + np.arange(84) % 3
    model = MedianDetector(rate=1.0, direction="down").fit(series(history))
    points = series([300.0, 1000.0, 500.0], start=84 * DAY)

    again = MedianModel.from_state(json.loads(json.dumps(model.state())))

    assert model.season is not None
    assert np.array_equal(model.score(points), again.score(points))


def test_another_detectors_state_is_refused():
    """A state says which detector it belongs to."""
    with pytest.raises(ValueError, match="median"):
        MedianModel.from_state({"kind": "forest"})


@pytest.mark.parametrize(
    ("setting", "word"),
    [({"rate": 0.0}, "rate"), ({"direction": "left"}, "direction"), ({"window": 5}, "window")],
    ids=["rate", "direction", "window"],
)
def test_settings_out_of_range_are_named(setting, word):
    """A wrong setting is an error that names it."""
    with pytest.raises(ValueError, match=word):
        MedianDetector(**setting)


def test_a_series_whose_arrays_differ_in_length_is_refused():
    """Times and values belong together."""
    with pytest.raises(ValueError, match="orders: metric rows"):
        Series("rows", "orders", np.zeros(3), np.zeros(2))


def test_numbers_at_the_end_of_float64_are_survived():
    """Values whose differences overflow give a verdict, not a warning."""
    history = np.where(np.arange(40) % 2, 1e308, -1e308)

    assert score_of(history, 0.0, 1.7e308, 5e-324)[0] < ALARM


@settings(max_examples=few(60), deadline=None)
@given(
    values=arrays(np.float64, st.integers(0, 60), elements=st.floats(width=64)),
    times=st.lists(st.floats(0, 1e9), min_size=60, max_size=60),
)
def test_any_numbers_give_scores_between_0_and_1(values, times):
    """Whatever is in the history or comes next: a score in 0..1 or NaN, and no warning."""
    moments = np.array(times[: len(values)])

    scores = MedianDetector().fit(Series("x", "s", moments, values)).score(Series("x", "s", moments, values))

    known = scores[~np.isnan(scores)]
    assert scores.shape == values.shape
    assert ((known >= 0.0) & (known <= 1.0)).all()
