"""What the monitor tells is in the log, once, whatever happens to the database, to the process, and beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.progressive import Level, ProgressiveMonitor, Throttled
from monitoring.progressive.filling import DiskFilling
from monitoring.progressive.keeping import ASK_AGAIN_S, MOST_WAITING, TRY_AGAIN_S, HostKeeper
from tests.monitoring.progressive.readings import Host, steps, watching
from utils import history
from utils.clock import ManualClock
from utils.database import StateError
from utils.events import FIRST_SCHEMA, LINKED_SCHEMA, EventStore
from utils.events.segments import NAMED_SCHEMA, SCHEMA
from utils.history import History
from utils.host.history import labels
from utils.sqlite import SqliteDatabase


class Kept:
    """A log, a history, and a host that is watched; as often begun anew as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.host = Host(self.clock)
        scripts = [";".join((FIRST_SCHEMA, history.SCHEMA)), SCHEMA, history.LEVELS_SCHEMA]
        scripts.append(";".join((LINKED_SCHEMA, NAMED_SCHEMA)))
        self.database = SqliteDatabase(folder / "state.db", migrations=scripts)
        self.events = EventStore(self.database, clock=self.clock)
        self.history = History(self.database)
        self.away = False

    def begin(self) -> "Watch":
        return Watch(self)

    def log(self) -> list[tuple[str, str]]:
        """Type and subject of all events, oldest first."""
        return [(event.type, event.subject) for event in self.events.read()]

    def store(self) -> EventStore:
        if self.away:
            raise StateError("the database is away")
        return self.events

    def close(self) -> None:
        self.events.close()
        self.database.close()


