"""Many slow HTTP datasets at once: how near the whole line comes to bare httpx at the same concurrency.

A server on loopback answers after 50 ms. Both sides make the same requests with 16 threads; the start cancels out:
(t500 - t20) / 480. Limits are lifted in the configuration, so that only the program itself stands in the way.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.comparison import Comparison, Target, compare
from benchmarks.machine import load, machine
from benchmarks.measure import PROGRAM, ROOT, BenchmarkError, Measurement, Time, medians, timed

SMALL, LARGE = 20, 500
WORKERS = 16
LATENCY_S = 0.05
TARGETS = (Target("per_s", ">= 0.8 of bare httpx", at_least=0.8, of="bare httpx"),)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`. `short`: 100 datasets instead of 500."""
    before = load()
    about = machine(folder)
    large = LARGE // 5 if short else LARGE
    names = (f"{number:05d}" for number in count())

    def new() -> Path:
        made = folder / next(names)
        made.mkdir()
        return made

    with _server(folder) as url:
        contenders: dict[str, Measurement] = {}
        for size in (SMALL, large):
            contenders[f"ours {size}"] = partial(_ours, _configuration(folder, url, size), size, new)
            contenders[f"httpx {size}"] = partial(_bare, url, size, new)
        for measurement in contenders.values():
            measurement()  # unmeasured: bytecode is written, libraries are in the page cache
        times = medians(contenders, runs=runs)

    def rate(who: str) -> float:
        return (large - SMALL) / (times[f"{who} {large}"].wall - times[f"{who} {SMALL}"].wall)

    cpu = (times[f"ours {large}"].cpu - times[f"ours {SMALL}"].cpu) / (large - SMALL)
    told = {
        "ours": {"per_s": rate("ours"), "cpu_us": cpu * 1e6, "wall_s": times[f"ours {large}"].wall},
        "bare httpx": {"per_s": rate("httpx"), "wall_s": times[f"httpx {large}"].wall},
        "floor": {"per_s": WORKERS / LATENCY_S},
    }
    return compare("providers", TARGETS, told, about, (before, load()))


def _configuration(folder: Path, url: str, size: int) -> Path:
    rules = [{"not_null": ["id"]}, {"unique": "id"}, {"row_count": {"min": 1}}]
    datasets = [
        {"name": f"d{number:05d}", "collect": {"kind": "http", "url": f"{url}/{number}.csv"}, "rules": rules}
        for number in range(size)
    ]
    lifted = {"resilience": {"rate_limit": None, "bulkhead": None}}
    path = folder / f"http{size}.json"
    path.write_text(json.dumps({"defaults": lifted, "executor": {"workers": WORKERS}, "datasets": datasets}))
    return path


def _ours(configuration: Path, size: int, new: Callable[[], Path]) -> Time:
    def check(output: str) -> None:
        told = json.loads(output)["datasets"]
        if sum(dataset["status"] == "succeeded" for dataset in told) != size:
            raise BenchmarkError(f"not all of {size} datasets succeeded: {told[0]}")

    command = (*PROGRAM, "run", "--fresh", "--json", "--config", str(configuration), "--state-dir", "state")
    return timed(command, cwd=new(), check=check)


def _bare(url: str, size: int, new: Callable[[], Path]) -> Time:
    def check(output: str) -> None:
        if output.strip() != str(size):
            raise BenchmarkError(f"bare httpx got {output.strip()} of {size} answers")

    script = str(ROOT / "benchmarks" / "bare_httpx.py")
    return timed((PROGRAM[0], script, url, str(size), str(WORKERS)), cwd=new(), check=check)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    port_file = folder / "port"
    command = (sys.executable, str(ROOT / "benchmarks" / "slow_server.py"), str(port_file), str(LATENCY_S))
    with subprocess.Popen(command) as process:
        try:
            looked = threading.Event()
            for _ in range(500):
                if port_file.exists():
                    break
                looked.wait(0.02)
            else:
                raise BenchmarkError("the slow server did not start")
            yield f"http://127.0.0.1:{port_file.read_text()}"
        finally:
            process.terminate()
