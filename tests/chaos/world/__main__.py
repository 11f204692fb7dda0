"""`make chaos`: 1,000 worlds of one process and 50 worlds of real processes; `make chaos SEED=7`: one of them.

A world that does not hold is told with its seed and its steps. Seeds beyond 2,000 are worlds of real processes.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.chaos.world.batch import PROCESSES, batch

BATCH = 20
WARM = 40
"""Worlds after which a process has loaded all that it ever loads."""

GROWTH = 0.15
"""Share by which a process may be larger at its end than it was when it was warm."""


def all_of(seeds: Sequence[int], workers: int) -> int:
    """Live all these worlds; gives the exit code."""
    began, wrong, done, steps = time.monotonic(), 0, 0, 0
    warm: dict[int, int] = {}
    parts = _parts(seeds)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(batch, part) for part in parts]):
            one = future.result()
            done, steps, wrong = done + len(one.seeds), steps + one.steps, wrong + len(one.violations)
            for text in one.violations:
                print(text, flush=True)
            if one.worlds >= WARM:
                first = warm.setdefault(one.process, one.resident)
                if one.resident > first * (1 + GROWTH):
                    print(f"memory: a process was {first:,} bytes after {WARM} worlds, and is {one.resident:,} by now")
                    wrong += 1
            spent = time.monotonic() - began
            print(f"{done:>5} of {len(seeds)} worlds, {steps:,} steps, {wrong} violations, {spent:.0f} s", flush=True)
    return 1 if wrong else 0


def _parts(seeds: Sequence[int]) -> list[Sequence[int]]:
    """Worlds of processes take ten times as long as the others."""
    found, at = list[Sequence[int]](), 0
    while at < len(seeds):
        size = BATCH // 10 if seeds[at] > PROCESSES else BATCH
        found.append(seeds[at : at + size])
        at += size
    return found


def main(arguments: Sequence[str]) -> int:
    told = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    told.add_argument("--seed", type=int, help="this world alone")
    told.add_argument("--worlds", type=int, default=1_000, help="worlds in one process (default: %(default)s)")
    told.add_argument("--first", type=int, default=1, help="the first seed (default: %(default)s)")
    told.add_argument("--processes", type=int, default=50, help="worlds of real processes (default: %(default)s)")
    told.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = told.parse_args(arguments)
    if asked.seed is not None:
        found = batch([asked.seed]).violations
        print("\n".join(found) or f"seed {asked.seed}: all held")
        return 1 if found else 0
    some = [*range(asked.first, asked.first + asked.worlds)]
    first = PROCESSES + asked.first
    return all_of([*range(first, first + asked.processes), *some], asked.workers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
