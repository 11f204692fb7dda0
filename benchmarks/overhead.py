"""What the orchestrator itself costs a dataset: no-op datasets, everything recorded and committed.

The outer wall of the whole program, started as a user starts it. The start cancels out: the rate is the time between
the larger and the smaller run, (t1000 - t100) / 900, as dataset runs a second; the growth compares ten times the
datasets with ten times the time.
"""

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks import peers
from benchmarks.comparison import Comparison, Figures, Target, compare
from benchmarks.machine import load, machine
from benchmarks.measure import PROGRAM, ROOT, BenchmarkError, Measurement, Time, medians, timed
from benchmarks.workload import all_delivered, lived_in, noop_configuration

SMALL, FEW, LARGE, HUGE = 100, 300, 1_000, 10_000
POINTS = 200
PEERS = ("luigi", "dagster")
TARGETS = (
    Target("fresh_per_s", ">= 1,500", at_least=1_500),
    Target("fresh_per_s", ">= 1 x Luigi", at_least=1, of="luigi"),
    Target("history_per_s", ">= 1,500", at_least=1_500),
    Target("growth", "<= 13", at_most=13),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`. `short`: 100 and 300 datasets, and a history of a tenth."""
    before = load()
    about = machine(folder)
    sizes = (SMALL, FEW) if short else (SMALL, LARGE, HUGE)
    fresh = partial(folder.joinpath, "states")
    contenders: dict[str, Measurement] = {}
    names = (f"{number:05d}" for number in count())
    # Nothing is deleted between the runs: for a minute after, ext4 makes new files several times slower.
    fresh().mkdir()

    def new() -> Path:
        made = fresh(next(names))
        made.mkdir()
        return made

    for size in sizes:
        configuration = noop_configuration(folder, size)
        contenders[f"fresh {size}"] = partial(_ours, configuration, size, new)
        if size != HUGE:
            lived_in(configuration, folder / f"history{size}", points=POINTS // 10 if short else POINTS)
            contenders[f"history {size}"] = partial(_ours, configuration, size, new, folder / f"history{size}")
            contenders[f"floor {size}"] = partial(_floor, size, new)
            for peer in PEERS:
                if command := peers.command(peer, str(size)):
                    contenders[f"{peer} {size}"] = partial(_counted, command, size, new)
    _warm_up(contenders)
    return _result(about, before, medians(contenders, runs=runs), sizes)


def _ours(configuration: Path, datasets: int, new: Callable[[], Path], history: Path | None = None) -> Time:
    folder = new()
    if history is not None:
        shutil.copytree(history, folder / "state")
    command = (*PROGRAM, "run", "--fresh", "--json", "--config", str(configuration), "--state-dir", "state")
    return timed(command, cwd=folder, check=partial(all_delivered, datasets))


def _floor(steps: int, new: Callable[[], Path]) -> Time:
    return _counted((PROGRAM[0], str(ROOT / "benchmarks" / "floor.py"), "noop", str(steps)), steps, new)


def _counted(command: tuple[str, ...], expected: int, new: Callable[[], Path]) -> Time:
    """A contender that prints how many it has done."""

    def check(output: str) -> None:
        if output.split()[-1:] != [str(expected)]:
            raise BenchmarkError(f"{command[1]} did not do {expected}: {output[-200:]}")

    return timed(command, cwd=new(), check=check)


def _warm_up(contenders: dict[str, Measurement]) -> None:
    """One unmeasured turn of each small one: bytecode is written, libraries are in the page cache."""
    for name, measurement in contenders.items():
        if name.endswith(f" {SMALL}"):
            measurement()


def _result(about: dict[str, object], before: float, times: dict[str, Time], sizes: Sequence[int]) -> Comparison:
    most = sizes[1]

    def per_second(who: str) -> float | None:
        small, large = times.get(f"{who} {SMALL}"), times.get(f"{who} {most}")
        return None if small is None or large is None else (most - SMALL) / (large.wall - small.wall)

    def cpu_us(who: str) -> float:
        return (times[f"{who} {most}"].cpu - times[f"{who} {SMALL}"].cpu) / (most - SMALL) * 1e6

    fresh, history, floor = per_second("fresh"), per_second("history"), per_second("floor")
    growth = None
    if HUGE in sizes:
        small, large, huge = (times[f"fresh {size}"].wall for size in (SMALL, LARGE, HUGE))
        growth = (huge - small) / (large - small)
    figures: dict[str, float | None] = {
        "fresh_per_s": fresh,
        "history_per_s": history,
        **({"growth": growth} if HUGE in sizes else {}),
        "fresh_cpu_us": cpu_us("fresh"),
        "history_cpu_us": cpu_us("history"),
        **{f"{name.replace(' ', '_')}_s": times[name].wall for name in times if name.startswith(("fresh", "history"))},
    }
    told: dict[str, Figures] = {"ours": figures, "floor": {"fresh_per_s": floor}}
    for peer in PEERS:
        if f"{peer} {SMALL}" in times:
            walls = {f"fresh_{size}_s": times[f"{peer} {size}"].wall for size in sizes[:2]}
            told[peer] = {"fresh_per_s": per_second(peer), **walls}
    return compare("overhead", TARGETS, told, about, (before, load()))
