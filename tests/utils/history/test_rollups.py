"""Roll-ups: made of every point exactly once, equal to what the points say; what is past its time goes, and no more."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.counts import few
from tests.utils.history.tables import add, count, empty
from utils.database import Database
from utils.history import History
from utils.history.batches import Batch
from utils.history.cells import decoded, encoded, joined, of_points, regrouped
from utils.history.rollups import Kept

DAY = 86_400.0
YEAR = Kept(raw=400 * DAY, minute=400 * DAY, hour=400 * DAY)
USUAL = Kept(raw=DAY, minute=14 * DAY, hour=400 * DAY)
NOON = 1_700_049_600.0

numbers = st.one_of(st.integers(-1000, 1000).map(float), st.just(float("nan")))
# To the millisecond: in double precision, far smaller steps are lost beside the distance to the range's beginning.
times = st.one_of(st.floats(0.0, 600.0), st.floats(-1e6, 1e6), st.integers(-3, 3).map(lambda n: n * 3600.0)).map(
    lambda time: round(time, 3)
)
points = st.lists(st.tuples(times, numbers), max_size=150)


def roll_up(history: History) -> int:
    """Everything that waits."""
    rolled = 0
    while more := history.roll_up():
        rolled += more
    return rolled


def by_hand(given_points: "list[tuple[float, float]]", size: float) -> dict[float, tuple[float, ...]]:
    """Count, sum, least, greatest and last value of each stretch, as numpy gives them from the points themselves."""
    found = {}
    order = sorted(range(len(given_points)), key=lambda n: (given_points[n][0], n))
    for start in {np.floor(time / size) * size for time, value in given_points if not np.isnan(value)}:
        here = [given_points[n] for n in order if np.floor(given_points[n][0] / size) * size == start]
        values = np.array([value for _, value in here if not np.isnan(value)])
        found[float(start)] = (len(values), values.sum(), values.min(), values.max(), values[-1])
    return found


@settings(max_examples=few(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([(0.0, 1.0), (0.0, 2.0), (-0.5, 3.0)], [(59.9, float("nan"))] * 9)
@given(points, points)
def test_roll_ups_are_what_the_points_say(
    database: Database, history: History, early: "list[tuple[float, float]]", late: "list[tuple[float, float]]"
) -> None:
    """In any order of arrival, some rolled up before others, the rest not at all; for minutes and for hours."""
    empty(database)
    add(database, "s", [(time, {"a": value}) for time, value in early])
    roll_up(history)
    history.append("a", [time for time, _ in late], [value for _, value in late], {"dataset": "s"})

    for size in (60.0, 3600.0):
        edge = 300 * 3600.0
        read = history.range("a", {"dataset": "s"}, since=-edge, until=edge, points=int(2 * edge / size))
        rows = zip(read.times, read.count, read.total, read.low, read.high, read.last, strict=True)
        told = {float(row[0] // size * size): tuple(map(float, row[1:])) for row in rows}
        assert told == by_hand(early + late, size)


@settings(max_examples=few(60))
@given(points, st.integers(1, 149))
def test_cells_of_parts_are_those_of_the_whole(given_points: "list[tuple[float, float]]", cut: int) -> None:
    """Summing up parts, keeping them as bytes, and summing up those: nothing differs."""
    matrix = np.array(given_points, float).reshape(-1, 2)
    whole = of_points(matrix[:, 0], matrix[:, 1:])
    keys = np.floor(whole.start / 60.0)
    want, _ = regrouped(whole, keys)

    parts = []
    for part in (slice(None, cut), slice(cut, None)):
        grouped, found = regrouped(whole.rows(part), keys[part])
        parts.append((decoded(encoded(grouped), 1), found))
    got, _ = regrouped(joined([cells for cells, _ in parts], 1), np.concatenate([found for _, found in parts]))

    for name in ("start", "count", "total", "low", "high", "last", "last_time"):
        assert np.array_equal(getattr(got, name), getattr(want, name), equal_nan=True), name


def test_every_point_is_rolled_up_once(database: Database, history: History) -> None:
    """What a maintenance did is not done again by the next; open points wait for their chunk."""
    count(database, "s", 150)

    assert [roll_up(history), roll_up(history)] == [144, 0]
    count(database, "s", 2)
    assert roll_up(history) == 8


def test_what_is_dropped_was_rolled_up_and_is_still_counted(database: Database, history: History) -> None:
    """Points are gone after a day, minutes after two weeks, hours after 400 days; the figures stay the same."""
    minutes = np.arange(NOON - 30 * DAY, NOON, 60.0)
    history.append("n", minutes, np.ones(len(minutes)))
    span = {"since": NOON - 31 * DAY, "until": NOON, "by": "day"}
    before = history.aggregates("n", **span)
    assert history.retain(NOON, USUAL) == 0, "nothing was rolled up yet"
    roll_up(history)

    dropped = history.retain(NOON, USUAL)
    after = history.aggregates("n", **span)

    assert len(minutes) - 1440 - 1024 <= dropped <= len(minutes) - 1440
    assert (after.times.tolist(), after.total.tolist()) == (before.times.tolist(), before.total.tolist())
    assert database.query("SELECT min(start) >= ? FROM history_rollups WHERE level = 60", (NOON - 14.2 * DAY,))[0][0]
    assert history.range("n", since=NOON - 20 * DAY, until=NOON - 19 * DAY, points=24).count.tolist() == [60] * 24


def test_the_newest_points_of_a_rare_series_stay(database: Database, history: History) -> None:
    """A dataset that runs once a day keeps what its detectors look at, though all but one are older than a day."""
    add(database, "daily", [(NOON - day * DAY, {"rows": float(day)}) for day in range(349, -1, -1)])
    roll_up(history)

    dropped = history.retain(NOON, USUAL)

    (block,) = history.blocks(["daily"], last=256)
    assert dropped == 64
    assert block.values[:, 0].tolist() == [float(day) for day in range(255, -1, -1)]


def test_a_series_that_ended_is_dropped_whole(database: Database, history: History) -> None:
    """After the longest of the times; one that goes on stays."""
    count(database, "ended", 20)
    history.append("n", [0.0], [1.0], unit="EUR")
    add(database, "goes on", [(NOON, {"n": 1.0})])
    roll_up(history)

    assert history.retain(NOON, USUAL) == 21

    assert history.subjects() == ["goes on"]
    assert {
        table: database.query(f"SELECT count(*) FROM {table}")[0][0] for table in ("history", "history_rollups")
    } == {
        "history": 0,
        "history_rollups": 0,
    }


def test_a_clock_that_was_ahead_does_not_keep_everything_for_ever(database: Database, history: History) -> None:
    """Points of the future count as of now; once now is long ago, they go like others."""
    add(database, "s", [(NOON + 1000 * DAY, {"n": 0.0})])
    add(database, "s", [(NOON + n, {"n": 1.0}) for n in range(999)])
    roll_up(history)

    early = history.retain(NOON + 999, USUAL)
    late = history.retain(NOON + 999 + 2 * DAY, USUAL)

    assert (early, late) == (0, 704)
    assert len(history.blocks(["s"], last=1000)[0].times) == 296


def test_batches_and_points_of_one_series_stay_in_order(history: History, database: Database) -> None:
    """Whatever their sizes; and each chunk but the last has enough for the detectors' look."""
    sizes = [1, 7, 8, 63, 64, 65, 1, 1024, 1100, 3, 2100, 70]
    number = 0
    for size in sizes:
        numbers_here = np.arange(number, number + size, dtype=float)
        assert history.append("n", numbers_here, numbers_here) == size
        number += size

    (block,) = history.blocks(["{}"], last=number)

    assert block.times.tolist() == list(range(number))
    assert all(points >= 64 for (points,) in database.query("SELECT points FROM history ORDER BY chunk")[:-1])
    assert len(history.blocks(["{}"], last=256)[0].times) == 256


def test_batches_of_many_series_are_one_transaction(history: History) -> None:
    """One that is refused takes all with it."""
    good = Batch("n", [1.0], [1.0])

    with pytest.raises(ValueError, match="no number of epoch seconds"):
        history.write([good, Batch("m", [float("nan")], [1.0])])

    assert history.subjects() == []


def test_two_that_roll_up_at_once_count_nothing_twice(opened: "object", database: Database, history: History) -> None:
    """Whoever is second finds what the first left."""
    from threading import Thread

    count(database, "s", 800)
    other = History(opened())  # type: ignore[operator]  # the fixture of this folder
    rolled: list[int] = []
    threads = [Thread(target=lambda who=who: rolled.append(roll_up(who))) for who in (history, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert sum(rolled) == 800
    assert history.range("n", {"dataset": "s"}, since=0, until=7200, points=2).count.tolist() == [800]
