"""MANY datasets: who runs, in what order, on which workers; recorded as one run, detected over once at its end."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from config.datasets import DatasetSettings
from data_pipeline.dataset import DatasetRun
from data_pipeline.detect.datasets import RunDetection
from data_pipeline.errors import DatasetBusy, ExecutorAway
from data_pipeline.pipeline import Pipeline, RunContext
from data_pipeline.publish.attempt import Attempt
from data_pipeline.recorder import Progress, Recorder, RunLostError, refuse_if_not_ours
from data_pipeline.run_queue.request import RunRequest
from data_pipeline.store.views import Views
from data_pipeline.turns import CALLED_OFF, Turns, end_of
from data_pipeline.workforce import Job, Workforce
from utils.cache.cache import Cache
from utils.clock import Clock
from utils.database import Connection, StateError, Statement
from utils.events import EventStore, NewEvent, rfc3339, uuid7
from utils.history import CLOSE
from utils.leases import Leases, this_process
from utils.resilience.cancellation import CancelToken

if TYPE_CHECKING:
    from data_pipeline.elsewhere import Elsewhere

RANK: dict[str, int] = {"skipped": 0, "succeeded": 0, "degraded": 1, "failed": 2}
"""How bad a dataset's status is; a run is as bad as its worst dataset."""

STOPPED = "stopped"
"""Why a run stops whose process is told to: it is queued again in the same commit, and goes on elsewhere."""

LOOK_S, LOG_EVERY = 0.2, 5
"""Seconds between two looks whether to stop; every so many of them the log is asked whether the run was called off."""

GRACE_S = 1.0
"""Seconds that what is in flight has to finish once the run was told to stop."""

_AT_WORK: set[str] = set()
"""The runs of this process. One that the log calls ours and that is not here was left by a fault of ours."""


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


