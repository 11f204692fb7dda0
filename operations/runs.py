"""Runs that are stored: which there are, why, and what came of one."""

from dataclasses import dataclass
from typing import Any

from data_pipeline.errors import PipelineError
from data_pipeline.run_queue.request import Because, RunRequest
from data_pipeline.store.run_views import Run
from integrated_system import IntegratedSystem
from operations.actor import UsageError

__all__ = ["STATUSES", "DatasetPart", "StoredRun", "WholeRun", "runs", "show"]

STATUSES = ("queued", "running", "succeeded", "degraded", "failed", "crashed", "cancelled", "interrupted")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run. Moments RFC 3339; `duration_s` in seconds, of its last part if it was broken off.

    Attributes:
        status: One that says "running" while its process is gone is told as crashed.
        actor: Who asked for it.
        because: Why.
        counts: How many of its datasets ended how.
        crashes: How often its process died.
        error: What stopped it before its end.
    """

    run_id: str
    status: str
    actor: str
    priority: int
    because: Because
    queued_at: str | None
    started_at: str | None
    finished_at: str | None
    duration_s: float | None
    datasets: tuple[str, ...]
    counts: dict[str, int]
    crashes: int = 0
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "status": self.status,
            "actor": self.actor,
            "priority": self.priority,
            "because": self.because.to_json(),
            "queued_at": self.queued_at,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "duration_s": self.duration_s,
            "datasets": list(self.datasets),
            "counts": self.counts,
            "crashes": self.crashes,
            "error": self.error or None,
        }


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """What a dataset has to do with a run. `status` is None while it has not ended."""

    dataset: str
    status: str | None
    rows: int = 0
    origin: str = "none"
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "status": self.status,
            "rows": self.rows,
            "origin": self.origin,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class WholeRun:
    """A run with its datasets, and the pieces that were asked for by hand. `cancelled_by`: who called it off."""

    run: StoredRun
    parts: tuple[DatasetPart, ...]
    partitions: tuple[str, ...] = ()
    cancelled_by: str = ""
    cancelled_because: str = ""

    def to_json(self) -> dict[str, Any]:
        told = self.run.to_json()
        told["datasets"] = [part.to_json() for part in self.parts]
        told["partitions"] = list(self.partitions)
        told["cancelled_by"] = self.cancelled_by or None
        told["cancelled_because"] = self.cancelled_because or None
        return told


def runs(
    system: IntegratedSystem, *, status: str | None = None, limit: int = 20, before: str | None = None, passed: int = 0
) -> list[StoredRun]:
    """The last runs, newest first; those that wait in the order in which they are begun.

    Args:
        before: Only runs older than this one, to go on where a list ended.
        passed: With status `queued`: so many of the first ones are left out, likewise.

    Raises:
        UsageError: there is no such status.
    """
    if status is not None and status not in STATUSES:
        raise UsageError(f"--status: no run is {status!r}", hint=f"it is one of {', '.join(STATUSES)}")
    if status == "queued":
        return [_stored(system, run) for run in system.views.waiting(limit=limit, passed=passed)]
    if status not in {"running", "crashed"}:
        return [_stored(system, run) for run in system.views.runs(limit=limit, status=status, before=before)]
    # Whose process is gone still stands as running until the next command notices.
    states = ("running", "crashed")
    found = [run for one in states for run in system.views.runs(limit=limit, status=one, before=before)]
    told = sorted((_stored(system, run) for run in found), key=lambda run: run.run_id, reverse=True)
    return [run for run in told if run.status == status][:limit]


def show(system: IntegratedSystem, run_id: str) -> WholeRun:
    """One run, and what came of its datasets.

    Raises:
        PipelineError: there is none of that id.
    """
    found = system.views.run(run_id)
    if found is None:
        raise PipelineError(f"there is no run {run_id}", hint="see the run ids in `runs list`", missing=True)
    ended = {body["dataset"]: body for body in system.views.dataset_runs(run_id)}
    run = _stored(system, found)
    names = dict.fromkeys([*run.datasets, *ended])
    parts = tuple(_part(name, ended.get(name)) for name in names)
    who = why = ""
    if found.status == "cancelled":
        last = system.events.read(subject=run_id, type="run.cancelled", newest_first=True, limit=1)
        who, why = (last[0].data["actor"], last[0].data.get("reason") or "") if last else ("", "")
    return WholeRun(run, parts, RunRequest.from_json(run_id, found.request).partitions, who, why)


def _part(name: str, body: dict[str, Any] | None) -> DatasetPart:
    if body is None:
        return DatasetPart(name, None)
    return DatasetPart(name, body["status"], body["rows"], body["origin"], body.get("reason"))


def _stored(system: IntegratedSystem, run: Run) -> StoredRun:
    request = RunRequest.from_json(run.run_id, run.request)
    summary = run.summary or {}
    gone = run.status == "running" and system.leases.is_dead(run.owner)
    return StoredRun(
        run_id=run.run_id,
        status="crashed" if gone else run.status,
        actor=run.actor,
        priority=run.priority,
        because=request.because,
        queued_at=run.queued_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        duration_s=summary.get("duration_s"),
        datasets=request.datasets,
        counts=summary.get("counts", {}),
        crashes=run.crashes,
        error=summary.get("error", ""),
    )
