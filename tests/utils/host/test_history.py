"""What the history keeps of a host: one point a minute, rolled up and dropped like everything else in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.utils.history.tables import open_at
from tests.utils.host.samples import sampled
from utils.clock import ManualClock
from utils.database import Database, Statement
from utils.events import EventStore
from utils.history import History
from utils.history.rollups import Kept
from utils.host.history import HostPoints, labels, metric

HOUR, DAY = 3600.0, 86_400.0
NOON = 1_700_049_600.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """With the tables of log and history."""
    database = open_at(str(tmp_path / "history.db"))
    yield database
    database.close()


def write(database: Database, statements: tuple[Statement, ...]) -> None:
    with database.transaction() as connection:
        for sql, parameters in statements:
            connection.execute(sql, parameters)


def test_a_minute_is_one_point(database: Database) -> None:
    """Means, the highest of what may spike, the last of what is a level; by the log's own writer, with one commit."""
    points, history, events = HostPoints("web-1"), History(database), EventStore(database, clock=ManualClock())
    written = 0
    for second in range(0, 65, 5):
        percent = 95.0 if second == 30 else 10.0
        sample = sampled(NOON + second, cpu_percent=percent, disk_free_bytes=1000 - second)
        if statements := points.note(sample, float(second)):
            events.append([], statements=statements)
            written += 1
    events.close()

    told = {}
    for figure in ("cpu_percent", "cpu_percent_high", "disk_free_bytes", "memory_percent"):
        buckets = history.range(metric(figure), {"host": "web-1"}, since=NOON, until=NOON + 120)
        told[figure] = buckets.last.tolist()
    assert written == 1
    assert told["cpu_percent"] == [pytest.approx((11 * 10 + 95) / 12)]
    assert told["cpu_percent_high"] == [95.0]
    assert told["disk_free_bytes"] == [945.0]
    assert told["memory_percent"] == []


def test_the_rest_is_kept_at_the_end(database: Database) -> None:
    """A watch that ends within a minute loses nothing; nothing noted is nothing kept."""
    points = HostPoints("web-1")

    assert points.note(sampled(NOON, cpu_percent=10.0), 0.0) == ()
    write(database, points.rest())

    assert points.rest() == ()
    found = History(database).range("host_cpu_percent", {"host": "web-1"}, since=NOON - 1, until=NOON + 1)
    assert found.last.tolist() == [10.0]


def test_the_points_of_hosts_do_not_mix() -> None:
    """Many machines may share one PostgreSQL."""
    assert labels("a") != labels("b")
    assert labels() == labels()


def test_twenty_thousand_samples_leave_what_retention_promises(database: Database) -> None:
    """A day and four hours of samples: an hour of points (256 at least), two of minutes, a day of hours."""
    points, history = HostPoints("web-1"), History(database)
    end = NOON + 20_000 * 5
    write(
        database,
        tuple(
            statement
            for number in range(20_000)
            for statement in points.note(sampled(NOON + number * 5, cpu_percent=float(number % 100)), number * 5.0)
        ),
    )
    while history.roll_up():
        pass
    before = history.range("host_cpu_percent", {"host": "web-1"}, since=NOON - 1, until=end)
    history.retain(end, Kept(raw=HOUR, minute=2 * HOUR, hour=DAY))
    levels = dict(database.query("SELECT level, min(start) FROM history_rollups GROUP BY level"))

    ((raw,),) = database.query("SELECT sum(points) FROM history")
    assert before.count.sum() == pytest.approx(20_000 * 5 / 60, abs=1)
    assert 256 <= raw <= 256 + 2 * 64
    assert levels[60] >= end - 6 * HOUR  # blocks of four hours
    assert (before.low.min() >= 0.0, before.high.max() <= 99.0) == (True, True)
