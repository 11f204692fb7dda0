"""What was said about anomalies changes what is told: pure, on blocks and anomalies."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.detect.detect import detect
from data_pipeline.detect.detector import Anomaly
from data_pipeline.detect.feedback import heard, masked, widened
from data_pipeline.detect.feedback_views import EVERYTHING, Said, Told
from tests.counts import few
from utils.history import Block

HOUR = 3600.0


def said(kind: Any, since: float, until: float | None = None, *told: Told, **more: Any) -> Said:
    about = {"subject": "orders", "metric": "rows", **more}
    return Said(1, "", about["subject"], about["metric"], kind, since, until, told, "orders.rows", "me", "")


def block(*values: float, metrics: tuple[str, ...] = ("rows",)) -> Block:
    columns = np.repeat(np.array(values)[:, None], len(metrics), axis=1)
    return Block("orders", metrics, HOUR * np.arange(len(values)), columns)


def anomaly(score: float, *, time: float = 90 * HOUR, direction: Any = "up", metric: str = "rows") -> Anomaly:
    return Anomaly(metric, "orders", time, 9.0, score, "critical", direction, 1.0, 3.0, "rows 9", time)


def noise(n: int = 60) -> list[float]:
    return (1000.0 + 10.0 * np.random.default_rng(1).normal(size=n)).tolist()


def anomalies_of(blocks: list[Block], *feedback: Said, new: int = 1) -> list[Anomaly]:
    return heard(detect(masked(blocks, feedback), new_points=new).anomalies, feedback)


def test_a_point_that_was_fine_is_no_anomaly_any_more() -> None:
    """That one, of that metric; another metric's at the same time is one still."""
    blocks = [block(*noise(), 1200.0, metrics=("rows", "bytes"))]
    (rows, _) = anomalies_of(blocks)

    left = anomalies_of(blocks, said("fine", 60 * HOUR, 60 * HOUR, Told(rows.time, rows.direction, rows.score)))

    assert [one.metric for one in left] == ["bytes"]


def test_the_like_is_judged_more_quietly_afterwards() -> None:
    """As far out as that was is no news; further out is, and says that it is although the limit is wider."""
    first = [*noise(), 1110.0]
    (told,) = anomalies_of([block(*first)])
    fine = said("fine", told.time, told.time, Told(told.time, told.direction, told.score))
    later = first + noise(30)

    assert anomalies_of([block(*later, 1105.0)]) != []
    assert anomalies_of([block(*later, 1105.0)], fine) == []
    (further,) = anomalies_of([block(*later, 2000.0)], fine)
    assert "times as wide, because the like was said to be fine" in further.reason
    assert further.expected_high > anomalies_of([block(*later, 2000.0)])[0].expected_high


def test_the_other_side_stays_as_sharp() -> None:
    """Who said that more is fine did not say that less is."""
    fine = said("fine", 0.0, 0.0, Told(0.0, "up", 0.9))

    assert heard([anomaly(0.55, direction="down")], [fine]) == [anomaly(0.55, direction="down")]
    assert heard([anomaly(0.55)], [fine]) == []


def test_one_word_never_makes_deaf() -> None:
    """However far out the fine point lay, the limit is at most ten times as wide; said again, a hundred times."""
    fine = said("fine", 0.0, 0.0, Told(0.0, "down", 1.0))

    assert widened([fine], "orders", "rows", "down") == pytest.approx(10.0)
    assert widened([fine, fine], "orders", "rows", "down") == pytest.approx(100.0)
    (still,) = heard([anomaly(15 / 16, direction="down")], [fine])  # 15 times as far out as the limit
    assert (still.severity, round(still.score, 3)) == ("warning", 0.6)
    assert (still.expected_low, still.expected_high) == (0.0, 3.0)


def test_normal_since_then_begins_to_learn_anew() -> None:
    """A step is told until somebody says that it is normal; then its own level counts, and is guarded."""
    step = noise() + [1500.0 + number % 3 for number in range(14)]
    feedback = said("normal_since", 60 * HOUR)

    assert anomalies_of([block(*step[:62])]) != []
    assert anomalies_of([block(*step[:62])], feedback) == []
    assert anomalies_of([block(*step)], feedback) == []
    (back,) = anomalies_of([block(*step, 1000.0)], feedback)
    assert back.direction == "down"


def test_an_excluded_time_neither_alarms_nor_is_learned_from() -> None:
    """Its points are not judged, and an incident within it does not hide the next."""
    outage = noise(20) + [0.0] * 30 + noise(20)
    feedback = said("excluded", 20 * HOUR, 50 * HOUR)

    during = anomalies_of([block(*outage)], feedback, new=50)
    assert during == []
    assert anomalies_of([block(*outage)], new=50) != []
    assert anomalies_of([block(*outage, 0.0)]) == []
    assert [one.direction for one in anomalies_of([block(*outage, 0.0)], feedback)] == ["down"]


@pytest.mark.parametrize(
    ("about", "columns"),
    [
        ({}, [True, False]),
        ({"metric": ""}, [True, True]),
        ({"subject": EVERYTHING, "metric": ""}, [True, True]),
        ({"subject": "others", "metric": ""}, [False, False]),
    ],
    ids=["one metric", "a dataset", "everything", "another dataset"],
)
def test_only_what_was_meant_is_cut(about: dict[str, str], columns: list[bool]) -> None:
    """From the beginning of the time up to, not with, its end; a block not meant is not copied."""
    whole = block(1.0, 2.0, 3.0, 4.0, metrics=("rows", "bytes"))

    (cut,) = masked([whole], [said("excluded", HOUR, 3 * HOUR, **about)])

    assert np.isnan(cut.values[1:3]).all(axis=0).tolist() == columns
    assert not np.isnan(cut.values[[0, 3]]).any()
    assert any(columns) or cut is whole


@settings(max_examples=few(60), deadline=None)
@given(
    scores=st.lists(st.floats(0.5, 1.0), max_size=6),
    new=st.floats(0.5, 1.0),
)
def test_feedback_only_ever_makes_quieter(scores: list[float], new: float) -> None:
    """Whatever was said: the limit grows with each word, at most ten times, and no score rises."""
    feedback = [said("fine", 0.0, 0.0, Told(0.0, "up", score)) for score in scores]
    widths = [widened(feedback[:number], "orders", "rows", "up") for number in range(len(feedback) + 1)]

    assert all(a <= b <= 10.0 * a for a, b in pairwise(widths))
    for one in heard([anomaly(new)], feedback):
        assert 0.5 <= one.score <= new
