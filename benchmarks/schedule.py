"""Ten thousand datasets, their schedules, the run queue, backfills, and what a `schedule` costs that has nothing to do.

The dry runs and the idle `schedule` are whole processes, seen from outside; the rest is asked of one process that
holds it all, so that a start does not count. When the next due times are asked for, APScheduler, croniter and cronsim
answer beside us. Times and rates are medians over the rounds.
"""

import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path

import psutil

from benchmarks.comparison import Comparison, Figures, Target, compare, over_rounds
from benchmarks.contenders import in_turn
from benchmarks.loops import Value
from benchmarks.machine import load, machine
from benchmarks.measure import PROGRAM, BenchmarkError, Measurement, Time, environment, medians, timed
from benchmarks.schedule_workload import configuration, scheduled

GROUPS = ("due", "tick", "promises", "queue", "backfill")
OURS_ALONE = {"tick", "promises", "queue", "backfill"}
SECONDS = 2.0
IDLE_S, WARM_UP_S = 60.0, 10.0
IDLE_DATASETS = 200
SMALL, LARGE = 1_000, 10_000

TARGETS = (
    Target("dry_run_json_10000_s", "<= 3", 3),
    Target("dry_run_yaml_10000_s", "<= 6", 6),
    Target("dry_run_json_growth", "<= 12: linear from 1,000, the start left out", 12),
    Target("dry_run_yaml_growth", "<= 12: linear from 1,000, the start left out", 12),
    Target("tick_10000_ms", "<= 50", 50),
    Target("tick_10000_worst_ms", "<= 50", 50),
    Target("promises_10000_ms", "<= 50", 50),
    Target("next_due_10000_ms", "<= 1 x croniter", 1, of="croniter"),
    Target("next_due_10000_ms", "<= 1 x APScheduler", 1, of="apscheduler"),
    Target("queue_runs_per_s", ">= 100", at_least=100),
    Target("idle_core_percent", "<= 0.5 of a core", 0.5),
    Target("idle_mb", "<= 120", 120),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`. `short`: a tenth of the time in loops, one round, six seconds of idleness."""
    before = load()
    about = machine(folder)
    taken = in_turn("schedule", folder, [GROUPS] * (1 if short else runs), SECONDS / (10 if short else 1), OURS_ALONE)
    told = over_rounds(TARGETS, taken)
    whole = {**dry_runs(folder, 1 if short else runs), **idle(folder, IDLE_S / (10 if short else 1))}
    told["ours"] = {**told["ours"], **whole}
    return compared(told, about, (before, load()))


def compared(told: Mapping[str, Figures], about: Mapping[str, object], loads: tuple[float, float]) -> Comparison:
    """The result of what each contender's figures are: ours, cronsim's, and the peers'."""
    return compare("schedule", TARGETS, told, about, loads)


def dry_runs(folder: Path, runs: int) -> dict[str, Value]:
    """What `run --dry-run` takes with 1,000 and 10,000 datasets, as a whole process; the growth without the start."""
    names = count()

    def new() -> Path:
        made = folder / f"dry{next(names)}"
        made.mkdir()
        return made

    one = scheduled(folder, 1)
    contenders: dict[str, Measurement] = {"start": partial(_dry_run, one, new)}
    for suffix in ("json", "yaml"):
        for size in (SMALL, LARGE):
            contenders[f"{suffix}_{size}"] = partial(_dry_run, configuration(folder, size, suffix), new)
    contenders["start"]()  # unmeasured: bytecode is written
    times = medians(contenders, runs=runs)
    start = times["start"]
    figures: dict[str, Value] = {}
    for suffix in ("json", "yaml"):
        small, large = times[f"{suffix}_{SMALL}"], times[f"{suffix}_{LARGE}"]
        figures[f"dry_run_{suffix}_{SMALL}_s"], figures[f"dry_run_{suffix}_{LARGE}_s"] = small.wall, large.wall
        figures[f"dry_run_{suffix}_{LARGE}_cpu_s"] = large.cpu
        figures[f"dry_run_{suffix}_{LARGE}_mb"] = large.peak / 1e6
        figures[f"dry_run_{suffix}_growth"] = (large.cpu - start.cpu) / (small.cpu - start.cpu)
    return figures


def _dry_run(config: Path, new: Callable[[], Path]) -> Time:
    return timed((*PROGRAM, "run", "--dry-run", "--json", "--config", str(config), "--state-dir", "state"), cwd=new())


def idle(folder: Path, seconds: float) -> dict[str, Value]:
    """Processor time and memory of a `schedule` whose 200 datasets are not due for the time that is looked at."""
    config = scheduled(folder, IDLE_DATASETS)
    settled = folder / "idle.json"
    # Due at one minute of the year: the time that is looked at has nothing to do in it.
    settled.write_text(config.read_text().replace('* * * *"', '4 29 2 *"'))
    command = (*PROGRAM, "schedule", "--config", str(settled), "--state-dir", str(folder / "idle"))
    with (folder / "idle.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
    try:
        time.sleep(min(WARM_UP_S, max(4.0, seconds)))
        seen = psutil.Process(process.pid)
        before, began = seen.cpu_times(), time.perf_counter()
        time.sleep(seconds)
        after, lasted = seen.cpu_times(), time.perf_counter() - began
        memory = seen.memory_info().rss
        if process.poll() is not None:
            raise BenchmarkError(f"schedule ended: {(folder / 'idle.log').read_text()[-2000:]}")
        used = after.user + after.system - before.user - before.system
        return {"idle_core_percent": used / lasted * 100, "idle_mb": memory / 1e6}
    finally:
        process.terminate()
        process.wait(30)
