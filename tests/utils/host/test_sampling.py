"""One sample of this machine: complete here, careful elsewhere, cheap for many readers."""

import builtins
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.utils.host.table import put
from utils.clock import ManualClock
from utils.host import HostSample, MetricsCollector
from utils.host.processes import ProcessTable

FIELDS = [
    "cpu_percent", "memory_percent", "disk_percent", "network_bytes_sent", "network_bytes_recv", "process_threads",
    "gc_collections", "load_1m", "swap_percent", "disk_free_bytes", "temperature_c", "time",
]  # fmt: skip


def test_a_sample_of_this_machine_is_complete(tmp_path: Path) -> None:
    """Every figure is there and in its range."""
    sample = MetricsCollector(disk_path=tmp_path, first_interval=0.05).collect()

    assert list(sample.as_dict())[: len(FIELDS)] == FIELDS
    for percent in (sample.memory_percent, sample.disk_percent, sample.swap_percent):
        assert percent is not None
        assert 0 <= percent <= 100
    assert sample.process_threads >= 1
    assert sample.gc_collections >= 0
    assert sample.disk_free_bytes is not None
    assert sample.time.utcoffset() is not None


def test_a_burst_of_readers_costs_one_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within `ttl` all threads get the same sample; after it a new one is taken."""
    clock = ManualClock()
    collector = MetricsCollector(clock, ttl=1.0)
    taken: list[HostSample] = []
    take = collector._take

    def note() -> HostSample:
        taken.append(take())
        return taken[-1]

    monkeypatch.setattr(collector, "_take", note)
    seen: list[HostSample] = []

    threads = [threading.Thread(target=lambda: seen.append(collector.collect())) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.advance(0.99)
    seen.append(collector.collect())

    assert len(taken) == 1
    assert all(sample is taken[0] for sample in seen)
    clock.advance(0.02)
    assert collector.collect() is not taken[0]
    assert len(taken) == 2


class Readings:
    """What the machine shows next, to the thread that makes it: others, left behind by other tests, use none up."""

    def __init__(self, *readings: Any) -> None:
        self._thread, self._last, self._left = threading.get_ident(), readings[0], iter(readings)

    def __call__(self, **_: Any) -> Any:
        if threading.get_ident() == self._thread:
            self._last = next(self._left)
        return self._last


def cpu(busy: float, idle: float, iowait: float = 0.0) -> Any:
    class Times(tuple[float, ...]):
        pass

    times: Any = Times((busy, idle, iowait))
    times.idle, times.iowait = idle, iowait
    return times


def test_cpu_is_the_share_between_two_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first sample waits for its second reading; later ones look back to the one before; waiting is idle."""
    clock = ManualClock()
    readings = Readings(cpu(10, 90), cpu(11, 92, 1), cpu(14, 93, 1), cpu(14, 93, 1))
    monkeypatch.setattr(psutil, "cpu_times", readings)
    collector = MetricsCollector(clock, ttl=1.0, first_interval=0.1)

    percents = []
    for _ in range(3):
        percents.append(collector.collect().cpu_percent)
        clock.advance(1)

    assert percents == [25.0, 75.0, 75.0]  # the last: no time has passed, so what was known holds
    assert clock.slept == [0.1]


@pytest.mark.parametrize(
    "error",
    [
        psutil.AccessDenied(),
        PermissionError("no"),
        FileNotFoundError("/proc"),
        RuntimeError("no"),
        AttributeError("no"),
    ],
)
def test_a_restricted_environment_gives_none(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Whatever psutil raises, the sample is there, with `None` for what is not to be had."""

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(psutil, "sensors_temperatures", refuse, raising=False)
    for name in ("cpu_times", "virtual_memory", "swap_memory", "net_io_counters", "disk_io_counters", "Process"):
        monkeypatch.setattr(psutil, name, refuse, raising=False)
    monkeypatch.setattr("utils.host.sampling.shutil.disk_usage", refuse)
    monkeypatch.setattr("utils.host.sampling.os.getloadavg", refuse)

    sample = MetricsCollector(ManualClock()).collect()

    missing = [name for name, value in sample.as_dict().items() if value is None]
    assert [name for name in FIELDS if name not in missing] == ["process_threads", "gc_collections", "time"]
    assert {"memory_total_bytes", "disk_read_bytes_s", "io_write_bytes_s", "own_rss_bytes"} <= set(missing)
    assert sample.process_threads == threading.active_count()


def test_a_machine_without_network_interfaces_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """psutil answers `None` there."""
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: None)

    sample = MetricsCollector(ManualClock()).collect()

    assert sample.network_bytes_sent is None
    assert sample.network_bytes_recv is None
    assert sample.memory_percent is not None


def test_without_psutil_the_standard_library_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Disk, load, threads and garbage collections need no psutil."""
    imported = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> types.ModuleType:
        if name == "psutil":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)

    sample = MetricsCollector(ManualClock(), disk_path=tmp_path).collect()

    assert sample.disk_percent is not None
    assert sample.cpu_percent is None
    assert sample.memory_percent is None


