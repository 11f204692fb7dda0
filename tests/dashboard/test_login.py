"""Who comes in, and as what."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.login import is_local, role_of
from dashboard.source import Source
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import UsageError, owner
from operations.dashboard import launch
from tests.dashboard.configuration import configured_with
from tests.faulty_server import FaultyServer, status

AUTH = {"viewers": ["@example.org"], "operators": ["ana@example.org"], "admins": ["root@example.net"]}


def _made(system: IntegratedSystem, role: Any, name: str = "guest") -> str:
    return tokens.create(system, owner(), role, name).secret


def _come_in(app: AppTest, secret: str) -> AppTest:
    app.run()
    app.text_input(key="login-token").set_value(secret)
    return app.button[-1].click().run()


def _words(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(text.value) for text in app.text)


def _buttons(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button}


def test_without_a_token_whoever_is_at_this_machine_is_operator(app: AppTest) -> None:
    """Nothing has to be set up to begin."""
    app.run()

    assert "run_now" in _buttons(app)
    assert "login-token" not in {field.key for field in app.text_input}


@pytest.mark.parametrize(("role", "acts"), [("viewer", False), ("operator", True), ("admin", True)])
def test_a_token_lets_in_with_its_role(app: AppTest, system: IntegratedSystem, role: str, acts: bool) -> None:
    """From the first token on it is asked for; a viewer sees no button that changes anything."""
    secret = _made(system, role)

    _come_in(app, secret)

    assert ("run_now" in _buttons(app)) == acts
    assert "logged as done by token:guest" in _words(app)


def test_before_somebody_is_known_nothing_is_shown(app: AppTest, ran: IntegratedSystem) -> None:
    """Not even names of datasets."""
    _made(ran, "viewer")

    app.run()

    assert "orders" not in _words(app)
    assert "run_now" not in _buttons(app)


def test_a_wrong_token_is_told(app: AppTest, system: IntegratedSystem) -> None:
    """And what was typed stays nowhere."""
    _made(system, "viewer")

    _come_in(app, "oct_wrong")

    assert "There is no such token." in _words(app)
    assert "secret" not in app.session_state


def test_a_revoked_token_is_out_at_the_next_look(app: AppTest, system: IntegratedSystem) -> None:
    """The session that has it sees nothing more."""
    _come_in(app, _made(system, "operator"))
    tokens.revoke(system, owner(), "guest")

    app.run()

    assert "The token is not good any more." in _words(app)
    assert "run_now" not in _buttons(app)


@pytest.mark.parametrize(
    ("address", "headers", "local"),
    [
        (None, {}, True),
        (None, {"Host": "localhost:8501"}, True),
        (None, {"Host": "[::1]:8501"}, True),
        (None, {"Host": "localhost:8501", "X-Forwarded-For": "203.0.113.9"}, False),
        (None, {"Host": "localhost:8501", "Via": "1.1 proxy"}, False),
        (None, {"Host": "evil.example:8501"}, False),
        ("203.0.113.9", {"Host": "localhost:8501"}, False),
    ],
    ids=["nothing told", "this machine", "IPv6", "a proxy", "another proxy", "a name that leads here", "elsewhere"],
)
def test_who_comes_from_elsewhere_is_not_taken_for_the_local_user(
    address: str | None, headers: dict[str, str], local: bool
) -> None:
    """A proxy on this machine asks for everybody."""
    assert is_local(address, headers) == local


@pytest.mark.parametrize(
    ("user", "name", "acts"),
    [
        ({"is_logged_in": True, "email": "ana@example.org"}, "oidc:ana@example.org", True),
        ({"is_logged_in": True, "email": "bob@example.org", "email_verified": True}, "oidc:bob@example.org", False),
    ],
    ids=["named", "of the domain"],
)
def test_single_sign_on_lets_in_whom_the_configuration_names(
    config: Path, app: AppTest, user: dict[str, Any], name: str, acts: bool
) -> None:
    """With the highest role that names them."""
    configured_with(config, dashboard={"auth": AUTH})
    app.user = user

    app.run()

    assert f"logged as done by {name}" in _words(app)
    assert ("run_now" in _buttons(app)) == acts


def test_who_is_taken_off_the_list_is_out_at_the_next_look(
    config: Path, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though their login still holds, and nothing is started anew."""
    monkeypatch.setattr("dashboard.shell.Source", partial(Source, share_for=0.0))
    configured_with(config, dashboard={"auth": AUTH})
    app.user = {"is_logged_in": True, "email": "root@example.net"}
    app.run()
    was_in = "run_now" in _buttons(app)
    configured_with(config, dashboard={"auth": {**AUTH, "admins": []}})

    app.run()

    assert was_in
    assert "names you nowhere" in _words(app)
    assert "run_now" not in _buttons(app)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"is_logged_in": True, "email": "eve@elsewhere.org"}, "names you nowhere"),
        ({"is_logged_in": True, "email": "ana@example.org", "email_verified": False}, "no verified e-mail address"),
        ({"is_logged_in": True, "email": "ana@example.org", "email_verified": "false"}, "no verified e-mail address"),
        ({"is_logged_in": True}, "no verified e-mail address"),
        ({"is_logged_in": False}, "Log in"),
    ],
    ids=["named nowhere", "not verified", "not verified, as text", "no address", "not logged in"],
)
def test_nobody_else_gets_in(config: Path, app: AppTest, user: dict[str, Any], words: str) -> None:
    """And whoever tried is told why."""
    configured_with(config, dashboard={"auth": AUTH})
    app.user = user

    app.run()

    shown = _words(app) + "\n".join(str(button.label) for button in app.button)
    assert words in shown
    assert "run_now" not in _buttons(app)


def test_single_sign_on_that_is_not_set_up_is_told(
    config: Path, app: AppTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the provider's file: on the page in words, and in the log with what is missing."""
    configured_with(config, dashboard={"auth": AUTH})
    monkeypatch.setattr("streamlit.runtime.secrets.secrets_singleton.load_if_toml_exists", lambda: False)
    app.run()

    app.button(key="login-oidc").click().run()

    assert "Single sign-on is not set up here" in _words(app)
    assert "at least one authentication provider" in caplog.text


def test_another_machines_api_knows_tokens_only(config: Path, app: AppTest) -> None:
    """So single sign-on, which would lead nowhere, is not offered."""
    with FaultyServer(status(401)) as api:
        configured_with(config, dashboard={"auth": AUTH, "api": f"http://{api.host}"})
        app.run()

    assert "login-oidc" not in _buttons(app)
    assert "login-token" in {field.key for field in app.text_input}


def test_of_several_roles_the_highest_counts(config: Path, build: Callable[[], IntegratedSystem]) -> None:
    """Letters' case does not matter; a domain that ends alike is another one."""
    configured_with(config, dashboard={"auth": AUTH})
    with build() as system:
        found = [role_of(name, system) for name in ("ANA@example.org", "x@Example.org", "x@badexample.org", "x@y")]

    assert found == ["operator", "viewer", None, None]


def test_a_page_that_others_reach_is_not_served_without_a_token(
    config: Path, build: Callable[[], IntegratedSystem]
) -> None:
    """Refused before anything listens."""
    configured_with(config, dashboard={"host": "0.0.0.0"})

    with build() as system, pytest.raises(UsageError, match=r"the dashboard would listen on 0\.0\.0\.0"):
        launch(system)
