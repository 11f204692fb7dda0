"""Several processes on one state directory at the same time."""

import json
import os
import subprocess
from collections import Counter
from typing import Any

from tests.chaos.state import Battered, simulated
from tests.utils.children import let_go


def at_once(commands: list[list[str]]) -> list[dict[str, Any]]:
    """Start the processes, let them begin at the same moment, and give what each of them reports at its end."""
    processes = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "GO": "1"},
        )
        for command in commands
    ]
    let_go(*processes)
    told = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "locked" not in out + err
        told.append(json.loads(out.splitlines()[-1]))
    return told


def test_two_runs_of_the_same_datasets_run_each_of_them_once(battered: Battered) -> None:
    """One process gets a dataset; the other says that it is already running, and loses nothing."""
    names = [f"d{number}" for number in range(60)]
    battered.configure(simulated(names, latency="150ms"))

    reports = at_once([battered.driver("run")] * 2)

    outcomes = Counter((d["dataset"], d["status"]) for report in reports for d in report["datasets"])
    assert outcomes == {**{(name, "succeeded"): 1 for name in names}, **{(name, "skipped"): 1 for name in names}}
    reasons = {d["reason"] for report in reports for d in report["datasets"] if d["status"] == "skipped"}
    assert reasons == {"already running in another run"}
    assert set(battered.runs().values()) == {"succeeded"}
    battered.verified()


def test_runs_that_overlap_in_part_share_the_work(battered: Battered) -> None:
    """A run skips only what another one has in hand, and does the rest itself."""
    names = [f"d{number}" for number in range(30)]
    battered.configure(simulated(names, latency="300ms"))

    reports = at_once([battered.driver("run", *names[:20]), battered.driver("run", *names[10:])])

    done = Counter(d["dataset"] for report in reports for d in report["datasets"] if d["status"] == "succeeded")
    assert done == dict.fromkeys(names, 1)
    assert sum(d["status"] == "skipped" for report in reports for d in report["datasets"]) == 10


def test_four_processes_with_a_hundred_datasets_each_leave_one_whole_log(battered: Battered) -> None:
    """Nobody sees "database is locked", no event is lost, and the chain is whole, from the first opening on."""
    names = [f"d{number:03d}" for number in range(400)]
    battered.configure(simulated(names))

    reports = at_once([battered.driver("run", *names[start : start + 100]) for start in range(0, 400, 100)])

    assert [report["status"] for report in reports] == ["succeeded"] * 4
    for number, report in enumerate(reports):
        battered.keeps(report["run_id"], names[number * 100 : number * 100 + 100])
    started_and_finished = 2 * 4
    of_a_dataset = 3  # quality.scored, batch.accepted, dataset.collected
    assert battered.verified() == started_and_finished + of_a_dataset * len(names)
