"""The run queue of an installation: who works it off, and runs that are called off."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_pipeline.run_queue.request import Because
from data_pipeline.run_queue.worker import STOP_S, Asked, QueueWorker, Taken
from data_pipeline.runner import PipelineRun
from data_pipeline.store.run_views import Run
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from operations.executor import workforce
from operations.plugins import begin as begin_plugins
from operations.plugins import let_work
from operations.priority import is_held_back
from operations.run import Execution, go_on, judge_others, run_queue
from utils.resilience.cancellation import CancelToken

if TYPE_CHECKING:
    from operations.scheduling import Due

__all__ = ["Cancelled", "DueRuns", "cancel", "queue_worker", "run_due"]

_WORSE = ("succeeded", "degraded", "interrupted", "cancelled", "failed")


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


@dataclass(frozen=True, slots=True)
class DueRuns:
    """What schedules said was due, and what came of the runs that were worked off: those, and what waited before."""

    due: "Due"
    runs: tuple[PipelineRun, ...]

    @property
    def status(self) -> str:
        """That of the worst."""
        return max((run.status for run in self.runs), key=_WORSE.index, default="succeeded")

    def to_json(self) -> dict[str, Any]:
        return {"due": self.due.to_json(), "status": self.status, "runs": [run.to_json() for run in self.runs]}


@operation("operator")
def run_due(
    system: IntegratedSystem, actor: Actor, *, workers: int | None = None, stop: CancelToken | None = None
) -> DueRuns:
    """Run what every schedule says is due, once, and what else waits in the queue; where nobody else sees to it.

    Args:
        stop: Interrupts; what was under way is put back.

    Raises:
        ConfigError: the configuration has faults.
        StateError: the state cannot be used.
    """
    from operations.scheduling import due

    found, token = due(system, actor), stop or CancelToken()
    ended: list[PipelineRun] = []
    if not found.led_by:
        worker = queue_worker(system, workers=workers, told=ended.append, stays=False)
        try:
            worker.drain(lambda: token.cancelled)
        finally:
            worker.close(0.0 if token.cancelled else STOP_S)
        if not token.cancelled:
            judge_others(system, ())
    return DueRuns(found, tuple(ended))


def queue_worker(
    system: IntegratedSystem,
    *,
    workers: int | None = None,
    told: Callable[[PipelineRun], None] = lambda _: None,
    stays: bool = True,
) -> QueueWorker:
    """Works off the queue in this process, once its `step` is called.

    Args:
        workers: Datasets at the same time, over all runs; default: `executor.workers`.
        told: Hears what came of each run.
        stays: Until it is stopped; who queues a run meanwhile need not start a process for it.
    """
    force = workforce(system, workers=workers, shared=True)
    after = _After(system)
    begin_plugins(system)

    def find(name: str) -> Asked | None:
        dataset = system.settings.find(name)
        return None if dataset is None else Asked(dataset, system.runner.provider_of(dataset))

    def execute(taken: Taken, begun: Callable[[], None]) -> None:
        how = Execution(force, taken.cancel, begun=begun)
        result = go_on(system, Actor(taken.run.actor), taken.run, how)
        told(result)
        if not taken.cancel.cancelled:  # handlers go on next time
            after.run()

    return QueueWorker(
        run_queue(system),
        views=system.views,
        leases=system.leases,
        workforce=force,
        execute=execute,
        find=find,
        recover=system.runner.recover,
        clock=system.clock,
        waits=lambda run: is_held_back(system, run) or _comes_after(system, run),
        stays=stays,
    )


def _comes_after(system: IntegratedSystem, run: Run) -> bool:
    """Whether a dataset that a scheduled one depends on, due by the same time, is still to be run, or being run."""
    because = Because.from_json(run.request.get("because", {}))
    if because.kind != "schedule" or because.due is None:
        return False
    dataset = system.settings.find(because.schedule)
    if dataset is None or not dataset.depends_on:
        return False
    from data_pipeline.scheduling.views import Schedules

    return Schedules(system.database).is_before(dataset.depends_on, because.due)


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
