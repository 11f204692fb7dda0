"""The run queue of an installation: who works it off, and runs that are called off."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from data_pipeline.run_queue.worker import Asked, QueueWorker, Taken
from data_pipeline.runner import PipelineRun
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from operations.plugins import begin as begin_plugins
from operations.plugins import let_work
from operations.run import Execution, go_on, run_queue

__all__ = ["Cancelled", "cancel", "queue_worker"]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A run that was called off, and its status until then."""

    run_id: str
    was: str

    def to_json(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "status": "cancelled", "was": self.was}


@operation("operator")
def cancel(system: IntegratedSystem, actor: Actor, run_id: str, *, reason: str = "") -> Cancelled:
    """Call a run off. One that waits never begins; of one that runs what was finished is kept.

    Raises:
        NothingToCancel: there is no such run, or it is over.
    """
    return Cancelled(run_id, run_queue(system).cancel(run_id, actor.name, reason=reason))


def queue_worker(
    system: IntegratedSystem, *, workers: int | None = None, told: Callable[[PipelineRun], None] = lambda _: None
) -> QueueWorker:
    """Works off the queue in this process, once its `step` is called.

    Args:
        workers: Datasets at the same time, over all runs; default: `executor.workers`.
        told: Hears what came of each run.
    """
    workforce = system.runner.workforce(workers or system.settings.executor.workers, shared=True)
    after = _After(system)
    begin_plugins(system)

    def find(name: str) -> Asked | None:
        dataset = system.settings.find(name)
        return None if dataset is None else Asked(dataset, system.runner.provider_of(dataset))

    def execute(taken: Taken, begun: Callable[[], None]) -> str:
        how = Execution(workforce, taken.cancel, begun=begun)
        result = go_on(system, Actor(taken.run.actor), taken.run, how)
        told(result)
        after.run()
        return result.status

    return QueueWorker(
        run_queue(system),
        views=system.views,
        leases=system.leases,
        workforce=workforce,
        execute=execute,
        find=find,
        recover=system.runner.recover,
        clock=system.clock,
    )


class _After:
    """Lets plug-ins work after runs: one thread at a time, and once for all runs that ended meanwhile."""

    def __init__(self, system: IntegratedSystem) -> None:
        self._system = system
        self._turn = threading.Lock()
        self._wanted = False

    def run(self) -> None:
        if not self._system.settings.plugins:
            return
        self._wanted = True
        while self._wanted and self._turn.acquire(blocking=False):
            try:
                self._wanted = False
                let_work(self._system)
            finally:
                self._turn.release()
