"""The page of runs as Streamlit draws it: the list, one run whole, and every button of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from data_pipeline.run_queue.request import RunRequest
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import owner
from operations.backfill import start
from operations.backfill_plan import plan
from operations.run import run, run_queue
from tests.dashboard.configuration import ACTOR, write_configuration
from tests.dashboard.trouble import click, done, keys, marked_up, page, texts
from utils.events import NewEvent

BUTTONS = ("cancel-", "resume-", "repeat-")


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The processes that would have been started for what a button asks for."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr("operations.detached.start_detached", lambda _, *command: found.append(command))
    return found


def _queued(system: IntegratedSystem, *names: str) -> str:
    (run_id,) = run_queue(system).put([RunRequest(names or ("orders",), "schedule")])
    return run_id


def _crashed(system: IntegratedSystem) -> str:
    run_id = _queued(system)
    data = {**RunRequest(("orders",), "schedule", run_id=run_id).to_json(), "owner": "elsewhere|x|y|1|1"}
    system.events.append([NewEvent("run.started", run_id, data, source="runner")])
    system.events.append([NewEvent("run.crashed", run_id, {"owner": data["owner"]}, source="runner")])
    return run_id


def _status(system: IntegratedSystem, run_id: str) -> str:
    found = system.views.run(run_id)
    assert found is not None
    return found.status


def test_the_list_leads_to_a_run_with_its_timeline(app: AppTest, ran: IntegratedSystem) -> None:
    """A sentence first; then each dataset with what it went through."""
    (latest,) = ran.views.runs(limit=1)

    list_ = texts(page(app, "runs"))
    whole = texts(page(app, "runs", run=latest.run_id))
    (chart,) = app.get("plotly_chart")

    assert list_.startswith("The last run ended at ")
    assert whole.startswith("The run ended failed after ")
    assert "2 attempts" in whole
    assert "the shipped snapshot is served" in whole
    assert "partner" in chart.proto.spec
    assert "there is no run nobody" in texts(page(app, "runs", run="nobody"))


def test_a_run_has_its_events_and_its_logs(app: AppTest, ran: IntegratedSystem) -> None:
    """Each with the address of its own."""
    (latest,) = ran.views.runs(limit=1)

    events = texts(page(app, "runs", run=latest.run_id, view="events"))
    links = len(app.get("page_link"))
    logs = texts(page(app, "runs", run=latest.run_id, view="logs"))

    assert f"{latest.run_id[:8]}…{latest.run_id[-4:]}" in events
    assert links >= len(ran.events.read())
    assert "Nothing was logged for this run." in logs


def test_a_status_of_the_address_is_all_that_is_listed(
    app: AppTest, ran: IntegratedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And pages lead to older ones, and back."""
    monkeypatch.setattr("dashboard.screens.runs.PAGE", 2)
    for _ in range(3):
        _queued(ran)
    shown = texts(page(app, "runs", status="failed"))
    assert "asked for by tester" in shown
    assert "its schedule" not in shown.split("asked for by tester")[1]

    page(app, "runs", status="queued")
    click(app, "older")
    assert not app.exception
    assert app.query_params["page"]
    click(app, "newest")
    assert "page" not in app.query_params


def test_a_run_that_waits_is_cancelled_once_with_its_reason(
    app: AppTest, system: IntegratedSystem, config: Path, state_dir: Path
) -> None:
    """After a question; however quickly somebody says yes."""
    run_id = _queued(system)
    page(app, "runs", run=run_id)
    click(app, "cancel-run")
    assert _status(system, run_id) == "queued"
    app.text_input(key="cancel-run-reason").set_value("not now")
    app.button(key="cancel-run-yes").click().run()
    done(config, state_dir)
    app.run()

    assert _status(system, run_id) == "cancelled"
    (event,) = system.events.read(type="run.cancelled")
    assert event.data["reason"] == "not now"
    assert event.data["actor"].startswith("local:")
    assert "The run was cancelled." in texts(app)
    assert keys(app, "cancel-run") == []


def test_a_run_is_cancelled_from_the_list_of_those_that_wait(
    app: AppTest, system: IntegratedSystem, config: Path, state_dir: Path
) -> None:
    """The one whose button it is."""
    first, second = _queued(system), _queued(system, "partner")
    page(app, "runs")
    key = keys(app, "cancel-waiting-")[1]
    app.button(key=key).click().run()
    app.button(key=f"{key}-yes").click().run()
    done(config, state_dir)

    assert [_status(system, one) for one in (first, second)] == ["queued", "cancelled"]


