"""A disk that fills is told a day before, again when it is near, and its end once."""

from pathlib import Path
from typing import Any

import pytest

from monitoring.progressive import Level, Report, Snapshot
from monitoring.progressive.filling import OVER_S, DiskAhead, DiskFilling, DiskRelieved, DiskWatch
from tests.monitoring.progressive.readings import START, Host, watching
from utils import history
from utils.clock import ManualClock
from utils.database import StateError
from utils.events import FIRST_SCHEMA
from utils.history import History
from utils.host.filling import Filling
from utils.sqlite import SqliteDatabase


def full_in(hours: float) -> Filling:
    return Filling(hours, 0.9 * hours, 1.1 * hours, 1e9 * hours, 1e9, 1.0)


def told(*forecasts: tuple[float, float | None], watch: DiskWatch | None = None) -> list[str]:
    """What is told of forecasts of (moment, hours left; None: it does not fill)."""
    watch = watch or DiskWatch("/state")
    found = [watch.see(None if hours is None else full_in(hours), at) for at, hours in forecasts]
    return [one.words() for one in found if one is not None]


def test_it_is_told_at_a_day_at_six_hours_and_at_one() -> None:
    """Each once, however often it is looked at."""
    hours = [30.0, 24.5, 24.0, 23.0, 12.0, 6.1, 6.0, 3.0, 1.5, 1.0, 0.5, 0.0]

    assert told(*((60.0 * minute, left) for minute, left in enumerate(hours))) == [
        "the disk of /state is full in about 24.0 h",
        "the disk of /state is full in about 6.0 h",
        "the disk of /state is full in about 1.0 h",
    ]


def test_a_disk_that_fills_at_once_is_told_with_what_is_known() -> None:
    """The event has the figures, with their interval."""
    notice = DiskWatch("/state").see(full_in(0.5), 0.0)

    assert isinstance(notice, DiskFilling)
    assert (notice.to_event().type, notice.to_event().subject) == ("host.disk_filling", "disk")
    assert notice.to_event().data == {
        "path": "/state",
        "hours_left": 0.5,
        "earliest_hours": 0.45,
        "latest_hours": 0.55,
        "free_bytes": 500_000_000,
        "bytes_per_hour": 1_000_000_000,
    }


@pytest.mark.parametrize("between", [None, 37.0], ids=["it does not fill", "far away"])
def test_its_end_is_told_when_it_has_been_well_for_a_while(between: float | None) -> None:
    """A forecast that comes and goes is one matter."""
    watch = DiskWatch("/state")
    assert told((0.0, 20.0), (60.0, between), (120.0, 25.0), (180.0, between), watch=watch) == [
        "the disk of /state is full in about 20.0 h"
    ]
    assert told((180.0 + OVER_S - 1.0, between), watch=watch) == []
    assert told((180.0 + OVER_S, between), watch=watch) == ["the disk of /state does not fill any more"]
    assert told((5000.0, between), (5060.0, 20.0), watch=watch) == ["the disk of /state is full in about 20.0 h"]


def test_what_a_watch_that_is_over_has_told_is_not_told_again() -> None:
    """But that it is nearer is, and its end."""
    watch = DiskWatch("/state")
    watch.take_up()
    assert told((0.0, 20.0), watch=watch) == []
    assert told((60.0, 5.0), watch=watch) == ["the disk of /state is full in about 5.0 h"]

    other = DiskWatch("/state")
    other.take_up()
    assert told((0.0, None), (OVER_S, None), watch=other) == ["the disk of /state does not fill any more"]


def test_a_disk_that_is_written_full_is_seen_coming(tmp_path: Path) -> None:
    """Two gigabytes a minute of two hundred: told after some minutes, over the monitor's own way."""
    clock = ManualClock()
    host = Host(clock)
    heard: list[Any] = []
    monitor = watching(host, told=heard.append)
    scripts = [";".join((FIRST_SCHEMA, history.SCHEMA)), history.LEVELS_SCHEMA]
    database = SqliteDatabase(tmp_path / "state.db", migrations=scripts)
    monitor.listen(DiskAhead(Path("/state"), lambda: History(database), monitor.tell).take)
    for minute in range(40):
        host.figures = {"disk_free_bytes": 200e9 - 2e9 * minute - 1e6 * (minute % 3)}
        for _ in range(12):
            clock.advance(monitor.step())
    database.close()

    first, *_ = heard
    assert isinstance(first, DiskFilling)
    assert first.bytes_per_hour == pytest.approx(120e9, rel=0.1)
    assert 0.5 < first.hours_left < 1.7
    assert not any(isinstance(one, DiskRelieved) for one in heard)


def test_a_history_that_cannot_be_read_stops_nothing() -> None:
    """The next look will do."""
    asked = []

    def away() -> Any:
        asked.append(1)
        raise StateError("the database is away")

    heard: list[Any] = []
    ahead = DiskAhead(Path("/state"), away, heard.append)
    for minute in range(60):
        free = 500_000_000_000 - 400_000_000 * minute
        ahead.take(Snapshot(START, 60.0 * minute, Level.NORMAL, 60.0, disk_free_bytes=free))

    assert len(asked) > 10
    assert heard == []


def test_only_snapshots_are_looked_at() -> None:
    """A report and a notice are none."""
    heard: list[Any] = []
    ahead = DiskAhead(Path("/state"), lambda: pytest.fail("nothing sinks"), heard.append)
    monitor = watching(Host(ManualClock()))
    report: Report = monitor.report()
    ahead.take(report)
    ahead.take(DiskRelieved("/state"))
    assert heard == []
