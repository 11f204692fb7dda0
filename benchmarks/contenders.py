"""The processes that are asked for their figures: ours in this environment, the peers' in theirs.

Both answer as `benchmarks.loops.serve` says.
"""

import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks import peers
from benchmarks.loops import Table, Value
from benchmarks.measure import ROOT, BenchmarkError, environment

Taken = dict[str, dict[str, list[Value]]]
"""Contender -> figure -> its value in each round that measured it."""


def in_turn(
    name: str, folder: Path, rounds: Sequence[Sequence[str]], seconds: float, ours_alone: Collection[str]
) -> Taken:
    """Ask all contenders of a benchmark for one group of figures after the other.

    Args:
        rounds: The groups of each round; its processes are new ones.
        seconds: How long a loop shall take.
        ours_alone: Groups that the peers do not have.

    Raises:
        BenchmarkError: A contender failed.
    """
    taken: Taken = {}
    for number, groups in enumerate(rounds, start=1):
        with contenders(name, folder) as processes:
            for group in groups:
                for process_name, process in processes.items():
                    if process_name != "ours" and group in ours_alone:
                        continue
                    print(f"round {number} of {len(rounds)}: {group}, {process_name}", file=sys.stderr, flush=True)
                    for figure, values in ask(process, group, seconds, folder / process_name).items():
                        for who, value in values.items():
                            taken.setdefault(who, {}).setdefault(figure, []).append(value)
    return taken


@contextmanager
def contenders(name: str, folder: Path) -> Iterator[dict[str, "subprocess.Popen[str]"]]:
    """For the benchmark `name`: a process of ours, and one of the peers when their environment is made."""
    commands: dict[str, tuple[str, ...]] = {"ours": (sys.executable, "-m", f"benchmarks.{name}_ours", str(folder))}
    theirs = peers.command(name, str(folder), script="parts")
    if theirs is not None:
        commands["peers"] = theirs
    processes: dict[str, subprocess.Popen[str]] = {}
    try:
        for who, command in commands.items():
            with (folder / who).open("w") as errors:
                processes[who] = subprocess.Popen(
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
