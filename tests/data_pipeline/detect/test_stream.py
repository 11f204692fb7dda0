"""Numbers as they come, each judged once."""

import numpy as np
import pytest

from data_pipeline.detect.detector import ALARM, Series
from data_pipeline.detect.ensemble import MEMBERS, EnsembleDetector
from data_pipeline.detect.stream import StreamDetector
from utils.clock import ManualClock

MINUTE = 60.0


def feed(detector, values, start=0, metric="rows"):
    """Each sample judged as it comes; the positions at which something was strange."""
    strange = []
    for position, value in enumerate(np.asarray(values, float).tolist()):
        detector.add_sample({metric: value}, time=MINUTE * (start + position))
        strange += [position for _ in detector.detect()]
    return strange


def noise(n, seed=1):
    return 1000.0 + 5.0 * np.random.default_rng(seed).normal(size=n)


def test_a_drop_is_told_when_it_comes():
    """Which way, what was expected, why, and since when; the next ordinary sample ends it."""
    detector = StreamDetector("orders")
    assert feed(detector, noise(120)) == []

    detector.add_sample({"rows": 0.0}, time=MINUTE * 120)
    (anomaly,) = detector.detect()

    assert (anomaly.metric, anomaly.subject, anomaly.direction, anomaly.severity) == (
        "rows",
        "orders",
        "down",
        "critical",
    )
    assert 900.0 < anomaly.expected_low < 1000.0 < anomaly.expected_high < 1100.0
    assert anomaly.reason.startswith("rows 0, expected 9")
    assert anomaly.agree == MEMBERS
    assert anomaly.since == MINUTE * 120


def test_a_sample_is_judged_once():
    """Asking again tells nothing new."""
    detector = StreamDetector()
    feed(detector, noise(60))
    detector.add_sample({"rows": 0.0}, time=MINUTE * 60)

    assert [len(detector.detect()), len(detector.detect())] == [1, 0]


def test_stream_and_batch_agree():
    """While one model holds, a sample's verdict is that of the model for all samples at once."""
    history, new = noise(200), noise(40, 2)
    new[25] += 60.0
    model = EnsembleDetector().fit(Series("", "", MINUTE * np.arange(200), history))
    at_once = model.score(Series("", "", MINUTE * (200 + np.arange(40)), new))

    for position in range(40):
        past = np.concatenate((history, new[: position + 1]))
        verdict = model.judge(MINUTE * np.arange(len(past)), past)
        assert verdict.score == pytest.approx(float(at_once[position]), abs=1e-6)
    assert at_once[25] >= ALARM


def test_a_lasting_step_is_learned():
    """Flagged when it happens, quiet once it has lasted: growth of the history is what it takes."""
    detector = StreamDetector()
    feed(detector, noise(100))

    strange = feed(detector, 500.0 + noise(120, 3), start=100)

    assert strange[0] == 0
    assert max(strange) < 120


@pytest.mark.parametrize(
    "ordinary",
    [
        1000.0 + 5.0 * np.arange(200) + 20.0 * np.random.default_rng(0).normal(size=200),
        np.where(np.arange(200) % 7 < 5, 1000.0, 100.0) + 10.0 * np.random.default_rng(1).normal(size=200),
        np.random.default_rng(2).poisson(3.0, 200).astype(float),
        np.exp(np.random.default_rng(3).normal(size=200)),
    ],
    ids=["steady growth", "weekends", "small counts", "a long tail"],
)
def test_ordinary_ways_of_a_metric_are_no_news(ordinary):
    """Daily samples from the first one on."""
    detector = StreamDetector()
    found = []
    for day, value in enumerate(ordinary.tolist()):
        detector.add_sample({"rows": value}, time=86_400.0 * day)
        found += detector.detect()

    assert found == []


def test_a_short_incident_does_not_teach():
    """The same incident is found again, after the model has been fitted anew in between."""
    detector = StreamDetector()
    values = noise(300)
    values[100:106] += 400.0
    values[250] += 400.0

    strange = feed(detector, values)

    assert 100 in strange
    assert 250 in strange


@pytest.mark.parametrize("seed", range(3))
def test_growth_by_a_share_of_itself_is_expected_to_go_on(seed):
    """One per cent a day, twentyfold in the end: next to nothing is news; a fifth less is, for some days."""
    days = np.arange(300)
    growing = 1000.0 * 1.01**days * (1.0 + 0.02 * np.random.default_rng(seed).normal(size=300))
    growing[290] *= 0.8
    detector = StreamDetector()

    strange = feed(detector, growing)

    assert 290 in strange
    assert len(strange) <= 5


