"""Decisions that die at a chosen step: `gate_steps.py` forks one a line it reads, `CONFIG STATE DECISION STEP`.

A step is the moment before or after a call that leaves the process: to storage, the log, the leases, a sink. The answer
is `killed` or `done`. Forked from a process that has imported all, a child needs some milliseconds.
"""

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data_pipeline.publish.file import FileSink
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.gate import accept, reject, rollback
from utils.events import EventStore
from utils.leases import Leases
from utils.storage import Storage

DECISIONS = {"accept": accept, "reject": reject, "rollback": rollback}
LEAVES: tuple[tuple[type, str], ...] = (
    *((Storage, name) for name in ("put_bytes", "writer", "flush", "delete")),
    *((EventStore, name) for name in ("append",)),
    *((Leases, name) for name in ("acquire", "release")),
    *((FileSink, name) for name in ("publish",)),
)


class Steps:
    """Counts down; at nothing left, the end comes at once."""

    def __init__(self, left: int) -> None:
        self.left = left

    def step(self) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def stepping(*arguments: Any, **options: Any) -> Any:
            self.step()
            found = call(*arguments, **options)
            self.step()
            return found

        return stepping


def decide(config: str, state: str, what: str, step: int) -> None:
    with IntegratedSystem(Path(config), state_dir=Path(state), environ={}) as system:
        (dataset,) = system.settings.datasets
        steps = Steps(step)
        for kind, name in LEAVES:
            setattr(kind, name, steps.around(getattr(kind, name)))
        DECISIONS[what](system, Actor("chaos"), dataset.name)


def main() -> None:
    for line in sys.stdin:
        config, state, what, step = line.split()
        child = os.fork()
        if child == 0:
            try:
                decide(config, state, what, int(step))
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        os.write(1, f"{'killed' if killed else 'done' if status == 0 else 'failed'}\n".encode())


if __name__ == "__main__":
    main()
