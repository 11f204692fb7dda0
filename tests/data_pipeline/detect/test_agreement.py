"""Which algorithms agree about a point that sticks out."""

import numpy as np

from data_pipeline.detect.agreement import Agreement
from data_pipeline.detect.detect import detect
from data_pipeline.detect.detector import Series
from data_pipeline.detect.ensemble import MEMBERS

HOUR = 3600.0


def history(n, last):
    values = np.append(100.0 + np.random.default_rng(0).normal(size=n - 1), last)
    return HOUR * np.arange(n), values


def test_all_agree_on_a_drop_and_none_on_an_ordinary_point():
    """By name, in the order of the ensemble."""
    assert Agreement().about(*history(100, 0.0)) == MEMBERS
    assert Agreement().about(*history(100, 100.0)) == ()


def test_a_short_history_is_not_asked_about():
    """Stretches were seen too few times to say anything."""
    assert Agreement().about(*history(30, 0.0)) == ()


def test_so_many_points_are_asked_about_and_no_more():
    """What an outage of everything costs is bounded."""
    agreement = Agreement(most=2)

    assert [bool(agreement.about(*history(60, 0.0))) for _ in range(3)] == [True, True, False]


def test_an_anomaly_of_a_run_says_who_agrees():
    """In its JSON form, too, which is what the event holds."""
    times, values = history(100, 0.0)

    (anomaly,) = detect([Series("rows", "orders", times, values)]).anomalies

    assert anomaly.to_json()["agree"] == list(MEMBERS)
