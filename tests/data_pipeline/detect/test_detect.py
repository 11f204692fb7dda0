"""A whole run's new points at once: what is flagged, what is not, and in which words."""

import json
import time
import warnings

import numpy as np
import pytest

from data_pipeline.detect.detect import detect
from data_pipeline.detect.detector import Series
from utils.history import Block

HOUR, DAY = 3600.0, 86_400.0
START = 20_000 * DAY


def block(values, *, subject="orders", metrics=("rows",), step=DAY):
    values = np.asarray(values, np.float64).reshape(len(values), -1)
    return Block(subject, metrics, START + step * np.arange(len(values)), values)


def noise(n, k=1, seed=1):
    return 1000.0 + 10.0 * np.random.default_rng(seed).normal(size=(n, k))


def test_a_drop_is_explained_in_words():
    """The reason says what came, what was expected, and how rare that is."""
    values = np.append(noise(89), 300.0)

    (found,) = detect([block(values)]).anomalies

    assert (found.subject, found.metric, found.value, found.direction) == ("orders", "rows", 300.0, "down")
    assert found.severity == "critical"
    assert 900.0 < found.expected_low < found.expected_high < 1100.0
    assert found.time == found.since == START + 89 * DAY
    low, high = f"{found.expected_low:,.0f}", f"{found.expected_high:,.0f}"
    assert found.reason == f"rows 300, expected {low} to {high}; lowest of 90 points"


def test_an_anomaly_is_json():
    """Events carry it: plain numbers and words, none of them infinite."""
    (found,) = detect([block(np.append(noise(40), 0.0))]).anomalies

    assert json.loads(json.dumps(found.to_json(), allow_nan=False)) == found.to_json()


def test_the_weekday_is_named_where_it_counts():
    """A Wednesday with a weekend's rows is strange because it is a Wednesday."""
    days = np.arange(20_000, 20_000 + 85)
    weekday = (days + 3) % 7
    values = np.where(weekday >= 5, 300.0, 1000.0) + np.random.default_rng(2).normal(size=85) * 5
    assert weekday[82] == 2

    silent = detect([block(values)], new_points=70)
    values[82] = 300.0
    (found,) = detect([block(values[:83])]).anomalies

    assert silent.anomalies == []
    assert "on a Wednesday; lowest of 12 such points" in found.reason


def test_a_drop_to_zero_inside_a_wide_daily_season_is_seen():
    """The season hides zero from the plain look, not from the close one."""
    hours = np.arange(240)
    values = 100 + 80 * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(3).normal(size=240)
    values[-1] = 0.0

    found = detect([block(values, metrics=("requests",), step=HOUR)]).anomalies

    assert [one.direction for one in found] == ["down"]
    assert "UTC" in found[0].reason


def test_learning_says_how_far_it_is():
    """Under 12 points there is no verdict, and the count is told."""
    found = detect([block(np.append(noise(7), 0.0)), block(noise(12), subject="old")])

    assert found.anomalies == []
    assert found.learning == {("orders", "rows"): "learning: 8 of 12 points"}
    assert found.judged == 1


@pytest.mark.parametrize("draw", ["normal", "student", "laplace", "walk"])
def test_noise_is_silent_at_the_promised_rate(draw):
    """Half a false episode per 1,000 points: 20,000 points of pure noise give ten, and chance a few more."""
    random = np.random.default_rng(7)
    shape = (228, 200)
    values = {
        "normal": lambda: random.normal(size=shape),
        "student": lambda: random.standard_t(5, size=shape),
        "laplace": lambda: random.laplace(size=shape),
        "walk": lambda: random.normal(size=shape).cumsum(axis=0),
    }[draw]()
    metrics = tuple(f"m{i}" for i in range(200))

    found = detect([block(values, metrics=metrics, step=HOUR)], new_points=100)

    assert found.judged == 20_000
    assert len({(one.metric, one.since) for one in found.anomalies}) <= 14


def test_consecutive_anomalies_are_one_episode():
    """All points of a step name the same beginning; once it is learned there are no more."""
    values = noise(110).ravel()
    values[90:] += 300.0

    found = detect([block(values)], new_points=20).anomalies

    assert 5 <= len(found) <= 6
    assert {one.since for one in found} == {START + 90 * DAY}


