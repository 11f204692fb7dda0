"""This machine is watched: by `serve` when configured, once on demand, and kept in the log and the history."""

from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.host_words import rows
from operations.monitor import HostWatch, Report, Shown, Snapshot, look_once, services, shown_json
from tests.integration.installation import Installation
from tests.monitoring.progressive.readings import Host
from utils.clock import ManualClock
from utils.host.history import labels


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure(monitor={"level": "INTENSIVE", "thresholds": {"cpu": [99, 100], "memory": [0, 100]}})
    return made


def watch(system: IntegratedSystem, clock: ManualClock, seconds: float, told: list[Shown]) -> None:
    """Watch a machine of the test's on a clock of the test's: on a real one CPU means nothing without real time."""
    system.__dict__["host"] = Host(clock)
    service = HostWatch(system, told=told.append)
    clock.advance(service.step())
    until = clock.monotonic() + seconds
    while clock.monotonic() < until:
        clock.advance(service.step())
    service.close()


def test_serve_watches_unless_told_not_to(installation: Installation) -> None:
    """`monitor.enabled`."""
    with installation.system() as system:
        assert [one.name for one in services(system)] == ["monitor"]
    installation.configure(monitor={"enabled": False})
    with installation.system() as system:
        assert services(system) == []
        assert "progressive" not in system.__dict__


def test_the_machine_is_watched_as_configured(installation: Installation) -> None:
    """Level and thresholds: a memory that is a warning from 0 % on holds it at INTENSIVE."""
    clock = ManualClock()
    told: list[Shown] = []
    with installation.system(clock) as system:
        watch(system, clock, 65.0, told)
        assert system.progressive.states["memory"] == "warning"

    seen = [one for one in told if isinstance(one, Snapshot)]
    assert len(seen) == 65
    assert {one.level for one in seen} == {"INTENSIVE"}
    assert all(one.memory_percent is not None and one.disk_percent is not None for one in seen)
    assert [one.snapshots for one in told if isinstance(one, Report)] == [10, 20, 30, 40, 50, 60]


def test_what_was_seen_is_in_the_history(installation: Installation) -> None:
    """Of this host, by name; the last minute comes when the watch ends."""
    clock = ManualClock()
    with installation.system(clock) as system:
        watch(system, clock, 130.0, [])
        now = clock.time()
        found = system.history.range("host_memory_percent", labels(), since=now - 600.0, until=now + 1.0)
        assert found.count.sum() == 3


def test_a_level_is_told_in_the_log(installation: Installation) -> None:
    """A memory that is critical from 0 % on, on a machine that is not empty."""
    installation.configure(monitor={"thresholds": {"memory": [0, 0]}})
    clock = ManualClock()
    with installation.system(clock) as system:
        watch(system, clock, 3.0, [])

    (event,) = installation.events("host.level_changed")
    assert (event["before"], event["after"], event["states"]["memory"]) == ("NORMAL", "CRITICAL", "critical")
    assert "memory at" in event["reason"]


def test_one_look_says_how_it_stands_and_keeps_nothing(installation: Installation) -> None:
    """Rates, too: two samples are taken."""
    with installation.system() as system:
        seen, report = look_once(system)
        assert "database" not in system.__dict__

    assert seen.network_recv_bytes_s is not None
    assert seen.cpu_percent is not None
    assert report.snapshots == 1
    shown = {row.name: row for row in rows(seen, report)}
    assert list(shown)[:3] == ["cpu", "memory", "disk"]
    assert shown["memory"].state == "warning"
    assert shown["disk free"].now.endswith("GB") or shown["disk free"].now.endswith("MB")


@pytest.mark.parametrize("look", [look_once, lambda system, level: HostWatch(system, level=level)])
def test_a_level_that_is_none_is_refused(installation: Installation, look: object) -> None:
    """With the names that there are."""
    with installation.system() as system, pytest.raises(UsageError, match="there is no such level") as refused:
        look(system, level="lazy")  # type: ignore[operator]
    assert "IDLE, NORMAL, INTENSIVE, CRITICAL" in refused.value.hint


def test_a_level_that_is_asked_for_is_where_it_begins(installation: Installation) -> None:
    """And no news."""
    clock = ManualClock()
    told: list[Shown] = []
    with installation.system(clock) as system:
        system.__dict__["host"] = Host(clock)
        service = HostWatch(system, level="critical", told=told.append)
        assert [service.step(), clock.advance(1.0), service.step()] == [1.0, None, 0.5]
        service.close()
    assert [one.type for one in told] == ["snapshot.taken"]
    assert shown_json(told[0])["level"] == "CRITICAL"


def test_without_a_log_the_host_is_watched_all_the_same(installation: Installation) -> None:
    """A state whose database is none."""
    installation.state.mkdir(mode=0o700)
    (installation.state / "orchestrator.db").write_bytes(b"no database at all" * 100)
    clock = ManualClock()
    told: list[Shown] = []
    with installation.system(clock) as system:
        watch(system, clock, 3.0, told)
    assert [one.type for one in told] == ["snapshot.taken"] * 3
