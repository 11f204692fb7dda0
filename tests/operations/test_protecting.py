"""The service that protects and heals beside the others: what it asks of our own work, and that one process does it."""

import threading
from pathlib import Path
from typing import Any

import pytest

from config.errors import ConfigError
from data_pipeline.scheduling import pausing
from data_pipeline.scheduling.views import Schedules
from integrated_system import IntegratedSystem
from monitoring.protector.protector import EVERY_S
from operations.actor import Actor
from operations.priority import hold_back, is_held_back, let_go
from operations.protecting import OwnWork, Protecting, healer_of, services
from operations.queue import queue_worker
from operations.run import run
from tests.integration.installation import Installation
from tests.monitoring.protector.hogs import MEMORY, hogs, sample
from tests.operations.small_disk import small_disk
from utils.clock import ManualClock
from utils.host import HostSample, MetricsCollector

ANNA = Actor("anna")


class Figures(MetricsCollector):
    """Figures of a test's choice, the disk's free bytes excepted."""

    def __init__(self, **figures: float) -> None:
        super().__init__()
        self.figures = figures

    def collect(self) -> HostSample:
        return sample(**self.figures)


def look(service: Protecting, clock: ManualClock, *, looks: int = 3) -> None:
    """So many looks of the protector; the service is called whenever it wants to be."""
    until = clock.monotonic() + looks * EVERY_S
    while clock.monotonic() < until:
        clock.advance(service.step())


def simulated(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "collect": {"kind": "simulated", "rows": 5, "columns": {"a": "integer"}}, **more}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(tmp_path)
    made.configure(
        simulated("urgent", priority=5),
        simulated("nightly", priority=-1, schedule={"every": "1h"}),
        protector={"enabled": True, "dry_run": False},
    )
    return made


def statuses(system: IntegratedSystem) -> dict[str, str]:
    return {stored.request["datasets"][0]: stored.status for stored in system.views.runs()}


def test_runs_of_low_priority_wait_and_go_on_and_none_is_lost(installation: Installation) -> None:
    """While they are held back the urgent one is run; what waits begins once the host has room again."""
    with installation.system() as system:
        hold_back(system)
        for name, priority in (("nightly", -1), ("urgent", 5)):
            queue_row(system, name, priority)
        worker = queue_worker(system, stays=False)
        try:
            worker.drain()
            assert statuses(system) == {"urgent": "succeeded", "nightly": "queued"}
            let_go(system)
            worker.drain()
            assert statuses(system) == {"urgent": "succeeded", "nightly": "succeeded"}
        finally:
            worker.close()


def queue_row(system: IntegratedSystem, name: str, priority: int) -> None:
    """A run in the queue, worked off by nobody yet."""
    from data_pipeline.run_queue.request import RunRequest
    from operations.run import run_queue

    run_queue(system).put([RunRequest((name,), "test", priority=priority)])


def test_another_process_sees_that_they_are_held_back_and_its_death_lets_them_go(installation: Installation) -> None:
    """The lease is that of a process: who died holds nobody back."""
    with installation.system() as system, installation.system() as other:
        queue_row(system, "nightly", -1)
        (waiting,) = system.views.waiting(limit=1)
        hold_back(system)
        assert is_held_back(other, waiting)
        system.leases.close()
        assert not is_held_back(other, waiting)


def test_what_a_person_paused_stays_paused(installation: Installation) -> None:
    """To hold back and to let go is another thing than a pause: nothing is skipped, and nothing lifted."""
    with installation.system() as system:
        pausing.pause(system.events, ["nightly"], actor="anna", now=system.clock.now())
        work = OwnWork(system, below=80.0)
        assert work.pause(dry_run=False) == ["nightly"]
        work.resume()
        stands = Schedules(system.database).all()
        assert (pausing.is_paused(stands, "nightly"), stands["nightly"].paused_by) == (True, "anna")
        assert [event.type for event in system.events.read(type="schedule.*")] == ["schedule.paused"]


def test_memory_that_is_short_holds_back_and_ends_in_events(installation: Installation) -> None:
    """What was done, before it was done, and when it was over; the runaway is our own child."""
    clock = ManualClock()
    with installation.system(clock) as system, hogs(MEMORY) as (runaway, twin):
        service = Protecting(system, measure=Figures(memory_percent=99.0))
        look(service, clock)
        (acted,) = system.events.read(type="protector.acted")
        assert (acted.data["action"], acted.data["datasets"]) == ("pause", ["nightly"])
        assert not system.leases.is_free("hold:low_priority")
        assert all(one.lives for one in (runaway, twin))  # neither holds a tenth of this machine's memory
        look(service, clock, looks=36)
        (gave_up,) = system.events.read(type="protector.gave_up")
        assert gave_up.data["before"]["memory_percent"] == 99.0
        service._measure = Figures()  # the same service sees a calm host
        look(service, clock, looks=4)
        assert system.leases.is_free("hold:low_priority")
        assert [event.subject for event in system.events.read(type="protector.relieved")] == ["memory"]
        service.close()


