"""The page as Streamlit draws it, in every state, without a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.shell import process
from integrated_system import ROOT, IntegratedSystem
from operations.run import run
from tests.dashboard.configuration import HARM, write_configuration
from tests.dashboard.conftest import ACTOR

STATES = ["no data yet", "ran", "harmful names", "broken configuration", "unusable state"]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, config: Path, state_dir: Path) -> Iterator[AppTest]:
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))
    monkeypatch.setenv("ORCHESTRATOR_APP__STATE_DIR", str(state_dir))
    yield AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=30)
    source, actions = process(str(config), str(state_dir))
    actions.close()
    source.close()
    process.clear()


def _texts(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(text.value) for text in app.text)


def _bring_about(state: str, config: Path, state_dir: Path) -> None:
    if state == "broken configuration":
        config.write_text('{"datasetz": []}')
    elif state == "unusable state":
        state_dir.write_text("a file where the directory should be")
    else:
        write_configuration(config.parent, harm=state == "harmful names")
        if state != "no data yet":
            with IntegratedSystem(config, state_dir=state_dir, environ={}) as system:
                run(system, ACTOR)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("no data yet", "Nothing has run yet: 3 datasets wait"),
        ("ran", "1 of 3 datasets delivered as they should"),
        ("harmful names", HARM),
        ("broken configuration", "datasetz"),
        ("unusable state", "is not a directory"),
    ],
    ids=STATES,
)
def test_every_state_is_shown_without_an_exception(
    app: AppTest, config: Path, state_dir: Path, state: str, words: str
) -> None:
    """Nothing done yet, something done, a wrong configuration, an unusable state: each has its words."""
    _bring_about(state, config, state_dir)

    app.run()

    assert words in _texts(app)


def test_what_providers_say_never_reaches_markdown_or_html(app: AppTest, config: Path, state_dir: Path) -> None:
    """Only our own words are formatted."""
    _bring_about("harmful names", config, state_dir)

    app.run()

    formatted = [str(element.value) for element in (*app.markdown, *app.subheader, *app.caption)]
    formatted += [str(element.proto.body) for element in app.get("html")]
    assert "<img" in _texts(app)
    assert not any("onerror" in text or "$x^2$" in text for text in formatted)


def test_the_worst_dataset_comes_first_and_tells_why(app: AppTest, config: Path, state_dir: Path) -> None:
    """Failed, then degraded, then the good ones."""
    _bring_about("ran", config, state_dir)

    texts = _texts(app.run()).splitlines()

    places = [texts.index(name) for name in ("nothing", "partner", "orders")]
    assert places == sorted(places)


def test_paused_the_page_says_so(app: AppTest, config: Path, state_dir: Path) -> None:
    """Nobody takes a still page for a live one."""
    _bring_about("ran", config, state_dir)
    app.run()

    app.toggle(key="live").set_value(False).run()

    assert "paused · updated" in _texts(app)


def test_maintenance_reports_what_it_did(app: AppTest, config: Path, state_dir: Path) -> None:
    """The button's effect stands in the log, its result on the page."""
    _bring_about("ran", config, state_dir)
    app.run()

    app.button(key="maintenance").click().run()
    process(str(config), str(state_dir))[1].wait()
    app.run()

    assert "Maintenance freed " in _texts(app)
    with IntegratedSystem(config, state_dir=state_dir, environ={}) as system:
        assert len(system.events.read(type="maintenance.finished")) == 1
