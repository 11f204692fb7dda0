"""A whole installation in a folder of its own: a configuration, a state, and both ways to use them.

In process (`run`, `rows`), with a clock of the test's choice; and through the real command line (`cli`), as a user
types it, with the largest memory that the process ever held.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from data_pipeline.dataset import DatasetRun
from data_pipeline.runner import PipelineRun
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.run import run
from operations.show import delivered
from tests import warm
from utils.clock import SYSTEM_CLOCK, Clock

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "integrated_system.py"

PATIENT: dict[str, Any] = {
    "timeout": {"connect": "30s", "read": "60s"},
    "deadline": "5m",
    "retry": {"attempts": 2, "initial": "10ms", "max": "20ms"},
}
"""Short waits between tries, and time enough for every answer that comes, on a machine however busy."""

# The peak of the process itself: what `getrusage` tells of a child begins with what its parent held when it forked.
_MEASURED = """
import runpy, sys
sys.argv = sys.argv[2:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    open(PEAK, "w").write(status["VmHWM"].split()[0])
""".replace("PEAK", "sys.orig_argv[sys.orig_argv.index('-c') + 2]")


@dataclass(frozen=True)
class Finished:
    """A command that ended. `peak`: the most bytes of memory it held, when measured."""

    code: int
    out: str
    err: str
    peak: int = 0

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document it must be."""
        return json.loads(self.out)


class Installation:
    """A configuration and a state directory under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "orchestrator.json"
        self.state = folder / "state"

    def configure(self, *datasets: Mapping[str, Any], **sections: Any) -> None:
        """Write the configuration: datasets as maps, other sections by name."""
        whole = {"defaults": {"dataset": PATIENT}, **sections, "datasets": list(datasets)}
        self.config.write_text(json.dumps(whole))

    @contextmanager
    def system(self, clock: Clock = SYSTEM_CLOCK) -> Iterator[IntegratedSystem]:
        with IntegratedSystem(self.config, state_dir=self.state, environ={}, clock=clock) as system:
            yield system

    def run(self, *names: str, fresh: bool = False, full: bool = False, clock: Clock = SYSTEM_CLOCK) -> PipelineRun:
        """Run all or the named datasets in a new system: what a restart forgets is forgotten."""
        with self.system(clock) as system:
            return run(system, Actor("test"), names, fresh=fresh, full=full)

    def run_one(self, *, fresh: bool = False, full: bool = False, clock: Clock = SYSTEM_CLOCK) -> DatasetRun:
        """Run the one dataset of the configuration; what came of it."""
        (found,) = self.run(fresh=fresh, full=full, clock=clock).datasets
        return found

    def rows(self, name: str, *, last_batch: bool = False) -> list[dict[str, Any]]:
        """What readers of a dataset get."""
        with self.system() as system:
            found: list[dict[str, Any]] = delivered(system, name, last_batch=last_batch).table.to_pylist()
            return found

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The data of all events of a type, oldest first."""
        with self.system() as system:
            return [event.data for event in system.events.read(type=kind)]

    def command(self, *arguments: str) -> list[str]:
        """The command line as a user types it, for this configuration and state."""
        return [sys.executable, str(PROGRAM), *arguments, "--config", str(self.config), "--state-dir", str(self.state)]

    def cli(
        self, *arguments: str, measured: bool = False, env: Mapping[str, str] | None = None, timeout: float = 300.0
    ) -> Finished:
        """Run a command of the program in a process of its own."""
        return execute(self.command(*arguments), measured=measured, env=env, timeout=timeout, cwd=self.folder)

    def typed(self, *arguments: str) -> int:
        """Run a command of the program in this process, without the time to start one; its exit code."""
        try:
            _program()(args=self.command(*arguments)[2:])
        except SystemExit as stopped:
            return int(stopped.code or 0)
        return 0


def execute(
    command: list[str],
    *,
    cwd: Path,
    measured: bool = False,
    env: Mapping[str, str] | None = None,
    timeout: float = 300.0,
) -> Finished:
    """Run a command line to its end."""
    note = cwd / "peak_kb"
    # What the interpreter itself is told holds from its start.
    interpreter = measured or any(name.startswith("PYTHON") for name in env or {})
    if not interpreter and command[:2] == [sys.executable, str(PROGRAM)]:
        done = warm.execute(command[2:], cwd=cwd, env=environment(env), timeout=timeout)
        return Finished(done.returncode, done.stdout, done.stderr)
    if measured:
        command = [command[0], "-c", _MEASURED, str(note), *command[1:]]
    done = subprocess.run(
        command, cwd=cwd, env=environment(env), capture_output=True, timeout=timeout, check=False, text=True
    )
    peak = int(note.read_text()) * 1024 if measured else 0
    return Finished(done.returncode, done.stdout, done.stderr, peak)


@cache
def _program() -> Callable[..., Any]:
    """The program's commands; putting them together takes as long as many of them do."""
    from typer.main import get_command

    from cli.main import app

    return get_command(app)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, from which every test takes the developer's own settings, and `more`."""
    return {**os.environ, **(more or {})}
