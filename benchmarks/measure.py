"""Time whole processes from outside, wall and CPU; the median over rounds in which all contenders take turns."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = (sys.executable, str(ROOT / "integrated_system.py"))


class BenchmarkError(Exception):
    """A measured process did not do what is measured; its time would mean nothing."""


@dataclass(frozen=True, slots=True)
class Time:
    """What a process took: seconds of `wall` from outside, of `cpu` (user and system, children too), `peak` bytes."""

    wall: float
    cpu: float
    peak: int = 0


Measurement = Callable[[], Time]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a user's shell would give: our own variables and the ban on bytecode (it triples start times) are gone."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONDONTWRITEBYTECODE", "PYTHONPROFILEIMPORTTIME"} and not name.startswith("ORCHESTRATOR_")
    }
    return {**kept, **(extra or {})}


def timed(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    check: Callable[[str], None] | None = None,
) -> Time:
    """Run a command to its end.

    Args:
        check: Given what it printed; raises when that is not what was to be done.

    Raises:
        BenchmarkError: it failed.
    """
    output = cwd / "stdout"
    with output.open("wb") as out, (cwd / "stderr").open("wb") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors, cwd=cwd, env=environment(env)
        )
        _, status, used = os.wait4(process.pid, 0)  # the CPU seconds of exactly this child
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = (cwd / "stderr").read_text(errors="replace")[-2000:]
        raise BenchmarkError(
            f"exit {process.returncode} from {' '.join(command)}\n{output.read_text()[-1000:]}\n{said}"
        )
    if check is not None:
        check(output.read_text())
    return Time(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def medians(contenders: Mapping[str, Measurement], *, runs: int) -> dict[str, Time]:
    """The median of each contender over `runs` rounds; in a round each has one turn, so that noise meets all alike."""
    taken: dict[str, list[Time]] = {name: [] for name in contenders}
    for number in range(runs):
        for name, measurement in contenders.items():
            print(f"round {number + 1} of {runs}: {name}", file=sys.stderr, flush=True)
            taken[name].append(measurement())
    return {
        name: Time(
            statistics.median(t.wall for t in times),
            statistics.median(t.cpu for t in times),
            round(statistics.median(t.peak for t in times)),
        )
        for name, times in taken.items()
    }
