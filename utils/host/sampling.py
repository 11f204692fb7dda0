"""Take samples of this machine: what is cheap to know, and `None` for what is not to be had here."""

import gc
import os
import shutil
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from utils.clock import SYSTEM_CLOCK, Clock
from utils.host.attempt import attempt, psutil_or_none
from utils.host.container import Container
from utils.host.cpu import BusyShare, all_cores, each_core
from utils.host.disks import Disks
from utils.host.own_process import Own, OwnProcess
from utils.host.pressure import pressure
from utils.host.processes import ProcessTable
from utils.host.rates import CounterRates, Moment
from utils.host.room import Rooms
from utils.host.sample import HostSample
from utils.host.sockets import Sockets
from utils.network import Address

__all__ = ["MetricsCollector"]

_CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "acpitz")
_TEMPERATURE_EVERY = 10.0  # some sensors take milliseconds to answer
_SLOW_EVERY = 4.9
_DEAR_EVERY = 0.9  # seconds between two looks at what costs more; samples between them tell the look before again
_PRESSURE = Path("/proc/pressure")


Two = tuple[float | None, float | None]
"""Rates in and out, or read and written."""


class _Dear(NamedTuple):
    """What costs more to look at: once a second."""

    bytes_sent: int | None
    bytes_received: int | None
    network: Two
    all_disks: Two
    disk: Two


class _Slow(NamedTuple):
    """What moves slowly: every few seconds."""

    swap_percent: float | None
    connections: int | None
    own: Own


