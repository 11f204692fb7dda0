"""Some worlds, lived one after the other by one process; each leaves as many files and threads as it found."""

import gc
import os
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.chaos.world.disk import Disk, small_disk
from tests.chaos.world.life import Violation, live
from tests.chaos.world.process_life import live_in_processes
from tests.chaos.world.script import draw, draw_for_processes
from tests.chaos.world.seen import handles
from tests.faulty_server import FaultyServer

__all__ = ["PROCESSES", "Batch", "batch"]

PROCESSES = 2_000
"""Seeds beyond this are worlds of real processes."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of some worlds: the texts of violations; how many steps there were; what this process is by then.

    Attributes:
        worlds: So many so far, in this process; `resident`: bytes.
    """

    seeds: tuple[int, ...]
    violations: tuple[str, ...]
    steps: int
    process: int
    worlds: int
    resident: int


@contextmanager
def ground() -> Iterator[tuple[FaultyServer, Disk]]:
    """A server that plays all providers, and a disk."""
    with tempfile.TemporaryDirectory() as folder, FaultyServer() as server, small_disk(Path(folder)) as disk:
        yield server, disk


_done = 0


def batch(seeds: Sequence[int]) -> Batch:
    """Live these worlds, one after the other; each leaves as many files and threads as there were before."""
    global _done  # noqa: PLW0603 - of this process, over all its batches
    found, steps = [], 0
    with ground() as (server, disk):
        for seed in seeds:
            try:
                if seed > PROCESSES:
                    steps += len(live_in_processes(draw_for_processes(seed), server, disk).done)
                else:
                    script, before = draw(seed), (handles(), threading.active_count())
                    live(script, server, disk)
                    steps += len(script.steps)
                    gc.collect()
                    after = (handles(), threading.active_count())
                    if _done and (after[0] > before[0] + 8 or after[1] > before[1] + 2):
                        found.append(f"seed {seed}: files and threads were {before}, and are {after}")
            except Violation as violation:
                found.append(str(violation))
            except Exception as error:  # noqa: BLE001 - told with its seed; the other worlds go on
                found.append(f"seed {seed}: {type(error).__name__}\n{traceback.format_exc()}")
            _done += 1
    resident = psutil.Process().memory_info().rss
    return Batch(tuple(seeds), tuple(found), steps, os.getpid(), _done, resident)
