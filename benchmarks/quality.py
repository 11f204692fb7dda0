"""Twelve rules over the same orders, ours and the engines that judge frames: processor, time, memory, the same counts.

Each contender is a process of its own for each piece of work; loading its frame is not timed, what follows is. All must
tell the same number of rows for every rule, or there is no result. The large pieces are done in the first round only.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import peers
from benchmarks.comparison import Comparison, Figures, Target, compare, over_rounds
from benchmarks.loops import Value
from benchmarks.machine import load, machine
from benchmarks.measure import ROOT, BenchmarkError, environment
from benchmarks.quality_work import RULES

ENGINES = ("pandera", "pointblank", "great-expectations", "dataframely", "polars", "duckdb")


class Work(NamedTuple):
    """A piece of work.

    Attributes:
        name: What its figures begin with.
        rows: Of its file.
        contenders: The program's name for each contender -> whose figures they are.
        memory: Which memory is told: `above_mb` what was there before, or the whole `peak_mb`.
        turns: In a process; the best counts.
        once: Only in the first round.
    """

    name: str
    rows: int
    contenders: Mapping[str, str]
    memory: str = "above_mb"
    turns: int = 1
    once: bool = False


JUDGED = {name: name for name in ("ours", *ENGINES, "floor")}
WORKS = (
    Work("judge_1m", 1_000_000, JUDGED, turns=3),
    Work(
        "profile_1m",
        1_000_000,
        {"ours-profile": "ours", "polars-profile": "polars", "duckdb-profile": "duckdb"},
        turns=3,
    ),
    Work("judge_10m", 10_000_000, JUDGED, once=True),
    Work(
        "file_60m",
        60_000_000,
        {"ours-file": "ours", "duckdb-file": "duckdb", "polars-file": "polars"},
        memory="peak_mb",
        once=True,
    ),
    Work("file_60m_spilling", 60_000_000, {"ours-file-spilling": "ours"}, memory="peak_mb", once=True),
)

TARGETS = (
    Target("judge_1m_cpu_s", "<= 0.35 x pandera", 0.35, of="pandera"),
    Target("judge_1m_cpu_s", "<= 0.8 x Pointblank", 0.8, of="pointblank"),
    Target("judge_10m_cpu_s", "<= 0.25 x pandera", 0.25, of="pandera"),
    *[
        Target("judge_10m_cpu_s", f"<= 0.7 x {peer}", 0.7, of=peer)
        for peer in ("pointblank", "dataframely", "polars", "duckdb")
    ],
    Target("judge_10m_above_mb", "<= 100", 100),
    Target("file_60m_cpu_s", "<= 1.0 x DuckDB", 1.0, of="duckdb"),
    Target("file_60m_peak_mb", "<= 700", 700),
    Target("file_60m_spilling_peak_mb", "<= 350", 350),
    Target("profile_1m_cpu_s", "<= 1.0 x Polars", 1.0, of="polars"),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`; the largest file takes 2.6 GB there. `short`: a hundredth of the rows."""
    before = load()
    about = machine(folder)
    taken: dict[str, dict[str, list[Value]]] = {}
    for work in WORKS:
        path = orders(folder, work.rows // 100 if short else work.rows)
        for number in range(1 if work.once else runs):
            for who, figures in _round(work, path, f"round {number + 1}").items():
                for figure, value in figures.items():
                    taken.setdefault(who, {}).setdefault(figure, []).append(value)
    return compared(over_rounds(TARGETS, taken), about, (before, load()))


def compared(told: Mapping[str, Figures], about: Mapping[str, object], loads: tuple[float, float]) -> Comparison:
    """The result of what each contender's figures are: ours, the floor's, and everybody else's."""
    return compare("quality", TARGETS, told, about, loads)


def orders(folder: Path, rows: int) -> Path:
    """The file with so many orders, made when it is asked for first."""
    from benchmarks.quality_frame import write

    path = folder / f"orders_{rows}.parquet"
    if not path.exists():
        print(f"writing {rows:,} orders", file=sys.stderr, flush=True)
        write(path, rows)
    return path


def _round(work: Work, path: Path, words: str) -> dict[str, dict[str, float]]:
    """Whose figures -> figure -> value.

    Raises:
        BenchmarkError: a contender failed, or told other counts than ours.
    """
    figures: dict[str, dict[str, float]] = {}
    counts: dict[str, list[int]] = {}
    for program, who in work.contenders.items():
        command = command_of(program, path, work.turns)
        if command is None:
            continue
        print(f"{words}: {work.name}, {who}", file=sys.stderr, flush=True)
        told = run(command)
        figures[who] = {f"{work.name}_{name}": told[name] for name in ("cpu_s", "wall_s", work.memory)}
        if told["counts"] is not None:
            counts[who] = told["counts"]
    check(work.name, counts)
    return figures


def command_of(program: str, path: Path, turns: int) -> tuple[str, ...] | None:
    """What runs a contender; None: its environment is not made."""
    arguments = (program, str(path), str(turns))
    if program == "floor" or program.startswith("ours"):
        return (sys.executable, "-m", "benchmarks.quality_ours", *arguments)
    return peers.command("quality", *arguments, script="judge")


def run(command: Sequence[str]) -> dict[str, Any]:
    """What a contender told."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(), check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"exit {done.returncode} from {' '.join(command)}\n{done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def check(name: str, counts: Mapping[str, Sequence[int]]) -> None:
    """Raises `BenchmarkError` when two contenders did not find the same."""
    for who, found in counts.items():
        for rule, mine, its in zip(RULES, counts["ours"], found, strict=True):
            if mine != its:
                raise BenchmarkError(f"{name}: {rule!r} is broken by {mine} rows for ours, by {its} for {who}")
