"""Runs cases in processes of their own, so that a hang, a crash or a lack of memory is one finding and not the end."""

import json
import queue
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIMIT_S = 5.0
LIMIT_MB = 500
"""Processor seconds and resident megabytes that one case may take."""

PATIENCE_S = 120.0
"""Wall seconds without a word after which a case hangs; what is only slow tells its processor seconds itself."""


@dataclass(slots=True)
class Findings:
    """How often each outcome came, by the format's piece, and what must not happen, each with its case."""

    outcomes: Counter[str] = field(default_factory=Counter)
    by_piece: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    peak_mb: int = 0

    def add(self, result: dict[str, Any]) -> None:
        kind = result["kind"]
        self.outcomes[kind] += 1
        self.by_piece[result["piece"], kind] += 1
        self.slowest_s = max(self.slowest_s, result["seconds"])
        self.peak_mb = max(self.peak_mb, result["peak_mb"])
        where = f"case {result['number']} ({result['piece']}, format {'told' if result['told'] else 'found'})"
        if kind == "fault":
            self.faults.append(f"{where}: {result['what']}")
        if result["seconds"] > LIMIT_S:
            self.faults.append(f"{where}: took {result['seconds']} s")
        if result["peak_mb"] > LIMIT_MB:
            self.faults.append(f"{where}: took {result['peak_mb']} MB")


def fuzz(seed: int, count: int, *, processes: int = 2) -> Findings:
    """Run the cases 0..count-1 of a seed, spread over processes."""
    findings, lock = Findings(), threading.Lock()

    def one(first: int) -> None:
        following = first
        while following < count:
            following = _until_stopped(seed, following, count, processes, findings, lock)

    threads = [threading.Thread(target=one, args=(first,)) for first in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return findings


def _until_stopped(seed: int, first: int, count: int, step: int, findings: Findings, lock: threading.Lock) -> int:
    """Run one process as long as it goes well; the number of the next case."""
    command = [sys.executable, "-m", "tests.fuzz.worker", *map(str, (seed, first, count, step))]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    complaints: list[str] = []

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.put(line)
        said.put(None)

    def complain() -> None:
        assert process.stderr is not None
        complaints.append(process.stderr.read()[-2_000:])

    listeners = [threading.Thread(target=listen), threading.Thread(target=complain)]
    for listener in listeners:
        listener.start()
    running, problem = first - step, None
    while True:
        try:
            line = said.get(timeout=PATIENCE_S)
        except queue.Empty:
            problem = f"hung for more than {PATIENCE_S} s"
            break
        if line is None:
            break
        result = json.loads(line)
        if "begins" in result:
            running = result["begins"]
        else:
            with lock:
                findings.add(result)
    if problem:
        process.kill()
    process.wait()
    for listener in listeners:
        listener.join()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    if problem or process.returncode:
        with lock:
            findings.faults.append(
                f"case {running}: {problem or f'the process ended with {process.returncode}'} {''.join(complaints)}"
            )
        return running + step
    return count
