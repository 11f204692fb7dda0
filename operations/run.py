"""Run datasets: now in this process, or as a row in the run queue that a detached process executes."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.dataset import DatasetRun
from data_pipeline.errors import PipelineError
from data_pipeline.graph import select
from data_pipeline.runner import PipelineRun, RunRequest
from integrated_system import ROOT, IntegratedSystem
from operations.actor import Actor, operation
from operations.plugins import at_work
from operations.publish import publish_pending
from utils.events import NewEvent, uuid7
from utils.logger import get_logger

_detached: "list[subprocess.Popen[bytes]]" = []
"""Children that execute queued runs, kept until they end: one that nobody asks after stays as a zombie."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a run would do with a dataset: serve the copy within its TTL, or ask the provider."""

    dataset: str
    provider: str
    action: str

    def to_json(self) -> dict[str, Any]:
        return {"dataset": self.dataset, "provider": self.provider, "action": self.action}


@dataclass(frozen=True, slots=True)
class Queued:
    """A run that waits in the queue; the process that will execute it was started."""

    run_id: str
    datasets: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "status": "queued", "datasets": list(self.datasets)}


def chosen(system: IntegratedSystem, names: Sequence[str]) -> list[DatasetSettings]:
    """The datasets that are named, each once; none named: all. A name may be a selection: `+orders`, `tag:finance`.

    Raises:
        ConfigError: a name or tag that is not declared, with the nearest that is.
    """
    return select(system.settings, names)


def _captured(system: IntegratedSystem, run_id: str) -> list[str]:
    """The declared datasets of which a run's raw answers are kept."""
    captures = system.raw.captures()
    declared = {dataset.name for dataset in system.settings.datasets}
    found = [capture.dataset for capture in captures if capture.run_id == run_id and capture.dataset in declared]
    if not found:
        kept = ", ".join(sorted({capture.run_id for capture in captures})[-5:])
        hint = (
            f"kept are the runs {kept}"
            if kept
            else "set `keep_raw` at a dataset, and its answers are kept from then on"
        )
        raise PipelineError(f"no raw answers of run {run_id} are kept", hint=hint)
    return found


def _asked(system: IntegratedSystem, names: Sequence[str], from_raw: str) -> list[DatasetSettings]:
    """The datasets of a run; of one from raw answers only those that have any.

    A name without any is the mistake of whoever asks: no reason to call the dataset failed.
    """
    asked = chosen(system, names)
    if not from_raw:
        return asked
    captured = _captured(system, from_raw)
    if not names:
        return chosen(system, captured)
    if lacking := [dataset.name for dataset in asked if dataset.name not in captured]:
        hint = f"it has those of {', '.join(captured)}; `keep_raw` of a dataset keeps them from then on"
        raise PipelineError(f"no raw answer of {', '.join(lacking)} is kept of run {from_raw}", hint=hint)
    return asked


def plan(
    system: IntegratedSystem, names: Sequence[str] = (), *, fresh: bool = False, from_raw: str = ""
) -> list[Planned]:
    """What `run` would do, without doing it."""
    current = system.views.current()
    planned = []
    for dataset in _asked(system, names, from_raw):
        if from_raw:
            provider = system.collector.provider_of(dataset)
            planned.append(Planned(dataset.name, provider, f"take what came in run {from_raw}"))
            continue
        hit = None if fresh else system.pipeline.cached(dataset, current.get(dataset.name))
        action = f"serve the copy of {hit['collected_at']}, within its TTL" if hit else "ask the provider"
        planned.append(Planned(dataset.name, system.collector.provider_of(dataset), action))
    return planned


@operation("operator")
def run(
    system: IntegratedSystem,
    actor: Actor,
    names: Sequence[str] = (),
    *,
    fresh: bool = False,
    full: bool = False,
    from_raw: str = "",
    workers: int | None = None,
    progress: Callable[[DatasetRun], None] = lambda _: None,
) -> PipelineRun:
    """Collect, validate, score, store; look for anomalies; return what came of every dataset.

    Args:
        fresh: Ask the providers also within the TTL.
        full: Take everything, whatever the cursors and the ledgers of files say.
        from_raw: Take the raw answers of this run in place of the providers'; without names, all that it has.

    Raises:
        ConfigError: the configuration has faults, or a name is unknown.
        PipelineError: nothing is kept of the run `from_raw`, or nothing of a dataset that is named.
        StateError: the state cannot be written; no run starts without its log.
    """
    datasets = _asked(system, names, from_raw)
    system.runner.recover()
    system.own_network.look_again()
    workers = workers or system.settings.executor.workers
    request = RunRequest(actor=actor.name, fresh=fresh, full=full, from_raw=from_raw, workers=workers)
    return _published(system, datasets, lambda: system.runner.run(datasets, request, progress=progress))