def test_every_verdict_comes_from_the_past_only():
    """Judged in one call or run by run, point by point: the same anomalies."""
    values = noise(60, 3)
    values[[30, 45, 46, 52], [0, 1, 1, 2]] = 0.0
    metrics = ("rows", "bytes", "other")

    at_once = detect([block(values, metrics=metrics)], new_points=40).anomalies
    one_by_one = [a for n in range(21, 61) for a in detect([block(values[:n], metrics=metrics)]).anomalies]

    assert at_once == one_by_one
    assert at_once == detect([block(values, metrics=metrics)], new_points=40).anomalies
    assert {(a.metric, (a.time - START) / DAY) for a in at_once} == {
        ("rows", 30.0), ("bytes", 45.0), ("bytes", 46.0), ("other", 52.0)
    }  # fmt: skip


@pytest.mark.parametrize("points", [40, 300])
def test_a_point_is_no_part_of_what_it_is_held_against(points):
    """However large a spike is, the band that it leaves is the same: it does not widen its own baseline."""
    usual = noise(points)

    found = [detect([block(np.append(usual, size))]).anomalies[0] for size in (1_500.0, 1e6, 1e12)]

    assert len({(one.expected_low, one.expected_high, one.since) for one in found}) == 1
    assert [one.score for one in found] == sorted(one.score for one in found)


def test_figures_of_columns_share_one_rate():
    """A dataset with a hundred of them is about as quiet as one figure; each by its own rate would be no help."""

    def found(name):
        metrics = tuple(name.format(number) for number in range(100))
        draws = [1000 + 10 * np.random.default_rng(seed).laplace(size=(300, 100)) for seed in range(3)]
        return [detect([block(draw, metrics=metrics)], new_points=200, rate=5.0) for draw in draws]

    of_columns, by_themselves = found("mean(c{})"), found("mean_{}")

    assert [one.judged for one in of_columns] == [200 * 100] * 3
    assert sum(len(one.anomalies) for one in by_themselves) > 30
    assert sum(len(one.anomalies) for one in of_columns) <= 3


def test_a_figure_of_a_column_is_known_by_what_it_measures():
    """`nulls` is wrong upwards only, of whichever column; a name without a column leaves that figure of all out."""
    spike = noise(40, 2, 1)
    spike[-1] = 300.0
    both = block(spike, metrics=("mean(a)", "nulls(a)"))

    assert [one.metric for one in detect([both]).anomalies] == ["mean(a)"]
    assert detect([both], exclude=["mean"]).anomalies == detect([both], exclude=["mean(a)"]).anomalies == []
    assert len(detect([both], exclude=["mean(b)"]).anomalies) == 1
    assert detect([block(spike[:5], metrics=("mean(a)", "rows"))]).learning.keys() == {("orders", "rows")}


def test_only_new_points_are_judged():
    """`new_since` is a moment; what lies before it was judged by another run."""
    values = noise(60)
    values[50] = 0.0
    run = START + 55 * DAY

    found = detect([block(values), block(values[:50], subject="idle")], new_since=run)

    assert found.anomalies == []
    assert found.judged == 5
    assert len(detect([block(values)], new_since=START + 50 * DAY).anomalies) == 1


def test_missing_values_are_not_judged():
    """NaN as the newest value is no verdict; NaN and infinities in the past do no harm."""
    values = noise(60, 2)
    values[::6, 0] = np.nan
    values[5, 0] = np.inf
    values[-1] = (0.0, np.nan)

    found = detect([block(values, metrics=("rows", "bytes"))])

    assert [one.metric for one in found.anomalies] == ["rows"]
    assert found.judged == 1


def test_unordered_and_repeated_times_are_put_in_order():
    """A block in any order, with repeats, gives what the ordered one gives."""
    ordered = block(np.append(noise(59), 0.0))
    mixed = np.random.default_rng(4).permutation(np.concatenate((np.arange(60), np.arange(0, 60, 7))))
    shuffled = Block("orders", ("rows",), ordered.times[mixed], ordered.values[mixed])

    assert detect([shuffled]) == detect([ordered])
    assert len(detect([shuffled]).anomalies) == 1


