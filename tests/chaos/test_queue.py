"""The run queue: a row in the log that a detached process executes, and what happens when that process dies."""

import os
import signal
import subprocess
from contextlib import ExitStack
from typing import Any

import pytest

from data_pipeline.run_queue.request import RunRequest
from operations.run import run_queue
from tests.chaos.state import Battered, simulated
from utils.leases import Owner

NAMES = [f"d{number}" for number in range(40)]


def worked_off(battered: Battered, runs: int, kills: int, beside: int) -> None:
    """Queue one-dataset runs, and kill one of the workers again and again after some runs; each is there once.

    Args:
        beside: How many workers work at the same time.
    """
    battered.configure(simulated(NAMES, latency="20ms"), executor={"workers": 4})
    with battered.system() as system:
        asked = [RunRequest((NAMES[number % len(NAMES)],), "chaos", fresh=True) for number in range(runs)]
        ids = run_queue(system).put(asked)
    with ExitStack() as ends:
        working: list[subprocess.Popen[str]] = []
        for kill in range(kills + 1):
            while len(working) < beside:
                child = subprocess.Popen(battered.driver("work"), stdout=subprocess.PIPE, text=True)
                ends.callback(child.kill)
                working.append(ends.enter_context(child))
            first = working[0]
            assert first.stdout is not None
            if kill < kills:
                for _ in range(6):  # what was under way when its process died is among them: nothing dies three times
                    first.stdout.readline()
                first.kill()
                working.pop(0)
        for child in working:
            child.communicate(timeout=120)
            assert child.returncode == 0

    assert battered.runs() == dict.fromkeys(ids, "succeeded")
    for number, run_id in enumerate(ids):
        assert battered.delivered(run_id) == {NAMES[number % len(NAMES)]: 1}
    battered.verified()


def test_runs_of_killed_workers_are_taken_up_by_others(battered: Battered) -> None:
    """Whoever dies, each run is delivered, and once."""
    worked_off(battered, runs=40, kills=2, beside=1)


@pytest.mark.prove
def test_runs_of_workers_that_die_all_the_time(battered: Battered) -> None:
    """Three beside each other, one of which is always about to die."""
    worked_off(battered, runs=600, kills=25, beside=3)


def enqueue(battered: Battered) -> str:
    """Ask for a run from a process that ends at once, as a page does; gives the run's id."""
    asked = subprocess.run(battered.driver("queue"), capture_output=True, text=True, timeout=120, check=True)
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
    stuck = {"resilience": {"timeout": {"read": "20m"}, "deadline": "20m"}}
    battered.configure([*simulated(NAMES[:-1]), *({**one, **stuck} for one in simulated(NAMES[-1:], latency="10m"))])
    run_id = enqueue(battered)
    owner = Owner.parse(first(battered, "run.started")["owner"])
    assert first(battered, "dataset.collected")["run_id"] == run_id
    os.kill(owner.pid, signal.SIGKILL)
    battered.configure(simulated(NAMES))

    resumed = battered.cli("run", "--resume", run_id, "--json")

    assert resumed.returncode == 0, resumed.stderr
    with battered.system() as system:
        kinds = [event.type for event in system.events.read(subject=run_id)]
    assert kinds == ["run.queued", "run.started", "run.crashed", "run.started", "run.finished"]
    assert battered.runs() == {run_id: "succeeded"}
    assert battered.delivered(run_id) == dict.fromkeys(NAMES, 1)
    battered.verified()