@pytest.mark.parametrize(
    ("sensors", "expected"),
    [
        ({}, None),
        ({"coretemp": [50.0, 61.5], "nvme": [80.0]}, 61.5),
        ({"cpu_thermal": [47.2]}, 47.2),
        ({"coretemp": [255.0, 40.0]}, 40.0),
        ({"fan": [30.0]}, None),
    ],
    ids=["none", "hottest core", "raspberry", "broken sensor", "not a processor"],
)
def test_temperature_is_the_hottest_core(
    monkeypatch: pytest.MonkeyPatch, sensors: dict[str, list[float]], expected: float | None
) -> None:
    """Of the processor only, without absurd readings."""
    make: Callable[[float], Any] = lambda current: types.SimpleNamespace(current=current)  # noqa: E731
    readings = {name: [make(value) for value in values] for name, values in sensors.items()}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: readings, raising=False)

    assert MetricsCollector(ManualClock()).collect().temperature_c == expected


@pytest.mark.parametrize("jump", [-3600.0, 7200.0], ids=["set back", "set forward, or slept"])
def test_after_a_jump_of_the_clock_no_share_of_the_processor_is_told(
    monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """The sample after it compares again."""
    clock = ManualClock()
    readings = Readings(cpu(10, 90), cpu(11, 92), cpu(500, 93), cpu(501, 96))
    monkeypatch.setattr(psutil, "cpu_times", readings)
    collector = MetricsCollector(clock)

    percents = []
    for sample in range(3):
        percents.append(collector.collect().cpu_percent)
        clock.advance(1)
        if sample == 0:
            clock.set_forward(jump)

    assert percents == [pytest.approx(100 / 3), None, 25.0]


def test_a_counter_of_the_processor_that_was_reset_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine restored from a snapshot."""
    clock = ManualClock()
    readings = Readings(cpu(10, 90), cpu(11, 92), cpu(1, 2), cpu(2, 5))
    monkeypatch.setattr(psutil, "cpu_times", readings)
    collector = MetricsCollector(clock)

    percents = []
    for _ in range(3):
        percents.append(collector.collect().cpu_percent)
        clock.advance(1)

    assert percents == [pytest.approx(100 / 3), None, 25.0]


def test_each_core_is_told_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since the call before; a core that was taken away makes the next call begin anew."""
    clock = ManualClock()
    readings = Readings([cpu(0, 1), cpu(0, 1)], [cpu(1, 1), cpu(0, 2)], [cpu(1, 2)], [cpu(2, 3)])
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: readings() if percpu else pytest.fail("the sum"))
    collector = MetricsCollector(clock)

    told = []
    for _ in range(3):
        told.append(collector.core_percents())
        clock.advance(1)

    assert told == [(100.0, 0.0), None, (50.0,)]


def test_a_sample_looks_at_processes_only_when_it_shall(tmp_path: Path) -> None:
    """What a dataset does not use costs it nothing."""
    put(tmp_path, 5, rss_pages=10)
    clock = ManualClock()

    without = MetricsCollector(clock).collect()
    with_them = MetricsCollector(clock, processes=ProcessTable(clock, proc=tmp_path)).collect()

    assert (without.processes, without.top_memory) == (None, ())
    assert with_them.processes == 1
    assert [one.pid for one in with_them.top_memory] == [5]


def test_what_costs_more_is_looked_at_once_a_second(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Between two such looks samples tell the look before again; what is cheap is new in each."""
    put(tmp_path, 5)
    clock = ManualClock()
    memory = iter(range(10))
    monkeypatch.setattr(
        psutil,
        "virtual_memory",
        lambda: types.SimpleNamespace(percent=float(next(memory)), available=1, total=1),
    )
    monkeypatch.setattr("utils.host.top.thread_time", lambda: 0.0)
    collector = MetricsCollector(clock, ttl=0.25, processes=ProcessTable(clock, proc=tmp_path))

    told = []
    for number in range(4):
        sample = collector.collect()
        told.append((sample.memory_percent, sample.processes))
        put(tmp_path, 6 + number)
        clock.advance(0.5)

    assert told == [(0.0, 1), (1.0, 1), (2.0, 3), (3.0, 3)]


def test_rates_are_those_between_two_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback is no network; the first sample has no rates."""
    clock = ManualClock()
    counters = {"eth0": (100, 1000), "lo": (5, 5)}

    def network(**_: object) -> dict[str, object]:
        return {
            name: types.SimpleNamespace(bytes_sent=sent, bytes_recv=received)
            for name, (sent, received) in counters.items()
        }

    monkeypatch.setattr(psutil, "net_io_counters", network)
    collector = MetricsCollector(clock)

    first = collector.collect()
    counters.update(eth0=(300, 5000), lo=(10**9, 10**9))
    clock.advance(2)
    second = collector.collect()

    assert (first.network_sent_bytes_s, first.network_bytes_sent) == (None, 105)
    assert second.network_sent_bytes_s is not None
    assert second.network_recv_bytes_s is not None
    assert 0 < second.network_sent_bytes_s <= 100.0
    assert second.network_recv_bytes_s == pytest.approx(20 * second.network_sent_bytes_s)
    assert second.network_bytes_recv == 10**9 + 5000


def test_a_second_sample_knows_this_process_and_the_room_it_has(tmp_path: Path) -> None:
    """Of this very machine."""
    clock = ManualClock()
    collector = MetricsCollector(clock, disk_path=tmp_path)
    collector.collect()
    clock.advance(5)

    sample = collector.collect()

    assert sample.cpu_cores is not None
    assert sample.memory_total_bytes is not None
    assert sample.memory_available_bytes is not None
    assert 0 < sample.memory_available_bytes <= sample.memory_total_bytes
    assert sample.own_rss_bytes is not None
    assert sample.own_rss_bytes > 1_000_000
    assert sample.own_open_files is not None
    assert sample.own_cpu_percent is not None
    assert sample.python_threads >= 1
