"""The monitor: how often it looks, what it keeps, whom it tells, what it costs, and that nothing stops it."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from monitoring.progressive import Level, LevelChanged, Overloaded, ProgressiveMonitor, Report, Snapshot, Throttled
from monitoring.progressive.callbacks import PATIENCE_S
from tests.monitoring.progressive.readings import Host, Sample, steps, watching
from utils.clock import SYSTEM_CLOCK, ManualClock

WAIT_S = 120.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def host(clock: ManualClock) -> Host:
    return Host(clock)


@pytest.fixture
def monitor(host: Host) -> Iterator[ProgressiveMonitor]:
    made = watching(host)
    yield made
    made.stop()


class Heard:
    """A callback that keeps what it was called with."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, one: Any) -> None:
        with self._changed:
            self.all.append(one)
            self._changed.notify_all()

    def wait(self, number: int) -> list[Any]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.all) >= number, WAIT_S), self.all
            return list(self.all)


@pytest.mark.parametrize(
    ("level", "in_ten_minutes"), [("IDLE", 20), ("NORMAL", 120), ("INTENSIVE", 600), ("CRITICAL", 1200)]
)
def test_it_looks_as_often_as_the_level_says(host: Host, level: str, in_ten_minutes: int) -> None:
    """And not once more, however often it is asked."""
    monitor = watching(host, level=Level(level))
    assert steps(monitor, host.clock, 600.0) == in_ten_minutes
    monitor.step()
    monitor.step()
    assert host.asked == in_ten_minutes + 1


def test_the_last_thousand_snapshots_are_kept(host: Host, monitor: ProgressiveMonitor) -> None:
    """The oldest first; or those of the last minutes."""
    steps(monitor, host.clock, 5.0 * 1200)

    kept = monitor.snapshots()
    assert len(kept) == 1000
    assert kept == sorted(kept, key=lambda one: one.at)
    assert kept[-1] is monitor.latest
    assert len(monitor.snapshots(minutes=10)) == 120
    assert monitor.report().snapshots == 1200


def test_it_watches_more_closely_at_the_next_reading_and_tells(host: Host, clock: ManualClock) -> None:
    """A critical reading: half a second from then on; the way back is told too."""
    told: list[Any] = []
    monitor = watching(host, told=told.append)
    steps(monitor, clock, 20.0)
    host.figures = {"cpu_percent": 97.0}
    assert steps(monitor, clock, 10.0) == 20
    host.figures = {}
    steps(monitor, clock, 200.0)

    assert [(one.before, one.after) for one in told] == [
        ("NORMAL", "CRITICAL"),
        ("CRITICAL", "INTENSIVE"),
        ("INTENSIVE", "NORMAL"),
    ]
    assert monitor.states == {"cpu": "stable", "memory": "stable", "disk": "stable"}


def test_an_overload_names_the_processes_that_use_the_most(host: Host, clock: ManualClock) -> None:
    """Three of them, by pid, name and how much."""

    class Process:
        def __init__(self, pid: int) -> None:
            self.pid, self.name, self.cpu_percent = pid, f"hog-{pid}", 99.0

    told: list[Any] = []
    monitor = watching(host, told=told.append)
    collect = host.collect

    def with_hogs() -> Any:
        sample = collect()
        sample.top_cpu = tuple(Process(pid) for pid in range(1, 6))  # type: ignore[attr-defined]
        return sample

    monitor._collect = with_hogs
    host.figures = {"cpu_percent": 95.0}
    steps(monitor, clock, 30.0)

    (overload,) = [one for one in told if isinstance(one, Overloaded)]
    data = overload.to_event().data
    assert (data["percent"], data["limit"]) == (95.0, 90.0)
    assert data["top"] == [{"pid": pid, "name": f"hog-{pid}", "cpu_percent": 99.0} for pid in (1, 2, 3)]


def test_set_level_holds_at_once(host: Host, clock: ManualClock, monitor: ProgressiveMonitor) -> None:
    """The next snapshot comes as soon as the new level wants it."""
    monitor.set_level("IDLE")
    monitor.step()
    assert monitor.step() == 30.0
    clock.advance(1.0)
    assert monitor.set_level(Level.INTENSIVE, actor="test") is Level.INTENSIVE
    assert monitor.step() == 1.0

    with pytest.raises(ValueError, match="'LAZY' is no level: IDLE, NORMAL, INTENSIVE, CRITICAL"):
        monitor.set_level("lazy".upper())


