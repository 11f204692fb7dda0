"""The ensemble's opinion about what the median finds strange."""

import numpy as np
import pytest

from data_pipeline.detect.detect import detect
from data_pipeline.detect.detector import Series
from data_pipeline.detect.ensemble import MEMBERS
from data_pipeline.detect.median import Judgement, MedianDetector
from data_pipeline.detect.opinion import Opinion
from utils.history import Block

HOUR = 3600.0


def history(n, last):
    values = np.append(100.0 + np.random.default_rng(0).normal(size=n - 1), last)
    return Series("rows", "orders", HOUR * np.arange(n), values)


def about(series, rate=0.5, ratio=1.5, opinion=None):
    judged = Judgement(np.array([ratio]), np.array([100.0]), np.array([3.0]))
    return (opinion or Opinion()).about(series, MedianDetector(rate=rate), judged)


def test_a_drop_is_confirmed_and_an_ordinary_point_is_not():
    """With the names of those that agree, in the order of the ensemble."""
    assert about(history(100, 0.0)) == (True, True, MEMBERS)
    assert about(history(100, 100.0)) == (False, False, ())


def test_what_is_beyond_doubt_is_told_whatever_the_others_say():
    """An incident that the ensemble has seen before, three times as far out as the median's limit."""
    assert about(history(100, 100.0), ratio=3.0).confirmed


def test_a_lower_rate_asks_for_more():
    """The same point is confirmed at ten false episodes per 1,000 points, and not at a hundredth of one."""
    assert [about(history(100, 103.0), rate).confirmed for rate in (10.0, 0.01)] == [True, False]


def test_a_short_history_is_not_asked_about():
    """Stretches were seen too few times to say anything."""
    assert about(history(30, 0.0)) is None


def test_so_many_points_are_asked_about_and_no_more():
    """What an outage of everything costs is bounded."""
    opinion = Opinion(most=2)

    assert [about(history(60, 0.0), opinion=opinion) is None for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("longer", [False, True], ids=["what a run reads", "a longer past"])
def test_a_longer_past_may_know_better(longer):
    """Every forty days there are more rows: where no such day is in what a run reads, that is news."""
    days = np.arange(441)
    values = np.where(days % 40 == 0, 1080.0, 1000.0) + 10.0 * np.random.default_rng(1).normal(size=441)
    whole = Block("orders", ("rows",), 24 * HOUR * days, values[:, None])
    read = Block("orders", ("rows",), whole.times[-37:], whole.values[-37:])

    found = detect([read], opinion=Opinion(past=(lambda _: [whole]) if longer else None)).anomalies

    assert bool(found) is not longer


def test_an_anomaly_of_a_run_says_who_agrees():
    """In its JSON form, too, which is what the event holds."""
    (anomaly,) = detect([history(100, 0.0)]).anomalies

    assert anomaly.to_json()["agree"] == list(MEMBERS)
    assert anomaly.severity == "critical"


def test_severity_is_what_both_say():
    """Far out by the median is critical only when the ensemble is certain as well: it has seen the like ten times."""
    days = np.arange(441)
    values = np.where(days % 40 == 0, 1080.0, 1000.0) + 10.0 * np.random.default_rng(1).normal(size=441)
    values[-1] = 1150.0
    whole = Block("orders", ("rows",), 24 * HOUR * days, values[:, None])
    read = Block("orders", ("rows",), whole.times[-37:], whole.values[-37:])

    asked = [detect([read], opinion=Opinion(most=most, past=lambda _: [whole])).anomalies for most in (0, 50)]

    assert [[one.severity for one in found] for found in asked] == [["critical"], ["warning"]]
