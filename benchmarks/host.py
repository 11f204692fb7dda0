"""What it costs to watch a host with 200 processes: our sampler and the whole `monitor`, psutil's list, Glances.

Each is a process of its own; all watch at the same time and are seen from outside: processor time of a window in
percent of one core, and resident memory at its end. Times are medians over the rounds.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from benchmarks import peers
from benchmarks.comparison import Comparison, Figures, Target, compare, over_rounds
from benchmarks.loops import Value
from benchmarks.machine import load, machine
from benchmarks.measure import PROGRAM, ROOT, BenchmarkError, environment

PROCESSES = 200
WINDOW_S, WARM_UP_S = 60.0, 8.0
IDLE_S = 30.0
LEVELS = {"at_1s": "INTENSIVE", "at_0.5s": "CRITICAL", "idle": "IDLE"}
SECONDS = {"at_1s": 1.0, "at_0.5s": 0.5, "idle": IDLE_S}
CONFIGURATION = """
monitor: {thresholds: {cpu: [100, 100], memory: [100, 100], disk: [100, 100]}}
datasets:
  - {name: practice, collect: {kind: simulated}}
"""  # thresholds that nothing reaches, so that it stays at its level beside busy neighbours

TARGETS = (
    Target("at_1s_core_percent", "<= 0.5 of a core", 0.5),
    Target("at_0.5s_core_percent", "<= 1 of a core", 1.0),
    Target("idle_core_percent", "<= 0.1 of a core", 0.1),
    Target("at_1s_core_percent", "<= 1 x Glances", 1, of="glances"),
    Target("monitor_at_1s_core_percent", "<= 0.5 of a core", 0.5),
    Target("monitor_at_0.5s_core_percent", "<= 1 of a core", 1.0),
    Target("monitor_idle_core_percent", "<= 0.1 of a core", 0.1),
    Target("monitor_mb", "<= 60", 60),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`. `short`: a tenth of the window, one round."""
    before = load()
    about = machine(folder)
    taken: dict[str, dict[str, list[Value]]] = {}
    for number in range(1 if short else runs):
        print(f"round {number + 1} of {1 if short else runs}", file=sys.stderr, flush=True)
        place = folder / str(number)
        place.mkdir()
        for who, figures in watched(place, WINDOW_S / (10 if short else 1), PROCESSES).items():
            for figure, value in figures.items():
                taken.setdefault(who, {}).setdefault(figure, []).append(value)
    return compared(over_rounds(TARGETS, taken), about, (before, load()))


def compared(told: Mapping[str, Figures], about: Mapping[str, object], loads: tuple[float, float]) -> Comparison:
    """The result of what each contender's figures are."""
    return compare("host", TARGETS, told, about, loads)


def watched(folder: Path, seconds: float, processes: int) -> dict[str, dict[str, Value]]:
    """One window: contender -> figure -> value."""
    with ExitStack() as stack:
        for _ in range(processes):
            stack.enter_context(running(("sleep", "3600"), folder / "sleep.log"))
        watchers = {
            key: stack.enter_context(running(command, folder / f"{'_'.join(key)}.log"))
            for key, command in contenders(folder).items()
        }
        time.sleep(min(WARM_UP_S, max(3.0, seconds)))
        began, before = time.perf_counter(), {key: used(process) for key, process in watchers.items()}
        time.sleep(seconds)
        lasted = time.perf_counter() - began
        found: dict[str, dict[str, Value]] = {}
        for (who, figure), process in watchers.items():
            if process.poll() is not None:
                log = (folder / f"{who}_{figure}.log").read_text()[-2000:]
                raise BenchmarkError(f"{who} ended: {log}")
            figures = found.setdefault(who, {})
            if figure.startswith("monitor") and left_its_level(
                (folder / f"{who}_{figure}.log").read_text(), LEVELS[figure.removeprefix("monitor_")]
            ):
                print(f"{figure}: the machine was so busy that it left its level", file=sys.stderr, flush=True)
                continue
            figures[f"{figure}_core_percent"] = (used(process) - before[who, figure]) / lasted * 100
            memory = psutil.Process(process.pid).memory_info().rss / 1e6
            name = "monitor_mb" if figure.startswith("monitor") else "mb"
            figures[name] = max(memory, figures.get(name) or 0.0)
    return found


def contenders(folder: Path) -> dict[tuple[str, str], Sequence[str]]:
    """(Who, what) -> its command; a peer whose environment is not made is left out."""
    sampler = (sys.executable, "-m", "benchmarks.host_samplers")
    found: dict[tuple[str, str], Sequence[str]] = {}
    for figure, seconds in SECONDS.items():
        for who in ("ours", "psutil", "floor"):
            found[who, figure] = (*sampler, who, str(seconds))
        config = folder / "monitor.yaml"
        config.write_text(CONFIGURATION)
        state = folder / f"state-{LEVELS[figure]}"
        options = ("--config", str(config), "--state-dir", str(state), "--level", LEVELS[figure])
        found["ours", f"monitor_{figure}"] = (*PROGRAM, "monitor", *options)
    glances = peers.command("host", "1", str(folder / "glances.csv"), script="watch")
    if glances is not None:
        found["glances", "at_1s"] = glances
    return found


def left_its_level(said: str, level: str) -> bool:
    """Whether a monitor says of itself that it watched at another level than it was asked to."""
    return any(other in said for other in ("IDLE", "NORMAL", "INTENSIVE", "CRITICAL") if other != level)


@contextmanager
def running(command: Sequence[str], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A process until the end of the block; what it says goes to the file."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT, env=environment()
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def used(process: "subprocess.Popen[bytes]") -> float:
    """Seconds of processor time so far, its children's included."""
    try:
        seen = psutil.Process(process.pid)
        times = [one.cpu_times() for one in (seen, *seen.children(recursive=True))]
    except psutil.Error as error:
        raise BenchmarkError(f"a watcher ended: {error}") from error
    return float(sum(one.user + one.system for one in times))
