"""Run datasets: now in this process, or as a row in the run queue that a detached process executes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from config.datasets import DatasetSettings
from config.sections import ExecutorSettings
from data_pipeline.errors import PipelineError
from data_pipeline.recorder import Progress
from data_pipeline.run_queue.at_work import at_work
from data_pipeline.run_queue.queue import CannotBegin, RunQueue
from data_pipeline.run_queue.request import RunRequest
from data_pipeline.runner import PipelineRun
from data_pipeline.store.run_views import Run
from data_pipeline.workforce import Workforce
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from operations.alerting import told_without_log
from operations.executor import workforce
from operations.plugins import begin as begin_plugins
from operations.plugins import let_work
from operations.publish import publish_pending
from operations.run_plan import asked, at_most
from utils.logger import get_logger
from utils.resilience.cancellation import CancelToken

__all__ = [
    "CancelToken",
    "Execution",
    "Queued",
    "execute",
    "go_on",
    "queue",
    "resume",
    "run",
    "run_queue",
]


@dataclass(frozen=True, slots=True)
class Queued:
    """A run that waits in the queue; the process that will execute it was started."""

    run_id: str
    datasets: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "status": "queued", "datasets": list(self.datasets)}


@operation("operator")
def run(
    system: IntegratedSystem,
    actor: Actor,
    names: Sequence[str] = (),
    *,
    fresh: bool = False,
    full: bool = False,
    from_raw: str = "",
    limit: int | None = None,
    workers: int | None = None,
    executor: ExecutorSettings | None = None,
    cancel: CancelToken | None = None,
    progress: Progress = lambda _: None,
) -> PipelineRun:
    """Collect, validate, score, store; look for anomalies; return what came of every dataset.

    Args:
        fresh: Ask the providers also within the TTL.
        full: Take everything, whatever the cursors and the ledgers of files say.
        from_raw: Take the raw answers of this run in place of the providers'; without names, all that it has.
        limit: Run so many datasets at most; see `at_most`.
        executor: What runs them, in the place of the configured one; `workers`: in the place of its own.
        cancel: Interrupts the run.

    Raises:
        ConfigError: the configuration has faults, or a name is unknown.
        PipelineError: nothing is kept of the run `from_raw`, or nothing of a dataset that is named.
        ExecutorAway: nobody is there to run datasets.
        StateError: the state cannot be written; no run starts without its log.
    """
    token = cancel or CancelToken()
    with told_without_log(system):
        datasets = at_most(system, asked(system, names, from_raw), limit)
        system.runner.recover()
        request = RunRequest(actor=actor.name, fresh=fresh, full=full, from_raw=from_raw)
        with _workers(system, workers, executor, token) as force:
            begin_plugins(system)
            result = execute(system, datasets, request, Execution(force, token, progress))
        if not token.cancelled:  # who was told to stop does not wait for handlers; they go on next time
            judge_others(system, datasets)
            let_work(system)
    return result


def judge_others(system: IntegratedSystem, ran: Sequence[DatasetSettings]) -> None:
    """Promises of what this run had not to do with: they break by time alone, and maybe nobody else looks."""
    others = {dataset.name for dataset in system.settings.datasets if dataset.promise.made}
    if others and (others := others - {dataset.name for dataset in ran}):
        from operations.promises import judge_promises

        judge_promises(system, others)


@operation("operator")
def resume(
    system: IntegratedSystem,
    actor: Actor,
    run_id: str,
    *,
    workers: int | None = None,
    executor: ExecutorSettings | None = None,
    cancel: CancelToken | None = None,
    progress: Progress = lambda _: None,
) -> PipelineRun:
    """Execute a queued run, or go on with one that crashed or was interrupted, from where it stopped.

    Raises:
        PipelineError: there is no such run, or it is finished or executed by another process.
    """
    system.runner.recover()
    stored = system.views.run(run_id)
    if stored is None:
        raise PipelineError(f"there is no run {run_id}", hint="see the run ids in `runs list`", missing=True)
    if stored.status not in {"queued", "crashed", "interrupted"}:
        raise PipelineError(f"run {run_id} is {stored.status}; only a queued, crashed or interrupted run can go on")
    token = cancel or CancelToken()
    with _workers(system, workers, executor, token) as force:
        begin_plugins(system)
        result = go_on(system, actor, stored, Execution(force, token, progress))
    if not token.cancelled:
        let_work(system)
    return result


@dataclass(frozen=True, slots=True)
class Execution:
    """How a run is worked off. `begun`: called once the workers know of it."""

    workforce: Workforce
    cancel: CancelToken
    progress: Progress = lambda _: None
    begun: Callable[[], None] = lambda: None


def go_on(system: IntegratedSystem, actor: Actor, stored: Run, how: Execution) -> PipelineRun:
    """Take up a run that stands in the log: what it has not finished.

    Raises:
        CannotBegin: none of its datasets is declared any more.
        DatasetBusy: all of them are being worked on by other runs.
        StateError: another process took it up.
    """
    # Accepted rows are there, whatever promise was broken with them, and so are those that somebody decided about; to
    # store them again would take their files' names.
    finished = {
        body["dataset"]: body["status"]
        for body in system.views.dataset_runs(stored.run_id)
        if body["status"] in {"succeeded", "degraded"}
        or body["accepted"]
        or _decided(system, body["dataset"], stored.run_id)
    }
    request = replace(RunRequest.from_json(stored.run_id, stored.request), actor=actor.name)
    left = {name: system.settings.find(name) for name in request.datasets if name not in finished}
    if gone := [name for name, dataset in left.items() if dataset is None]:
        words = f"run {stored.run_id}: {', '.join(gone)}: no such dataset is declared any more"
        if len(gone) == len(left):
            raise CannotBegin(words, hint="declare it again, or cancel the run (`runs cancel`)")
        get_logger("runner").warning("run.left_out", run_id=stored.run_id, datasets=gone, why="declared no more")
    datasets = [dataset for dataset in left.values() if dataset is not None]
    return execute(system, datasets, request, how, claim=True, before=tuple(finished.values()))


def execute(
    system: IntegratedSystem,
    datasets: Sequence[DatasetSettings],
    request: RunRequest,
    how: Execution,
    *,
    claim: bool = False,
    before: Sequence[str] = (),
) -> PipelineRun:
    """Run, then hand the new versions (and those that wait) to the sinks; a sink that fails changes no status."""
    system.own_network.look_again()
    with_sinks = [dataset for dataset in datasets if dataset.publish]
    if with_sinks:
        system.outbox.declare(with_sinks)
    result = _logged(
        system.runner.run(
            datasets,
            request,
            workforce=how.workforce,
            cancel=how.cancel,
            claim=claim,
            before=before,
            begun=how.begun,
            progress=how.progress,
        )
    )
    if any(dataset.objective for dataset in datasets):
        from operations.objectives import tell_burning

        tell_burning(system)
    if promised := {dataset.name for dataset in datasets if dataset.promise.made}:
        from operations.promises import judge_promises

        judge_promises(system, promised)
    if not how.cancel.cancelled and system.settings.performance.asked:
        from operations.performance import judge_performance

        judge_performance(system, result)
    if not with_sinks or how.cancel.cancelled:
        return result
    return replace(result, publications=tuple(publish_pending(system, with_sinks, cancel=how.cancel)))


@contextmanager
def _workers(
    system: IntegratedSystem, workers: int | None, executor: ExecutorSettings | None, cancel: CancelToken
) -> Iterator[Workforce]:
    """Workers for one run. Of a run that was told to stop nobody waits for a request that is in flight."""
    found = workforce(system, executor, workers=workers)
    try:
        yield found
    finally:
        found.close(wait=not cancel.cancelled)


def _decided(system: IntegratedSystem, dataset: str, run_id: str) -> bool:
    """Whether the batch of a run was accepted or rejected by hand meanwhile."""
    stored = system.views.version(dataset, run_id)
    return stored is not None and stored.state != "held"


@operation("operator")
def queue(
    system: IntegratedSystem,
    actor: Actor,
    names: Sequence[str] = (),
    *,
    fresh: bool = False,
    from_raw: str = "",
    priority: int = 0,
) -> Queued:
    """Put a run into the queue; returns at once.

    A `schedule` or `serve` that is there works it off; without one a detached process is started for it.

    Args:
        fresh, from_raw: As of `run`.

    Raises:
        ConfigError: a name is unknown.
        PipelineError: nothing is kept of the run `from_raw`, or nothing of a dataset that is named.
    """
    datasets = tuple(dataset.name for dataset in asked(system, names, from_raw))
    request = RunRequest(datasets, actor.name, fresh=fresh, from_raw=from_raw, priority=priority)
    (run_id,) = run_queue(system).put([request])
    if not at_work(system.leases):
        from operations.detached import start_detached

        start_detached(system, "run", "--resume", run_id)
    return Queued(run_id, datasets)


def run_queue(system: IntegratedSystem) -> RunQueue:
    """The queue of an installation."""
    return RunQueue(system.events, system.views, clock=system.clock)


def _logged(result: PipelineRun) -> PipelineRun:
    """One line a run, at INFO. One of a single dataset, as a schedule's are, names it."""
    bad = [run.dataset for run in result.datasets if run.status in {"degraded", "failed"}]
    alone: dict[str, Any] = {"dataset": result.datasets[0].dataset} if len(result.datasets) == 1 else {}
    get_logger("runner").info(
        "run.finished",
        run_id=result.run_id,
        status=result.status,
        **alone,
        datasets=len(result.datasets),
        not_succeeded=bad[:20],
        seconds=result.duration_s,
    )
    return result
