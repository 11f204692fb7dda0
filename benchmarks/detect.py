"""Detection on labelled series: ours, PyOD's isolation forest, LOF and ECOD, and a z-score as Elementary has it.

The series and what measures the scores are not part of the program: they are looked for beside its folder (a
folder with `data/anomaly/index.csv` and `bench/anomaly_eval.py`). Quality needs no quiet machine, and one round.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import peers
from benchmarks.comparison import Comparison, Figures, Target, compare
from benchmarks.machine import load, machine
from benchmarks.measure import ROOT, BenchmarkError

_OURS = "benchmarks.detect_ours"
PEERS = ("iforest", "lof", "ecod", "z-score")
EVERY = 10  # series of a source for one that the short form takes

TARGETS = (
    Target("vus_pr", ">= 0.63", at_least=0.63),
    Target("vus_pr_of_sources", ">= 0.57", at_least=0.57),
    Target("vus_pr_short", ">= 0.70", at_least=0.70),
    Target("vus_pr_long", ">= 0.53", at_least=0.53),
    Target("recall_at_1_false", ">= 0.78", at_least=0.78),
    Target("causal_vus_pr", ">= 0.52", at_least=0.52),
    Target("own_recall", ">= 0.60", at_least=0.60),
    Target("own_false_per_1000", "<= 1.0", 1.0),
    Target("nab", ">= 58.3", at_least=58.3),
    Target("s_100k", "<= 5", 5.0),
    Target("s_300", "<= 0.1", 0.1),
    Target("ms_new_point", "<= 20", 20.0),
)


class Labelled(NamedTuple):
    """Where the series are, and what measures."""

    corpus: Path
    measure: Path


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:  # noqa: ARG001 - the benchmarks' convention
    """One round; `short`: a tenth of the series. `folder` and `runs` are the benchmarks' convention.

    Raises:
        BenchmarkError: there are no labelled series, or a contender failed.
    """
    before = load()
    labelled, every = found(ROOT.parent), EVERY if short else 1
    told = {"ours": {**_run("ours", *_ours(labelled, every)), **_run("speed", sys.executable, "-m", _OURS, "speed")}}
    for name in PEERS:
        command = peers.command("detect", name, *_where(labelled, every), script="scores")
        if command is not None:
            told[name] = _run(name, *command)
    return compared(told, machine(folder), (before, load()))


def compared(told: Mapping[str, Figures], about: Mapping[str, object], loads: tuple[float, float]) -> Comparison:
    """The result of what each contender's figures are."""
    return compare("detect", TARGETS, told, about, loads)


def found(place: Path) -> Labelled:
    """The labelled series in a folder of `place`; BenchmarkError when there are none."""
    for index in sorted(place.glob("*/data/anomaly/index.csv")):
        judge = index.parents[2] / "bench" / "anomaly_eval.py"
        if judge.exists():
            return Labelled(index.parent, judge)
    raise BenchmarkError(
        f"no labelled series: put data/anomaly/index.csv and bench/anomaly_eval.py into a folder in {place}"
    )


def _ours(labelled: Labelled, every: int) -> Sequence[str]:
    return (sys.executable, "-m", _OURS, *_where(labelled, every))


def _where(labelled: Labelled, every: int) -> tuple[str, ...]:
    return (str(labelled.measure), str(labelled.corpus), str(every))


def _run(name: str, *command: str) -> dict[str, float]:
    print(f"detect: {name}", file=sys.stderr, flush=True)
    # One thread: what is told is what a core does.
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{name} failed: {done.stderr.strip()[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures
