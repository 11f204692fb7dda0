"""How it is set up: seen, searched, and what can be done about it."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from api.in_process import ApiHere
from dashboard.language import Words
from dashboard.shell import process
from dashboard.source import Answer
from dashboard.view_model.settings import Settings, chosen, maintained, settings
from integrated_system import IntegratedSystem
from operations.schedules import listed
from operations.trouble import Trouble
from tests.dashboard.configuration import ACTOR, HARM, configured_with

CHANNELS = {"channels": {"ops": "json://user:canary-secret@127.0.0.1:9/x"}}


@pytest.fixture
def scheduled(config: Path) -> Path:
    """With a schedule and a channel."""
    datasets = json.loads(config.read_text())["datasets"]
    datasets[0]["schedule"] = {"every": "15m"}
    configured_with(config, datasets=datasets, alerts=CHANNELS)
    return config


@pytest.fixture
def settled(app: AppTest, scheduled: Path) -> AppTest:
    app._page_hash = calc_hash("settings")
    return app.run()


def _model(system: IntegratedSystem) -> Settings:
    here = ApiHere(system)
    try:
        asked = here.client(ACTOR).queries
        configuration, schedules = Answer(asked.configuration(), None, None), Answer(asked.schedules(), None, None)
        health, channels = Answer(asked.health(), None, None), Answer(asked.channels(), None, None)
    finally:
        here.close()
    return settings(configuration, schedules, health, channels, Words(), system.clock.now())


def _texts(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(text.value) for text in app.text)


def _waited(config: Path, state_dir: Path) -> None:
    """Until what was clicked is done."""
    actions = process(str(config), str(state_dir))[1]
    for key in list(actions._done):
        assert actions.deed(key, wait_s=120) is not None


def test_every_value_tells_where_it_came_from_and_no_secret(scheduled: Path, system: IntegratedSystem) -> None:
    """A file with its line, or that it is a default."""
    model = _model(system)

    origins = {value.key: value.origin for value in model.values.rows}
    assert origins["app.name"].startswith(str(scheduled))
    assert origins["cache.ttl"] == "default"
    assert "canary-secret" not in str(model)


@pytest.mark.parametrize(("search", "own", "key"), [("cache.ttl", False, "cache.ttl"), ("", True, "app.name")])
def test_values_are_found(system: IntegratedSystem, search: str, own: bool, key: str) -> None:
    """By a part of their text, or those that were written."""
    rows = _model(system).values.rows
    found = chosen(rows, search, own=own)

    assert key in {value.key for value in found}
    assert len(found) < len(rows) / 4


def test_a_schedule_tells_when_it_is_next_and_who_paused_it(scheduled: Path, system: IntegratedSystem) -> None:
    """And that nobody works it off while no scheduler runs."""
    from operations.schedules import pause

    before = _model(system)
    pause(system, ACTOR, ["orders"])
    after = _model(system)

    assert "next at" in before.schedules.rows[0].words
    assert before.schedules.note == "nobody works them off"
    assert after.schedules.rows[0].paused
    assert "paused by tester" in after.schedules.rows[0].words


def test_parts_that_cannot_be_read_leave_the_others_on_the_page(system: IntegratedSystem) -> None:
    """Each has its own face."""
    broken = Answer(None, Trouble("the disk is away", "put it back"), None)

    model = settings(broken, broken, broken, broken, Words("pt"), system.clock.now())

    for panel in (model.values, model.schedules, model.checks, model.channels):
        assert panel.face is not None
        assert (panel.face.kind, panel.face.words) == ("broken", "the disk is away")


def test_what_a_maintenance_would_do_is_told_in_words() -> None:
    """What is not well stands at the end."""
    steps = [
        {"name": "raw", "count": 3, "freed_bytes": 2048, "detail": "raw answers removed", "well": True},
        {"name": "logs", "count": 0, "freed_bytes": 0, "detail": "old log files removed", "well": True},
        {"name": "health", "count": 1, "freed_bytes": 0, "detail": "datasets failed: a", "well": False},
    ]
    told = maintained({"dry_run": True, "freed_bytes": 2048, "steps": steps}, Words())

    assert told == "It would free 2.0 kB: 3 raw answers removed. Not well: health: datasets failed: a."


def test_a_schedule_is_paused_and_resumed_by_its_button(
    settled: AppTest, scheduled: Path, state_dir: Path, system: IntegratedSystem
) -> None:
    """With the reason that was given; the state has it."""
    key = next(str(button.key) for button in settled.button if str(button.key).startswith("pause-"))
    settled.button(key=key).click().run()
    settled.text_input(key=f"{key}-reason").set_value("moving house")
    settled.button(key=f"{key}-yes").click().run()
    _waited(scheduled, state_dir)
    paused = [one.paused_at for one in listed(system).schedules]
    settled.run()
    settled.button(key=key.replace("pause", "resume")).click().run()
    _waited(scheduled, state_dir)

    assert paused[0] is not None
    assert "moving house" in str(system.events.read(limit=20, newest_first=True))
    assert listed(system).schedules[0].paused_at is None


@pytest.mark.parametrize(("key", "done"), [("maintain-dry", 0), ("maintain", 1)])
def test_maintenance_is_shown_first_and_done_when_it_was_confirmed(
    settled: AppTest, scheduled: Path, state_dir: Path, system: IntegratedSystem, key: str, done: int
) -> None:
    """The dry run changes nothing."""
    settled.button(key=key).click().run()
    if done:
        settled.button(key="maintain-yes").click().run()
    _waited(scheduled, state_dir)

    texts = _texts(settled.run())

    assert ("It freed" if done else "It would free") in texts
    assert len(system.events.read(type="maintenance.finished")) == done


def test_a_viewer_sees_it_all_and_changes_nothing(app: AppTest, scheduled: Path, system: IntegratedSystem) -> None:
    """No button but those of looking."""
    from operations import tokens
    from operations.actor import owner

    app.session_state["secret"] = tokens.create(system, owner(), "viewer", "guest").secret
    app._page_hash = calc_hash("settings")

    app.run()

    assert "Operators can start it here." in _texts(app)
    assert not {str(button.key) for button in app.button} & {"maintain", "maintain-dry", "pause-all"}


def test_harmful_names_are_shown_as_text(app: AppTest, config: Path) -> None:
    """Of datasets and of files."""
    collect: dict[str, Any] = {"kind": "simulated"}
    datasets = [{"name": "orders", "collect": collect, "description": HARM, "schedule": {"every": "15m"}}]
    configured_with(config, datasets=datasets)
    app._page_hash = calc_hash("settings")

    app.run()

    assert not app.exception
    formatted = [str(element.value) for element in (*app.markdown, *app.subheader, *app.caption)]
    assert not any("onerror" in text for text in formatted)
