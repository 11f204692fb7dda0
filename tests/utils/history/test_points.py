"""Metric history: what was appended comes back exactly, in order, quickly."""

import math
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.counts import few
from tests.utils import children
from tests.utils.history.tables import add, count, empty
from utils.database import Database
from utils.history import History, point
from utils.history.points import POINTS_IN_A_CHUNK, POINTS_OPEN


@settings(max_examples=few(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    points=st.lists(
        st.tuples(
            st.floats(min_value=-1e12, max_value=1e12),
            st.tuples(st.floats(), st.one_of(st.none(), st.integers(-(2**53), 2**53), st.floats(width=64))),
        ),
        min_size=1,
        max_size=150,
    )
)
def test_points_come_back_exactly(database: Database, points: "list[tuple[float, tuple[float, float | None]]]") -> None:
    """Every bit of every number (infinities and signed zeros too), in the order of arrival; None as NaN."""
    empty(database)
    add(database, "s", [(time, {"a": a, "b": b}) for time, (a, b) in points])

    (block,) = History(database).blocks(["s"])

    written = [[time, a, math.nan if b is None else b] for time, (a, b) in points]
    read = np.column_stack([block.times, block.values]).tolist()
    assert [struct.pack("<3d", *row) for row in read] == [struct.pack("<3d", *row) for row in written]
    assert block.metrics == ("a", "b")


@pytest.mark.parametrize("points", [1, 7, 8, 9, POINTS_IN_A_CHUNK - 1, 64, 65, 127, 128, 129, 200])
def test_chunks_hold_64_points(database: Database, history: History, points: int) -> None:
    """Each full but the last; up to seven points wait outside; nothing is lost at a boundary."""
    count(database, "s", points)

    (block,) = history.blocks(["s"], last=1000)

    assert block.times.tolist() == [float(n) for n in range(points)]
    closed, waiting = points - points % POINTS_OPEN, points % POINTS_OPEN
    sizes = [64] * (closed // 64) + ([closed % 64] if closed % 64 else [])
    assert database.query("SELECT points, length(data) FROM history ORDER BY chunk") == [(n, n * 16) for n in sizes]
    assert database.query("SELECT points, length(data) FROM history_open") == [(waiting, waiting * 16)]


@pytest.mark.parametrize("last", [1, 2, 63, 64, 65, 66, 128, 129, 256, 1000])
@pytest.mark.parametrize("points", [1, 64, 65, 193, 300])
def test_the_newest_points_are_read(database: Database, history: History, points: int, last: int) -> None:
    """Exactly `last` of them, or all there are."""
    count(database, "s", points)

    (block,) = history.blocks(["s"], last=last)

    assert block.times.tolist() == [float(n) for n in range(points)][-last:]


@pytest.mark.parametrize("points", [1, 7, 8, 63, 64, 65, 72], ids="{} points".format)
def test_the_newest_value_of_what_is_measured_alone(database: Database, history: History, points: int) -> None:
    """Wherever the last point went when its row was full; sets of several metrics are left out."""
    count(database, '{"shop":"berlin"}', points)
    count(database, "fx", 3)
    add(database, "fx", [(9.0, {"rows": 1.0, "score": 2.0})])

    found = [(str(series), series.newest, value) for series, value in history.recorded()]

    last = float(points - 1)
    assert found == [('n{dataset="fx"}', 2.0, 2.0), ('n{shop="berlin"}', last, last)]
    assert history.figures().series == len(history.series()) == 4


def test_sets_of_metrics_are_blocks_of_their_own(database: Database, history: History) -> None:
    """A set that was measured long ago keeps its points beside one that is measured every minute."""
    add(database, "s", [(float(n), {"old": n, "older": -n}) for n in range(3)])
    add(database, "s", [(float(n), {"often": n}) for n in range(500)])

    found = {block.metrics: block.values[:, 0].tolist() for block in history.blocks(["s"], last=70)}

    assert found == {("old", "older"): [0.0, 1.0, 2.0], ("often",): [float(n) for n in range(430, 500)]}


def test_many_subjects_are_read_at_once_in_the_order_asked_for(database: Database, history: History) -> None:
    """Once each; one without points has no block."""
    for subject in ("b", "a", "ü 'quoted\""):
        count(database, subject, 70)

    blocks = history.blocks(["ü 'quoted\"", "missing", "a", "b", "a"])

    assert [block.subject for block in blocks] == ["ü 'quoted\"", "a", "b"]
    assert {len(block.times) for block in blocks} == {70}
    assert history.subjects() == ["a", "b", "ü 'quoted\""]
    assert history.blocks([]) == []


def test_a_clock_that_is_set_back_costs_no_points(database: Database, history: History) -> None:
    """They stay in the order of arrival, in full chunks."""
    times = [1000.0 + n for n in range(64)] + [10.0 + n for n in range(64)]
    add(database, "s", [(time, {"n": 1.0}) for time in times])

    (block,) = history.blocks(["s"])

    assert block.times.tolist() == times
    assert database.query("SELECT points FROM history") == [(64,), (64,)]


def test_a_series_leaves_out_points_without_a_value(database: Database, history: History) -> None:
    """What was not measured is not zero."""
    add(database, "s", [(1.0, {"a": 5.0, "b": None}), (2.0, {"a": None, "b": 7.0}), (3.0, {"a": 6.0, "b": 8.0})])

    (block,) = history.blocks(["s"])
    times, values = block.series("a")

    assert (times.tolist(), values.tolist()) == ([1.0, 3.0], [5.0, 6.0])
    assert np.isnan(block.values).sum() == 2


def test_points_that_were_not_closed_one_by_one_are_not_lost(database: Database, history: History) -> None:
    """A run closes once, at its end; when its process is killed before, the next run does."""
    with database.transaction() as connection:
        for number in range(100):
            connection.execute(*point("s", float(number), {"n": float(number)}))
    (before,) = history.blocks(["s"])

    count(database, "other", 1)
    (after,) = history.blocks(["s"])

    assert before.times.tolist() == after.times.tolist() == [float(n) for n in range(100)]
    assert database.query("SELECT points FROM history") == [(100,)]


@pytest.mark.parametrize("values", [{}, {"a,b": 1.0}, {"a": 1.0, "": 2.0, "c,": 3.0}], ids=["none", "comma", "both"])
def test_metric_names_that_cannot_be_kept_are_refused(values: dict[str, float | None]) -> None:
    """With the subject and the names."""
    with pytest.raises(ValueError, match="orders: metrics need names without commas"):
        point("orders", 0.0, values)


@pytest.mark.parametrize("time", [math.nan, math.inf, 1e16], ids=["no number", "infinite", "too far"])
def test_a_time_that_is_none_is_refused(time: float) -> None:
    """Before the database does, in words."""
    with pytest.raises(ValueError, match=r"orders: .* is no time in epoch seconds"):
        point("orders", time, {"n": 1.0})


def test_two_processes_append_to_one_subject(address: str, history: History) -> None:
    """Each point is there once, each process's in its order."""
    measuring = [children.start("measure", address, "s", 150) for _ in range(2)]
    children.let_go(*measuring)
    pids = [float(children.finish(child)[0]) for child in measuring]

    (block,) = history.blocks(["s"], last=1000)

    assert len(block.times) == 300
    for pid in pids:
        assert block.values[block.values[:, 0] == pid, 1].tolist() == [float(n) for n in range(150)]
