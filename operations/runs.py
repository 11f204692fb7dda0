"""Runs that are stored: which there are, why, and what came of one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from data_pipeline.errors import PipelineError
from data_pipeline.run_queue.request import Because, RunRequest
from data_pipeline.store.run_views import Run
from data_pipeline.store.views import Views
from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.moments import past_moment
from utils.events import rfc3339

__all__ = ["STATUSES", "DatasetPart", "Step", "StoredRun", "WholeRun", "runs", "show"]

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
class Step:
    """What did not go by itself in a dataset's turn.

    `kind`: rate_limit or bulkhead (it waited for the provider's rate, or for a place), failed (an attempt), pause
    (before the next attempt). `at_s`: seconds after the turn began; `seconds`: how long it took.
    """

    kind: str
    at_s: float
    seconds: float
    words: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "at_s": self.at_s, "seconds": self.seconds, "words": self.words}


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """What a dataset has to do with a run. `status` is None while it has not ended.

    Attributes:
        began_at, ended_at: When its turn began and ended; None: it had none, or it has not ended.
        attempts: How often the most stubborn request was made.
        hint: What to do about `reason`.
        steps: Waits, attempts that failed, pauses; `left_out`: so many more are not told.
    """

    dataset: str
    status: str | None
    rows: int = 0
    origin: str = "none"
    reason: str | None = None
    provider: str = ""
    attempts: int = 0
    began_at: str | None = None
    ended_at: str | None = None
    duration_s: float | None = None
    hint: str = ""
    steps: tuple[Step, ...] = ()
    left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "status": self.status,
            "rows": self.rows,
            "origin": self.origin,
            "reason": self.reason,
            "hint": self.hint or None,
            "provider": self.provider or None,
            "attempts": self.attempts,
            "began_at": self.began_at,
            "ended_at": self.ended_at,
            "duration_s": self.duration_s,
            "steps": [step.to_json() for step in self.steps],
            "left_out": self.left_out,
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
    system: IntegratedSystem,
    *,
    status: str | None = None,
    limit: int = 20,
    before: str | None = None,
    passed: int = 0,
    as_of: str | None = None,
) -> list[StoredRun]:
    """The last runs, newest first; those that wait in the order in which they are begun.

    Args:
        as_of: As they stood at a past moment (RFC 3339); None: now.
        before: Only runs older than this one, to go on where a list ended.
        passed: With status `queued`: so many of the first ones are left out, likewise.

    Raises:
        UsageError: there is no such status, or `as_of` is no past moment.
    """
    if status is not None and status not in STATUSES:
        raise UsageError(f"--status: no run is {status!r}", hint=f"it is one of {', '.join(STATUSES)}")
    views = _views(system, as_of)
    if status == "queued":
        return [_stored(system, run) for run in views.waiting(limit=limit, passed=passed)]
    if status not in {"running", "crashed"} or as_of is not None:
        found = views.runs(limit=limit, status=status, before=before)
        return [_stored(system, run, then=as_of is not None) for run in found]
    # Whose process is gone still stands as running until the next command notices.
    states = ("running", "crashed")
    found = [run for one in states for run in views.runs(limit=limit, status=one, before=before)]
    told = sorted((_stored(system, run) for run in found), key=lambda run: run.run_id, reverse=True)
    return [run for run in told if run.status == status][:limit]


def show(system: IntegratedSystem, run_id: str, *, as_of: str | None = None) -> WholeRun:
    """One run, and what came of its datasets; or as it stood at a past moment (RFC 3339).

    Raises:
        PipelineError: there is none of that id, or there was none then.
        UsageError: `as_of` is no past moment.
    """
    views = _views(system, as_of)
    found = views.run(run_id)
    if found is None:
        raise PipelineError(f"there is no run {run_id}", hint="see the run ids in `runs list`", missing=True)
    ended = {body["dataset"]: body for body in views.dataset_runs(run_id)}
    run = _stored(system, found, then=as_of is not None)
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
    ended_at, took = body["time"], body.get("duration_s", 0.0)
    had_a_turn = body["status"] != "skipped"
    course = body.get("course") or {}
    return DatasetPart(
        dataset=name,
        status=body["status"],
        rows=body["rows"],
        origin=body["origin"],
        reason=body.get("reason"),
        provider=body["provider"],
        attempts=body.get("attempts", 0),
        # The log has the end of each turn, and how long it took.
        began_at=rfc3339(datetime.fromisoformat(ended_at) - timedelta(seconds=took)) if had_a_turn else None,
        ended_at=ended_at,
        duration_s=took if had_a_turn else None,
        hint=(body.get("error") or {}).get("hint") or "",
        steps=tuple(Step(*step) for step in course.get("steps", ())),
        left_out=course.get("left_out", 0),
    )


def _views(system: IntegratedSystem, as_of: str | None) -> Views:
    return system.views if as_of is None else Views(system.past.at(past_moment(as_of, system.clock.now())))


def _stored(system: IntegratedSystem, run: Run, *, then: bool = False) -> StoredRun:
    """`then`: as it was told at a past moment, when nobody can say any more whether its process was there."""
    request = RunRequest.from_json(run.run_id, run.request)
    summary = run.summary or {}
    gone = not then and run.status == "running" and system.leases.is_dead(run.owner)
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