def test_a_broken_off_run_goes_on_once(
    app: AppTest, system: IntegratedSystem, config: Path, state_dir: Path, started: list[Any]
) -> None:
    """Two quick clicks begin one process."""
    run_id = _crashed(system)
    page(app, "runs", run=run_id)
    click(app, "resume-run")
    if keys(app, "resume-run"):
        click(app, "resume-run")
    done(config, state_dir)

    assert started == [("run", "--resume", run_id)]
    assert _status(system, run_id) == "queued"
    assert len(system.events.read(type="run.queued", subject=run_id)) == 2


def test_a_run_is_run_again_once(
    app: AppTest, ran: IntegratedSystem, config: Path, state_dir: Path, started: list[Any]
) -> None:
    """A new run of the same datasets, which the page follows."""
    (latest,) = ran.views.runs(limit=1)
    page(app, "runs", run=latest.run_id)
    click(app, "repeat-run")
    click(app, "repeat-run")
    (answer,) = done(config, state_dir)

    assert sorted(answer["datasets"]) == ["nothing", "orders", "partner"]
    assert len(ran.views.runs(status="queued")) == len(started) == 1
    assert "The run waits for its turn." in texts(app.run())


def test_backfills_are_called_off_and_go_on(
    app: AppTest, system: IntegratedSystem, config: Path, state_dir: Path, started: list[Any]
) -> None:
    """One that nobody works on has both buttons."""
    written = json.loads(config.read_text())
    pieces = {"name": "pieces", "collect": {"kind": "simulated"}, "write": "append", "partition": {"by": ["a", "b"]}}
    config.write_text(json.dumps({**written, "datasets": [*written["datasets"], pieces]}))
    with IntegratedSystem(config, state_dir=state_dir, environ={}) as anew:
        backfill = start(anew, ACTOR, plan(anew, "pieces", keys=("a",)))
    page(app, "runs")
    (resume,) = keys(app, "resume-backfill-")
    app.button(key=resume).click().run()
    done(config, state_dir)
    assert started == [("backfills", "resume", backfill)]

    (cancel,) = keys(app, "cancel-backfill-")
    app.button(key=cancel).click().run()
    app.button(key=f"{cancel}-yes").click().run()
    done(config, state_dir)

    assert [event.subject for event in system.events.read(type="backfill.cancelled")] == [backfill]


def test_a_viewer_has_no_button_and_the_past_has_none(app: AppTest, system: IntegratedSystem) -> None:
    """Neither in the list nor at a run."""
    run_id = _crashed(system)
    _queued(system)
    (crash,) = system.events.read(type="run.crashed")
    page(app, "runs", run=run_id, as_of=crash.time)
    assert texts(app)
    assert not [key for start in BUTTONS for key in keys(app, start)]

    app.session_state["secret"] = tokens.create(system, owner(), "viewer", "guest").secret
    for query in ({}, {"run": run_id}):
        app.query_params.clear()
        shown = texts(page(app, "runs", **query))
        assert "asked for by schedule" in shown
        assert not [key for start in BUTTONS for key in keys(app, start)]


def test_the_past_shows_runs_as_they_stood(app: AppTest, ran: IntegratedSystem) -> None:
    """One that is over now was at work then."""
    (latest,) = ran.views.runs(limit=1)
    (begun,) = ran.events.read(type="run.started")

    shown = texts(page(app, "runs", as_of=begun.time))
    whole = texts(page(app, "runs", as_of=begun.time, run=latest.run_id))

    assert "1 run is at work." in shown
    assert "The run has done 0 of 3 datasets." in whole


def test_what_providers_say_is_text(app: AppTest, config: Path, state_dir: Path) -> None:
    """A path meant to do harm stands in the reasons of a run."""
    write_configuration(config.parent, harm=True)
    with IntegratedSystem(config, state_dir=state_dir, environ={}) as system:
        latest = run(system, ACTOR).run_id

    shown = texts(page(app, "runs", run=latest))

    assert "<script>" in shown
    assert not re.search(r"<script>|\*\*b\*\*", marked_up(app))
    (chart,) = app.get("plotly_chart")
    assert "<script" not in chart.proto.spec
