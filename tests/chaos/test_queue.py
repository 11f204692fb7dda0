"""The run queue: a row in the log that a detached process executes, and what happens when that process dies."""

import os
import signal
import subprocess
from typing import Any

from tests.chaos.state import Battered, simulated
from utils.leases import Owner

NAMES = [f"d{number}" for number in range(40)]


def enqueue(battered: Battered) -> str:
    """Ask for a run from a process that ends at once, as a page does; gives the run's id."""
    asked = subprocess.run(battered.driver("queue"), capture_output=True, text=True, timeout=30, check=True)
    return asked.stdout.strip()


def first(battered: Battered, kind: str) -> dict[str, Any]:
    """The data of the first event of a type, as soon as it is in the log."""
    with battered.system() as system:
        for event in system.events.follow(type=kind):
            return event.data
    raise AssertionError("the log is followed for ever")


def test_a_queued_run_is_executed_by_a_process_of_its_own(battered: Battered) -> None:
    """Who asked has long gone when the run finishes."""
    battered.configure(simulated(NAMES))

    run_id = enqueue(battered)

    assert first(battered, "run.finished")["status"] == "succeeded"
    assert battered.runs() == {run_id: "succeeded"}
    battered.keeps(run_id, NAMES)


def test_a_queued_run_whose_process_was_killed_can_be_resumed(battered: Battered) -> None:
    """It is crashed for the next command, and going on with it delivers each dataset once."""
    battered.configure(simulated(NAMES, latency="200ms"))
    run_id = enqueue(battered)
    owner = Owner.parse(first(battered, "run.started")["owner"])
    assert first(battered, "dataset.collected")["run_id"] == run_id
    os.kill(owner.pid, signal.SIGKILL)

    resumed = battered.cli("run", "--resume", run_id, "--json")

    assert resumed.returncode == 0, resumed.stderr
    with battered.system() as system:
        kinds = [event.type for event in system.events.read(subject=run_id)]
    assert kinds == ["run.queued", "run.started", "run.crashed", "run.started", "run.finished"]
    assert battered.runs() == {run_id: "succeeded"}
    assert battered.delivered(run_id) == dict.fromkeys(NAMES, 1)
    battered.verified()