@operation("operator")
def resume(
    system: IntegratedSystem,
    actor: Actor,
    run_id: str,
    *,
    workers: int | None = None,
    progress: Callable[[DatasetRun], None] = lambda _: None,
) -> PipelineRun:
    """Execute a queued run, or go on with one that crashed or was interrupted, from where it stopped.

    Raises:
        PipelineError: there is no such run, or it is finished or executed by another process.
    """
    system.runner.recover()
    system.own_network.look_again()
    stored = system.views.run(run_id)
    if stored is None:
        raise PipelineError(f"there is no run {run_id}", hint="see the run ids in `events --type 'run.*'`")
    if stored.status not in {"queued", "crashed", "interrupted"}:
        raise PipelineError(f"run {run_id} is {stored.status}; only a queued, crashed or interrupted run can go on")
    # Accepted rows are there, whatever promise was broken with them, and so are those that somebody decided about; to
    # store them again would take their files' names.
    finished = {
        body["dataset"]
        for body in system.views.dataset_runs(run_id)
        if body["status"] in {"succeeded", "degraded"} or body["accepted"] or _decided(system, body["dataset"], run_id)
    }
    names = [name for name in stored.request["datasets"] if name not in finished]
    datasets = [system.settings.dataset(name) for name in names]
    request = RunRequest(
        run_id=run_id,
        actor=actor.name,
        fresh=stored.request["fresh"],
        full=stored.request.get("full", False),
        from_raw=stored.request.get("from_raw") or "",
        workers=workers or system.settings.executor.workers,
        claim=True,
    )
    return _published(system, datasets, lambda: system.runner.run(datasets, request, progress=progress))


def _decided(system: IntegratedSystem, dataset: str, run_id: str) -> bool:
    """Whether the batch of a run was accepted or rejected by hand meanwhile."""
    stored = system.views.version(dataset, run_id)
    return stored is not None and stored.state != "held"


@operation("operator")
def queue(system: IntegratedSystem, actor: Actor, names: Sequence[str] = (), *, fresh: bool = False) -> Queued:
    """Put a run into the queue and start a detached process that executes it; returns at once."""
    datasets = [dataset.name for dataset in chosen(system, names)]
    run_id = uuid7(system.clock.time())
    data = {"actor": actor.name, "fresh": fresh, "datasets": datasets}
    system.events.append([NewEvent("run.queued", run_id, data, source="runner")])
    command = [sys.executable, str(ROOT / "integrated_system.py"), "run", "--resume", run_id]
    command += ["--state-dir", str(system.state_dir)]
    command += ["--config", str(system.loaded.files[0])]
    folder = system.state_dir / "logs"
    folder.mkdir(mode=0o700, exist_ok=True)
    _detached[:] = [child for child in _detached if child.poll() is None]
    # With its mode from the start: what a process says at its end may hold anything.
    with os.fdopen(os.open(folder / "detached.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
        child = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    _detached.append(child)
    return Queued(run_id, tuple(datasets))


def _published(
    system: IntegratedSystem, datasets: Sequence[DatasetSettings], run: Callable[[], PipelineRun]
) -> PipelineRun:
    """Run, then hand the new versions (and those that wait) to the sinks; a sink that fails changes no status."""
    with_sinks = [dataset for dataset in datasets if dataset.publish]
    if with_sinks:
        system.outbox.declare(with_sinks)
    with at_work(system):
        result = _logged(run())
    if any(dataset.objective for dataset in system.settings.datasets):
        from operations.objectives import tell_burning

        tell_burning(system)
    if not with_sinks or system.runner.cancel.cancelled:
        return result
    return replace(result, publications=tuple(publish_pending(system, with_sinks)))


def _logged(result: PipelineRun) -> PipelineRun:
    """One line a run, at INFO."""
    bad = [run.dataset for run in result.datasets if run.status in {"degraded", "failed"}]
    get_logger("runner").info(
        "run.finished",
        run_id=result.run_id,
        status=result.status,
        datasets=len(result.datasets),
        not_succeeded=bad[:20],
        seconds=result.duration_s,
    )
    return result