def test_a_disk_that_fills_up_during_a_run_is_shed_and_the_run_succeeds(tmp_path: Path) -> None:
    """On a real small disk: what is temporary and cached goes while the run works, and all that it needs is there."""
    with small_disk(tmp_path) as disk:
        disk.live(rounds=2)
        disk.configure_anew(protector={"enabled": True, "dry_run": False}, healing={"enabled": False})
        clock = ManualClock()
        with disk.system(clock) as watching, disk.system() as working:
            service = Protecting(watching)
            begun, go_on = threading.Event(), threading.Event()
            found: list[Any] = []

            def progress(_: object) -> None:
                begun.set()
                go_on.wait(120)

            def work() -> None:
                found.append(run(working, ANNA, ("orders", "prices"), fresh=True, workers=1, progress=progress))

            runs = threading.Thread(target=work)
            runs.start()
            try:
                assert begun.wait(120)
                for percent in (96.0, 97.0, 98.0):
                    disk.fill(percent)
                    full = disk.percent
                    look(service, clock, looks=1)
                told = watching.events.read(type="disk.shed")[0].data
                assert disk.percent < full
            finally:
                go_on.set()
                runs.join(120)
            assert [step["name"] for step in told["steps"]][:2] == ["temporary", "cache"]
            assert len(told["consumers"]) == 3
            assert all(one["name"] in told["words"] for one in told["consumers"])
            assert "at the present pace it is full " in told["words"]
            service.close()
            assert [one.status for one in found[0].datasets] == ["succeeded", "succeeded"]
            assert watching.events.verify().fault is None
        assert len(disk.rows("orders")) > 1000


def test_one_process_does_it_and_the_next_takes_over(installation: Installation) -> None:
    """Two of them would end twice as many."""
    clock = ManualClock()
    with installation.system(clock) as system, installation.system(clock) as other:
        first, second = Protecting(system, measure=Figures()), Protecting(other, measure=Figures())
        assert (first.step(), second.step()) == (2.0, 10.0)
        first.close()
        assert second.step() == 2.0
        second.close()


@pytest.mark.parametrize("calm", [False, True], ids=["still short", "calm by now"])
def test_what_was_told_before_a_restart_ends_after_it(installation: Installation, calm: bool) -> None:
    """A person who was called hears the end, and is not called again for the same trouble."""
    clock = ManualClock()
    with installation.system(clock) as system:
        for percent in (99.0, 99.0 if not calm else 20.0, 20.0):
            service = Protecting(system, measure=Figures(memory_percent=percent))
            look(service, clock, looks=90)  # three minutes
            service.close()
        for source, over in (("protector", "relieved"), ("healing", "recovered")):
            told = [event for event in system.events.read(type=f"{source}.*", limit=1000) if event.subject == "memory"]
            ends = [event.type for event in told if event.type in (f"{source}.gave_up", f"{source}.{over}")]
            assert ends == [f"{source}.gave_up", f"{source}.{over}"]


def test_treatments_of_the_last_hour_count_whoever_took_them(installation: Installation) -> None:
    """A service that is started anew every minute does not sweep every minute."""
    clock = ManualClock()
    with installation.system(clock) as system:
        for _ in range(5):
            healer = healer_of(system, Figures())
            healer.heal("collect_garbage")
            clock.advance(700.0)
        assert len(system.events.read(type="healing.finished")) == 3
        clock.advance(3600.0)
        assert healer_of(system, Figures()).heal("collect_garbage").status == "done"


def test_endings_of_the_last_hour_count_whoever_did_them(installation: Installation) -> None:
    """A service that is started anew has not forgotten what it did."""
    from utils.events import NewEvent

    clock = ManualClock()
    with installation.system(clock) as system:
        ended = {"action": "terminate", "dry_run": False}
        for data in (ended, ended, ended, {**ended, "dry_run": True}):
            system.events.append([NewEvent("protector.acted", "memory", data, source="protector")])
        clock.advance(600.0)
        service = Protecting(system, measure=Figures(memory_percent=99.0))
        look(service, clock, looks=36)
        (gave_up,) = system.events.read(type="protector.gave_up")
        assert "3 processes were ended in an hour" in gave_up.data["why"]
        service.close()


def test_a_user_who_is_none_here_is_told_at_the_start(tmp_path: Path) -> None:
    """A scope with a typing mistake would protect nobody, in silence."""
    made = Installation(tmp_path)
    made.configure(protector={"enabled": True, "scope": {"users": ["rooot"]}})
    with made.system() as system, pytest.raises(ConfigError, match=r"no user `rooot` here.*Did you mean `root`"):
        services(system)


def test_without_either_there_is_no_service(tmp_path: Path) -> None:
    """Switched off, it costs nothing."""
    made = Installation(tmp_path)
    made.configure(healing={"enabled": False})
    with made.system() as system:
        assert services(system) == []


def test_the_healer_of_an_installation_sweeps_its_own_temporary_files_and_those_that_are_named(tmp_path: Path) -> None:
    """Its own `tmp` and the folders of the configuration; never the rest of the state."""
    made, named = Installation(tmp_path), tmp_path / "named"
    named.mkdir()
    made.configure(healing={"actions": {"clean_temporary": {"paths": [str(named)], "cooldown": "1m"}}})
    clock = ManualClock()
    clock.set_forward(10**9)
    with made.system(clock) as system:
        old = [named / "old", system.state_dir / "tmp" / "old", system.state_dir / "storage" / "old"]
        for path in old:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 4096)
        found = healer_of(system, Figures()).heal("clean_temporary")
        assert (found.count, [path.exists() for path in old]) == (2, [False, False, True])
        assert [event.type for event in system.events.read(type="healing.*")] == ["healing.started", "healing.finished"]


def test_a_queued_run_of_a_person_is_not_held_back(installation: Installation) -> None:
    """Who asks for it by hand has it begun: only what is due by itself gives way."""
    with installation.system() as system:
        hold_back(system)
        queue_row(system, "nightly", 0)
        (waiting,) = system.views.waiting(limit=1)
        assert not is_held_back(system, waiting)
