"""The watch goes on for days: memory stays as it was, and the database holds what retention promises."""

import gc
import random
from pathlib import Path

import psutil
import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.maintain import maintain
from operations.monitor import HostWatch
from tests.integration.installation import Installation
from tests.monitoring.progressive.readings import Host, Sample
from utils.clock import ManualClock
from utils.host.history import labels

FLAT_BYTES = 5_000_000
RAW_KEPT = 256  # of a series never fewer are kept
EVENTS_OF_A_DAY = 2_000


class Restless(Host):
    """A machine whose figures wander, and are absurd now and then; the same for the same seed."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self._random = random.Random(9)
        self._cpu = 40.0

    def collect(self) -> Sample:
        self._cpu = min(100.0, max(0.0, self._cpu + self._random.gauss(0.0, 6.0)))
        absurd = self._random.random() < 0.01
        self.figures = {
            "cpu_percent": 7e6 if absurd else self._cpu,
            "memory_percent": None if absurd else 50.0,
            "network_sent_bytes_s": self._random.uniform(-1.0, 1e6),
            "disk_free_bytes": 10**11 + self._random.randrange(10**9),
        }
        return super().collect()


def watched(system: IntegratedSystem, clock: ManualClock, samples: int) -> list[int]:
    """So many samples by the service of `serve`; the resident memory after half of them, and at the end."""
    import numpy  # noqa: F401, ICN001 - a forecast would load it at some time

    service = HostWatch(system)
    found = []
    for number in range(samples + 1):
        clock.advance(service.step())
        if number in {samples // 2, samples}:
            gc.collect()
            found.append(psutil.Process().memory_info().rss)
    service.close()
    return found


def check_database(installation: Installation, clock: ManualClock, since: float) -> None:
    """After a maintenance there are raw points of six hours, roll-ups of the rest, and few events."""
    with installation.system(clock) as system:
        maintain(system, Actor("test"))
        assert system.history.figures().waiting == 0
        (block,) = system.history.blocks(system.history.subjects(), last=10**6)
        oldest_of_a_chunk = 6 * 3600.0 + 64 * 60.0
        assert len(block.times) <= max(RAW_KEPT + 64, (oldest_of_a_chunk + 60.0) / 60.0)
        now = clock.time()
        hours = system.history.aggregates("host_cpu_percent", labels(), since=since, until=now, by="hour")
        assert len(hours.times) >= int((now - since) / 3600.0) - 1
        days = (now - since) / 86_400.0
        assert system.events.head()[0] <= EVENTS_OF_A_DAY * days


def configured(folder: Path) -> Installation:
    installation = Installation(folder)
    installation.configure(retention={"history": {"raw": "6h", "minute": "12h", "hour": "30d"}})
    return installation


def test_memory_stays_as_it_was(tmp_path: Path) -> None:
    """Some thousand samples of a restless machine: all rings were full at half of them."""
    installation, clock = configured(tmp_path), ManualClock()
    since = clock.time()
    with installation.system(clock) as system:
        system.__dict__["host"] = Restless(clock)
        early, late = watched(system, clock, 2_400)

    assert late - early < FLAT_BYTES, (early, late)  # less: the machine needed it for something else
    check_database(installation, clock, since)


@pytest.mark.prove
def test_twenty_thousand_samples_of_this_machine(tmp_path: Path) -> None:
    """Real samples on a fast clock: resident memory stays within 5 MB."""
    installation, clock = configured(tmp_path), ManualClock()
    since = clock.time()
    with installation.system(clock) as system:
        early, late = watched(system, clock, 20_000)
        assert len(system.progressive.snapshots()) == 1000

    assert late - early < FLAT_BYTES, (early, late)  # less: the machine needed it for something else
    print(f"resident {early / 1e6:.1f} MB after 10,000 samples, {late / 1e6:.1f} MB after 20,000")
    check_database(installation, clock, since)
