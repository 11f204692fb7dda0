"""Breaker, limiter, request chain and cache, beside the libraries that do the same: what a call costs, what holds.

Ours and the peers each answer in a process of their own interpreter; both are started anew every round and are asked
for one group of figures in turn, so that noise meets all alike. diskcache is measured in our process, where it is a
library of ours: there with its own pickle. Times are medians over the rounds, counts the worst of all rounds.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks import peers
from benchmarks.comparison import Comparison, Target, judge
from benchmarks.loops import Table, Value
from benchmarks.machine import load, machine
from benchmarks.measure import ROOT, BenchmarkError, environment
from benchmarks.result import ratio, rounded

TIMED = ("breakers", "chain", "limiter", "small", "redis", "frame")
OTHERS = ("waiting", "half-open", "failing", "excess", "cold-key")
OURS_ALONE = {"small", "redis", "frame", "excess", "cold-key"}  # groups that the peers' process does not have
SECONDS = 0.01  # a turn of a timed loop

TARGETS = (
    Target("breaker_success_ns", ">= 6 x faster than interlock-cb", 1 / 6, of="interlock-cb"),
    Target("breaker_success_ns", "<= 1.3 x circuitbreaker", 1.3, of="circuitbreaker"),
    Target("calls_8x5_ms", "<= 130", 130),
    Target("half_open_probes", "exactly 3", 3, 3),
    Target("calls_to_open", "at the minimum, 5", 5, 5),
    Target("chain_success_us", "<= 0.6 x tenacity", 0.6, of="tenacity"),
    Target("limiter_grant_ns", ">= 4 x faster than limits", 1 / 4, of="limits"),
    Target("limiter_excess_calls", "never above 0", 0),
    Target("cache_hit_1kb_us", "<= 1.3 x diskcache", 1.3, of="diskcache"),
    Target("table_stored_mb", "<= 20", 20),
    Target("frame_stored_mb", "<= 20", 20),
    Target("frame_set_ms", "<= 1.2 x diskcache", 1.2, of="diskcache"),
    Target("cold_key_computations", "1", 1, 1),
)

# Counts whose worst value is not the largest but the one furthest from what is right.
_EXACT = {target.figure: target.at_most for target in TARGETS if target.at_least == target.at_most}


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`.

    `short`: a tenth of the time in loops, a frame of 5 MB, three rounds at most, what needs no loop in the first only.
    """
    before = load()
    about = machine(folder)
    seconds = SECONDS / 10 if short else SECONDS
    taken: dict[str, dict[str, list[Value]]] = {}
    rounds = min(runs, 3) if short else runs
    for number in range(rounds):
        groups = (*TIMED, *OTHERS) if number == 0 or not short else TIMED
        with contenders(folder) as processes:
            for group in groups:
                for name, process in processes.items():
                    if name != "ours" and group in OURS_ALONE:
                        continue
                    print(f"round {number + 1} of {rounds}: {group}, {name}", file=sys.stderr, flush=True)
                    for figure, values in ask(process, group, seconds, folder / name).items():
                        for who, value in values.items():
                            taken.setdefault(who, {}).setdefault(figure, []).append(value)
    told = {
        who: rounded({figure: over_rounds(figure, values) for figure, values in figures.items()})
        for who, figures in taken.items()
    }
    return compared(told, about, (before, load()))


def compared(told: dict[str, dict[str, Value]], about: Mapping[str, object], loads: tuple[float, float]) -> Comparison:
    """The result of what each contender's figures are: ours, the floor's, and everybody else's."""
    ours, floor = told.pop("ours", {}), told.pop("floor", {})
    ratios = {
        f"{figure} / {peer}": ratio(ours.get(figure), value)
        for peer, figures in told.items()
        for figure, value in figures.items()
        if figure in ours and figure not in _EXACT
    }
    return Comparison(
        name="resilience",
        machine=about,
        load=loads,
        figures=ours,
        peers=told,
        floor=floor,
        ratios=rounded(ratios),
        targets={target.name: target.words for target in TARGETS},
        met={target.name: judge(target, ours, told) for target in TARGETS},
    )


def over_rounds(figure: str, values: list[Value]) -> Value:
    """A count's worst round, the median of a time; None when it did not happen in one round at least."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    if figure in _EXACT:
        return max(known, key=lambda value: abs(value - _EXACT[figure]))
    return max(known) if figure == "limiter_excess_calls" else statistics.median(known)


@contextmanager
def contenders(folder: Path) -> Iterator[dict[str, "subprocess.Popen[str]"]]:
    """A process that answers for ours, and one for the peers when their environment is made."""
    commands: dict[str, tuple[str, ...]] = {"ours": (sys.executable, "-m", "benchmarks.resilience_ours", str(folder))}
    theirs = peers.command("resilience", script="parts")
    if theirs is not None:
        commands["peers"] = theirs
    processes: dict[str, subprocess.Popen[str]] = {}
    try:
        for name, command in commands.items():
            with (folder / name).open("w") as errors:
                processes[name] = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    cwd=ROOT,
                    env=environment(),
                )
        yield processes
    finally:
        for process in processes.values():
            process.kill()
            with suppress(BrokenPipeError):
                process.communicate()


def ask(process: "subprocess.Popen[str]", group: str, seconds: float, errors: Path) -> Table:
    """One group's figures from a contender, whose standard error goes to the file `errors`.

    Raises:
        BenchmarkError: It failed.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        print(group, seconds, file=process.stdin, flush=True)
    answer = process.stdout.readline()
    if not answer:
        raise BenchmarkError(f"{group} failed\n{errors.read_text()[-2000:]}")
    told: Table = json.loads(answer)
    return told
