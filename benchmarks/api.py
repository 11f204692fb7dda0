"""The API beside a static route of the same application: `GET /api/v1/datasets` with 100 datasets and a long log.

A server in a process of its own, 16 connections from another one; the two routes take turns in each round. Then
`/metrics`: its first scrape, then one every few seconds, as Prometheus does, with figures made anew each time; and one
after the page was left alone so long that it has to be made for the scrape. And what a fresh `api` needs: until it is
ready, and in memory after 10,000 requests.
"""

import json
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.api_server import PATH
from benchmarks.comparison import Comparison, Target, compare, over_rounds
from benchmarks.loops import Value
from benchmarks.machine import load, machine
from benchmarks.measure import PROGRAM, ROOT, BenchmarkError, environment
from benchmarks.workload import noop_configuration

DATASETS, EVENTS, RUNS, RECORDED, CONNECTIONS = 100, 1_000_000, 20, 450, 16
WINDOW_S = 3.0
SCRAPES, SCRAPE_EVERY_S = 4, 6.0
BATCH = 5000

TARGETS = (
    Target("per_s", ">= 60 % of a static route", at_least=0.6, of="floor"),
    Target("p99_ms", "<= 15", 15),
    Target("metrics_ms", "<= 10", 10),
    Target("metrics_made_ms", "<= 10", 10),
    Target("metrics_series", ">= 1,000", at_least=1000),
    Target("ready_s", "<= 2.5", 2.5),
    Target("rss_mb", "<= 180 after 10,000 requests", 180),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`. `short`: a hundredth of the log, one round."""
    before, about = load(), machine(folder)
    events = EVENTS // (100 if short else 1)
    configuration, state = _lived_in(folder, events)
    rounds = 1 if short else runs
    taken: dict[str, dict[str, list[Value]]] = {"ours": {}, "floor": {}}

    def note(who: str, figure: str, value: float) -> None:
        taken[who].setdefault(figure, []).append(value)

    with _serving(sys.executable, "-m", "benchmarks.api_server", str(configuration), str(state)) as (url, _):
        _ask(url + "/api/v1/datasets", CONNECTIONS, "500x")
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for who, path in (("floor", PATH), ("ours", "/api/v1/datasets")):
                found = _ask(url + path, CONNECTIONS, str(WINDOW_S))
                for figure in ("per_s", "p50_ms", "p99_ms"):
                    note(who, figure, found[figure])
            for figure, value in _scraped(url, 2 if short else SCRAPES).items():
                note("ours", figure, value)
    for _ in range(rounds):
        place = ("--config", str(configuration), "--state-dir", str(state))
        command = (*PROGRAM, "api", "--json", "--port", "0", *place)
        began = time.perf_counter()
        with _serving(*command) as (told, process):
            url = json.loads(told)["url"]
            with urllib.request.urlopen(url + "/readyz") as answer:
                answer.read()
            note("ours", "ready_s", time.perf_counter() - began)
            _ask(url + "/api/v1/datasets", CONNECTIONS, "10000x")
            note("ours", "rss_mb", _resident(process))
    about = {**about, "datasets": DATASETS, "events": events}
    return compare("api", TARGETS, over_rounds(TARGETS, taken), about, (before, load()))


def _lived_in(folder: Path, events: int) -> tuple[Path, Path]:
    """A state in which every dataset ran often, beside so many other events and so many numbers that were recorded."""
    from integrated_system import IntegratedSystem
    from operations.actor import local_user
    from operations.run import run
    from utils.events import NewEvent

    configuration, state = noop_configuration(folder, DATASETS), folder / "state"
    declared = {**json.loads(configuration.read_text()), "api": {"rate_limit": {"rate": 1e6, "burst": 1_000_000}}}
    configuration.write_text(json.dumps(declared))
    with IntegratedSystem(configuration, state_dir=state) as system:
        for _ in range(RUNS):
            run(system, local_user())
        for number in range(RECORDED):
            system.record("bench_queue", float(number), tags={"place": f"p{number:04d}"})
        print(f"{events:,} events", file=sys.stderr, flush=True)
        for first in range(0, events, BATCH):
            system.events.append(
                [
                    NewEvent(
                        "bench.happened", f"subject-{number % 1000}", {"number": number, "words": "as ever"}, "bench"
                    )
                    for number in range(first, min(events, first + BATCH))
                ]
            )
    return configuration, state


@contextmanager
def _serving(*command: str) -> Iterator[tuple[str, int]]:
    """The first line that a server prints, and its process."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        if not (line := process.stdout.readline()):
            raise BenchmarkError(f"the server ended: {process.communicate()[1][-2000:]}")
        yield line.strip(), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def _scraped(url: str, scrapes: int) -> dict[str, float]:
    """Scrapes a few seconds apart, the slowest of them; and one whose page is made while it waits, the last.

    To change something through the API is what makes a page old at once.
    """
    _scrape(url)
    times = []
    for _ in range(scrapes):
        time.sleep(SCRAPE_EVERY_S)
        taken, page = _scrape(url)
        times.append(taken)
    made = []
    for number in range(5):
        body = json.dumps({"name": "bench_changes", "value": number}).encode()
        change = urllib.request.Request(f"{url}/api/v1/metrics", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(change) as answer:
            answer.read()
        time.sleep(1.0)
        made.append(_scrape(url)[0])
    series = sum(not line.startswith(b"#") for line in page.splitlines())
    return {
        "metrics_ms": 1e3 * max(times),
        "metrics_made_ms": 1e3 * statistics.median(made),
        "metrics_series": float(series),
    }


def _scrape(url: str) -> tuple[float, bytes]:
    began = time.perf_counter()
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        page = answer.read()
    return time.perf_counter() - began, page


def _ask(url: str, connections: int, until: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.api_clients", url, str(connections), until]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{url}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _resident(process: int) -> float:
    """Megabytes of a process."""
    import psutil

    return float(psutil.Process(process).memory_info().rss) / 1e6
