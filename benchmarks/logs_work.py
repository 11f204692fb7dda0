"""The work of every contender of `logs.py`: the same fields, line by line, and what is measured of it.

Every contender imports it, in its own environment: standard library only.
"""

import gzip
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

LINES = 100_000
SIZE = 5_000_000
EVENT = "dataset.collected"

Log = Callable[[dict[str, Any]], object]
"""Writes one line with the event and these fields."""


def fields() -> Iterator[dict[str, Any]]:
    """Of one line after the other, like those of a run: words, numbers, an address."""
    for number in range(LINES):
        yield {
            "dataset": f"dataset_{number % 200:03}",
            "provider": "api.example.org",
            "rows": number,
            "seconds": number % 997 / 1000,
            "origin": "provider",
            "unchanged": number % 3 == 0,
        }


def timed(log: Log, close: Callable[[], object]) -> dict[str, float]:
    """Lines a second until all is written and compressed, processor time a line, and how long single lines took."""
    taken = []
    clock = time.perf_counter
    began, processor = clock(), time.process_time()
    for line in fields():
        before = clock()
        log(line)
        taken.append(clock() - before)
    close()
    lasted, used = clock() - began, time.process_time() - processor
    taken.sort()
    return {
        "json_lines_per_s": LINES / lasted,
        "cpu_us_a_line": used / LINES * 1e6,
        "median_us": statistics.median(taken) * 1e6,
        "p99_us": taken[int(LINES * 0.99)] * 1e6,
        "p9999_ms": taken[int(LINES * 0.9999)] * 1e3,
        "worst_ms": taken[-1] * 1e3,
    }


def check(folder: Path, rows_of: Callable[[Mapping[str, object]], object] = lambda line: line["rows"]) -> None:
    """Every line is there once, whole, and what was rotated is compressed; an error otherwise."""
    packed = sorted(folder.glob("*.gz"))
    lines = [line for path in packed for line in gzip.decompress(path.read_bytes()).splitlines()]
    lines += [line for path in folder.iterdir() if path.suffix != ".gz" for line in path.read_bytes().splitlines()]
    rows = sorted(int(str(rows_of(json.loads(line)))) for line in lines)
    if rows != list(range(LINES)) or not packed:
        raise AssertionError(f"{len(rows)} lines, {len(packed)} rotated files")