def test_callbacks_of_every_kind_hear_what_they_asked_for(host: Host, clock: ManualClock) -> None:
    """Plain ones and coroutines; reports no more often than the level says."""
    monitor, heard, later = (
        watching(host),
        {name: Heard() for name in ("snapshot", "level", "report", "notice")},
        Heard(),
    )

    async def a_coroutine(one: Snapshot) -> None:
        await asyncio.sleep(0)
        later(one)

    monitor.on_snapshot(heard["snapshot"])
    monitor.on_snapshot(a_coroutine)
    monitor.on_level_changed(heard["level"])
    monitor.on_report(heard["report"])
    monitor.on_notice(heard["notice"])
    steps(monitor, clock, 150.0)
    host.figures = {"memory_percent": 95.0}
    steps(monitor, clock, 5.0)
    monitor.stop()

    taken = monitor.report().snapshots
    assert len(heard["snapshot"].wait(taken)) == len(later.wait(taken)) == taken
    assert all(isinstance(one, Snapshot) for one in later.all)
    (changed,) = heard["level"].wait(1)
    assert (changed.before, changed.after, heard["notice"].all) == ("NORMAL", "CRITICAL", [changed])
    reports = heard["report"].wait(5)
    assert all(isinstance(one, Report) for one in reports)
    assert [one.level for one in reports] == ["NORMAL", "NORMAL", "CRITICAL", "CRITICAL", "CRITICAL"]


def test_a_callback_that_raises_is_counted_and_hinders_nobody(host: Host, clock: ManualClock) -> None:
    """The watch goes on, and so do the others."""
    monitor, heard = watching(host), Heard()

    def bad(_: Snapshot) -> None:
        raise RuntimeError("not today")

    monitor.on_snapshot(bad)
    monitor.on_snapshot(heard)
    taken = steps(monitor, clock, 50.0)
    heard.wait(taken)
    monitor.stop()

    assert monitor.report().callbacks_failed == taken


def test_a_callback_that_hangs_is_told_once_and_hinders_nobody(host: Host, clock: ManualClock) -> None:
    """Neither the watch nor the others, nor the end."""
    monitor, heard, goes_on = watching(host), Heard(), threading.Event()

    def hangs(_: Snapshot) -> None:
        goes_on.wait(WAIT_S)

    monitor.on_snapshot(hangs)
    monitor.on_snapshot(heard)
    for taken in range(1, 20):
        clock.advance(monitor.step())
        heard.wait(taken)
    assert clock.monotonic() > 2 * PATIENCE_S

    assert monitor.report().callbacks_hung == 1
    goes_on.set()
    monitor.stop()


def test_a_coroutine_that_hangs_is_told_and_ended(host: Host, clock: ManualClock) -> None:
    """With the watch: nobody waits for it longer than a moment."""
    monitor, began, ended = watching(host), threading.Event(), threading.Event()

    async def hangs(_: Snapshot) -> None:
        began.set()
        try:
            await asyncio.sleep(3600.0)
        finally:
            ended.set()

    monitor.on_snapshot(hangs)
    monitor.step()
    assert began.wait(WAIT_S)
    steps(monitor, clock, 2 * PATIENCE_S)
    monitor.stop()

    assert monitor.report().callbacks_hung == 1
    assert ended.wait(WAIT_S)


def test_callbacks_outlive_a_stop(host: Host, clock: ManualClock, monitor: ProgressiveMonitor) -> None:
    """Watched again, they hear again; and no thread is left of the first time."""
    before = set(threading.enumerate())
    heard = Heard()
    monitor.on_snapshot(heard)
    monitor.step()
    monitor.stop()
    assert len(heard.all) == 1
    assert not [thread for thread in threading.enumerate() if thread not in before and thread.name.startswith("bus")]

    steps(monitor, clock, 10.0)
    assert len(heard.wait(2)) >= 2


