"""Samples and snapshots that tests make up, and a monitor that reads them on a clock of the test's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from monitoring.progressive import Level, ProgressiveMonitor, Report, Snapshot
from monitoring.progressive.policy import Condition, Decision, begin, decide
from monitoring.progressive.states import DEFAULT_THRESHOLDS, Thresholds
from utils.clock import ManualClock

START = ManualClock().now()
LONGEST_PLANNED_S = 30.0


@dataclass
class Sample:
    """What a collector gives, as far as a test says it; whatever type it likes."""

    time: Any = START
    cpu_percent: Any = 10.0
    memory_percent: Any = 20.0
    disk_percent: Any = 30.0
    swap_percent: Any = 0.0
    load_1m: Any = 0.1
    connections: Any = None
    disk_read_bytes_s: Any = None
    disk_write_bytes_s: Any = None
    network_sent_bytes_s: Any = None
    network_recv_bytes_s: Any = None
    disk_free_bytes: Any = None
    temperature_c: Any = None


class Host:
    """A machine whose figures the test sets."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.figures: dict[str, Any] = {}
        self.asked = 0

    def collect(self) -> Sample:
        self.asked += 1
        return Sample(self.clock.now(), **self.figures)


class Walk:
    """The pure policy, walked on snapshot by snapshot; remembers every level it was at, and when."""

    def __init__(
        self, base: Level = Level.NORMAL, *, thresholds: Thresholds = DEFAULT_THRESHOLDS, calm_s: float = 60.0
    ) -> None:
        self.condition: Condition = begin(base)
        self.thresholds, self.calm_s = thresholds, calm_s
        self.at = 0.0
        self.levels: list[tuple[float, Level]] = [(0.0, base)]
        self.told: list[Any] = []

    def see(self, after: float, **figures: Any) -> Level:
        """A snapshot after so many seconds, planned after 30 s at most; the level from then on."""
        self.at += after
        seen = Snapshot(START, self.at, self.condition.level, min(after, LONGEST_PLANNED_S), **figures)
        return self._take(decide(self.condition, seen, self.thresholds, calm_s=self.calm_s))

    def calm(self, seconds: float, **figures: Any) -> Level:
        """Snapshots as often as the level says, for so long; the level at the end."""
        until = self.at + seconds
        while self.at < until:
            self.see(self.condition.level.interval_s, **{**QUIET, **figures})
        return self.condition.level

    def _take(self, decision: Decision) -> Level:
        if decision.condition.level is not self.condition.level:
            self.levels.append((self.at, decision.condition.level))
        self.condition = decision.condition
        self.told += decision.notices
        return self.condition.level


QUIET = {"cpu_percent": 10.0, "memory_percent": 20.0, "disk_percent": 30.0}


def watching(host: Host, *, told: Callable[[Any], None] | None = None, **settings: Any) -> ProgressiveMonitor:
    """A monitor of that host, whose steps cost nothing unless the test says so; `told`: hears its notices."""
    monitor = ProgressiveMonitor(host.collect, clock=host.clock, **{"cpu_time": lambda: 0.0, **settings})
    if told is not None:
        monitor.listen(lambda one: None if isinstance(one, Snapshot | Report) else told(one))
    return monitor


def steps(monitor: ProgressiveMonitor, clock: ManualClock, seconds: float) -> int:
    """Step whenever it is due, for so long; how many snapshots that gave."""
    until, before = clock.monotonic() + seconds, monitor.report().snapshots
    while clock.monotonic() < until:
        clock.advance(monitor.step())
    return monitor.report().snapshots - before
