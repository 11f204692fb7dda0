"""Ranges and aggregates: from whatever level is left, every point once, nothing that sticks out lost."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.counts import few
from tests.utils.history.tables import add, empty
from tests.utils.history.test_rollups import DAY, NOON, USUAL, roll_up
from utils.database import Database
from utils.history import History
from utils.history.rollups import Kept


def epoch(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def test_a_range_over_all_levels_counts_every_point_once(history: History) -> None:
    """Hours, minutes, points and what is not rolled up yet lie side by side; nothing is missing or there twice."""
    every = np.arange(NOON - 40 * DAY, NOON, 300.0)
    history.append("n", every, np.arange(len(every), dtype=float))
    roll_up(history)
    history.retain(NOON, USUAL)
    fresh = np.arange(NOON, NOON + 3000, 300.0)
    history.append("n", fresh, np.full(len(fresh), 1e6))

    for points in (7, 40, 1200, 10_000):
        read = history.range("n", since=NOON - 40 * DAY, until=NOON + 3600, points=points)
        assert read.count.sum() == len(every) + len(fresh), points
        assert read.total.sum() == np.arange(len(every)).sum() + 1e6 * len(fresh), points
        assert len(read.times) <= points
        assert (np.diff(read.times) > 0).all()
    assert (read.low.min(), read.high.max(), read.last[-1]) == (0.0, 1e6, 1e6)


def test_a_spike_is_seen_however_wide_the_buckets_are(history: History) -> None:
    """One value of a million, in a chart of 1,200 points."""
    values = np.zeros(1_000_000)
    values[777_777] = 42.0
    history.append("n", NOON + np.arange(1_000_000), values)

    read = history.range("n", since=NOON, until=NOON + 1_000_000)

    assert len(read.times) <= 1200
    assert read.high.max() == 42.0
    assert read.count.sum() == 1_000_000
    assert read.times[int(read.high.argmax())] == pytest.approx(NOON + 777_777, abs=1_000_000 / 1200)


@settings(max_examples=few(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 100 * 24), st.integers(1, 90)), max_size=5),
    st.integers(1, 96),
    st.integers(1, 96),
    st.integers(1, 96),
    st.booleans(),
)
def test_days_are_the_same_after_any_maintenance(
    database: Database,
    history: History,
    bursts: "list[tuple[int, int]]",
    raw: int,
    minute: int,
    hour: int,
    set_back: bool,
) -> None:
    """Whatever is kept how long: what one can still read of a day is right, and the newest hours are whole."""
    empty(database)
    written: list[float] = []
    for begin, size in bursts:
        when = NOON + 3600.0 * begin + 7.0 * np.arange(size)
        when = when[::-1] if set_back else when
        history.append("n", when, np.ones(size))
        written += when.tolist()
        roll_up(history)
        history.retain(max(written), Kept(raw * 3600.0, minute * 3600.0, hour * 3600.0))

    read = history.aggregates("n", since=NOON, until=NOON + 101 * DAY, by="hour")

    want = _hours(written)
    got = dict(zip(read.times.tolist(), read.count.tolist(), strict=True))
    assert all(got[start] <= want[start] for start in got)
    kept_from = max(written, default=NOON) - hour * 3600.0
    assert {start: n for start, n in got.items() if start > kept_from} == {
        start: n for start, n in want.items() if start > kept_from
    }


def _hours(times: "list[float]") -> dict[float, float]:
    hours, counts = np.unique(np.floor(np.array(times) / 3600.0) * 3600.0, return_counts=True)
    return dict(zip(hours.tolist(), counts.astype(float).tolist(), strict=True))


def test_days_are_those_of_the_zone(history: History) -> None:
    """A day has 23 hours in spring and 25 in autumn; each day begins at its own midnight."""
    hours = np.arange(epoch("2026-01-01"), epoch("2027-01-01"), 3600.0)
    history.append("n", hours, np.ones(len(hours)))
    roll_up(history)

    def counted(since: str, until: str, by: str) -> dict[str, float]:
        zone = "Europe/Berlin"
        read = history.aggregates("n", since=epoch(since, zone), until=epoch(until, zone), by=by, zone=zone)  # type: ignore[arg-type]
        begins = [datetime.fromtimestamp(time, ZoneInfo(zone)) for time in read.times]
        return dict(zip([f"{begin:%m-%d %H}" for begin in begins], read.count.tolist(), strict=True))

    assert counted("2026-03-28", "2026-03-31", "day") == {"03-28 00": 24, "03-29 00": 23, "03-30 00": 24}
    assert counted("2026-10-24", "2026-10-27", "day") == {"10-24 00": 24, "10-25 00": 25, "10-26 00": 24}
    assert counted("2026-03-15", "2026-04-15", "month") == {"03-01 00": 31 * 24 - 1, "04-01 00": 30 * 24}
    autumn = history.aggregates(
        "n",
        since=epoch("2026-10-25T00:00", "Europe/Berlin"),
        until=epoch("2026-10-25T04:00", "Europe/Berlin"),
        by="hour",
    )
    assert autumn.count.tolist() == [1] * 5, "the hour from two to three is there twice"


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"])
def test_days_of_zones_between_two_hours_are_exact(history: History, zone: str) -> None:
    """As long as minutes are kept: the hours of UTC do not fit them."""
    minutes = np.arange(epoch("2026-04-03"), epoch("2026-04-08"), 60.0)
    history.append("n", minutes, minutes)
    roll_up(history)

    read = history.aggregates(
        "n", since=epoch("2026-04-04", zone), until=epoch("2026-04-06T12:00", zone), by="day", zone=zone
    )

    edges = [epoch(f"2026-04-0{day}", zone) for day in (4, 5, 6, 7)]
    want = [int(((minutes >= a) & (minutes < b)).sum()) for a, b in pairwise(edges)]
    assert read.times.tolist() == edges[:-1]
    assert read.count.tolist() == want
    assert read.low.tolist() == edges[:-1]


def test_hours_go_on_when_the_clock_changes_by_half_of_one(history: History) -> None:
    """Lord Howe, where summer time is 30 minutes: every point in one bucket, the buckets at whole hours again."""
    zone = "Australia/Lord_Howe"
    minutes = np.arange(epoch("2026-04-04T12:00"), epoch("2026-04-04T18:00"), 60.0)
    history.append("n", minutes, minutes)

    read = history.aggregates("n", since=float(minutes[0]), until=float(minutes[-1]) + 60, by="hour", zone=zone)

    assert read.count.sum() == len(minutes)
    assert sorted(set(read.count[1:-1].tolist())) == [30, 60]
    assert datetime.fromtimestamp(read.times[-1], ZoneInfo(zone)).minute == 0


def test_a_metric_of_several_sets_is_one_series(database: Database, history: History) -> None:
    """A rule was added, so it was measured in other company since."""
    add(database, "fx", [(NOON + n, {"rows": 1.0, "nulls": 0.0}) for n in range(10)])
    add(database, "fx", [(NOON + n, {"rows": 2.0, "nulls": 0.0, "failed": 0.0}) for n in range(10, 30)])

    read = history.range("rows", {"dataset": "fx"}, since=NOON, until=NOON + 60, points=1)

    assert (read.count.tolist(), read.total.tolist(), read.last.tolist()) == ([30], [50], [2])
    assert [str(one) for one in history.series("rows")] == ['rows{dataset="fx"}']


def test_what_is_not_there_is_an_empty_range(history: History) -> None:
    """No series of that name, no such labels, or nothing at that time."""
    history.append("n", [NOON], [1.0], {"shop": "berlin"})

    for name, labels, since in (("m", {}, NOON), ("n", {}, NOON), ("n", {"shop": "berlin"}, NOON + 1)):
        read = history.range(name, labels, since=since, until=since + 10)
        assert len(read.times) == len(read.mean) == 0
        assert read.table().num_rows == 0
    assert len(history.aggregates("m", since=NOON, until=NOON + 10, by="month").times) == 0


def test_a_range_is_an_arrow_table(history: History) -> None:
    """With times in UTC, ready for whoever draws or computes."""
    history.append("n", [NOON, NOON + 0.5], [1.0, 3.0])

    table = history.range("n", since=NOON, until=NOON + 1, points=1).table()

    assert table.to_pylist() == [
        {
            "time": datetime.fromtimestamp(NOON, UTC),
            "count": 2,
            "mean": 2.0,
            "low": 1.0,
            "high": 3.0,
            "last": 3.0,
            "total": 4.0,
        }
    ]


def test_infinite_values_are_counted_like_others(history: History) -> None:
    """Their sum may be none; what is least and greatest still is."""
    history.append("n", NOON + np.arange(16.0), [np.inf, -np.inf] * 8)
    roll_up(history)

    read = history.range("n", since=NOON, until=NOON + 7200, points=1)

    assert (read.count[0], read.low[0], read.high[0], read.last[0]) == (16, -np.inf, np.inf, -np.inf)
    assert np.isnan(read.mean[0])


@pytest.mark.parametrize(
    ("since", "until", "points"),
    [(10.0, 10.0, 5), (10.0, 9.0, 5), (float("nan"), 9.0, 5), (0.0, 1e300, 5), (0.0, 1.0, 0)],
    ids=["empty", "backwards", "no number", "endless", "no points"],
)
def test_a_range_that_is_none_is_refused(history: History, since: float, until: float, points: int) -> None:
    """In words that hold what was asked."""
    with pytest.raises(ValueError, match=r"no range of time|too few"):
        history.range("n", since=since, until=until, points=points)


def test_a_period_or_zone_that_is_none_is_refused(history: History) -> None:
    """Naming it."""
    with pytest.raises(ValueError, match="'week' is no period"):
        history.aggregates("n", since=0.0, until=1.0, by="week")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'Mars/Base' is no time zone"):
        history.aggregates("n", since=0.0, until=1.0, by="day", zone="Mars/Base")


@pytest.mark.prove
def test_ten_million_points_of_a_series_stay_exact(history: History) -> None:
    """In batches, rolled up, dropped to a day: every point still counts in a chart of any width."""
    size, at_once = 10_000_000, 250_000
    for start in range(0, size, at_once):
        history.append("n", NOON + np.arange(start, start + at_once), np.ones(at_once))
    before = history.range("n", since=NOON, until=NOON + size)
    roll_up(history)
    rolled = history.range("n", since=NOON, until=NOON + size)
    dropped = history.retain(NOON + size, USUAL)
    after = history.range("n", since=NOON, until=NOON + size)

    assert before.count.sum() == rolled.count.sum() == after.count.sum() == size
    assert size - DAY - 1024 <= dropped <= size - DAY
    assert len(after.times) <= 1200
    days = history.aggregates("n", since=NOON, until=NOON + size, by="day")
    assert set(days.count[1:-1].tolist()) == {DAY}
