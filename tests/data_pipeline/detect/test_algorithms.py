"""What every detection algorithm promises, from the one registry; and the ensemble, which is one of them."""

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from data_pipeline.detect.detector import ALARM, Series
from data_pipeline.detect.ensemble import MEMBERS, EnsembleDetector, EnsembleModel
from data_pipeline.detect.registry import ALGORITHMS, algorithm
from data_pipeline.detect.wall import Wall

HOUR = 3600.0
KNOWN = 400  # points of history

# What an algorithm is not made to see. k-means compares shapes at equal height and deviation; windows of 100 and
# 200 points average a point away; a spectrum has no level.
BLIND = {
    "spike": {"window_kmeans", "window_neighbours_200"},
    "level shift": {"window_kmeans"},
    "drop to zero": {"window_kmeans"},
    "vanished season": set(),
    "growing variance": {"window_kmeans"},
}


def series(values, start=0):
    values = np.asarray(values, np.float64)
    return Series("", "orders", HOUR * (start + np.arange(len(values))), values)


def noise(n, seed=1):
    return 100.0 + np.random.default_rng(seed).normal(size=n)


def seasonal(n, seed=1):
    return 100.0 + 10.0 * np.sin(2 * np.pi * np.arange(n) / 24) + np.random.default_rng(seed).normal(size=n) / 2


def local_hours(change, n=35 * 24 + 96):
    """(times, values) of an hourly feed that goes by the clocks of Berlin, quieter at weekends; they change 35 days
    after its beginning."""
    times = (change - timedelta(days=35)).timestamp() + HOUR * np.arange(n)
    shown = [datetime.fromtimestamp(time, ZoneInfo("Europe/Berlin")) for time in times.tolist()]
    day = np.array([1.0 + 0.8 * np.sin((wall.hour - 6) / 12 * np.pi) for wall in shown])
    week = np.array([0.4 if wall.weekday() >= 5 else 1.0 for wall in shown])
    return times, 1000.0 * day * week * (1.0 + 0.03 * np.random.default_rng(0).normal(size=n))


def spoiled(incident):
    """(history, 100 new points of which the last 40 are wrong)."""
    history, new = noise(KNOWN), noise(100, 5)
    if incident == "spike":
        new[60] += 12.0
    elif incident == "level shift":
        new[60:] += 8.0
    elif incident == "drop to zero":
        new[60:] = 0.0
    elif incident == "growing variance":
        new[60:] = 100.0 + 8.0 * (new[60:] - 100.0)
    else:
        history, new = np.split(seasonal(KNOWN + 100), [KNOWN])
        new[60:] = noise(40, 6)
    return history, new


def detector(name, **settings):
    return EnsembleDetector(MEMBERS if name == "ensemble" else (name,), **settings)


@pytest.fixture(params=[*ALGORITHMS, "ensemble"])
def name(request):
    return request.param


def test_a_flat_line_is_silent(name):
    """What never moved and does not move is not strange."""
    model = detector(name).fit(series(np.full(100, 7.0)))

    assert (model.score(series(np.full(50, 7.0), 100)) < ALARM).all()


def test_noise_is_as_silent_as_promised(name):
    """On 2,000 new points of the same noise: no more than twice the promised 2.5 episodes per 1,000."""
    asked = detector(name, rate=2.5)
    episodes = 0
    for seed in range(4):
        values = noise(KNOWN + 500, seed)
        alarm = asked.fit(series(values[:KNOWN])).score(series(values[KNOWN:], KNOWN)) >= ALARM
        episodes += int(alarm[0]) + int(np.count_nonzero(alarm[1:] & ~alarm[:-1]))

    assert episodes <= 2 * 2.5 * 2


@pytest.mark.parametrize("incident", BLIND)
def test_incidents_stand_out(name, incident):
    """The new points up to the incident are silent, and then the score is higher than anywhere before."""
    history, new = spoiled(incident)

    scores = detector(name).fit(series(history)).score(series(new, KNOWN))

    assert (scores[:60] < ALARM).all()
    stands_out = scores[60:].max() > scores[:60].max()
    assert stands_out or name in BLIND[incident]


@pytest.mark.parametrize("incident", BLIND)
def test_the_ensemble_raises_an_alarm(incident):
    """All members together pass their limit, not only their usual scores."""
    history, new = spoiled(incident)

    assert detector("ensemble").fit(series(history)).score(series(new, KNOWN))[60:].max() >= ALARM


CHANGES = {"spring": datetime(2026, 3, 29, tzinfo=UTC), "autumn": datetime(2026, 10, 25, tzinfo=UTC)}


@pytest.mark.parametrize("change", CHANGES)
def test_an_hourly_feed_in_local_time_raises_nothing_when_clocks_change(name, change):
    """Four days of it, from the day before on; the detector knows the zone."""
    times, values = local_hours(CHANGES[change])
    first = 34 * 24
    asked = detector(name, wall=Wall("Europe/Berlin"))

    scores = asked.fit(Series("", "fx", times[:first], values[:first])).score(
        Series("", "fx", times[first:], values[first:])
    )

    # To window LOF a night that is an hour longer is a shape of its own, for that hour.
    assert int((scores >= ALARM).sum()) <= 3 * ((name, change) == ("window_lof", "autumn"))


