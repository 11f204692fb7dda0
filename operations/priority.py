"""Runs of low priority give way: they wait in the queue as long as the host has no room for them."""

from data_pipeline.store.run_views import Run
from integrated_system import IntegratedSystem

__all__ = ["hold_back", "is_held_back", "let_go", "low_priority"]

HOLD = "hold:low_priority"
"""The lease of who holds them back: all processes of a state see it, and when its holder dies they go on."""


def low_priority(system: IntegratedSystem) -> list[str]:
    """The datasets whose `priority` is below 0."""
    return [dataset.name for dataset in system.settings.datasets if dataset.priority < 0]


def hold_back(system: IntegratedSystem) -> None:
    """Let none of them begin. What is under way goes on; what becomes due waits in the queue, and is not lost."""
    system.leases.acquire([HOLD])


def let_go(system: IntegratedSystem) -> None:
    """Let them begin. A schedule that a person has paused stays so: this is another thing."""
    system.leases.release([HOLD])


def is_held_back(system: IntegratedSystem, run: Run) -> bool:
    """Whether a run that waits has to give way now."""
    return run.priority < 0 and system.settings.protector.enabled and not system.leases.is_free(HOLD)
