"""One look at the host as the monitor keeps it: figures that are possible, and a count of those that were not.

A counter that was reset, a clock that was set, a sensor that says 7,626,516 % (a monitor once raised alarms over it):
such a figure is left out and counted; nothing is raised.
"""

import math
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from monitoring.progressive.levels import Level

__all__ = ["PERCENTS", "RATES", "Sampled", "Snapshot", "snapshot"]

PERCENTS = (
    *("cpu_percent", "memory_percent", "disk_percent", "swap_percent"),
    *("pressure_cpu", "pressure_memory", "pressure_memory_full", "pressure_io"),
)
RATES = (
    *("disk_read_bytes_s", "disk_write_bytes_s", "io_read_bytes_s", "io_write_bytes_s"),
    *("network_sent_bytes_s", "network_recv_bytes_s"),
)
COUNTS = (
    *("memory_available_bytes", "disk_free_bytes", "connections", "processes", "network_latency_ms"),
    "own_files_free",
)
OTHERS = ("load_1m", "temperature_c")

SLACK = 0.5
"""Points above 100 that rounding may give."""

HIGHEST_RATE = 1e12
"""Bytes a second that no machine of today moves."""

CLOCK_SLACK_S = 2.0
"""Seconds by which wall clock and monotonic clock may differ from one sample to the next."""


class Sampled(Protocol):
    """What a snapshot is made of: `utils.host.HostSample`, or anything with some of its fields."""

    @property
    def time(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The host at one moment: the figures of `utils.host.HostSample`, under its names, as far as they are possible.

    Percents 0..100, rates in bytes a second; `None`: not to be had, or not possible.

    Attributes:
        time: When; UTC.
        at: The same in monotonic seconds.
        level: At which it was taken.
        interval_s: Seconds that were planned since the snapshot before.
        absurd: Fields whose reading was not possible; `clock`: the wall clock was set since the snapshot before.
    """

    time: datetime
    at: float
    level: Level
    interval_s: float
    cpu_percent: float | None = None
    memory_percent: float | None = None
    disk_percent: float | None = None
    swap_percent: float | None = None
    load_1m: float | None = None
    connections: int | None = None
    processes: int | None = None
    memory_available_bytes: int | None = None
    disk_free_bytes: int | None = None
    disk_read_bytes_s: float | None = None
    disk_write_bytes_s: float | None = None
    io_read_bytes_s: float | None = None
    io_write_bytes_s: float | None = None
    network_sent_bytes_s: float | None = None
    network_recv_bytes_s: float | None = None
    network_latency_ms: float | None = None
    pressure_cpu: float | None = None
    pressure_memory: float | None = None
    pressure_memory_full: float | None = None
    pressure_io: float | None = None
    temperature_c: float | None = None
    own_files_free: int | None = None
    absurd: tuple[str, ...] = ()

    type = "snapshot.taken"

    def to_json(self) -> dict[str, Any]:
        """For programs; `time` in RFC 3339, and no monotonic seconds, which mean nothing elsewhere; two decimals."""
        told = {name: round(value, 2) if isinstance(value, float) else value for name, value in asdict(self).items()}
        del told["at"], told["interval_s"]
        return {**told, "time": self.time.isoformat().replace("+00:00", "Z"), "absurd": list(self.absurd)}


def snapshot(
    sample: Sampled, *, at: float, level: Level, interval_s: float, before: Snapshot | None = None
) -> Snapshot:
    """The snapshot of a sample; whatever the sample holds, nothing is raised.

    Args:
        at: Monotonic seconds when it was taken.
        interval_s: Seconds that were planned since `before`.
    """
    found: dict[str, Any] = {}
    absurd = []
    for names, possible in _POSSIBLE:
        for name in names:
            value = getattr(sample, name, None)
            if value is None:
                continue
            if isinstance(value, int | float) and not isinstance(value, bool) and possible(value):
                found[name] = min(value, 100.0) if names is PERCENTS else value
            else:
                absurd.append(name)
    if before is not None and not _in_step(sample.time, at, before):
        absurd.append("clock")
    return Snapshot(sample.time, at, level, interval_s, **found, absurd=tuple(absurd))


def _in_step(time: datetime, at: float, before: Snapshot) -> bool:
    """Whether both clocks have gone on alike, as far as that can be told of a shared sample."""
    return abs((time - before.time).total_seconds() - (at - before.at)) <= CLOCK_SLACK_S


def _is_percent(value: float) -> bool:
    return 0.0 <= value <= 100.0 + SLACK


def _is_rate(value: float) -> bool:
    return 0.0 <= value <= HIGHEST_RATE


def _is_count(value: float) -> bool:
    return 0 <= value < math.inf


def _is_number(value: float) -> bool:
    return math.isfinite(value)


_POSSIBLE = ((PERCENTS, _is_percent), (RATES, _is_rate), (COUNTS, _is_count), (OTHERS, _is_number))