def test_a_model_that_is_often_wrong_is_fitted_anew_soon():
    """Growth that begins anew each month is not foreseen; it is caught up with, not left out incident by incident."""
    detector = StreamDetector()
    days = np.arange(300)
    growing = 1000.0 + 40.0 * (days // 30) ** 2 + 5.0 * np.random.default_rng(0).normal(size=300)

    strange = feed(detector, growing)

    assert 60 in strange
    assert len(strange) < 50


def test_one_call_fits_one_metric():
    """Twelve metrics begin together; they take twelve calls to be fitted."""
    detector = StreamDetector()
    fitted = []
    for position in range(30):
        detector.add_sample({f"m{i}": float(v) for i, v in enumerate(noise(12, position))}, time=MINUTE * position)
        detector.detect()
        fitted.append(12 - len(detector.learning))

    assert fitted[9] == 0
    assert np.diff(fitted).max() == 1
    assert fitted[-1] == 12


def test_learning_is_told_and_ends():
    """In points of the metric itself."""
    detector = StreamDetector()
    feed(detector, noise(8))

    assert detector.learning == {"rows": "learning: 8 of 12 points"}
    feed(detector, noise(8), start=8)
    assert detector.learning == {}


def test_memory_is_bounded_and_a_long_stream_goes_on():
    """More samples than are kept, with an incident at the end that is still found."""
    detector = StreamDetector(memory=120)
    values = noise(320)
    values[310] = 0.0

    assert 310 in feed(detector, values)


def test_the_clock_says_when_a_sample_was_taken():
    """Samples without a time; time must go on between them."""
    clock = ManualClock()
    detector = StreamDetector(clock=clock)
    detector.add_sample({"rows": 1.0})

    with pytest.raises(ValueError, match="rows: samples must come in order of time"):
        detector.add_sample({"rows": 2.0})
    clock.advance(1.0)
    detector.add_sample({"rows": 2.0})
    assert detector.learning == {"rows": "learning: 2 of 12 points"}


def test_what_is_no_number_is_left_out():
    """NaN and infinity take no place in the history."""
    detector = StreamDetector()
    feed(detector, [1.0, np.nan, np.inf, 2.0])

    assert detector.learning == {"rows": "learning: 2 of 12 points"}


def test_a_memory_too_short_to_learn_from_is_refused():
    """The error says how much it takes."""
    with pytest.raises(ValueError, match="memory must be at least 120 samples; got 10"):
        StreamDetector(memory=10)


def test_what_was_fine_is_learned_and_the_like_is_judged_more_quietly():
    """A little less far out is no news afterwards; plainly further out is, in words that say why."""
    detector = StreamDetector("orders")
    values = noise(300)
    feed(detector, values[:200])
    detector.add_sample({"rows": 1040.0}, time=MINUTE * 200)
    (told,) = detector.detect()

    detector.not_an_anomaly(told)

    assert 0 not in feed(detector, [1038.0, *noise(20, 5)], start=201)
    assert feed(detector, [0.0], start=230) != []


def test_a_new_normal_is_learned_anew():
    """What was before is forgotten: twelve samples of silence, then judged by the new level."""
    detector = StreamDetector("orders")
    feed(detector, noise(100))
    assert feed(detector, 500.0 + noise(3, 3), start=100) != []

    detector.normal_since(MINUTE * 100)

    assert detector.learning == {"rows": "learning: 3 of 12 points"}
    assert feed(detector, 500.0 + noise(60, 4), start=103) == []
    assert feed(detector, [1000.0], start=163) == [0]


def test_an_excluded_time_is_neither_judged_nor_learned_from():
    """Ahead, and what lies within it already; of one metric."""
    detector = StreamDetector("orders")
    feed(detector, noise(100))
    detector.exclude(MINUTE * 90, MINUTE * 130, "rows")

    assert feed(detector, np.zeros(30), start=100) == []
    assert feed(detector, noise(20, 2), start=130) == []
    assert feed(detector, [0.0], start=150) == [0]
    with pytest.raises(ValueError, match="must end after it begins"):
        detector.exclude(10.0, 10.0)
