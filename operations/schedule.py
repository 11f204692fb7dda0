"""What `schedule` runs in one process: the scheduler, workers of the queue, backfills, promises, maintenance."""

import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

from data_pipeline.scheduling.plan import Told
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.scheduling import scheduler_of
from operations.serving import Service, Serving
from utils.logger import get_logger

if TYPE_CHECKING:
    from operations.promises import PromiseWatch

__all__ = ["DashboardBeside", "Judging", "Leading", "Maintaining", "serving"]

EVERY_MINUTE_S = 60.0
"""How often promises are judged, and it is looked whether maintenance is overdue."""

MAINTAIN_S = 60.0
"""Seconds after which a maintenance begins no further step: what is left is done by the next one."""

DASHBOARD_S = 5.0
"""How soon it is noticed that the dashboard ended; then it is started again."""


class Leading:
    """Sees to what is due, in the one process that leads."""

    name = "scheduler"
    hears = True

    def __init__(self, system: IntegratedSystem, told: Callable[[Told], None]) -> None:
        self._scheduler = scheduler_of(system, told=told)
        self._led = False

    def leads(self) -> bool:
        """Whether this is the process."""
        return self._scheduler.leads

    def step(self) -> float:
        """See to what is due."""
        wait = self._scheduler.tick()
        if self._led != self._scheduler.leads:
            self._led = self._scheduler.leads
            get_logger("scheduler").info("scheduler.leads" if self._led else "scheduler.stands_by")
        return wait

    def close(self) -> None:
        """Let another process lead, at once."""
        self._scheduler.close()


class Judging:
    """Judges promises, also when nothing runs, in the process that leads."""

    name = "promises"
    hears = False

    def __init__(self, system: IntegratedSystem, leads: Callable[[], bool]) -> None:
        self._system = system
        self._leads = leads
        self._watch: PromiseWatch | None = None

    def step(self) -> float:
        """Tell of those that are at risk now, broken, or kept again."""
        if self._leads():
            if self._watch is None:
                from operations.promises import PromiseWatch

                self._watch = PromiseWatch(self._system)
            self._watch.look()
        return EVERY_MINUTE_S

    def close(self) -> None:
        """Nothing is held."""


class Maintaining:
    """Does overdue maintenance, beside the runs, in the process that leads."""

    name = "maintenance"
    hears = False

    def __init__(self, system: IntegratedSystem, leads: Callable[[], bool]) -> None:
        self._system = system
        self._leads = leads

    def step(self) -> float:
        """Maintain, if it is overdue."""
        from operations.housekeeping import Busy, overdue

        if self._leads() and overdue(self._system):
            from operations.maintain import maintain

            try:
                done = maintain(self._system, Actor("schedule"), seconds=MAINTAIN_S)
            except Busy:
                return EVERY_MINUTE_S  # somebody began it by hand meanwhile
            get_logger("maintenance").info("maintenance.finished", freed=done.freed, left=list(done.left))
        return EVERY_MINUTE_S

    def close(self) -> None:
        """Nothing is held."""


class DashboardBeside:
    """Keeps the dashboard going, a process of its own."""

    name = "dashboard"
    hears = False

    def __init__(self, system: IntegratedSystem, *, port: int | None = None) -> None:
        self._system = system
        self._port = port
        self._child: subprocess.Popen[bytes] | None = None

    def step(self) -> float:
        """Start it, when it is not there."""
        from operations.dashboard import launch

        if self._child is None or (code := self._child.poll()) is not None:
            if self._child is not None:
                get_logger("dashboard").warning("dashboard.ended", code=code)
            self._child = launch(self._system, port=self._port, beside=True)
        return DASHBOARD_S

    def close(self) -> None:
        """End it."""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(10.0)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()


def serving(
    system: IntegratedSystem,
    *,
    workers: int | None = None,
    told: Callable[[Told], None] = lambda _: None,
    beside: Callable[[IntegratedSystem], list[Service]] = lambda _: [],
    program: str = "schedule",
) -> Serving:
    """All that a process runs that stays.

    Args:
        workers: Datasets at the same time, over all runs; default: `executor.workers`.
        told: Hears what becomes of every occurrence.
        beside: More services.
        program: The command.
    """
    from operations.alerting import services as alerting
    from operations.backfill_service import BackfillService
    from operations.guarding import guarded
    from operations.log_incidents import LogIncidents
    from operations.queue import queue_worker

    leading = Leading(system, told)
    services: list[Service] = [
        leading,
        queue_worker(system, workers=workers),
        BackfillService(system, leading.leads),
        Judging(system, leading.leads),
        Maintaining(system, leading.leads),
        *alerting(system),
        LogIncidents(system),
        *beside(system),
    ]
    if system.settings.monitor.health:
        from operations.service_checks import ServiceWatch

        services.append(ServiceWatch(system, leading.leads))
    return guarded(system, services, program=program)
