"""Every page as Streamlit draws it, in every state and for every role, without a browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.shell import PAGES, process
from integrated_system import ROOT, IntegratedSystem
from operations import tokens
from operations.actor import Role, owner
from operations.run import run
from tests.api.serving import served
from tests.dashboard.configuration import ACTOR, configured_with, write_configuration
from tests.dashboard.trouble import Trouble, keys

STATES = ("no data yet", "ran", "in trouble")
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")

LOOKING = {"back-to-now", "csv", "dismiss", "zoom-out", "logout", "try-again", "show", "quarantine"}
"""Buttons that change nothing, for everybody."""

CHANGING = {"overview": "run_now", "settings": "maintain", "resilience": "clear-cache"}
"""A button of some pages that only operators have."""


@pytest.fixture(scope="module", params=STATES)
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, trouble_made: Trouble
) -> tuple[Path, Path]:
    """A configuration and a state directory, with a token for each role."""
    folder = tmp_path_factory.mktemp("pages")
    config, state_dir = write_configuration(folder), folder / "state"
    if request.param == "in trouble":
        trouble_made.copied(config, state_dir)
    with IntegratedSystem(config, state_dir=state_dir, environ={}) as system:
        if request.param == "ran":
            run(system, ACTOR)
        SECRETS[config] = {role: tokens.create(system, owner(), role, role).secret for role in ROLES}
    return config, state_dir


SECRETS: dict[Path, dict[str, str]] = {}


@contextmanager
def _window(monkeypatch: pytest.MonkeyPatch, config: Path, state_dir: Path) -> Iterator[AppTest]:
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))
    monkeypatch.setenv("ORCHESTRATOR_APP__STATE_DIR", str(state_dir))
    monkeypatch.setattr("dashboard.login.at_this_machine", lambda: True)
    yield AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120)
    source, actions = process(str(config), str(state_dir))
    actions.close()
    source.close()
    process.clear()


def _texts(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(text.value) for text in app.text)


def _formatted(app: AppTest) -> list[str]:
    """What Streamlit takes for Markdown or HTML."""
    found = [str(element.value) for element in (*app.markdown, *app.subheader, *app.caption, *app.title)]
    found += [str(element.label) for element in (*app.button, *app.expander, *app.tabs, *app.toggle)]
    return [*found, *(str(element.proto.body) for element in app.get("html"))]


def _changing(app: AppTest) -> set[str]:
    """The keys of buttons that may change something."""
    keys = {str(button.key) for button in app.button}
    return {key for key in keys if key.split("-")[0] not in LOOKING and key not in LOOKING}


@pytest.mark.parametrize("role", ROLES)
def test_every_page_is_shown_to_every_role(
    monkeypatch: pytest.MonkeyPatch, installation: tuple[Path, Path], role: Role
) -> None:
    """Without an exception or a broken face, without foreign text taken for Markdown; a viewer cannot act."""
    with _window(monkeypatch, *installation) as app:
        app.session_state["secret"] = SECRETS[installation[0]][role]
        for page in PAGES:
            app._page_hash = calc_hash(page if page != "overview" else "")
            app.run()

            assert f"logged as done by token:{role}" in _texts(app), page
            assert "internal error" not in _texts(app), page
            assert not any("onerror=" in text for text in _formatted(app)), page
            if page in CHANGING:
                assert (CHANGING[page] in _changing(app)) == (role != "viewer"), page
            if role == "viewer":
                assert _changing(app) == set(), page


@pytest.mark.usefixtures("trouble")
@pytest.mark.parametrize(
    ("page", "button", "chosen"),
    [("incidents", "show-", "incident"), ("quality", "quarantine-", "dataset")],
    ids=["an incident", "rows in quarantine"],
)
def test_another_of_a_list_is_shown_and_stands_in_the_address(
    app: AppTest, system: IntegratedSystem, page: str, button: str, chosen: str
) -> None:
    """A viewer chooses as well, and still cannot act; what means harm is text there, too."""
    app.session_state["secret"] = tokens.create(system, owner(), "viewer", "guest").secret
    app._page_hash = calc_hash(page)
    first = _texts(app.run())
    app.button(key=keys(app, button)[-1]).click().run()

    assert _texts(app) != first
    assert app.query_params[chosen]
    assert _changing(app) == set()
    assert not any("onerror=" in text for text in _formatted(app))


@pytest.mark.parametrize(
    ("state", "words"),
    [("broken configuration", "unknown key “datasetz”"), ("unusable state", "is not a directory")],
)
def test_what_keeps_the_system_from_opening_is_said_and_its_mending_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str, words: str
) -> None:
    """No restart is needed."""
    config, state_dir = write_configuration(tmp_path), tmp_path / "state"
    good = config.read_text()
    if state == "broken configuration":
        config.write_text('{"datasetz": []}')
    else:
        state_dir.write_text("a file where the directory should be")
    with _window(monkeypatch, config, state_dir) as app:
        broken = _texts(app.run())
        config.write_text(good)
        if state_dir.is_file():
            state_dir.unlink()
        process(str(config), str(state_dir))[0].forget()
        mended = _texts(app.run())

    assert words in broken
    assert "3 datasets" in mended


def test_the_pages_of_another_machine_are_those_of_its_api(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installation: tuple[Path, Path]
) -> None:
    """`dashboard.api`: over HTTP, with a token of that installation; what is done there is done as its owner."""
    (here := tmp_path / "here").mkdir()
    config = write_configuration(here)
    with IntegratedSystem(installation[0], state_dir=installation[1], environ={}) as there, served(there) as url:
        configured_with(config, dashboard={"api": url})
        with _window(monkeypatch, config, here / "state") as app:
            asked = app.run()
            form = {field.key for field in asked.text_input}
            app.text_input(key="login-token").set_value("oct_wrong")
            app.button[-1].click().run()
            refused = _texts(app)
            _log_in(app, SECRETS[installation[0]]["operator"])
            for page in PAGES:
                app._page_hash = calc_hash(page if page != "overview" else "")
                app.run()
                assert "logged as done by token:operator" in _texts(app), page
                assert "internal error" not in _texts(app), page

    assert form == {"login-token"}
    assert "there is no such token" in refused
    assert not (here / "state").exists() or not list((here / "state").glob("orchestrator.db"))


def _log_in(app: AppTest, secret: str) -> Any:
    app.text_input(key="login-token").set_value(secret)
    return app.button[-1].click().run()
