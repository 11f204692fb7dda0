"""What all pages have: the period, the past, the language, the result of a click, and a face for what breaks."""

import os
from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard import shell
from integrated_system import IntegratedSystem
from operations.run import run
from tests.dashboard.configuration import ACTOR

_AS_USERS_HAVE_IT = shell.broken_page
"""`conftest` has it raise."""


@pytest.fixture
def page(app: AppTest, ran: IntegratedSystem, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The first page, after a run; runs that are asked for wait in the queue."""
    monkeypatch.setattr("operations.detached.start_detached", lambda *_: None)
    return app


def _texts(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(text.value) for text in app.text)


def _keys(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button}


def _settled(app: AppTest) -> AppTest:
    """The page once what was clicked has been done."""
    _, actions = shell.process(*_where())
    deed = actions.deed(app.session_state["asked"].key, wait_s=120)
    assert deed is not None
    assert deed.state != "going on"
    return app.run()


def _where() -> tuple[str, str]:
    return os.environ["ORCHESTRATOR_CONFIG"], os.environ["ORCHESTRATOR_APP__STATE_DIR"]


def _moments(system: IntegratedSystem) -> tuple[str, str]:
    """Before the first event, and right after the last one."""
    first, last = system.events.read(limit=1)[0], system.events.read(limit=1, newest_first=True)[0]
    before = system.clock.now() - timedelta(days=2)
    assert first.time > before.isoformat()
    return before.strftime("%Y-%m-%dT%H:%M:%SZ"), last.time


def test_a_moment_in_the_address_shows_the_past_and_nothing_can_be_changed(
    page: AppTest, ran: IntegratedSystem
) -> None:
    """Nobody accepts a version of last week by mistake."""
    before, _ = _moments(ran)
    page.query_params["as_of"] = before

    page.run()

    assert "Nothing has run yet: 3 datasets wait for the first run." in _texts(page)
    assert "nothing can be changed here." in _texts(page)
    assert not {"run_now", "maintenance"} & _keys(page)


def test_back_to_now_is_one_click(page: AppTest, ran: IntegratedSystem) -> None:
    """And the address says it no more."""
    page.query_params["as_of"] = _moments(ran)[0]
    page.run()

    page.button(key="back-to-now").click().run()

    assert "as_of" not in page.query_params
    assert "1 of 3 datasets" in _texts(page)
    assert "run_now" in _keys(page)


def test_the_moment_stays_from_page_to_page_where_there_is_a_past(page: AppTest, ran: IntegratedSystem) -> None:
    """Pages that only know now say nothing of it, and forget nothing."""
    page.query_params["as_of"] = before = _moments(ran)[0]
    page.run()
    shown = []
    for name in ("runs", "host", "incidents"):
        page.query_params.clear()  # what the browser does when somebody clicks in the sidebar
        page._page_hash = calc_hash(name)
        page.run()
        shown.append("nothing can be changed here." in _texts(page))

    assert shown == [True, False, True]
    assert page.query_params["as_of"] == before


def test_going_back_to_an_address_without_a_moment_shows_now(page: AppTest, ran: IntegratedSystem) -> None:
    """The browser's own way back works."""
    page.query_params["as_of"] = _moments(ran)[0]
    page.run()
    page.query_params.clear()

    page.run()

    assert "run_now" in _keys(page)


def test_a_moment_picked_in_the_sidebar_stands_in_the_address(page: AppTest, ran: IntegratedSystem) -> None:
    """So that the link shows the same to somebody else."""
    page.run()
    picked = (ran.clock.now() - timedelta(days=1)).replace(tzinfo=None, second=0, microsecond=0)

    page.datetime_input[0].set_value(picked).run()

    assert page.query_params["as_of"] == f"{picked.isoformat()}Z"
    assert "nothing can be changed here." in _texts(page)


@pytest.mark.parametrize("given", ["yesterday", "2999-01-01T00:00:00Z", "<script>"])
def test_what_is_no_moment_of_the_past_is_told_and_now_is_shown(page: AppTest, given: str) -> None:
    """A link may have been cut, or written by hand."""
    page.query_params["as_of"] = given

    page.run()

    assert f"This is no moment of the past: {given}. Shown is now." in _texts(page)
    assert "run_now" in _keys(page)


@pytest.mark.parametrize(("asked", "words"), [("pt", "Período"), ("en", "Period")])
def test_the_language_stands_in_the_address(page: AppTest, asked: str, words: str) -> None:
    """And can be chosen in the sidebar."""
    page.query_params["lang"] = asked

    page.run()

    assert page.selectbox(key="span").label == words


def test_another_language_is_one_choice_away(page: AppTest) -> None:
    """Nothing else changes."""
    page.run()

    page.selectbox(key="lang").set_value("pt").run()

    assert "datasets estão como devem ser" in _texts(page)
    assert page.query_params["lang"] == "pt"


def test_what_was_chosen_stays_from_page_to_page(page: AppTest) -> None:
    """In its own name, whatever the language of the one who gets the link."""
    page.run()
    page.selectbox(key="lang").set_value("pt").run()
    page.selectbox(key="span").set_value("7d").run()

    page.query_params.clear()  # what the browser does when somebody clicks in the sidebar
    page._page_hash = calc_hash("host")
    page.run()

    assert (page.query_params["lang"], page.query_params["span"]) == ("pt", "7d")
    assert page.selectbox(key="span").label == "Período"


def test_a_choice_that_there_is_not_is_the_usual_one(page: AppTest) -> None:
    """A link may have been written by hand."""
    page.query_params.update({"lang": "<b>", "span": "9y"})

    page.run()

    assert (page.selectbox(key="lang").value, page.selectbox(key="span").value) == ("en", "24h")


def test_the_result_of_a_click_is_told_until_it_is_dismissed(page: AppTest, ran: IntegratedSystem) -> None:
    """A run first waits; nothing long runs inside the page."""
    page.run()
    page.button(key="run_now").click().run()
    _settled(page)
    told = _texts(page)

    page.button(key="dismiss").click().run()

    assert "The run waits for its turn." in told
    assert len(ran.views.runs(status="queued")) == 1
    assert "The run waits for its turn." not in _texts(page)
    assert "dismiss" not in _keys(page)


def test_two_quick_clicks_have_one_effect(page: AppTest, ran: IntegratedSystem) -> None:
    """On a slow day people click again."""
    page.run()
    for _ in range(2):
        page.button(key="run_now").click().run()
    _settled(page)

    assert len(ran.views.runs(status="queued")) == 1


def test_maintenance_tells_what_it_did(page: AppTest, ran: IntegratedSystem) -> None:
    """In words; the log has it once."""
    page.run()
    page.button(key="maintenance").click().run()
    _settled(page)

    assert "Maintenance freed " in _texts(page)
    assert len(ran.events.read(type="maintenance.finished")) == 1


def test_a_page_that_breaks_shows_a_face_and_the_others_go_on(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a traceback; why, stands in the log."""

    def broken(_: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("dashboard.shell.broken_page", _AS_USERS_HAVE_IT)
    monkeypatch.setattr("dashboard.screens.overview.draw", broken)

    page.run()

    assert "internal error: ZeroDivisionError: of ours" in _texts(page)
    assert "try-again" in _keys(page)


def test_a_paused_page_says_since_when(page: AppTest) -> None:
    """And stays still."""
    page.run()

    page.toggle(key="live").set_value(False).run()

    assert "paused at " in _texts(page)


def test_what_changed_meanwhile_is_drawn(page: AppTest, ran: IntegratedSystem) -> None:
    """The pulse compares what was drawn with what is."""
    page.run()
    before = page.session_state["drawn"]
    run(ran, ACTOR, ["orders"], fresh=True)
    source, _ = shell.process(*_where())
    source.forget()

    page.run()

    assert page.session_state["drawn"] != before
