"""One sample of this machine and process: what is cheap to know, and `None` for what is not to be had here."""

import contextlib
import gc
import os
import shutil
import threading
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from utils.clock import SYSTEM_CLOCK, Clock

T = TypeVar("T")

_CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "acpitz")


@dataclass(frozen=True, slots=True)
class HostSample:
    """The machine at one moment. Percents are 0..100, network bytes count since boot; `None`: not to be had here."""

    cpu_percent: float | None
    memory_percent: float | None
    disk_percent: float | None
    network_bytes_sent: int | None
    network_bytes_recv: int | None
    process_threads: int
    gc_collections: int  # since this process started, all generations
    load_1m: float | None
    swap_percent: float | None
    disk_free_bytes: int | None
    temperature_c: float | None  # the hottest sensor of the processor
    time: datetime

    def as_dict(self) -> dict[str, Any]:
        """The sample by field name; `time` stays a datetime."""
        return asdict(self)


class MetricsCollector:
    """Takes samples; readers within `ttl` seconds of each other share one. Safe for threads.

    Containers without /proc, missing rights, missing sensors and a missing psutil give `None` in the fields they
    concern, never an exception.

    Args:
        clock: Stamps samples and waits for the first one.
        ttl: Seconds that a sample stays good.
        disk_path: The disk of this folder is measured.
        first_interval: CPU load needs two readings; the first sample waits this many seconds between its own.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        ttl: float = 1.0,
        *,
        disk_path: Path = Path("/"),
        first_interval: float = 0.1,
    ) -> None:
        self._clock = clock
        self._ttl = ttl
        self._disk_path = disk_path
        self._first_interval = first_interval
        self._lock = threading.Lock()
        self._sample: HostSample | None = None
        self._taken_at = 0.0
        self._cpu_times: tuple[float, float] | None = None  # (busy, all) seconds of all cores since boot
        self._cpu_percent: float | None = None

    def collect(self) -> HostSample:
        """One sample, at most `ttl` seconds old."""
        with self._lock:
            now = self._clock.monotonic()
            if self._sample is None or not 0 <= now - self._taken_at < self._ttl:
                self._sample = self._take()
                self._taken_at = self._clock.monotonic()
            return self._sample

    def _take(self) -> HostSample:
        psutil = _psutil()
        network = _try(lambda: _network(psutil))
        disk: Any = _try(lambda: shutil.disk_usage(self._disk_path))
        return HostSample(
            cpu_percent=self._cpu(psutil),
            memory_percent=_try(lambda: float(psutil.virtual_memory().percent)),
            disk_percent=_try(
                lambda: 100.0 * disk.used / (disk.used + disk.free)
            ),  # as df: what root keeps is not ours
            network_bytes_sent=network and network[0],
            network_bytes_recv=network and network[1],
            process_threads=_try(lambda: int(psutil.Process().num_threads())) or threading.active_count(),
            gc_collections=sum(generation["collections"] for generation in gc.get_stats()),
            load_1m=_try(lambda: os.getloadavg()[0]),
            swap_percent=_try(lambda: _swap(psutil)),
            disk_free_bytes=None if disk is None else disk.free,
            temperature_c=_try(lambda: _temperature(psutil)),
            time=self._clock.now(),
        )

    def _cpu(self, psutil: Any) -> float | None:
        """Share of processor time spent since the sample before; kept when too little time has passed to tell."""
        before = self._cpu_times or _try(lambda: _cpu_times(psutil))
        if before is None:
            return None
        if self._cpu_times is None:
            self._clock.sleep(self._first_interval)
        after = _try(lambda: _cpu_times(psutil))
        if after is None:
            return None
        busy, everything = after[0] - before[0], after[1] - before[1]
        if everything > 0:
            self._cpu_percent = min(100.0, max(0.0, 100.0 * busy / everything))
        self._cpu_times = after
        return self._cpu_percent


def _psutil() -> Any:
    with contextlib.suppress(ImportError):
        import psutil

        return psutil
    return None


def _try(read: Callable[[], T]) -> T | None:
    # psutil raises its own errors, OSError, RuntimeError, or AttributeError where a platform lacks a function (and
    # where psutil itself is missing): whatever it is, this one figure is not to be had, and the others are.
    try:
        return read()
    except Exception:  # noqa: BLE001 - see above
        return None


def _cpu_times(psutil: Any) -> tuple[float, float]:
    times = psutil.cpu_times()
    # guest time is part of user time already; waiting for a disk is idle
    everything = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return everything - times.idle - getattr(times, "iowait", 0.0), everything


def _network(psutil: Any) -> tuple[int, int]:
    counters = psutil.net_io_counters()  # None without any interface: the AttributeError below says so
    return int(counters.bytes_sent), int(counters.bytes_recv)


def _swap(psutil: Any) -> float:
    with warnings.catch_warnings():  # psutil warns where /proc/vmstat is missing, though the percentage is right
        warnings.simplefilter("ignore")
        return float(psutil.swap_memory().percent)


def _temperature(psutil: Any) -> float | None:
    sensors = psutil.sensors_temperatures()
    readings = [float(sensor.current) for name in _CPU_SENSORS for sensor in sensors.get(name, ())]
    return max((reading for reading in readings if -50.0 < reading < 150.0), default=None)