def test_a_changed_set_of_metrics_does_not_begin_again():
    """Two blocks of one subject that share a metric are one history; a metric that went away is not judged."""
    values = noise(40, 2)
    values[-1, 0] = 0.0
    before = Block("orders", ("bytes", "rows"), START + DAY * np.arange(30), values[:30, ::-1])
    after = Block("orders", ("rows",), START + DAY * np.arange(30, 40), values[30:, :1])

    found = detect([before, after])

    assert [(one.metric, one.time) for one in found.anomalies] == [("rows", START + 39 * DAY)]
    assert (found.judged, found.learning) == (1, {})


@pytest.mark.parametrize(
    ("metric", "usual", "good", "bad"),
    [
        ("quality", 99.0, 100.0, 60.0),
        ("latency_s", 0.5, 0.0, 30.0),
        ("attempts", 1.0, 0.0, 5.0),
        ("data_age_s", 600.0, 0.0, 86_400.0),
    ],
)
def test_one_sided_metrics_know_their_bad_side(metric, usual, good, bad):
    """Better than ever is not an anomaly, worse is."""
    history = usual * (1.0 + 0.001 * np.random.default_rng(5).normal(size=40))

    assert detect([block(np.append(history, good), metrics=(metric,))]).anomalies == []
    assert len(detect([block(np.append(history, bad), metrics=(metric,))]).anomalies) == 1


def test_direction_narrows_and_ignore_below_and_exclude_silence():
    """The dataset's own settings: one direction, a least change, metrics left out."""
    drop = [block(np.append(noise(59), 850.0))]

    assert len(detect(drop, direction="down").anomalies) == 1
    assert detect(drop, direction="up").anomalies == []
    assert len(detect(drop, ignore_below=0.10).anomalies) == 1
    assert detect(drop, ignore_below=0.20).anomalies == []
    assert detect(drop, exclude=["rows"]).judged == 0


def test_many_blocks_of_different_lengths_keep_their_own_verdicts():
    """Padding and chunking do not mix the series of a run up."""
    blocks, expected = [], set()
    for i in range(300):
        values = noise(5 + i % 90, 1 + i % 4, seed=i)
        if i % 3 == 0:
            values[-1, -1] = 0.0
            if len(values) >= 12:
                expected.add((f"d{i}", f"m{i % 4}"))
        blocks.append(block(values, subject=f"d{i}", metrics=tuple(f"m{k}" for k in range(1 + i % 4))))

    found = detect(blocks)

    assert {(one.subject, one.metric) for one in found.anomalies} == expected
    assert found.judged + len(found.learning) == sum(len(one.metrics) for one in blocks)


def test_nothing_to_judge_is_no_trouble():
    """No series, an empty one, one without metrics."""
    empty = Series("rows", "orders", np.array([]), np.array([]))
    bare = Block("orders", (), np.array([1.0]), np.empty((1, 0)))

    assert detect([]).judged == 0
    assert detect([empty, bare]).judged == 0


def test_a_block_whose_arrays_do_not_fit_is_named():
    """The error says which subject, and which shape was expected."""
    with pytest.raises(ValueError, match=r"orders: .*shape \(5, 2\); got \(5, 1\)"):
        detect([Block("orders", ("rows", "bytes"), np.arange(5.0), np.ones((5, 1)))])


def test_huge_numbers_raise_no_warning():
    """Values near the end of float64 overflow quietly."""
    values = np.full(60, 1e308)
    values[1::2] = -1e308
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert detect([block(values, metrics=("x",))], new_points=30).judged == 30


def test_a_run_of_a_thousand_datasets_is_cheap():
    """8,000 series of 200 points: microseconds each, seasons included (a generous bound against slow machines)."""
    values = noise(200, 8)
    blocks = [block(values, subject=f"d{i}", metrics=tuple("abcdefgh")) for i in range(1000)]
    detect(blocks[:64])

    started = time.process_time()
    found = detect(blocks)

    assert found.judged == 8000
    assert time.process_time() - started < 10.0