def test_unsubscribed_hears_no_more(host: Host, clock: ManualClock, monitor: ProgressiveMonitor) -> None:
    """And an id that is not known is said to be none."""
    heard = Heard()
    subscription = monitor.on_snapshot(heard)
    monitor.step()
    heard.wait(1)

    assert monitor.unsubscribe(subscription)
    assert not monitor.unsubscribe(subscription)
    steps(monitor, clock, 60.0)
    assert len(heard.all) == 1


def test_watching_that_costs_too_much_is_done_less_often_and_told(host: Host, clock: ManualClock) -> None:
    """Above one percent of a core the interval grows; cheap again, it comes back."""
    told: list[Any] = []
    spent = {"s": 0.0, "each": 0.06}

    def cpu_time() -> float:
        spent["s"] += spent["each"] / 2.0  # asked before and after each step
        return spent["s"]

    monitor = watching(host, told=told.append, cpu_time=cpu_time)
    steps(monitor, clock, 300.0)
    assert [(one.stretch, one.interval_s) for one in told] == []

    monitor.set_level("INTENSIVE")
    steps(monitor, clock, 300.0)
    back_off = [one for one in told if isinstance(one, Throttled)]
    assert [(one.stretch, one.interval_s) for one in back_off] == [(2, 2.0), (4, 4.0)]
    assert back_off[0].to_event().data["cost_percent"] > 1.0
    assert (monitor.report().cost_percent or 9.0) <= 1.0

    spent["each"] = 0.001
    steps(monitor, clock, 300.0)
    assert [one.stretch for one in told if isinstance(one, Throttled)] == [2, 4, 2, 1]


def test_absurd_readings_raise_nothing_and_are_counted(host: Host, clock: ManualClock) -> None:
    """A counter that was reset, a clock that was set, nothing at all: the level stays as it is."""
    monitor = watching(host)
    monitor.step()
    host.figures = {"cpu_percent": 7_626_516.0, "memory_percent": None, "network_sent_bytes_s": -5.0}
    clock.set_back(7200.0)
    steps(monitor, clock, 25.0)

    told = monitor.report()
    assert (told.level, dict(told.absurd)) == (
        Level.NORMAL,
        {"cpu_percent": 4, "network_sent_bytes_s": 4, "clock": 1},
    )


def test_a_report_has_averages_trends_and_its_own_cost(host: Host, clock: ManualClock) -> None:
    """A disk that grows by a percent a minute."""
    monitor = watching(host, cpu_time=(0.005 * tick for tick in range(10**6)).__next__)
    for minute in range(20):
        host.figures = {"disk_percent": 30.0 + minute}
        steps(monitor, clock, 60.0)

    told = monitor.report()
    assert told.trends["disk"].per_hour == pytest.approx(60.0, rel=0.02)
    assert told.trends["cpu"].mean == pytest.approx(10.0)
    assert told.figures == {"cpu": 10.0, "memory": 20.0, "disk": 49.0}
    assert (told.cost_percent, told.stretch) == (pytest.approx(0.1), 1)
    assert told.to_json()["states"] == {"cpu": "stable", "memory": "stable", "disk": "stable"}


def test_a_failing_listener_does_not_stop_the_watch(host: Host, clock: ManualClock) -> None:
    """What it raises passes through a step; the next one is due as ever."""

    def full(_: Any) -> None:
        raise OSError("disk full")

    monitor = watching(host, told=full)
    host.figures = {"disk_percent": 99.0}
    with pytest.raises(OSError, match="disk full"):
        monitor.step()

    assert monitor.level is Level.CRITICAL
    assert monitor.step() == 0.5


def test_it_watches_in_a_thread_until_it_is_stopped() -> None:
    """Started twice is started once; a level that is set wakes it; stopped, it is gone."""
    heard, taken = Heard(), threading.Semaphore(0)

    def collect() -> Sample:
        taken.release()
        return Sample(SYSTEM_CLOCK.now())

    monitor = ProgressiveMonitor(collect, level=Level.IDLE)
    monitor.on_level_changed(heard)
    with monitor:
        monitor.start()
        assert taken.acquire(timeout=WAIT_S)
        monitor.set_level("CRITICAL")  # the next one would be due in 30 s
        assert taken.acquire(timeout=WAIT_S)
        (changed,) = heard.wait(1)
        assert isinstance(changed, LevelChanged)
    assert "host-monitor" not in {thread.name for thread in threading.enumerate()}