class MetricsCollector:
    """Takes samples; readers within `ttl` seconds of each other share one. Safe for threads.

    Containers without /proc, missing rights, missing sensors and a missing psutil give `None` in the fields they
    concern, never an exception. Rates are differences of two samples: the first has none, nor has one behind a counter
    that was reset or a clock that jumped. Rates and processes are looked at once a second at most, swap space, sockets
    and this process every five seconds.

    Args:
        clock: Stamps samples and waits for the first one.
        ttl: Seconds that a sample stays good.
        disk_path: The disk of this folder is measured.
        first_interval: CPU load needs two readings; the first sample waits this many seconds between its own.
        processes: Reads the processes, for their number and the top of them; None: samples do not look at them.
        top: How many processes by CPU, and how many by memory.
        canaries: Servers that take a connection from anybody, to measure the network's latency by.
        redacted: Takes the secrets that are known out of command lines.
        container: Where this process is limited.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        ttl: float = 1.0,
        *,
        disk_path: Path = Path("/"),
        first_interval: float = 0.1,
        processes: ProcessTable | None = None,
        top: int = 3,
        canaries: Sequence[Address] = (),
        redacted: Callable[[str], str] = str,
        container: Container | None = None,
    ) -> None:
        self._clock = clock
        self._ttl = ttl
        self._disk_path = disk_path
        self._lock = threading.Lock()
        self._sample: HostSample | None = None
        self._taken_at = 0.0
        self._cpu = BusyShare(clock, all_cores, first_interval)
        self._cores = BusyShare(clock, each_core, first_interval)
        self._network, self._all_disks, self._disk = CounterRates(), CounterRates(), CounterRates()
        self._disks = Disks(disk_path)
        self._sockets = Sockets()
        self._rooms = Rooms(container or Container(), _PRESSURE / "memory")
        self._own = OwnProcess()
        self._temperature: float | None = None
        self._felt_at: float | None = None
        self._dear: _Dear | None = None
        self._dear_at = 0.0
        self._slow: _Slow | None = None
        self._slow_at = 0.0
        self._top = None
        if processes is not None:
            from utils.host.top import TopProcesses

            self._top = TopProcesses(processes, top, redacted)
        self._latency = None
        if canaries:
            from utils.host.latency import Latency

            self._latency = Latency(canaries, clock)

    def collect(self) -> HostSample:
        """One sample, at most `ttl` seconds old."""
        with self._lock:
            now = self._clock.monotonic()
            if self._sample is None or not 0 <= now - self._taken_at < self._ttl:
                self._sample = self._take()
                self._taken_at = self._clock.monotonic()
            return self._sample

    def core_percents(self) -> tuple[float | None, ...] | None:
        """How busy each core was since the call before; the first call waits `first_interval` seconds."""
        with self._lock:
            return self._cores.percents()

    def _take(self) -> HostSample:
        psutil = psutil_or_none()
        cpu = self._cpu.percents()
        looked = (self._clock.monotonic(), self._clock.time())
        memory: Any = attempt(lambda: psutil.virtual_memory())  # noqa: PLW0108 - psutil may be None
        room = self._rooms.look(looked, cpu[0] if cpu else None, memory)
        usage: Any = attempt(lambda: shutil.disk_usage(self._disk_path))
        if self._dear is None or not 0.0 <= looked[0] - self._dear_at < _DEAR_EVERY:
            self._dear, self._dear_at = self._look_closely(psutil, looked), looked[0]
        if self._slow is None or not 0.0 <= looked[0] - self._slow_at < _SLOW_EVERY:
            self._slow, self._slow_at = self._look_slowly(psutil, looked), looked[0]
        dear, slow = self._dear, self._slow
        processes, top_cpu, top_memory = self._top.look(looked[0]) if self._top is not None else (None, (), ())
        return HostSample(
            cpu_percent=room.cpu_percent,
            memory_percent=room.memory_percent,
            # as df: what root keeps is not ours
            disk_percent=attempt(lambda: 100.0 * usage.used / (usage.used + usage.free)),
            network_bytes_sent=dear.bytes_sent,
            network_bytes_recv=dear.bytes_received,
            process_threads=slow.own.threads,
            gc_collections=sum(generation["collections"] for generation in gc.get_stats()),
            load_1m=attempt(lambda: os.getloadavg()[0]),
            swap_percent=slow.swap_percent,
            disk_free_bytes=None if usage is None else usage.free,
            temperature_c=self._hottest(psutil, looked[0]),
            time=self._clock.now(),
            cpu_cores=room.cores,
            memory_available_bytes=room.available,
            memory_total_bytes=room.total,
            disk_total_bytes=None if usage is None else usage.used + usage.free,
            disk_read_bytes_s=dear.disk[0],
            disk_write_bytes_s=dear.disk[1],
            io_read_bytes_s=dear.all_disks[0],
            io_write_bytes_s=dear.all_disks[1],
            network_sent_bytes_s=dear.network[0],
            network_recv_bytes_s=dear.network[1],
            network_latency_ms=self._latency.newest() if self._latency is not None else None,
            connections=slow.connections,
            processes=processes,
            pressure_cpu=pressure(_PRESSURE / "cpu").some,
            pressure_memory=room.pressure.some,
            pressure_memory_full=room.pressure.full,
            pressure_io=pressure(_PRESSURE / "io").some,
            own_cpu_percent=slow.own.cpu_percent,
            own_rss_bytes=slow.own.rss,
            own_open_files=slow.own.files,
            own_files_free=slow.own.files_free,
            python_threads=threading.active_count(),
            contained=room.contained,
            top_cpu=top_cpu,
            top_memory=top_memory,
        )

    def _look_closely(self, psutil: Any, looked: Moment) -> "_Dear":
        network = attempt(lambda: _network(psutil)) or {}
        disks = attempt(lambda: self._disks.counters(psutil, looked[0])) or (None, None)
        return _Dear(
            bytes_sent=round(sum(io[0] for io in network.values())) if network else None,
            bytes_received=round(sum(io[1] for io in network.values())) if network else None,
            network=_two(self._network, {name: io for name, io in network.items() if name != "lo"}, looked),
            all_disks=_two(self._all_disks, disks[0], looked),
            disk=_two(self._disk, disks[1], looked),
        )

    def _look_slowly(self, psutil: Any, looked: Moment) -> _Slow:
        return _Slow(
            swap_percent=attempt(lambda: _swap(psutil)),
            connections=attempt(lambda: self._sockets.count(looked[0])),
            own=self._own.look(psutil, looked),
        )

    def _hottest(self, psutil: Any, now: float) -> float | None:
        if self._felt_at is None or not 0.0 <= now - self._felt_at < _TEMPERATURE_EVERY:
            self._felt_at = now
            self._temperature = attempt(lambda: _temperature(psutil))
        return self._temperature


def _two(rates: CounterRates, counters: Mapping[str, tuple[float, ...]] | None, looked: Moment) -> Two:
    found = rates.rates(counters, looked)
    return (None, None) if found is None else (found[0], found[1])


def _network(psutil: Any) -> dict[str, tuple[float, ...]]:
    """Interface -> bytes sent and received since boot."""
    found = psutil.net_io_counters(pernic=True, nowrap=False)
    return {name: (io.bytes_sent, io.bytes_recv) for name, io in found.items()}


def _swap(psutil: Any) -> float:
    with warnings.catch_warnings():  # psutil warns where /proc/vmstat is missing, though the percentage is right
        warnings.simplefilter("ignore")
        return float(psutil.swap_memory().percent)


def _temperature(psutil: Any) -> float | None:
    sensors = psutil.sensors_temperatures()
    readings = [float(sensor.current) for name in _CPU_SENSORS for sensor in sensors.get(name, ())]
    return max((reading for reading in readings if -50.0 < reading < 150.0), default=None)
