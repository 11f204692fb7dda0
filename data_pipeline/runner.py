"""MANY datasets: who runs, in what order, on which workers; recorded as one run, detected over once at its end."""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.dataset import DatasetRun, Status
from data_pipeline.delivery import skipped
from data_pipeline.detect.datasets import detect_datasets
from data_pipeline.pipeline import Pipeline, RunContext
from data_pipeline.publish.publish import Attempt
from data_pipeline.recorder import Progress, Recorder
from data_pipeline.store.views import Views
from data_pipeline.waiting import Waiting
from utils.cache.cache import Cache
from utils.clock import Clock
from utils.database import Connection, StateError
from utils.events import EventStore, NewEvent, rfc3339, uuid7
from utils.history import CLOSE, History
from utils.leases import Leases, this_process
from utils.resilience.cancellation import Cancelled, CancelToken, cancellable

RANK: dict[Status, int] = {"skipped": 0, "succeeded": 0, "degraded": 1, "failed": 2}
"""How bad a dataset's status is; a run is as bad as its worst dataset."""


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """One pass over some datasets. Times RFC 3339; `duration_s` in seconds; `publications`: what went to sinks."""

    run_id: str
    status: str
    started_at: str
    finished_at: str
    duration_s: float
    datasets: tuple[DatasetRun, ...]
    learning: dict[str, str] = field(default_factory=dict)
    publications: tuple[Attempt, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "status": self.status,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "duration_s": self.duration_s,
            "datasets": [dataset.to_json() for dataset in self.datasets],
            "publications": [attempt.to_json() for attempt in self.publications],
        }


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is asked for. `claim`: the run stands in the log already (queued, crashed, interrupted) and goes on.

    `fresh`: ask the providers also within the TTL; `full`: take everything, whatever the cursors say.
    `from_raw`: the run whose raw answers are taken in place of the providers'.
    """

    run_id: str = ""
    actor: str = "local"
    fresh: bool = False
    full: bool = False
    from_raw: str = ""
    workers: int = 8
    claim: bool = False


class Runner:
    """Runs datasets on an executor and records what came of each before it is called done.

    Args:
        counted: Tells what the providers' protection counted since it was last asked; written down with the run.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        provider_of: Callable[[DatasetSettings], str],
        counted: Callable[[], Mapping[str, Mapping[str, float]]],
        events: EventStore,
        views: Views,
        history: History,
        leases: Leases,
        cache: Cache,
        cache_ttl: float,
        clock: Clock,
        executor: Executor | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._provider_of = provider_of
        self._counted = counted
        self._events = events
        self._views = views
        self._history = history
        self._leases = leases
        self._cache = cache
        self._cache_ttl = cache_ttl
        self._clock = clock
        self._executor = executor
        self.cancel = CancelToken()

    def recover(self) -> list[str]:
        """Mark the runs of dead owners as crashed and free what they held; gives their ids."""
        crashed = []
        for run in self._views.runs(limit=1000, status="running"):
            if self._leases.is_dead(run.owner):
                event = NewEvent("run.crashed", run.run_id, {"owner": run.owner}, source="runner")
                self._events.append([event])
                crashed.append(run.run_id)
        if crashed:
            self._leases.free_dead()
        return crashed

    def run(
        self, datasets: Sequence[DatasetSettings], request: RunRequest, *, progress: Progress = lambda _: None
    ) -> PipelineRun:
        """Run the datasets; returns when each is recorded, anomalies are looked for, and the run is closed."""
        started, began = self._clock.now(), self._clock.monotonic()
        run_id = request.run_id or uuid7()
        # The log knows the numbers too: they go on where they stood when the leases' own database was lost.
        seen = {f"dataset:{name}": known.fence for name, known in self._views.current().items()}
        leases = self._leases.acquire([f"dataset:{dataset.name}" for dataset in datasets], run=run_id, above=seen)
        try:
            self._start(run_id, request, datasets)
            context = RunContext(
                run_id=run_id,
                now=started,
                fresh=request.fresh,
                full=request.full,
                from_raw=request.from_raw,
                current=self._views.current(),
                withdrawn=self._views.decisions.withdrawn(),
                fences={name.removeprefix("dataset:"): lease.fence for name, lease in leases.items()},
            )
            results = self._run_all(datasets, context, request.workers, progress)
            results, learning = self._look_for_anomalies(datasets, results, run_id, started)
            return self._finish(run_id, started, began, results, learning)
        except Exception as error:
            self._break_off(run_id, began, error)
            raise
        finally:
            self._pipeline.forget()
            self._leases.release(leases)

    def _start(self, run_id: str, request: RunRequest, datasets: Sequence[DatasetSettings]) -> None:
        data = {
            "actor": request.actor,
            "owner": str(this_process()),
            "fresh": request.fresh,
            "full": request.full,
            "from_raw": request.from_raw or None,
            "datasets": [dataset.name for dataset in datasets],
        }
        guard = _claimable(run_id) if request.claim else None
        self._events.append([NewEvent("run.started", run_id, data, source="runner")], guard=guard)

    def _run_all(
        self, datasets: Sequence[DatasetSettings], context: RunContext, workers: int, progress: Progress
    ) -> list[DatasetRun]:
        recorder = Recorder(self._events, self._cache, self._cache_ttl, progress, self._pipeline.flush)
        waiting = Waiting(datasets)

        def work() -> None:
            # One task a worker, not one a dataset: a thousand tasks are a thousand hand-overs between threads.
            while not self.cancel.cancelled and (dataset := waiting.take()) is not None:
                try:
                    self._one(dataset, context, recorder)
                    if dataset.name in waiting.needed:
                        recorder.wait_for(dataset.name)  # what needs its rows reads what is committed
                finally:
                    waiting.done(dataset.name)
            waiting.stop()

        executor = self._executor or ThreadPoolExecutor(workers, thread_name_prefix="worker")
        try:
            self._wait([executor.submit(work) for _ in range(min(workers, len(datasets)))])
        finally:
            if executor is not self._executor:
                executor.shutdown(wait=not self.cancel.cancelled, cancel_futures=True)
        for dataset in datasets:
            if dataset.name not in recorder.recorded:
                recorder.record(skipped(dataset.name, self._provider_of(dataset), context.run_id, "interrupted"))
        by_name = {result.dataset: result for result in recorder.finish()}
        return [by_name[dataset.name] for dataset in datasets if dataset.name in by_name]

    def _wait(self, working: "Sequence[Future[None]]") -> None:
        """Until all are done; or, once told to stop, until what is in flight had a moment to finish."""
        left = set(working)
        while left and not self.cancel.cancelled:
            done, left = wait(left, timeout=0.2, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        wait(left, timeout=1.0)

    def _one(self, dataset: DatasetSettings, context: RunContext, recorder: "Recorder") -> None:
        if self.cancel.cancelled:
            reason = "interrupted"
        elif dataset.name not in context.fences:
            reason = "already running in another process"
        else:
            try:
                with cancellable(self.cancel):
                    outcome = self._pipeline.run(dataset, context)
            except Cancelled:
                reason = "interrupted"
            else:
                recorder.record(outcome)
                return
        recorder.record(skipped(dataset.name, self._provider_of(dataset), context.run_id, reason))

    def _look_for_anomalies(
        self, datasets: Sequence[DatasetSettings], results: list[DatasetRun], run_id: str, started: datetime
    ) -> tuple[list[DatasetRun], dict[str, str]]:
        measured = {r.dataset for r in results if r.status != "skipped" and r.origin != "cache"}
        if not measured:
            return results, {}
        asked = [dataset for dataset in datasets if dataset.name in measured]
        detection = detect_datasets(self._history, asked, new_since=started.timestamp())
        found = Counter(anomaly.subject for anomaly in detection.anomalies)
        events = [
            NewEvent("anomaly.detected", anomaly.subject, {"run_id": run_id, **anomaly.to_json()}, source="detect")
            for anomaly in detection.anomalies
        ]
        if events:
            self._events.append(events)
        counted = [replace(r, anomalies=found[r.dataset]) if r.dataset in found else r for r in results]
        return counted, {f"{subject}.{metric}": words for (subject, metric), words in detection.learning.items()}

    def _finish(
        self, run_id: str, started: datetime, began: float, results: list[DatasetRun], learning: dict[str, str]
    ) -> PipelineRun:
        finished = self._clock.now()
        worst = max((RANK[result.status] for result in results), default=0)
        status = "interrupted" if self.cancel.cancelled else ("succeeded", "degraded", "failed")[worst]
        duration = round(self._clock.monotonic() - began, 6)
        counts = {name: sum(result.status == name for result in results) for name in RANK}
        anomalies = {result.dataset: result.anomalies for result in results if result.anomalies}
        summary: dict[str, Any] = {"status": status, "duration_s": duration, "counts": counts, "anomalies": anomalies}
        if providers := self._counted():
            summary["providers"] = providers
        self._events.append([NewEvent("run.finished", run_id, summary, source="runner")], statements=CLOSE)
        return PipelineRun(
            run_id, status, rfc3339(started), rfc3339(finished), duration, tuple(results), learning=learning
        )

    def _break_off(self, run_id: str, began: float, error: Exception) -> None:
        """The run itself failed: say so in the log, unless the log is what failed (then the next process does)."""
        duration = round(self._clock.monotonic() - began, 6)
        summary = {"status": "failed", "duration_s": duration, "error": f"{type(error).__name__}: {error}"}
        with contextlib.suppress(StateError):
            self._events.append([NewEvent("run.finished", run_id, summary, source="runner")])


def _claimable(run_id: str) -> Callable[[Connection], None]:
    """Of several processes that take up the same run, one gets it."""

    def check(connection: Connection) -> None:
        row = connection.execute("SELECT status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None or row[0] not in {"queued", "crashed", "interrupted"}:
            raise StateError(f"run {run_id} is {row[0] if row else 'unknown'}: another process took it up")

    return check