class Runner:
    """Runs datasets on workers and records what came of each before it is called done. Thread-safe: many runs at once.

    Args:
        counted: Tells what the protection of these providers, and of others that were asked, counted since it was last
            asked; written down with the run. Of runs at the same time the first to finish tells what all of them did.
        limit_of: How many datasets of a dataset's provider may be under way at once; None: as many as can.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        provider_of: Callable[[DatasetSettings], str],
        counted: Callable[[Iterable[str]], Mapping[str, Mapping[str, float]]],
        limit_of: Callable[[DatasetSettings], int | None],
        events: EventStore,
        views: Views,
        detection: RunDetection,
        leases: Leases,
        cache: Cache,
        cache_ttl: float,
        clock: Clock,
    ) -> None:
        self._pipeline = pipeline
        self._provider_of = provider_of
        self._counted = counted
        self._limit_of = limit_of
        self._events = events
        self._views = views
        self._detection = detection
        self._leases = leases
        self._cache = cache
        self._cache_ttl = cache_ttl
        self._clock = clock
        self._guard = threading.Lock()
        self._running = 0

    def workforce(self, size: int, *, shared: bool = False, elsewhere: "Elsewhere | None" = None) -> Workforce:
        """Workers for one run, or (`shared`) for many; those who have datasets run `elsewhere`, if that is given."""
        return Workforce(size, limit_of=self._limit_of, shared=shared, elsewhere=elsewhere)

    def provider_of(self, dataset: DatasetSettings) -> str:
        """Whom a dataset is asked of."""
        return self._provider_of(dataset)

    def recover(self) -> list[str]:
        """Mark the runs of dead owners as crashed and free what they held; gives their ids."""
        me, crashed = str(this_process()), []
        for run in self._views.runs(limit=1000, status="running"):
            left_behind = run.owner == me and run.run_id not in _AT_WORK
            if left_behind or self._leases.is_dead(run.owner):
                event = NewEvent("run.crashed", run.run_id, {"owner": run.owner}, source="runner")
                with contextlib.suppress(RunLostError):  # somebody else saw to it, or it is at work again
                    self._events.append([event], guard=_owned(run.run_id, run.owner))
                    crashed.append(run.run_id)
        if crashed:
            self._leases.free_dead()
        return crashed

    def run(
        self,
        datasets: Sequence[DatasetSettings],
        request: RunRequest,
        *,
        workforce: Workforce,
        cancel: CancelToken,
        claim: bool = False,
        before: Sequence[str] = (),
        begun: Callable[[], None] = lambda: None,
        progress: Progress = lambda _: None,
    ) -> PipelineRun:
        """Run the datasets; returns when each is recorded, anomalies are looked for, and the run is closed.

        Args:
            cancel: Stops this run; so does `run.cancelled` in the log, from whatever process.
            claim: The run stands in the log already (queued, crashed, interrupted) and goes on. When every dataset is
                being worked on elsewhere it is not begun.
            before: How the datasets ended that this run has finished already.
            begun: Called once the workers know of it.

        Raises:
            DatasetBusy: see `claim`; the run waits as it did.
            ExecutorAway: nobody is there to run datasets; the run is not begun, or was interrupted and can go on.
            StateError: the log cannot be written, or another process took the run up.
        """
        workforce.open()
        started, began = self._clock.now(), self._clock.monotonic()
        run_id = request.run_id or uuid7()
        request = replace(request, run_id=run_id, datasets=request.datasets or tuple(one.name for one in datasets))
        names = [dataset.name for dataset in datasets]
        # The log knows the numbers too: they go on where they stood when the leases' own database was lost.
        seen = {f"dataset:{name}": known.fence for name, known in self._views.current(names).items()}
        leases = self._leases.acquire([f"dataset:{name}" for name in names], run=run_id, above=seen)
        with self._guard:
            self._running += 1
        try:
            if claim and names and not leases:
                raise DatasetBusy(f"run {run_id}: all of its datasets are being worked on")
            _AT_WORK.add(run_id)
            self._start(request, claim=claim)
            context = RunContext(
                run_id=run_id,
                now=started,
                due=request.because.is_due,
                fresh=request.fresh,
                full=request.full,
                from_raw=request.from_raw,
                partitions=request.partitions,
                fallback=request.fallback,
                current=self._views.current(names),
                withdrawn=self._views.decisions.withdrawn(names),
                fences={name.removeprefix("dataset:"): lease.fence for name, lease in leases.items()},
            )
            try:
                recorder = Recorder(
                    self._events,
                    self._cache,
                    self._cache_ttl,
                    progress,
                    self._pipeline.flush,
                    elsewhere=workforce.elsewhere is not None,
                )
                turns = Turns(self._pipeline, context, cancel, recorder, workforce.elsewhere)
                job = self._job(datasets, turns, request.priority, recorder)
                workforce.begin(job)
                begun()
                self._wait(job, workforce, cancel, run_id)
                results = self._recorded(job, recorder, turns)
                results, learning, looks = self._look_for_anomalies(datasets, results, run_id, started, began)
                return self._finish(request, started, began, results, learning, looks, cancel, before, turns.counted)
            except RunLostError:
                raise
            except Exception as error:
                self._break_off(run_id, began, error)
                raise
        finally:
            _AT_WORK.discard(run_id)
            with self._guard:
                self._running -= 1
                alone = not self._running
            if alone:  # else it is of use to the others
                self._pipeline.forget()
            self._leases.release(leases)

    def _start(self, request: RunRequest, *, claim: bool) -> None:
        data = {**request.to_json(), "owner": str(this_process())}
        guard = _claimable(request.run_id) if claim else None
        self._events.append([NewEvent("run.started", request.run_id, data, source="runner")], guard=guard)

    def _job(self, datasets: Sequence[DatasetSettings], turns: Turns, priority: int, recorder: Recorder) -> Job:
        def work(dataset: DatasetSettings) -> None:
            turns.run(dataset, job.providers[dataset.name])
            if dataset.name in job.waiting.needed:
                recorder.wait_for(dataset.name)  # what needs its rows reads what is committed

        job = Job(datasets, provider_of=self._provider_of, work=work, priority=priority)
        return job

    def _recorded(self, job: Job, recorder: Recorder, turns: Turns) -> list[DatasetRun]:
        """What came of each dataset, once it is committed; of those that did not begin, why."""
        for dataset in job.datasets:
            if dataset.name not in recorder.recorded:
                turns.skip(dataset, job.providers[dataset.name])
        by_name = {result.dataset: result for result in recorder.finish()}
        return [by_name[dataset.name] for dataset in job.datasets if dataset.name in by_name]

    def _wait(self, job: Job, workforce: Workforce, cancel: CancelToken, run_id: str) -> None:
        """Until all are done; or, once told to stop, until what is in flight had a moment to finish."""
        looks = 0
        while not cancel.cancelled and not job.finished.wait(LOOK_S):
            looks += 1
            if looks % LOG_EVERY == 0 and self._called_off(run_id):
                cancel.cancel(CALLED_OFF)
        if cancel.cancelled:
            workforce.withdraw(job)
            job.finished.wait(GRACE_S)
        if job.error is not None:
            workforce.withdraw(job)
            job.finished.wait(GRACE_S)
            raise job.error

    def _called_off(self, run_id: str) -> bool:
        try:
            run = self._views.run(run_id)
        except StateError:
            return False  # a database that is away is told by what is to be written
        return run is not None and run.status == "cancelled"

    def _look_for_anomalies(
        self,
        datasets: Sequence[DatasetSettings],
        results: list[DatasetRun],
        run_id: str,
        started: datetime,
        began: float,
    ) -> tuple[list[DatasetRun], dict[str, str], tuple[Statement, ...]]:
        """The results with the number of anomalies, who is learning, and what to commit with the end of the run."""
        measured = {r.dataset for r in results if r.status != "skipped" and r.origin != "cache"}
        if not measured:
            return results, {}, ()
        asked = [dataset for dataset in datasets if dataset.name in measured]
        detection = self._detection.find(asked, started.timestamp(), self._clock.monotonic() - began)
        found = Counter(anomaly.subject for anomaly in detection.anomalies)
        events = [
            NewEvent("anomaly.detected", anomaly.subject, {"run_id": run_id, **anomaly.to_json()}, source="detect")
            for anomaly in detection.anomalies
        ]
        looks = detection.looks
        if events:
            self._events.append(events, statements=looks)
            looks = ()
        counted = [replace(r, anomalies=found[r.dataset]) if r.dataset in found else r for r in results]
        learning = {f"{subject}.{metric}": words for (subject, metric), words in detection.learning.items()}
        return counted, learning, looks

    def _finish(
        self,
        request: RunRequest,
        started: datetime,
        began: float,
        results: list[DatasetRun],
        learning: dict[str, str],
        looks: tuple[Statement, ...],
        cancel: CancelToken,
        before: Sequence[str],
        elsewhere: Mapping[tuple[str, str], float],
    ) -> PipelineRun:
        finished = self._clock.now()
        ended = Counter([*before, *(result.status for result in results)])
        worst = max((RANK[status] for status in ended), default=0)
        run_id = request.run_id
        status = end_of(cancel) or ("succeeded", "degraded", "failed")[worst]
        duration = round(self._clock.monotonic() - began, 6)
        counts = {name: ended[name] for name in RANK}
        anomalies = {result.dataset: result.anomalies for result in results if result.anomalies}
        summary: dict[str, Any] = {"status": status, "duration_s": duration, "counts": counts, "anomalies": anomalies}
        if providers := _added(self._counted({result.provider for result in results}), elsewhere):
            summary["providers"] = providers
        if looked := self._cache.news():
            summary["cache"] = looked
        events = [NewEvent("run.finished", run_id, summary, source="runner")]
        if cancel.reason == STOPPED:
            again = {**request.to_json(), "reason": "its process was stopped"}
            events.append(NewEvent("run.queued", run_id, again, source="runner"))
        self._events.append(events, statements=(*CLOSE, *looks), guard=_owned(run_id, str(this_process())))
        return PipelineRun(
            run_id, status, rfc3339(started), rfc3339(finished), duration, tuple(results), learning=learning
        )

    def _break_off(self, run_id: str, began: float, error: Exception) -> None:
        """The run itself failed: say so in the log, unless the log is what failed (then the next process does)."""
        duration = round(self._clock.monotonic() - began, 6)
        status = "failed"
        if isinstance(error, ExecutorAway):
            status = "interrupted"
            error.hint = f"{error.hint}; what was finished is kept, and `run --resume {run_id}` goes on with the rest"
        summary = {"status": status, "duration_s": duration, "error": f"{type(error).__name__}: {error}"}
        event = NewEvent("run.finished", run_id, summary, source="runner")
        with contextlib.suppress(StateError):
            self._events.append([event], guard=_owned(run_id, str(this_process())))


def _added(
    here: Mapping[str, Mapping[str, float]], elsewhere: Mapping[tuple[str, str], float]
) -> dict[str, dict[str, float]]:
    """What was counted here and elsewhere, by provider and counter."""
    whole = {provider: dict(counters) for provider, counters in here.items()}
    for (provider, counter), value in elsewhere.items():
        of_it = whole.setdefault(provider, {})
        of_it[counter] = round(of_it.get(counter, 0) + value, 6)
    return whole


def _owned(run_id: str, owner: str | None) -> Callable[[Connection], None]:
    """A process that was taken for dead says nothing more about a run that another one goes on with."""
    return lambda connection: refuse_if_not_ours(connection, run_id, owner)


def _claimable(run_id: str) -> Callable[[Connection], None]:
    """Of several processes that take up the same run, one gets it."""

    def check(connection: Connection) -> None:
        row = connection.execute("SELECT status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None or row[0] not in {"queued", "crashed", "interrupted"}:
            raise StateError(f"run {run_id} is {row[0] if row else 'unknown'}: another process took it up")

    return check