def test_without_the_zone_the_hour_would_be_news():
    """So the test above can fail."""
    times, values = local_hours(CHANGES["spring"])
    asked = detector("seasonal_residual")

    scores = asked.fit(Series("", "fx", times[:816], values[:816])).score(Series("", "fx", times[816:], values[816:]))

    assert scores.max() >= ALARM


def test_missing_data_raises_nothing_by_itself_and_hides_nothing(name):
    """A third of the points is missing at random, then all of a day; what comes after is judged, a spike is seen."""
    history, new = spoiled("spike")
    gaps = np.random.default_rng(8).random(KNOWN) < 1 / 3
    history[gaps] = np.nan
    model = detector(name).fit(series(history))
    new[20:44] = np.nan

    scores = model.score(series(new, KNOWN))

    assert np.isnan(scores[20:44]).all()
    assert (scores[:20] < ALARM).all()
    assert (scores[44:60] < ALARM).all()
    assert scores[60:].max() > np.nanmax(scores[:60]) or name in BLIND["spike"]


def test_noise_is_at_its_promised_rate_and_the_rate_moves_it():
    """The ensemble on 12,000 points after histories of three lengths: at most twice what is promised, less for less."""
    told = {}
    for rate in (0.5, 20.0):
        asked = detector("ensemble", rate=rate)
        episodes = 0
        for points, seed in product((40, 120, 400), range(8)):
            values = noise(points + 500, seed)
            alarm = asked.fit(series(values[:points])).score(series(values[points:], points)) >= ALARM
            episodes += int(alarm[0]) + int(np.count_nonzero(alarm[1:] & ~alarm[:-1]))
        told[rate] = episodes / 12.0

    assert told[0.5] <= 2 * 0.5
    assert 2.0 <= told[20.0] <= 2 * 20.0


def test_the_future_does_not_change_earlier_scores(name):
    """A point's score is the same whether or not more points follow it."""
    history, new = spoiled("level shift")
    model = detector(name).fit(series(history))
    whole = model.score(series(new, KNOWN))

    for cut in (1, 37, 61):
        assert np.allclose(model.score(series(new[:cut], KNOWN)), whole[:cut], atol=1e-6)


def test_order_gaps_and_repeats_are_survived(name):
    """Points in any order, twice at one time, without a value, at odd distances: finite scores, NaN for no value."""
    random = np.random.default_rng(3)
    times = HOUR * np.sort(random.integers(0, 900, 300)).astype(np.float64)
    values = noise(300)
    values[[5, 77, 250]] = np.nan, np.inf, -np.inf
    shuffle = random.permutation(300)
    points = Series("", "orders", times[shuffle], values[shuffle])

    scores = detector(name).fit(points).score(points)

    assert (np.isfinite(scores) == np.isfinite(points.values)).all()
    assert ((scores[np.isfinite(scores)] >= 0.0) & (scores[np.isfinite(scores)] <= 1.0)).all()


@pytest.mark.parametrize(
    "history",
    [[], [1.0], [1.0, 2.0, 3.0], [5.0] * 12, noise(13) * 1e12, noise(60) * 1e-9, [0.0] * 99 + [1.0], [np.nan] * 20],
    ids=["none", "one point", "three points", "constant", "huge", "tiny", "first change", "nothing but gaps"],
)
def test_odd_histories_are_survived(name, history):
    """No error and no warning; NaN as long as there are too few points."""
    model = detector(name).fit(series(history))

    scores = model.score(series([1.0, 1e12, -3.0], 1000))

    known = int(np.count_nonzero(np.isfinite(history)))
    assert np.isfinite(scores).all() == (known >= 11)
    assert (model.learning is None) == (known >= 11)


def test_the_same_history_gives_the_same_answer(name):
    """Chance is seeded."""
    history, new = spoiled("growing variance")

    first, second = (detector(name).fit(series(history)).score(series(new, KNOWN)) for _ in range(2))

    assert np.array_equal(first, second)


def test_a_state_is_json_and_brings_the_model_back(name):
    """Through strict JSON and back: the same scores."""
    history, new = spoiled("spike")
    model = detector(name).fit(series(history))

    again = EnsembleModel.from_state(json.loads(json.dumps(model.state(), allow_nan=False)))

    assert np.array_equal(again.score(series(new, KNOWN)), model.score(series(new, KNOWN)))


def test_learning_says_how_far_it_is():
    """A history too short to judge by says so in words."""
    assert detector("ensemble").fit(series(noise(8))).learning == "learning: 8 of 12 points"


def test_unknown_names_and_settings_are_refused():
    """The error says what there is, or what is allowed."""
    with pytest.raises(ValueError, match="no detection algorithm 'crystal_ball'; there are: rolling_median"):
        algorithm("crystal_ball")
    with pytest.raises(ValueError, match="one member or more"):
        EnsembleDetector(())
    with pytest.raises(ValueError, match="rate is expected false episodes"):
        EnsembleDetector(rate=0.0)
    with pytest.raises(ValueError, match="share must be above 0"):
        EnsembleDetector(share=1.5)
    with pytest.raises(ValueError, match="state of an ensemble, got kind 'median'"):
        EnsembleModel.from_state({"kind": "median"})


def test_there_are_more_than_ten_algorithms_each_in_a_file_of_its_own():
    """Variants of one algorithm share its file."""
    assert len({type(one).__module__ for one in ALGORITHMS.values()}) >= 12