class Watch:
    """A monitor with what keeps for it, as a process has it."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.monitor: ProgressiveMonitor = watching(kept.host)
        self.keeper = HostKeeper(kept.store, lock=kept.folder / "locks" / "monitor.lock", clock=kept.clock)
        self.monitor.listen(self.keeper.take)

    def watch(self, seconds: float) -> None:
        """Look as often as the level says, for so long."""
        until = self.kept.clock.monotonic() + seconds
        while self.kept.clock.monotonic() < until:
            if (told := self.keeper.begin()) is not None:
                self.monitor.take_up(told.level or Level.NORMAL, told.overloaded, throttled=told.throttled)
            wait = self.monitor.step()
            self.keeper.write()
            if self.keeper._under_way is not None:
                self.keeper._under_way.exception()  # comes back once it is written, or could not be
            self.kept.clock.advance(wait)

    def end(self) -> None:
        self.keeper.close()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.close()


BUSY = {"cpu_percent": 97.0}


def test_what_is_told_is_in_the_log_and_samples_are_not(kept: Kept) -> None:
    """A busy minute and a calm one: four events of 200 samples."""
    watch = kept.begin()
    kept.host.figures = BUSY
    watch.watch(60.0)
    kept.host.figures = {}
    watch.watch(200.0)
    watch.end()

    assert kept.log() == [
        ("host.level_changed", "host"),
        ("host.overloaded", "cpu"),
        ("host.level_changed", "host"),
        ("host.relieved", "cpu"),
        ("host.level_changed", "host"),
    ]
    assert {event.source for event in kept.events.read()} == {"monitor"}


def test_a_minute_of_samples_is_one_point_of_the_history(kept: Kept) -> None:
    """Mean and highest; the rest of the last minute comes at the end."""
    watch = kept.begin()
    kept.host.figures = {"cpu_percent": 20.0}
    watch.watch(300.0)
    kept.host.figures = {"cpu_percent": 40.0}
    watch.watch(30.0)
    watch.end()

    now = kept.clock.time()
    found = kept.history.range("host_cpu_percent", labels(), since=now - 3600.0, until=now + 1.0)
    means = found.mean[found.count > 0].tolist()
    assert means[0] == 20.0
    assert 20.0 < means[-1] <= 40.0
    assert 5 <= len(means) <= 7


def test_one_process_keeps_and_another_takes_over_when_it_ends(kept: Kept) -> None:
    """Two that watch the same machine tell everything once."""
    first, second = kept.begin(), kept.begin()
    first.watch(5.0)
    second.watch(5.0)
    assert (first.keeper.keeps, second.keeper.keeps) == (True, False)

    kept.host.figures = BUSY
    first.watch(40.0)
    second.watch(40.0)
    assert kept.log() == [("host.level_changed", "host"), ("host.overloaded", "cpu")]

    first.end()
    second.watch(ASK_AGAIN_S + 1.0)
    assert second.keeper.keeps
    assert len(kept.log()) == 2, "what it sees was told already"
    kept.host.figures = {}
    second.watch(200.0)
    second.end()
    assert [name for name, _ in kept.log()[2:]] == ["host.level_changed", "host.relieved", "host.level_changed"]


def test_a_restart_says_neither_that_it_is_over_nor_that_it_is_new(kept: Kept) -> None:
    """An overload that was told, and the process died: the next one tells its end, after the calm time."""
    first = kept.begin()
    kept.host.figures = BUSY
    first.watch(40.0)
    first.keeper._held.close()  # killed: the kernel frees the lock, nothing is written

    second = kept.begin()
    second.watch(30.0)
    assert [name for name, _ in kept.log()] == ["host.level_changed", "host.overloaded"] + ["host.level_changed"] * 2
    kept.host.figures = {}
    second.watch(59.0)
    assert ("host.relieved", "cpu") not in kept.log()
    second.watch(5.0)
    second.end()
    assert kept.log().count(("host.relieved", "cpu")) == 1
    assert kept.log().count(("host.overloaded", "cpu")) == 1


def test_a_disk_that_was_told_to_fill_is_known(kept: Kept) -> None:
    """Whoever takes over knows that its end is still to be told."""
    first = kept.begin()
    first.watch(5.0)
    first.monitor.tell(DiskFilling("/state", 20.0, 19.0, 21.0, 1e9, 1e8))
    first.watch(5.0)
    first.end()

    told = kept.begin().keeper.begin()
    assert told is not None
    assert (told.filling, told.level, told.overloaded) == (True, None, frozenset())


def test_an_overload_of_what_cannot_be_read_any_more_ends_after_a_while(kept: Kept) -> None:
    """The next process has no figure of it: five minutes later nobody knows, and that is told."""
    first = kept.begin()
    kept.host.figures = BUSY
    first.watch(40.0)
    first.end()

    second = kept.begin()
    kept.host.figures = {"cpu_percent": None}
    second.watch(290.0)
    assert ("host.relieved", "cpu") not in kept.log()
    second.watch(60.0)
    second.end()
    (relieved,) = kept.events.read(type="host.relieved")
    assert relieved.data == {"percent": None, "limit": 90.0}


def test_a_watch_that_was_throttled_is_said_to_be_free_when_it_begins_anew(kept: Kept) -> None:
    """It begins as often as its level says."""
    first = kept.begin()
    first.watch(5.0)
    first.monitor.tell(Throttled(Level.NORMAL, 1.4, 2, 10.0))
    first.watch(5.0)
    first.end()

    for _ in range(2):
        again = kept.begin()
        again.watch(5.0)
        again.end()
    assert [event.data["stretch"] for event in kept.events.read(type="host.throttled")] == [2, 1]


def test_a_database_that_is_away_costs_nothing_but_time(kept: Kept) -> None:
    """The host is watched all the same; what was told meanwhile comes once it is back, in order, each once."""
    watch = kept.begin()
    watch.watch(5.0)
    kept.away = True
    kept.host.figures = BUSY
    watch.watch(60.0)
    kept.host.figures = {}
    watch.watch(130.0)
    assert kept.log() == []

    kept.away = False
    watch.watch(TRY_AGAIN_S + 5.0)
    assert [name for name, _ in kept.log()] == [
        "host.level_changed",
        "host.overloaded",
        "host.level_changed",
        "host.relieved",
        "host.level_changed",
    ]
    watch.end()
    now = kept.clock.time()
    assert kept.history.range("host_cpu_percent", labels(), since=now - 3600.0, until=now + 1.0).count.sum() >= 3


def test_a_commit_that_failed_is_tried_again_as_the_same_events(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it had come through after all: an id stands in the log once."""
    watch = kept.begin()
    watch.watch(5.0)
    submit = kept.events.submit
    failures = iter([True, True, False])

    def fails_after_the_commit(events: Any, **given: Any) -> Any:
        future = submit(events, **given)
        future.result()
        if next(failures, False):
            future = type(future)()
            future.set_exception(StateError("nobody knows whether it was written"))
        return future

    monkeypatch.setattr(kept.events, "submit", fails_after_the_commit)
    kept.host.figures = BUSY
    watch.watch(60.0)
    watch.end()

    assert kept.log() == [("host.level_changed", "host"), ("host.overloaded", "cpu")]


def test_what_waits_for_a_database_is_bounded(kept: Kept) -> None:
    """The oldest goes."""
    watch = kept.begin()
    watch.watch(5.0)
    kept.away = True
    for number in range(MOST_WAITING + 50):
        watch.monitor.tell(DiskFilling("/state", float(number), 0.0, 0.0, 0.0, 0.0))
    watch.watch(20.0)
    kept.away = False
    watch.watch(10.0)
    watch.end()

    found = kept.events.read(limit=2 * MOST_WAITING)
    assert [found[0].data["hours_left"], found[-1].data["hours_left"]] == [50.0, MOST_WAITING + 49.0]
    assert len(found) == MOST_WAITING


def test_steps_are_no_events(kept: Kept) -> None:
    """A calm hour leaves nothing in the log."""
    watch = kept.begin()
    watch.watch(3600.0)
    assert steps(watch.monitor, kept.clock, 60.0) == 12
    watch.end()
    assert kept.log() == []
