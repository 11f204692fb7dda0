"""A process that replays quarantined rows and is killed at one moment on the way.

`replay_driver.py CONFIG STATE DATASET MOMENT`. The moment: `before` or `after` one of the steps below, as one word.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data_pipeline.store.quarantine_files import QuarantineFiles
from data_pipeline.store.results import Results
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.replay import replay
from utils.events import EventStore

STEPS: dict[str, tuple[Any, str]] = {
    "version": (Results, "write"),
    "rest": (QuarantineFiles, "write"),
    "kept": (QuarantineFiles, "keep"),
    "flush": (Results, "flush"),
    "log": (EventStore, "append"),
    "forget": (QuarantineFiles, "forget"),
}


def killed(when: str, step: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            step(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return run


def main(config: str, state: str, dataset: str, moment: str) -> None:
    with IntegratedSystem(Path(config), state_dir=Path(state), environ={}) as system:
        assert system.views.quarantined(dataset)
        when, _, name = moment.partition("-")
        place, step = STEPS[name]
        setattr(place, step, killed(when, getattr(place, step)))
        replay(system, Actor("chaos"), dataset)


if __name__ == "__main__":
    main(*sys.argv[1:])
