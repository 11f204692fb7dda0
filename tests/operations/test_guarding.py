"""Services that are watched themselves: one that stands still is told with its stack, and told again when it works."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations.guarding import Guard, guarded, watched_name
from operations.schedule import serving
from operations.serving import STALLED_S, Serving
from tests.integration.installation import Installation
from utils.clock import ManualClock
from utils.events import Event

PATIENCE_S = 120.0


class Stuck:
    """A service whose step does not come back until it is let go."""

    name = "importer"
    hears = False

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.done = threading.Event()

    def step(self) -> float:
        self.begun.set()
        self.where_it_stands()
        self.done.set()
        return 3600.0

    def where_it_stands(self) -> None:
        self.go_on.wait(PATIENCE_S)

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def system(tmp_path: Path, clock: ManualClock) -> Iterator[IntegratedSystem]:
    installation = Installation(tmp_path)
    installation.configure()
    with installation.system(clock) as made:
        yield made


def told(system: IntegratedSystem) -> list[Event]:
    system.events.submit([]).result(PATIENCE_S)  # all that was submitted before is written now
    return system.events.read(source="watchdog")


def test_a_service_that_stands_still_is_told_with_where_it_stands(system: IntegratedSystem, clock: ManualClock) -> None:
    """And that it works again; the others, and the end of the process, are not hindered."""
    stuck = Stuck()
    guard = Guard(system, [stuck.name])
    everything = Serving(system.database, [stuck], beat=guard.beat)
    thread = threading.Thread(target=everything.run)
    thread.start()
    assert stuck.begun.wait(PATIENCE_S)

    clock.advance(STALLED_S + 1.0)
    guard.watchdog.check()
    stuck.go_on.set()
    assert stuck.done.wait(PATIENCE_S)
    everything.stop()
    thread.join(PATIENCE_S)
    system.events.append([])  # what was handed over is written by then

    (event,) = told(system)
    assert (event.type, event.subject, event.data["kind"]) == ("service.unavailable", "serve/importer", "stalled")
    assert any("where_it_stands" in str(stack) for stack in event.data["stacks"])


def test_a_service_that_waits_is_none_that_stands_still(system: IntegratedSystem, clock: ManualClock) -> None:
    """It said for how long; and one that has ended is not missed."""
    guard = Guard(system, ["maintenance"])
    guard.beat("maintenance", 3600.0 + STALLED_S)
    clock.advance(3600.0)
    guard.watchdog.check()
    assert guard.watchdog.well

    clock.advance(STALLED_S + 1.0)
    guard.beat("maintenance", None)
    guard.watchdog.check()
    assert guard.watchdog.well
    assert told(system) == []


def test_a_process_that_died_while_it_stood_still_is_said_to_work_once_it_is_started_anew(
    system: IntegratedSystem, clock: ManualClock
) -> None:
    """Once; whoever was well is not mentioned."""
    before = Guard(system, ["monitor"])
    before.beat("monitor", 10.0)
    clock.advance(11.0)
    before.watchdog.check()
    assert [event.type for event in told(system)] == ["service.unavailable"]

    for _ in range(2):
        guard = Guard(system, ["monitor", "scheduler"])
        guard.step()
        guard.close()
        told(system)  # a process ends once all is written
    assert [(event.type, event.subject) for event in told(system)] == [
        ("service.unavailable", "serve/monitor"),
        ("service.recovered", "serve/monitor"),
    ]


def test_systemd_is_told_that_it_is_ready_lives_and_stops(
    system: IntegratedSystem, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signs of life only as long as nobody stands still."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "20000000")
        guard = Guard(system, ["monitor"])
        guard.step()
        assert manager.recv(100) == b"READY=1"

        clock.advance(11.0)
        guard.step()
        assert manager.recv(100) == b"WATCHDOG=1"

        guard.beat("monitor", 1.0)
        clock.advance(11.0)
        guard.watchdog.check()
        guard.step()
        guard.close()
        assert manager.recv(100) == b"STOPPING=1"


def test_what_serve_runs_is_watched(system: IntegratedSystem) -> None:
    """Every service, under a name that no check of a user's can have."""
    names = [service.name for service in serving(system)._services]
    assert names[-1] == "watchdog"
    assert len(set(names)) == len(names)
    assert watched_name("monitor") == "serve/monitor"
    assert isinstance(guarded(system, [], program="serve"), Serving)


@pytest.mark.parametrize(
    ("usec", "next_s"), [("", 5.0), ("60000000", 5.0), ("4000000", 1.0)], ids=["none", "a minute", "four seconds"]
)
def test_signs_of_life_are_as_frequent_as_systemd_wants_them(
    system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, usec: str, next_s: float
) -> None:
    """A short WatchdogSec is kept as well."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    guard = Guard(system, [])
    assert guard.step() == next_s
    guard.close()
