"""What happened lately, in few reads: last runs, how each dataset's figures moved, newest events, circuits."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from data_pipeline.run_queue.at_work import at_work
from integrated_system import IntegratedSystem
from operations.breakers import Breaker, listed
from operations.events import recent
from operations.status import Status, status
from operations.trouble import Trouble, told

if TYPE_CHECKING:
    from data_pipeline.store.run_views import Run
    from utils.events import Event

RUNS, EVENTS, POINTS = 20, 12, 40
UNFINISHED = {"queued", "running"}
ROUTINE = {"batch.accepted", "quality.scored"}
"""Steps of every good delivery; beside `dataset.collected` they say nothing new, unless somebody took them."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunActivity:
    """A stored run at this moment. Moments RFC 3339; `done` of `total` datasets are recorded.

    `status`: queued running succeeded degraded failed crashed cancelled interrupted; a run that says "running" while
    its process is gone is told as crashed. `bad`: its datasets that did not succeed (only of the newest run).
    `error`: what stopped the run before its end. `awaited`: it waits, and somebody works off the queue.
    """

    run_id: str
    status: str
    queued_at: str | None
    started_at: str | None
    finished_at: str | None
    duration_s: float | None
    actor: str
    done: int
    total: int
    counts: dict[str, int]
    anomalies: int
    bad: tuple[str, ...] = ()
    error: str = ""
    awaited: bool = False

    @property
    def unfinished(self) -> bool:
        return self.status in UNFINISHED


@dataclass(frozen=True, slots=True)
class Series:
    """A dataset's newest figures, oldest first, points without a value left out. `quality`: 0 to 100 points."""

    rows: tuple[float, ...]
    quality: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Activity:
    """All of it, as read at `at`. A part that cannot be read holds the reason; the others are still there."""

    at: datetime
    seq: int
    changed_at: str | None
    status: Status | Trouble
    runs: tuple[RunActivity, ...] | Trouble
    series: dict[str, Series] | Trouble
    attempts: dict[str, int] | Trouble
    events: "tuple[Event, ...] | Trouble"
    breakers: tuple[Breaker, ...] | Trouble


def activity(system: IntegratedSystem, before: Activity | None = None) -> Activity:
    """What a page shows at a glance.

    Args:
        before: The last answer. When the log has not grown since, only what time alone can change is read again.

    Raises:
        StateError: the log itself cannot be read.
    """
    newest = system.events.read(limit=1, newest_first=True)
    seq, changed_at = (newest[0].seq, newest[0].time) if newest else (0, None)
    same = before if before is not None and before.seq == seq else None

    def part(old: T | Trouble | None, read: Callable[[], T]) -> T | Trouble:
        return _part(read) if old is None or isinstance(old, Trouble) else old

    return Activity(
        at=system.clock.now(),
        seq=seq,
        changed_at=changed_at,
        status=_part(lambda: status(system)),
        runs=part(_settled(same), lambda: _runs(system)),
        series=part(same.series if same else None, lambda: _series(system)),
        attempts=part(same.attempts if same else None, lambda: _attempts(system)),
        events=part(same.events if same else None, lambda: _events(system)),
        breakers=_part(lambda: tuple(listed(system))),
    )


def run_activity(system: IntegratedSystem, run_id: str) -> RunActivity | None:
    """How one run is getting on; None when there is no such run."""
    run = system.views.run(run_id)
    return None if run is None else _run(system, run, with_bad=True)


def _part(read: Callable[[], T]) -> T | Trouble:
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - told (and logged when it is not one of ours); the other parts go on
        return told(error)


def _settled(before: Activity | None) -> tuple[RunActivity, ...] | None:
    """A process can die without a word in the log, so an unfinished run is looked at again each time."""
    runs = before.runs if before is not None else None
    return None if runs is None or isinstance(runs, Trouble) or any(run.unfinished for run in runs) else runs


def _runs(system: IntegratedSystem) -> tuple[RunActivity, ...]:
    return tuple(_run(system, run, with_bad=n == 0) for n, run in enumerate(system.views.runs(limit=RUNS)))


def _run(system: IntegratedSystem, run: "Run", *, with_bad: bool) -> RunActivity:
    summary = run.summary or {}
    counts: dict[str, int] = summary.get("counts", {})
    told_state = "crashed" if run.status == "running" and system.leases.is_dead(run.owner) else run.status
    parts: list[dict[str, Any]] = []
    if with_bad or run.status in UNFINISHED:
        parts = system.views.dataset_runs(run.run_id)
    return RunActivity(
        run_id=run.run_id,
        status=told_state,
        queued_at=run.queued_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        duration_s=summary.get("duration_s"),
        actor=run.actor,
        done=len(parts) or sum(counts.values()),
        total=len(run.request.get("datasets", ())),
        counts=counts,
        anomalies=sum(summary.get("anomalies", {}).values()),
        error=summary.get("error", ""),
        awaited=run.status == "queued" and at_work(system.leases),
        bad=tuple(part["dataset"] for part in parts if part["status"] in {"degraded", "failed"}),
    )


def _series(system: IntegratedSystem) -> dict[str, Series]:
    names = [dataset.name for dataset in system.settings.datasets]
    found = {name: Series((), ()) for name in names}
    for block in system.history.blocks(names, last=POINTS):
        if {"rows", "quality"} <= set(block.metrics):
            rows, quality = (block.series(metric)[1].tolist() for metric in ("rows", "quality"))
            found[block.subject] = Series(tuple(rows), tuple(quality))
    return found


def _events(system: IntegratedSystem) -> "tuple[Event, ...]":
    """Newest first, without the routine."""
    newest = recent(system, limit=EVENTS * 4)[::-1]
    found = [event for event in newest if event.type not in ROUTINE or "actor" in event.data]
    return tuple(found[:EVENTS])


def _attempts(system: IntegratedSystem) -> dict[str, int]:
    """How many times each dataset's provider was asked in its last run."""
    return {name: body.get("attempts", 0) for name, body in system.views.latest().items()}
