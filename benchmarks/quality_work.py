"""The work of the quality benchmark and how it is timed. Every contender imports it, in its own environment.

Standard library only. A contender is a program that is started anew for each piece of work, told who it is, what to do
and where the rows are, and prints one line of JSON.
"""

import ctypes
import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

NOW = "2026-01-01T00:00:00"
EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"
STATUS = ["new", "paid", "shipped", "delivered", "cancelled"]
MOST_ROWS = 10**9

RULES = (
    "email is there",
    "amount is there",
    "created_at is there",
    "order_id is unique",
    "amount in 0..10000",
    "quantity in 1..100",
    "status is known",
    "email looks like one",
    "country has two letters",
    "created_at is not in the future",
    "created_at <= updated_at",
    "number of rows",
)
"""In the order in which contenders tell how many rows break them; a null breaks the first three only."""

MIB = 2**20

Counts = Sequence[int] | None


def perform(works: "dict[str, Callable[[str], Callable[[], Counts]]]") -> None:
    """Do what the command line says (`NAME PATH TURNS`) and tell what it took.

    Args:
        works: Name -> what loads the rows and returns the work itself: only that is timed.

    Of several turns the one with the least of the processor's time is told, and the highest memory of all.
    """
    name, path, turns = sys.argv[1:]
    work = works[name](path)
    _give_back()
    before = _memory("VmRSS")
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")  # the highest memory so far is forgotten
    taken = []
    for _ in range(int(turns)):
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()  # of all threads
        counts = work()
        taken.append((time.process_time() - cpu, time.perf_counter() - wall))
    peak = _memory("VmHWM")
    cpu_s, wall_s = min(taken)
    told = {"cpu_s": cpu_s, "wall_s": wall_s, "above_mb": (peak - before) / 1e6, "peak_mb": peak / 1e6}
    print(json.dumps({**told, "counts": None if counts is None else [int(count) for count in counts]}))


def _give_back() -> None:
    """What loading the rows left unused goes to the system: it would hide what the work needs."""
    gc.collect()
    if (arrow := sys.modules.get("pyarrow")) is not None:
        arrow.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # a C library without it
        ctypes.CDLL(None).malloc_trim(0)


def _memory(key: str) -> int:
    """Bytes of this process: `VmRSS` now, `VmHWM` at most."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key)) * 1024
