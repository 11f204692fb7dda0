"""Real processes that use too much, a bounded lot of it, each under a name of its own; and the looks at the host."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitoring.protector.immunity import Scope
from monitoring.protector.offender import Least
from monitoring.protector.protector import EVERY_S, ResourceProtector
from utils.clock import ManualClock
from utils.database import StateError
from utils.events import NewEvent
from utils.host import HostSample

HOG, TWIN = "cdo-hog", "cdo-twin"

_BEGIN = """
import os, signal, sys, time
open("/proc/self/comm", "w").write(sys.argv[1])
"""
CPU = """
os.write(1, b"ready\\n")
while sys.stdin.readline():
    until = time.process_time() + 0.03  # of the lowest priority, on a busy machine, seconds
    while time.process_time() < until:
        pass
    os.write(1, b"used\\n")
"""
MEMORY = """
held = bytearray(64 * 2**20)
held[::4096] = b"x" * len(held[::4096])
os.write(1, b"ready\\n")
sys.stdin.readline()
"""
DISK = """
file = open(sys.argv[2], "wb", buffering=0)
os.write(1, b"ready\\n")
while sys.stdin.readline():
    file.write(b"x" * 4_000_000)
    os.write(1, b"used\\n")
"""
PIPES: Any = {**dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE), "text": True}
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


@dataclass
class Hog:
    """One of them."""

    process: "subprocess.Popen[str]"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    def hears(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def goes_on(self) -> None:
        """Has it use its share once more."""
        assert self.process.stdin is not None
        self.process.stdin.write("on\n")
        self.process.stdin.flush()


@contextmanager
def hogs(program: str, *arguments: Path, before: str = "") -> Iterator[tuple[Hog, Hog]]:
    """The runaway and its twin, which does the same under another name; both have begun."""
    both = []
    for number, name in enumerate((HOG, TWIN)):
        own = [str(argument) + str(number) for argument in arguments]
        command = [sys.executable, "-S", "-c", _BEGIN + before + program, name, *own]
        process = subprocess.Popen(command, **PIPES)
        both.append(Hog(process))
    try:
        assert [one.hears() for one in both] == ["ready", "ready"]
        yield both[0], both[1]
    finally:
        for one in both:
            one.process.kill()
            one.process.communicate()


@dataclass
class Log:
    """Takes the events; `full`: it cannot be written."""

    events: list[NewEvent] = field(default_factory=list)
    full: bool = False

    def __call__(self, event: NewEvent) -> None:
        if self.full:
            raise StateError("the disk is full", hint="make room")
        self.events.append(event)

    def told(self, kind: str = "") -> list[tuple[str, str | None]]:
        """Type and action of what was told."""
        return [(one.type, one.data.get("action")) for one in self.events if one.type.startswith(kind)]


@dataclass
class Watched:
    """A protector over real processes, with a clock and figures of the test's choice."""

    log: Log = field(default_factory=Log)
    clock: ManualClock = field(default_factory=ManualClock)
    protector: ResourceProtector = field(init=False)

    def begin(self, **more: Any) -> "Watched":
        least = Least(cpu_percent=0.2, memory_bytes=48 * 2**20, written_per_s=1_000_000.0)
        usual: dict[str, Any] = {"dry_run": False, "scope": Scope(names=frozenset({HOG})), "least": least}
        self.protector = ResourceProtector(record=self.log, clock=self.clock, **(usual | more))
        return self

    def look(self, *, looks: int = 1, **figures: float) -> None:
        """So many looks at a host with these figures."""
        for _ in range(looks):
            self.protector.step(sample(self.clock.now(), **figures))
            self.clock.advance(EVERY_S)


def sample(time: datetime = datetime(2026, 1, 1, tzinfo=UTC), **figures: float) -> HostSample:
    """A calm host but for these figures."""
    about: dict[str, Any] = {"cpu_percent": 5.0, "memory_percent": 20.0, "disk_percent": 30.0, "disk_free_bytes": 10**9}
    about |= dict.fromkeys(("network_bytes_sent", "network_bytes_recv", "gc_collections"), 0)
    about |= {"process_threads": 1, "load_1m": 0.1, "swap_percent": 0.0, "temperature_c": None, "time": time}
    return HostSample(**(about | figures))
