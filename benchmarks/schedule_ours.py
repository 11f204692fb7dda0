"""Our timetables, scheduler, run queue and backfills, and cronsim alone: one contender of `schedule.py`.

Run as a program (`python -m benchmarks.schedule_ours FOLDER`); answers as `benchmarks.loops.serve` says.
"""

import gc
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from benchmarks.loops import Table, serve
from benchmarks.schedule_workload import cron_lines, scheduled
from config.datasets import DatasetSettings
from config.settings import Settings
from data_pipeline.run_queue.queue import RunQueue
from data_pipeline.run_queue.request import RunRequest
from data_pipeline.scheduling.timetable import Timetable
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.backfill import go_on, start, stopping
from operations.backfill_plan import plan
from operations.promises import PromiseWatch
from operations.queue import queue_worker
from operations.scheduling import scheduler_of
from utils.clock import SYSTEM_CLOCK, Clock, ManualClock
from utils.events import NewEvent

MANY = 10_000
NOW = datetime(2026, 3, 2, 11, 59, 30, tzinfo=UTC)
ME = Actor("bench")


@contextmanager
def installation(folder: Path, config: Path, clock: Clock = SYSTEM_CLOCK) -> Iterator[IntegratedSystem]:
    """A fresh state under `folder`."""
    with (
        TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as state,
        IntegratedSystem(config, state_dir=Path(state), environ={}, clock=clock) as system,
    ):
        assert system.settings is not None
        gc.freeze()  # as the command does
        try:
            yield system
        finally:
            gc.unfreeze()


def due(_seconds: float) -> Table:
    """10,000 cron lines, read and asked when they are due next; ours and cronsim's own answer in turns."""
    from cronsim import CronSim

    settings = Settings()
    datasets = [
        DatasetSettings.model_validate(
            {"name": "x", "collect": {"kind": "simulated"}, "schedule": {"cron": line, "zone": zone}}
        )
        for line, zone in cron_lines(MANY)
    ]
    began = time.perf_counter()
    tables = [Timetable.of(dataset, settings, {}) for dataset in datasets]
    first = [table.next(NOW) for table in tables]
    ours = time.perf_counter() - began
    assert None not in first
    began = time.perf_counter()
    for line, zone in cron_lines(MANY):
        next(CronSim(line, NOW.astimezone(ZoneInfo(zone))))
    return {"next_due_10000_ms": {"ours": ours * 1e3, "cronsim": (time.perf_counter() - began) * 1e3}}


def tick(folder: Path, _seconds: float) -> Table:
    """Ticks of a leader with 1,000 and 10,000 schedules, of which each minute a sixtieth is due and run."""
    figures: dict[str, float] = {}
    for datasets in (MANY // 10, MANY):
        clock = ManualClock(NOW)
        with installation(folder, scheduled(folder, datasets), clock) as system:
            scheduler = scheduler_of(system)
            began = time.perf_counter()
            wait = scheduler.tick()
            figures[f"take_over_{datasets}_ms"] = (time.perf_counter() - began) * 1e3
            busy: list[float] = []
            idle: list[float] = []
            most = 0.0
            while len(busy) < 200:
                clock.advance(min(wait, 60.0))
                head = system.events.head()[0]
                began = time.perf_counter()
                wait = scheduler.tick()
                took = (time.perf_counter() - began) * 1e3
                (busy if system.events.head()[0] > head else idle).append(took)
                most = max(most, took)
                _finish(system)
            figures[f"tick_{datasets}_ms"] = statistics.median(busy)
            figures[f"tick_{datasets}_idle_ms"] = statistics.median(idle) if idle else 0.0
            figures[f"tick_{datasets}_worst_ms"] = most
            scheduler.close()
    figures["tick_growth"] = figures[f"tick_{MANY}_ms"] / figures[f"tick_{MANY // 10}_ms"]
    return {name: {"ours": value} for name, value in figures.items()}


def _finish(system: IntegratedSystem) -> None:
    """What waits is over."""
    done = {"status": "succeeded", "duration_s": 0.0, "counts": {}, "anomalies": {}}
    runs = system.views.runs(limit=1000, status="queued")
    system.events.append([NewEvent("run.finished", run.run_id, done) for run in runs]) if runs else None


def promises(folder: Path, _seconds: float) -> Table:
    """One look at 10,000 promises, none of them broken; the first one, and a later one."""
    clock = ManualClock(NOW)
    with installation(folder, scheduled(folder, MANY), clock) as system:
        watch = PromiseWatch(system)
        times = []
        for _ in range(3):
            began = time.perf_counter()
            watch.look()
            times.append((time.perf_counter() - began) * 1e3)
            clock.advance(60.0)
    return {"promises_10000_ms": {"ours": times[-1]}, "promises_10000_first_ms": {"ours": times[0]}}


def queue(folder: Path, seconds: float) -> Table:
    """Runs of one dataset each that wait in the queue, worked off."""
    number = max(20, int(seconds * 250))
    with installation(folder, scheduled(folder, 200, cache={"ttl": "1ms"})) as system:
        names = [dataset.name for dataset in system.settings.datasets]
        line = RunQueue(system.events, system.views, clock=system.clock)
        worker = queue_worker(system)
        try:
            worker.step()
            began = time.perf_counter()
            ids = line.put(RunRequest((names[index % len(names)],), actor=ME.name) for index in range(number))
            put = time.perf_counter() - began
            worker.drain()
            taken = time.perf_counter() - began
        finally:
            worker.close()
        statuses = {run.status for run in system.views.runs(limit=number)}
        if statuses != {"succeeded"} or len(ids) != number:
            sys.exit(f"runs ended as {statuses}")
    return {"queue_runs_per_s": {"ours": number / taken}, "queue_put_per_s": {"ours": number / put}}


def backfill(folder: Path, seconds: float) -> Table:
    """Daily pieces of a source that answers at once, collected, judged and stored."""
    days = max(20, int(seconds * 500))
    dataset = {
        "name": "noop",
        "collect": {"kind": "simulated", "rows": 1},
        "partition": {"by": "day", "start": "2020-01-01"},
    }
    config = folder / "pieces.json"
    config.write_text(json.dumps({"datasets": [dataset]}))
    end = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=days)
    with installation(folder, config) as system:
        planned = plan(system, "noop", begin="2020-01-01", end=end.date().isoformat())
        began = time.perf_counter()
        result = go_on(system, ME, start(system, ME, planned), cancel=stopping())
        taken = time.perf_counter() - began
        if result.collected != days:
            sys.exit(f"{result.collected} of {days} pieces came")
    return {"backfill_pieces_per_s": {"ours": days / taken}}


if __name__ == "__main__":
    place = Path(sys.argv[1])
    serve(
        {
            "due": due,
            "tick": partial(tick, place),
            "promises": partial(promises, place),
            "queue": partial(queue, place),
            "backfill": partial(backfill, place),
        }
    )
