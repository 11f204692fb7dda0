"""The page of events as Streamlit draws it: found, followed, one whole, proved; and every button of it."""

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import owner
from tests.dashboard.configuration import HARM
from tests.dashboard.trouble import click, done, keys, marked_up, page, texts
from utils.events import NewEvent
from utils.events.following import Consumer, Following

BUTTONS = ("prove", "retry-")


def _parks(system: IntegratedSystem) -> None:
    """A consumer goes on without the first event."""

    def refuse(_: object) -> None:
        raise ValueError("cannot")

    consumer = Consumer(name="pager", handler=refuse, pattern="run.started", start="beginning", park_after=1)
    following = Following(consumer, system.events, system.cursors, clock=system.clock)
    following.step()
    following.close()


def test_the_log_is_listed_newest_first_and_a_row_leads_to_the_event(app: AppTest, ran: IntegratedSystem) -> None:
    """With what each says first."""
    shown = texts(page(app, "events"))

    assert "partner: simulated failure (503); serving the shipped snapshot" in shown
    links = [link.proto.query_string for link in app.get("page_link")]
    newest = ran.events.head()[0]
    assert f"event={newest}" in links[0]


def test_filters_of_the_address_hold(app: AppTest, ran: IntegratedSystem) -> None:
    """So that a link shows the same: a text, a type with a pattern, a subject, a source, a run."""
    (latest,) = ran.views.runs(limit=1)
    for name, value, there, gone in (
        ("text", "PART", "partner", "orders"),
        ("type", "batch.*", "orders", "partner"),
        ("subject", "nothing", "nothing", "orders"),
        ("source", "runner", "tester", "partner"),
        ("of_run", latest.run_id, "partner", "incident"),
    ):
        app.query_params.clear()
        shown = texts(page(app, "events", **{name: value}))
        assert there in shown, name
        assert gone not in shown, name


def test_what_is_typed_goes_into_the_address(app: AppTest, ran: IntegratedSystem) -> None:
    """And begins with the newest again; what is not there is told."""
    page(app, "events", page="")
    app.text_input(key="filter-text").set_value("nobody at all").run()

    assert "nobody at all" in app.query_params["text"]
    assert "No event is like that in this period." in texts(app)
    app.text_input(key="filter-text").set_value("").run()
    assert "text" not in app.query_params
    assert ran.events.head()[0] > 5


def test_pages_lead_back_to_the_first_event(
    app: AppTest, system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By cursors: nothing is counted."""
    monkeypatch.setattr("dashboard.screens.events.PAGE", 5)
    system.events.append([NewEvent("plugin.ticked", f"s{n}", {}, source="test") for n in range(10, 18)])
    assert "s17" in texts(page(app, "events"))

    older = texts(click(app, "older"))

    assert "s10" in older
    assert "s17" not in older
    assert keys(app, "older") == []
    assert "s17" in texts(click(app, "newest"))


def test_one_event_is_whole_with_the_way_on(app: AppTest, ran: IntegratedSystem) -> None:
    """As fields, its JSON folded; to its run, its dataset, and to everything as of its moment."""
    (failed,) = ran.events.read(type="dataset.failed")

    shown = texts(page(app, "events", event=str(failed.seq)))

    assert "dataset.failed of nothing, at " in shown
    assert "error › message" in shown
    assert failed.hash in shown
    links = " ".join(f"{link.proto.label} {link.proto.query_string}" for link in app.get("page_link"))
    assert f"run={failed.data['run_id']}" in links
    assert "as_of=" in links
    assert '"prev_hash"' in app.get("code")[0].value
    assert "there is no event 9999" in texts(page(app, "events", event="9999"))


def test_the_log_is_proved_by_its_button(app: AppTest, ran: IntegratedSystem, config: Path, state_dir: Path) -> None:
    """Once, however often it is clicked; the result in words, with the head to be kept."""
    page(app, "events")
    click(app, "prove")
    if keys(app, "prove"):
        click(app, "prove")
    done(config, state_dir)

    for _ in range(100):
        if "fit together, as of" in texts(app.run()):
            break
    assert re.search(r"All \d+ events fit together, as of", texts(app))
    assert len([e for e in ran.events.read(type="action.invoked") if e.data["action"] == "events.verify"]) == 1


def test_parked_events_are_tried_again(app: AppTest, ran: IntegratedSystem, config: Path, state_dir: Path) -> None:
    """What a consumer went on without, and the button at that consumer."""
    _parks(ran)
    shown = texts(page(app, "events"))
    assert "pager" in shown
    click(app, "retry-")
    click(app, "retry-")
    done(config, state_dir)

    assert ran.cursors.due("pager")
    (event,) = [e for e in ran.events.read(type="action.invoked") if e.data["action"] == "events.retry"]
    assert event.data["actor"].startswith("local:")


def test_a_viewer_has_no_button(app: AppTest, ran: IntegratedSystem) -> None:
    """They see the same."""
    _parks(ran)
    app.session_state["secret"] = tokens.create(ran, owner(), "viewer", "guest").secret

    assert "pager" in texts(page(app, "events"))
    assert not [key for start in BUTTONS for key in keys(app, start)]


def test_what_stands_in_events_is_text(app: AppTest, system: IntegratedSystem) -> None:
    """Names, types and data of plug-ins may be anything."""
    system.events.append([NewEvent(f"mine.{HARM[:40]}", HARM, {HARM: HARM, "reason": HARM}, source="x" * 200)])

    for query in ({}, {"event": "1"}, {"subject": HARM}, {"type": HARM, "text": HARM}):
        app.query_params.clear()
        shown = texts(page(app, "events", **query))
        assert not re.search(r"<script>|\*\*b\*\*", marked_up(app))
        assert "<script>" in shown or "type" in query
