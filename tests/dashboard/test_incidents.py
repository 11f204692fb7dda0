"""What is wrong, who was told, and what is done about it on the page."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from api.client import Client
from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.incident import incident, written
from dashboard.view_model.incidents import GROUPS, incidents
from dashboard.view_model.post import post, tried
from dashboard.view_model.silences import silences, suggested
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import owner
from operations.alert_acts import acknowledge, matcher_of, resolve, silence
from operations.alerting import deliver
from operations.alerts import listed
from operations.trouble import Trouble
from tests.dashboard.configuration import ACTOR, HARM
from tests.dashboard.trouble import answer, click, done, keys, marked_up, page, texts

WORDS = Words()
BUTTONS = ("take-do-", "quiet-", "over-", "silence-", "channel-test-", "outbox-resend")

pytestmark = pytest.mark.usefixtures("trouble")


def _worst(system: IntegratedSystem) -> str:
    return listed(system).incidents[0].incident.id


# --- what is told ---------------------------------------------------------------------------------


def test_the_list_counts_each_group_and_shows_one_of_them(client: Client, system: IntegratedSystem) -> None:
    """Taken is taken, whoever keeps quiet is apart, and what is over is of the period."""
    now = system.clock.now()
    first, *others = [one.incident for one in listed(system).incidents if one.incident.state == "open"]
    before = incidents(answer(client, "incidents"), WORDS, now, since=None, group="open")
    acknowledge(system, ACTOR, first.id, comment="calling")
    for one in others:
        resolve(system, ACTOR, one.id)

    after = answer(client, "incidents", over=10)
    shown = {group: incidents(after, WORDS, now, since=None, group=group) for group in GROUPS}
    later = incidents(after, WORDS, now, since=now + timedelta(days=1), group="over")

    assert before.sentence.startswith(f"{1 + len(others)} incidents are open") or not others
    assert [line.id for line in shown["taken"].lines] == [first.id]
    assert "taken by tester" in shown["taken"].lines[0].touches
    assert shown["taken"].sentence.startswith("Nothing is wrong that nobody has taken. 1 is taken.")
    assert {line.id for line in shown["over"].lines} == {one.id for one in others}
    assert shown["open"].lines == ()
    assert dict(later.counts)["over"] == "Over (0)"
    assert dict(shown["over"].counts)["over"] == f"Over ({len(others)})"


def test_an_incident_tells_what_to_do_what_happened_and_who_was_told(client: Client, system: IntegratedSystem) -> None:
    """With the marks by which it can be kept quiet, and messages with what came of them."""
    one = incident(_worst(system), answer(client, "explain", _worst(system)), WORDS, system.clock.now())

    assert one.acts
    assert any(part.style == "command" and " why " in part.text for part in one.parts)
    assert one.steps[-1].change == "began"
    assert "told to" in " ".join(step.words for step in one.steps)
    assert one.matchers[0].startswith("about=")
    assert f"incident={one.id}" in one.matchers
    states = {letter.channel: letter.state for letter in one.letters}
    assert states == {"chat": "nobody took it", "away": "waiting"}
    assert any("404" in letter.words for letter in one.letters)
    assert one.causes[0].rule
    message = written(answer(client, "letter", one.letters[0].key), WORDS)
    assert (message.title, message.footer != "") == (one.letters[0].title, True)


def test_what_looks_the_same_is_the_same(client: Client, system: IntegratedSystem) -> None:
    """Within a minute nothing is drawn again by the clock alone."""
    list_, one = answer(client, "incidents"), answer(client, "explain", _worst(system))

    def drawn(at: datetime) -> Any:
        return incident("x", one, WORDS, at), incidents(list_, WORDS, at, since=None, group="open")

    # Each that is told became a minute older at another second of it: there are some in which none does.
    minute = system.clock.now().replace(second=0) + timedelta(minutes=3)
    seconds = [minute + timedelta(seconds=second) for second in range(60)]
    assert any(drawn(at) == drawn(at + timedelta(seconds=5)) for at in seconds)


def test_silences_and_windows_are_told_with_who_and_why(client: Client, system: IntegratedSystem) -> None:
    """What holds, and what is to come; without any that is said."""
    none = silences(Answer([], None, None), WORDS, system.clock.now())
    now = system.clock.now()
    matcher = matcher_of(system, ["dataset=fx_*"])
    silence(system, ACTOR, matcher, until=now + timedelta(hours=2), reason="moving house")
    silence(system, ACTOR, matcher, since=now + timedelta(days=1), until=now + timedelta(days=2))

    found = silences(answer(client, "silences"), WORDS, system.clock.now())

    assert (none.rows, none.note) == ((), "Nothing is kept quiet.")
    assert [(line.state, line.matches) for line in found.rows] == [
        ("holds", "dataset fx_*"),
        ("to come", "dataset fx_*"),
    ]
    assert found.rows[0].words == "by tester · moving house"
    known = suggested(answer(client, "datasets"), answer(client, "providers"))
    assert {"dataset=orders", "severity=critical"} <= set(known)


def test_channels_and_the_outbox_tell_how_it_goes(client: Client, system: IntegratedSystem) -> None:
    """A channel that fails, one that refuses; messages that wait, and that nobody took."""
    boxes = {box: answer(client, "letters", box) for box in ("waiting", "sent", "dead")}
    found = {box: post(answer(client, "channels"), boxes, WORDS, system.clock.now(), box) for box in boxes}

    states = {channel.name: channel.state for channel in found["dead"].channels.rows}
    assert states["chat"] == "refuses some"
    assert states["away"].startswith("fails since")
    assert {letter.channel for letter in found["waiting"].letters} == {"away"}
    assert {letter.channel for letter in found["dead"].letters} == {"chat"}
    assert found["sent"].letters_face is not None
    assert found["sent"].letters_face.words == "Nobody was told anything yet."
    assert dict(found["dead"].boxes)["sent"] == "Sent"


@pytest.mark.parametrize(
    ("state", "tone", "words"),
    [
        ("sent", "good", "look whether it came"),
        ("unknown", "attention", "Nobody knows"),
        ("refused", "bad", "did not come"),
    ],
)
def test_what_came_of_a_test_is_said(state: str, tone: str, words: str) -> None:
    """In words, with the reason; what did not come is not good."""
    found = tried({"channel": "chat", "state": state, "error": "gone"}, WORDS)

    assert (found.tone, words in found.words) == (tone, True)


def test_what_cannot_be_read_has_its_face() -> None:
    """Nothing is made up in its place."""
    broken = Answer(None, Trouble("the disk is away", "put it back"), None)
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    faces = [
        incidents(broken, Words("pt"), moment, since=None, group="open").face,
        incident("1a2b", broken, WORDS, moment).face,
        written(broken, WORDS).face,
        silences(broken, WORDS, moment).face,
        post(broken, {"waiting": broken, "dead": broken}, WORDS, moment, "waiting").letters_face,
    ]

    assert [(face.kind, face.words) for face in faces if face] == [("broken", "the disk is away")] * 5


# --- the page -------------------------------------------------------------------------------------


def test_the_page_shows_the_worst_and_any_other_by_its_link(app: AppTest, system: IntegratedSystem) -> None:
    """What is chosen stands in the address; folded parts are drawn when they are opened."""
    shown = texts(page(app, "incidents"))
    other = listed(system).incidents[-1].incident.id
    linked = texts(page(app, "incidents", incident=other))

    assert listed(system).incidents[0].title in shown
    assert listed(system).incidents[-1].title in linked
    click(app, "show-")
    assert app.query_params["incident"] != [other]


def test_foreign_text_is_text_everywhere(app: AppTest, system: IntegratedSystem) -> None:
    """An owner, a runbook, a comment meant to do harm: never read as HTML or Markdown."""
    one = next(one.incident for one in listed(system).incidents if "harmful" in one.incident.datasets)
    acknowledge(system, ACTOR, one.id, comment=HARM)
    silence(system, ACTOR, matcher_of(system, [f"about={HARM}"]), until=system.clock.now() + timedelta(hours=1))

    page(app, "incidents", incident=one.id, box="dead")
    for name in ("fold-letters", "fold-timeline", "fold-causes"):
        app.session_state[name] = True
    app.run()

    assert texts(app).count("<script>") > 3
    assert "<script>" not in marked_up(app)
    assert "**b**" not in marked_up(app)


def test_one_is_taken_by_its_button_once(app: AppTest, config: Path, state_dir: Path, system: IntegratedSystem) -> None:
    """However quickly somebody clicks; until when and what is done about it come along."""
    worst = _worst(system)
    page(app, "incidents", incident=worst)
    (key,) = keys(app, "take-do-")
    name = key.removeprefix("take-do-")
    app.text_input(key=f"take-comment-{name}").set_value("calling them")
    app.selectbox(key=f"take-until-{name}").set_value("2h")
    app.button(key=key).click().run()
    app.button(key=key).click().run()
    done(config, state_dir)

    taken = listed(system).incidents
    mine = next(one.incident for one in taken if one.incident.id == worst)
    assert (mine.state, mine.comment) == ("acknowledged", "calling them")
    assert mine.acknowledged_until is not None
    assert len(system.events.read(type="incident.acknowledged")) == 1
    assert f"{worst} is yours." in texts(app.run())


def test_one_is_declared_over_when_it_was_confirmed(
    app: AppTest, config: Path, state_dir: Path, system: IntegratedSystem
) -> None:
    """With its reason in the log."""
    worst = _worst(system)
    page(app, "incidents", incident=worst)
    (key,) = keys(app, "over-")
    click(app, "over-")
    assert [one.incident.state for one in listed(system).incidents if one.incident.id == worst] == ["open"]
    app.text_input(key=f"{key}-reason").set_value("mended")
    app.button(key=f"{key}-yes").click().run()
    done(config, state_dir)

    (event,) = [one for one in system.events.read(type="incident.resolved") if one.subject == worst]
    assert event.data["reason"] == "mended"


def test_a_silence_is_made_of_the_marks_of_an_incident_and_ended(
    app: AppTest, config: Path, state_dir: Path, system: IntegratedSystem
) -> None:
    """Prefilled by what it is about."""
    worst = listed(system).incidents[0].incident
    page(app, "incidents", incident=worst.id)
    key = next(key for key in keys(app, "quiet-") if key.endswith("-do"))
    app.text_input(key=key.replace("-do", "-reason")).set_value("known")
    app.button(key=key).click().run()
    (made_,) = done(config, state_dir)
    app.run()
    (end,) = [key for key in keys(app, "silence-end-") if not key.endswith("-yes")]
    app.button(key=end).click().run()
    app.button(key=f"{end}-yes").click().run()
    done(config, state_dir)

    assert (made_["matcher"]["about"], made_["reason"]) == (worst.about, "known")
    (ended,) = system.events.read(type="silence.ended")
    assert ended.subject == made_["id"] or ended.data["id"] == made_["id"]


def test_a_maintenance_window_begins_later(
    app: AppTest, config: Path, state_dir: Path, system: IntegratedSystem
) -> None:
    """What was typed goes along; nonsense is told in words and changes nothing."""
    page(app, "incidents")
    app.multiselect(key="silence-new-which").set_value(["dataset=orders"]).run()
    app.text_input(key="silence-new-from").set_value("1h")
    app.selectbox(key="silence-new-until").set_value("8h")
    click(app, "silence-new-do")
    (window,) = done(config, state_dir)

    assert window["matcher"]["dataset"] == "orders"
    assert window["until"] > window["since"] > system.events.read(newest_first=True, limit=1)[0].time


def test_a_channel_is_tried_and_a_dead_letter_sent_again(
    app: AppTest, config: Path, state_dir: Path, system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was read, then all."""
    monkeypatch.setattr("operations.letters.deliver", partial(deliver, within_s=0.5))  # nobody answers at one of them
    dead = system.alert_outbox.dead()
    page(app, "incidents", box="dead")
    app.selectbox(key="letter-outbox").set_value(dead[0].key).run()
    assert dead[0].message.title in texts(app)
    click(app, "outbox-resend-one")
    done(config, state_dir)
    left = {one.key for one in system.alert_outbox.dead()}
    app.run()
    app.selectbox(key="letter-outbox").set_value(min(left)).run()  # the one that was shown is gone
    app.button(key="outbox-resend").click().run()
    done(config, state_dir)

    assert dead[0].key not in left
    assert all(one.data["actor"].startswith("local:") for one in system.events.read(type="alert.resent"))
    assert dead[0].key in {one.data["message"] for one in system.events.read(type="alert.resent")}
    assert system.alert_outbox.dead() == []
    for key in keys(app.run(), "channel-test-"):
        app.button(key=key).click().run()
    assert {one["channel"]: one["state"] for one in done(config, state_dir) if "channel" in one}["chat"] == "sent"


def test_a_viewer_sees_all_and_has_no_button(app: AppTest, system: IntegratedSystem) -> None:
    """Nor has anybody in the past."""
    app.session_state["secret"] = tokens.create(system, owner(), "viewer", "guest").secret

    shown = texts(page(app, "incidents", box="dead"))

    assert listed(system).incidents[0].title in shown
    assert not [key for start in BUTTONS for key in keys(app, start)]


def test_the_past_is_shown_as_it_was_without_buttons(app: AppTest, system: IntegratedSystem) -> None:
    """Before it was taken it was open."""
    worst = listed(system).incidents[0].incident
    then = system.events.read(newest_first=True, limit=1)[0].time
    acknowledge(system, ACTOR, worst.id)

    was = texts(page(app, "incidents", as_of=then, incident=worst.id))

    assert f"{worst.about}: " in was
    assert "took it" not in was
    assert not [key for start in BUTTONS for key in keys(app, start)]
