"""The entry points by which anyone can measure the detection."""

import subprocess
import sys

import numpy as np
import pytest

from data_pipeline import detect

HOUR = 3600


def hourly(n, k=None, seed=1):
    random = np.random.default_rng(seed)
    times = HOUR * np.arange(n)
    values = 100 + 30 * np.sin(2 * np.pi * times / 86_400)[:, None] + random.normal(size=(n, k or 1))
    return (values if k else values[:, 0]), times


@pytest.mark.parametrize("metrics", [None, 3], ids=["one metric", "three metrics"])
def test_both_rank_an_incident_first(metrics):
    """The point that was spoiled has the highest score; the causal detector alarms there, and soon is quiet again."""
    values, times = hourly(400, metrics)
    values[300] += 40.0

    scores, alarms = detect.score_causal(values, times, 100)
    whole = detect.score_series(values, times, 100)

    assert int(scores.argmax()) == int(whole.argmax()) == 300
    assert np.flatnonzero(alarms)[0] == 300
    assert np.flatnonzero(alarms)[-1] < 330


def test_causal_scores_do_not_change_with_the_future():
    """Cut anywhere: the scores before the cut stay."""
    values, times = hourly(300)
    values[200:] += 50.0
    scores, alarms = detect.score_causal(values, times, 50)

    for cut in (5, 12, 57, 201, 299):
        again, again_alarms = detect.score_causal(values[:cut], times[:cut], 50)
        assert np.array_equal(again, scores[:cut])
        assert np.array_equal(again_alarms, alarms[:cut])


@pytest.mark.parametrize("n", [0, 1, 2, 3, 11, 12], ids=str)
def test_short_series_are_survived(n):
    """One score a point, finite, whatever the length."""
    values, times = hourly(n)
    for scores in (detect.score_causal(values, times, 0)[0], detect.score_series(values, times, 0)):
        assert scores.shape == (n,)
        assert np.isfinite(scores).all()


def test_missing_values_and_repeated_times_are_survived():
    """NaN scores nothing; the others are scored."""
    values, times = hourly(100)
    values[10:20] = np.nan
    times[50] = times[49]

    scores = detect.score_series(values, times, 0)

    assert (scores[10:20] == 0.0).all()
    assert np.isfinite(scores).all()
    assert np.isfinite(detect.score_causal(values, times, 0)[0]).all()


def test_arrays_that_do_not_fit_are_refused():
    """The error names both shapes."""
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        detect.score_series([1.0, 2.0, 3.0], [1, 2], 0)


def test_importing_the_package_imports_no_numpy():
    """A run without detection must not pay for it."""
    code = "import sys, data_pipeline.detect; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_metrics_that_no_longer_go_together_are_found():
    """Each column keeps its own habits; only their relation breaks."""
    random = np.random.default_rng(4)
    common = random.normal(size=600)
    values = common[:, None] * [1.0, 2.0, -1.0] + 0.1 * random.normal(size=(600, 3))
    values[400:420, 1] = -values[400:420, 1]
    times = HOUR * np.arange(600)

    scores = detect.score_series(values, times, 200)

    assert 395 <= int(scores.argmax()) < 425
    assert scores[400:420].mean() > np.quantile(np.delete(scores, slice(390, 430)), 0.95)


def test_a_long_series_is_judged_by_long_windows_too():
    """A season that breaks off for a while in 4,000 points is the strangest stretch, also by the opening."""
    values, times = hourly(4000)
    values[2500:2548] = 100.0 + np.random.default_rng(2).normal(size=48)

    scores = detect.score_series(values, times, 800)

    assert 2480 <= int(scores.argmax()) < 2570


def test_times_in_any_order_are_scored_in_the_order_given():
    """A shuffled series has the shuffled scores."""
    values, times = hourly(300)
    values[200] += 50.0
    shuffle = np.random.default_rng(1).permutation(300)

    assert np.allclose(
        detect.score_series(values[shuffle], times[shuffle], 0), detect.score_series(values, times, 0)[shuffle]
    )


def test_measuring_imports_neither_scikit_learn_nor_pandas():
    """The ensemble is made of numpy alone: a run must not wait a second for an import."""
    code = (
        "import sys, data_pipeline.detect.registry; from data_pipeline.detect import score_causal, score_series; "
        "sys.exit(any(name in sys.modules for name in ('sklearn', 'scipy', 'pandas')))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
