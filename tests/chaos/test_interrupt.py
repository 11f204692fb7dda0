"""Ctrl-C and SIGTERM in the middle of a run whose provider hangs: an orderly end, soon, with what was finished kept."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from operations.actor import Actor
from operations.queue import cancel
from operations.run import resume
from tests.chaos.state import Battered, simulated
from tests.faulty_server import Answer, FaultyServer, Request, hang, ok

QUICK = [f"quick{number}" for number in range(20)]
STUCK = ["stuck0", "stuck1"]
ROWS = b"id,value\n1,2\n2,3\n3,4\n"


@contextmanager
def hanging_run(battered: Battered, *options: str) -> Iterator[tuple["subprocess.Popen[str]", FaultyServer]]:
    """A real run that has come to where its last two datasets wait for an answer that never comes."""
    asked = threading.Semaphore(0)

    def answer(_: Request) -> Answer:
        asked.release()
        return hang()

    with FaultyServer(answer) as server:
        stuck = [
            {
                "name": name,
                "collect": {"kind": "http", "url": f"{server.url}?{name}"},
                "priority": -1,
                "resilience": {"timeout": {"read": "20m"}, "deadline": "20m"},
            }
            for name in STUCK
        ]
        battered.configure([*simulated(QUICK), *stuck])
        command = battered.command("run", "--workers", "3", *options)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                for _ in STUCK:
                    assert asked.acquire(timeout=120)
                yield process, server
            finally:
                process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_ends_soon_and_keeps_what_was_finished(
    battered: Battered, number: signal.Signals, code: int
) -> None:
    """With the exit code of the signal, valid JSON, no traceback; and it can be resumed."""
    with hanging_run(battered, "--json") as (process, server):
        process.send_signal(number)
        out, err = process.communicate(timeout=120)  # a request that hangs is given up after 20 minutes only

        assert process.returncode == code
        assert "Traceback" not in out + err
        told = json.loads(out)
        assert told["status"] == "interrupted"
        by_name = {dataset["dataset"]: dataset["status"] for dataset in told["datasets"]}
        assert by_name == {**dict.fromkeys(QUICK, "succeeded"), **dict.fromkeys(STUCK, "skipped")}
        assert battered.runs() == {told["run_id"]: "interrupted"}
        battered.keeps(told["run_id"], QUICK)
        battered.verified()

        server.answer = ok(ROWS, "text/csv")
        with battered.system() as system:
            resumed = resume(system, Actor("test"), told["run_id"])
        assert [dataset.dataset for dataset in resumed.datasets] == STUCK
        assert resumed.status == "succeeded"
        assert battered.delivered(told["run_id"]) == dict.fromkeys([*QUICK, *STUCK], 1)


def test_a_run_that_is_called_off_ends_soon_and_keeps_what_was_finished(battered: Battered) -> None:
    """By another process, while its requests hang: exit code 1, and it says that it was cancelled."""
    with hanging_run(battered, "--json") as (process, _):
        with battered.system() as system:
            (run,) = system.views.runs(status="running")
            cancel(system, Actor("ann"), run.run_id)
        out, err = process.communicate(timeout=120)

        assert process.returncode == 1
        assert "Traceback" not in out + err
        told = json.loads(out)
        by_name = {dataset["dataset"]: dataset["status"] for dataset in told["datasets"]}
        assert by_name == {**dict.fromkeys(QUICK, "succeeded"), **dict.fromkeys(STUCK, "skipped")}
        assert {dataset["reason"] for dataset in told["datasets"] if dataset["dataset"] in STUCK} == {"cancelled"}
        assert battered.runs() == {run.run_id: told["status"]} == {run.run_id: "cancelled"}
        battered.verified()


def test_a_second_signal_ends_the_run_at_once(battered: Battered) -> None:
    """Who asks twice does not wait for the orderly end; the next run finds a crashed one and succeeds."""
    with hanging_run(battered) as (process, _):
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)  # it waits a moment for what is in flight
        process.send_signal(signal.SIGINT)
        process.wait(120)

        assert process.returncode == 130

    done = battered.cli("run", *QUICK)
    assert done.returncode == 0, done.stderr
    assert list(battered.runs().values()) == ["crashed", "succeeded"]
    battered.verified()


def test_a_signal_before_the_first_dataset_leaves_no_traceback(battered: Battered) -> None:
    """While the program still starts, a signal ends it quietly as well."""
    battered.configure(simulated(QUICK, latency="200ms"))
    for pause in (0.05, 0.15, 0.3):
        with subprocess.Popen(
            battered.command("run", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                process.wait(pause)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=120)

        assert process.returncode in {143, -signal.SIGTERM}
        assert "Traceback" not in err
