"""One sample of this machine: complete here, careful elsewhere, cheap for many readers."""

import builtins
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from utils.clock import ManualClock
from utils.host import HostSample, MetricsCollector

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


def cpu(busy: float, idle: float, iowait: float = 0.0) -> Any:
    class Times(tuple[float, ...]):
        pass

    times: Any = Times((busy, idle, iowait))
    times.idle, times.iowait = idle, iowait
    return times


def test_cpu_is_the_share_between_two_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first sample waits for its second reading; later ones look back to the one before; waiting is idle."""
    clock = ManualClock()
    readings = iter([cpu(10, 90), cpu(11, 92, 1), cpu(14, 93, 1), cpu(14, 93, 1)])
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(readings))
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
