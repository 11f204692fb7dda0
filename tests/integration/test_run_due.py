"""`run --due`: one line of a crontab is enough, and beside a scheduler it does nothing."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from data_pipeline.run_queue.request import RunRequest
from operations.actor import Actor
from operations.queue import run_due
from operations.run import run_queue
from operations.scheduling import scheduler_of
from tests.integration.installation import Installation
from utils.clock import ManualClock

ME = Actor("cron")


def hourly(name: str, **collect: Any) -> dict[str, Any]:
    return {"name": name, "collect": {"kind": "simulated", "rows": 2, **collect}, "schedule": {"every": "1h"}}


def test_what_is_due_is_run_once(installation: Installation) -> None:
    """At the first call schedules begin; then each hour once, however often it is called."""
    installation.configure(hourly("fx"), hourly("gold"), {"name": "by-hand", "collect": {"kind": "simulated"}})
    clock = ManualClock(datetime(2026, 5, 1, 9, 30, tzinfo=UTC))
    told = []
    for minutes in (0, 5, 30, 5, 60):
        clock.advance(minutes * 60.0)
        with installation.system(clock) as system:
            done = run_due(system, ME)
            told.append(sorted(part.dataset for one in done.runs for part in one.datasets))
            assert done.status == "succeeded"

    assert told == [[], [], ["fx", "gold"], [], ["fx", "gold"]]
    with installation.system(clock) as system:
        assert {run.request["because"]["due"] for run in system.views.runs()} == {
            "2026-05-01T10:00:00.000000Z",
            "2026-05-01T11:00:00.000000Z",
        }


def test_what_waits_from_before_is_worked_off_too(installation: Installation) -> None:
    """A run that somebody asked for, while nobody was there to begin it."""
    installation.configure(hourly("fx"))
    with installation.system() as system:
        (run_id,) = run_queue(system).put([RunRequest(("fx",), "ann")])
        done = run_due(system, ME)
        assert [one.run_id for one in done.runs] == [run_id]


def test_beside_a_scheduler_nothing_is_done(installation: Installation) -> None:
    """It is said who sees to the schedules."""
    installation.configure(hourly("fx"))
    with installation.system() as system, installation.system() as other:
        scheduler = scheduler_of(other)
        scheduler.tick()
        assert scheduler.leads
        done = run_due(system, ME)
        scheduler.close()

    assert done.runs == ()
    assert done.due.led_by


def test_the_command_tells_what_it_did(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and as JSON; what does not go with it is refused."""
    installation.configure(hourly("fx"))
    assert installation.typed("run", "--due") == 0
    assert "Nothing is due." in capsys.readouterr().out
    with installation.system() as system:
        run_queue(system).put([RunRequest(("fx",), "ann")])
    assert installation.typed("run", "--due", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], [run["status"] for run in told["runs"]]) == ("succeeded", ["succeeded"])
    assert installation.typed("run", "--due", "fx") == 2
    assert "--due" in capsys.readouterr().err
