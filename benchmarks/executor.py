"""What a dataset costs on a Dask cluster beyond what Dask itself takes for a task.

One cluster of two processes with four threads each, and in each round, one after the other: empty tasks, given away one
by one by as many threads as the cluster has and waited for, as the runner does; empty tasks, all at once, as Dask's own
examples do; a run of no-op datasets on the cluster, everything recorded and committed; the same run in threads here.
The overhead is the third less the first, a task: the line of the dataset itself is part of it.
"""

import logging
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison, Target, compare
from benchmarks.machine import load, machine
from benchmarks.measure import BenchmarkError
from benchmarks.workload import noop_configuration

PROCESSES, THREADS = 2, 4
DATASETS = 300
TARGETS = (Target("overhead_ms", "<= 5", 5),)


def nothing(number: int) -> int:
    """A task that does nothing."""
    return number


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`. `short`: a tenth of the datasets."""
    from distributed import Client, LocalCluster

    from config.sections import ExecutorSettings
    from integrated_system import IntegratedSystem

    before, count = load(), DATASETS // 10 if short else DATASETS
    configuration = noop_configuration(folder, count)
    taken: dict[str, list[float]] = {"submit": [], "at_once": [], "dask": [], "local": []}
    with (
        LocalCluster(
            n_workers=PROCESSES,
            threads_per_worker=THREADS,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
        IntegratedSystem(configuration, state_dir=folder / "state", environ={}) as system,
    ):
        there = ExecutorSettings(kind="dask", address=cluster.scheduler_address)
        here = ExecutorSettings(workers=PROCESSES * THREADS)
        contenders: dict[str, Callable[[], float]] = {
            "submit": lambda: _one_by_one(client, count),
            "at_once": lambda: _at_once(client, count),
            "dask": lambda: _run(system, there, count),
            "local": lambda: _run(system, here, count),
        }
        for number in range(runs + 1):
            for name, contender in contenders.items():
                seconds = contender()
                if number:  # the first round imports, connects and builds
                    taken[name].append(seconds)
    each = {name: statistics.median(seconds) / count * 1000 for name, seconds in taken.items()}
    told = {
        "ours": {"overhead_ms": each["dask"] - each["submit"], "a_task_ms": each["dask"], "local_ms": each["local"]},
        "dask, empty tasks": {"a_task_ms": each["submit"], "at_once_ms": each["at_once"]},
    }
    return compare("executor", TARGETS, told, machine(folder), (before, load()))


def _one_by_one(client: Any, count: int) -> float:
    """Seconds for so many empty tasks, as many under way as there are threads."""
    with client.get_executor(pure=False) as executor, ThreadPoolExecutor(PROCESSES * THREADS) as threads:
        began = time.perf_counter()
        found = list(threads.map(lambda number: executor.submit(nothing, number).result(), range(count)))
        seconds = time.perf_counter() - began
    return _checked(found, count, seconds)


def _at_once(client: Any, count: int) -> float:
    """Seconds for so many empty tasks, all given away before one is waited for."""
    began = time.perf_counter()
    futures = [client.submit(nothing, number, pure=False) for number in range(count)]
    found = client.gather(futures)
    return _checked(found, count, time.perf_counter() - began)


def _run(system: Any, executor: Any, count: int) -> float:
    """Seconds of a run, from its first event to its last."""
    from operations.actor import Actor
    from operations.run import run

    done = run(system, Actor("benchmark"), fresh=True, executor=executor)
    if len(done.datasets) != count or done.status != "succeeded":
        raise BenchmarkError(f"{len(done.datasets)} of {count} datasets, {done.status}")
    return done.duration_s


def _checked(found: list[int], count: int, seconds: float) -> float:
    if found != list(range(count)):
        raise BenchmarkError(f"{len(found)} of {count} tasks came back")
    return seconds
