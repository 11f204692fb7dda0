"""How long a user waits: one CSV dataset with five rules, from the shell's Return key to its prompt."""

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

from benchmarks import peers
from benchmarks.comparison import Comparison, Figures, Target, compare
from benchmarks.machine import load, machine
from benchmarks.measure import PROGRAM, ROOT, Measurement, Time, medians, timed
from benchmarks.workload import all_delivered, csv_configuration

RUNS_BEFORE = 19
TARGETS = (
    Target("fresh_s", "<= 0.8", 0.8),
    Target("twentieth_s", "<= 0.8", 0.8),
    Target("help_s", "<= 0.25", 0.25),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`. `short`: the "20th" run is the third."""
    before = load()
    about = machine(folder)
    configuration = csv_configuration(folder)
    folders = (folder / f"{number:05d}" for number in count())

    def new() -> Path:
        made = next(folders)
        made.mkdir()
        return made

    lived_in = new()
    for _ in range(2 if short else RUNS_BEFORE):
        _ours(configuration, lambda: lived_in)
    contenders: dict[str, Measurement] = {
        "fresh": partial(_ours, configuration, new),
        "twentieth": partial(_ours, configuration, lambda: lived_in),
        "help": lambda: timed((*PROGRAM, "--help"), cwd=new()),
        "floor": lambda: timed(
            (PROGRAM[0], str(ROOT / "benchmarks" / "floor.py"), "csv", str(folder / "sales.csv")), cwd=new()
        ),
    }
    if command := peers.command("luigi", "1"):
        contenders["luigi"] = lambda: timed(command, cwd=new())
    for measurement in contenders.values():
        measurement()  # unmeasured: bytecode is written, libraries are in the page cache
    times = medians(contenders, runs=runs)
    figures = {f"{name}_s": times[name].wall for name in ("fresh", "twentieth", "help")}
    figures |= {f"{name}_cpu_s": times[name].cpu for name in ("fresh", "twentieth", "help")}
    told: dict[str, Figures] = {"ours": figures, "floor": {"fresh_s": times["floor"].wall}}
    if "luigi" in times:
        told["luigi, one no-op task"] = {"fresh_s": times["luigi"].wall}
    return compare("coldstart", TARGETS, told, about, (before, load()))


def _ours(configuration: Path, new: Callable[[], Path]) -> Time:
    command = (*PROGRAM, "run", "--fresh", "--json", "--config", str(configuration), "--state-dir", "state")
    return timed(command, cwd=new(), check=partial(all_delivered, 1))
