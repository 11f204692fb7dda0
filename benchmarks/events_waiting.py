"""Many callers at once, each waiting for its event to be on the disk: on this disk, and on one that flushes in 4 ms.

The second is this one, slowed down (`slow_flush.py`) for both contenders alike, in a process of its own:
`python -m benchmarks.events_waiting FOLDER SECONDS`.
"""

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.events_floor import BareTable
from benchmarks.events_log import appending, log
from benchmarks.events_workload import WAITING, Timed
from benchmarks.loops import Table, Value
from benchmarks.machine import flush_time
from benchmarks.measure import ROOT, environment
from benchmarks.slow_flush import slowed

SLOW_S = 0.004
"""A flush of the disk on which the target was measured."""


def waiting(folder: Path, seconds: float) -> Table:
    """16 threads; "direct": each commits by itself, under a lock. Without a C compiler, not measured at 4 ms."""
    told = {**_named("", side_by_side(folder, seconds))}
    with TemporaryDirectory(dir=folder) as place:
        variables = slowed(Path(place), SLOW_S)
        slow: Table = {name: {"ours": None} for name in ("flush_ms", "per_s", "p99_us")}
        if variables is not None:
            command = (sys.executable, "-m", "benchmarks.events_waiting", place, str(seconds))
            done = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment(variables))
            slow = json.loads(done.stdout)
    return {**told, **_named("_at_4ms", slow)}


def _named(disk: str, told: Table) -> Table:
    return {
        f"flush{disk}_ms": told["flush_ms"],
        f"waiting_16_power{disk}_per_s": told["per_s"],
        f"waiting_16_power{disk}_p99_us": told["p99_us"],
    }


def side_by_side(folder: Path, seconds: float) -> Table:
    """Both contenders, one after the other, on the disk as it is for this process."""
    with TemporaryDirectory(dir=folder) as place, ExitStack() as opened:
        ours = opened.enter_context(log(Path(place) / "ours.db", "power"))
        direct = opened.enter_context(closing(BareTable(Path(place) / "direct.db", "power")))
        done = {
            "ours": _at_once(appending(ours), seconds),
            "direct": _at_once(direct.append_locked, seconds),
        }
        flush: dict[str, Value] = {"floor": flush_time(Path(place)) * 1000}
        return {
            "flush_ms": flush,
            "per_s": {who: timed.per_second * WAITING for who, timed in done.items()},
            "p99_us": {who: timed.microseconds(0.99) for who, timed in done.items()},
        }


def _at_once(function: Callable[[int], object], seconds: float) -> Timed:
    """Many threads for so long; each call gets another number."""
    numbers, done = itertools.count(), Timed()
    end = time.perf_counter() + seconds

    def call() -> None:
        times: list[float] = []
        now = time.perf_counter()
        while not times or now < end:  # a thread of a busy machine may begin after the end
            began = now
            function(next(numbers))
            now = time.perf_counter()
            times.append(now - began)
        done.times.extend(times)

    threads = [threading.Thread(target=call) for _ in range(WAITING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


if __name__ == "__main__":
    print(json.dumps(side_by_side(Path(sys.argv[1]), float(sys.argv[2]))))
