"""`schedule`: the scheduler, the workers of its queue, promises and maintenance in one process, until it is stopped."""

from collections.abc import Callable

from data_pipeline.scheduling.plan import Told
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.backfill_service import BackfillService
from operations.scheduling import scheduler_of
from operations.serving import Service
from utils.logger import get_logger

__all__ = ["Leading", "Maintaining", "services"]

LOOK_EVERY_S = 60.0
"""How often it is looked whether maintenance is overdue."""

MAINTAIN_S = 60.0
"""Seconds after which a maintenance begins no further step: what is left is done by the next one."""


class Leading:
    """Sees to what is due, in the one process that leads."""

    name = "scheduler"
    hears = True

    def __init__(self, system: IntegratedSystem, told: Callable[[Told], None]) -> None:
        self._scheduler = scheduler_of(system, told=told)
        self._led = False

    @property
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


class Maintaining:
    """Does overdue maintenance, beside the runs, in the process that leads."""

    name = "maintenance"
    hears = False

    def __init__(self, system: IntegratedSystem, leading: Leading) -> None:
        self._system = system
        self._leading = leading

    def step(self) -> float:
        """Maintain, if it is overdue."""
        from operations.maintain import maintain, overdue

        if self._leading.leads and overdue(self._system):
            done = maintain(self._system, Actor("schedule"), seconds=MAINTAIN_S)
            get_logger("maintenance").info("maintenance.finished", freed=done.freed, left=list(done.left))
        return LOOK_EVERY_S

    def close(self) -> None:
        """Nothing is held."""


def services(system: IntegratedSystem, told: Callable[[Told], None] = lambda _: None) -> list[Service]:
    """What `schedule` runs. `told` hears what becomes of every occurrence."""
    leading = Leading(system, told)
    backfills = BackfillService(system, lambda: leading.leads)
    return [leading, backfills, Maintaining(system, leading)]
