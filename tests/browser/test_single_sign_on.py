"""Single sign-on, seen working: a provider of OpenID Connect, the dashboard as users start it, and a browser."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.installation import Installation
from tests.browser.oidc_provider import CLIENT, SECRET, OidcProvider, new_key, oidc_provider
from tests.browser.served import DRAWN, Served, served, window
from tests.integration.canaries import files_of, found_in

COOKIE = "canary-61-cookieSecret61"
AUTH = {"viewers": ["@example.org"], "operators": ["ana@example.org"]}
ANA = {"email": "ana@example.org", "email_verified": True}
BOB = {"email": "bob@example.org", "email_verified": True}
EVE = {"email": "eve@elsewhere.org", "email_verified": True}


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with oidc_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def signed_on(tmp_path_factory: pytest.TempPathFactory, provider: OidcProvider) -> Iterator[Served]:
    """A dashboard that knows the provider by a `.streamlit/secrets.toml` where it is started."""
    folder = tmp_path_factory.mktemp("sign-on")
    config = folder / "orchestrator.json"
    dataset = {"name": "orders", "collect": {"kind": "simulated", "rows": 5}}
    config.write_text(json.dumps({"dashboard": {"auth": AUTH}, "datasets": [dataset]}))
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "secrets.toml").write_text(
        f"""[auth]
redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
cookie_secret = "{COOKIE}"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
server_metadata_url = "{provider.discovery}"
"""
    )
    with served(Installation(config, folder / "state")) as server:
        yield server


@pytest.fixture(scope="module")
def own_window(browser: Any) -> Iterator[Any]:
    page = window(browser, locale="en")
    yield page
    page.context.close()


@pytest.fixture
def page(own_window: Any, signed_on: Served) -> Any:
    """A window of somebody whom the dashboard has never seen."""
    own_window.context.clear_cookies()
    own_window.goto(signed_on.url)
    return own_window


def _sign_on(page: Any) -> None:
    page.get_by_role("button", name="Log in with single sign-on").click()


def _come_in(page: Any) -> None:
    _sign_on(page)
    page.wait_for_function(DRAWN)


def test_an_operator_acts_under_their_address_until_they_log_out(
    page: Any, signed_on: Served, provider: OidcProvider
) -> None:
    """The provider's word is enough: no token, and the log has who it was. Who logged out is out, there as well."""
    provider.claims, provider.logouts[:] = ANA, []
    _come_in(page)
    page.locator(".st-key-run_now button:visible").last.click()
    page.locator(".st-key-report").get_by_text("The run succeeded").wait_for()
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in with single sign-on").wait_for()

    queued = signed_on.look(lambda system: list(system.events.read(type="run.queued")))
    assert [event.data["actor"] for event in queued] == ["oidc:ana@example.org"]
    assert provider.logouts == [f"{signed_on.url}/oauth2callback"]
    assert page.locator(".st-key-run_now, .st-key-faint-who").count() == 0


def test_a_viewer_sees_everything_and_changes_nothing(page: Any, provider: OidcProvider) -> None:
    """Whoever is of the domain may look."""
    provider.claims = BOB
    _come_in(page)

    assert "oidc:bob@example.org · viewer" in page.locator(".st-key-faint-who").inner_text()
    assert page.get_by_text("orders").count() > 0
    assert page.locator(".st-key-run_now, .st-key-maintenance").count() == 0


def test_whom_nobody_named_is_told_so_and_can_log_out(page: Any, provider: OidcProvider) -> None:
    """The provider knows them, the configuration does not: nothing is shown, and they may try as somebody else."""
    provider.claims = EVE
    _sign_on(page)
    page.get_by_text("names you nowhere").wait_for()
    seen = page.get_by_text("orders").count()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in with single sign-on").wait_for()

    assert seen == 0
    assert page.get_by_text("names you nowhere").count() == 0


def test_who_shows_what_another_signed_stays_out(
    page: Any, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the provider's published key signed is believed."""
    provider.claims = ANA
    monkeypatch.setattr(provider, "key", new_key())
    with page.expect_response(lambda answer: "/oauth2callback" in answer.url) as back:
        _sign_on(page)
    page.get_by_role("button", name="Log in with single sign-on").wait_for()

    assert "state=" in back.value.url
    assert page.locator(".st-key-run_now, .st-key-faint-who").count() == 0
    assert not [one for one in page.context.cookies() if one["name"] == "_streamlit_user"]


def test_no_secret_of_it_is_shown_or_written(page: Any, signed_on: Served, provider: OidcProvider) -> None:
    """Neither the client's, nor the cookies', nor what the provider gave: also when it sends all of it back."""
    provider.claims, provider.key = ANA, None
    _come_in(page)
    seen = {"page within": page.locator("html").inner_html().encode()}
    page.context.clear_cookies()
    provider.echoes = True
    page.goto(signed_on.url)
    with page.expect_event("load"):
        _sign_on(page)
    page.get_by_role("button", name="Log in with single sign-on").wait_for()
    seen["page without"] = page.locator("html").inner_html().encode()
    folder = signed_on.installation.state.parent
    seen |= {name: text for name, text in files_of(folder).items() if not name.startswith(".streamlit/")}

    assert found_in(seen, [SECRET, COOKIE, *provider.given]) == []
    assert b"invalid_client" in seen["log"]
    assert "state/orchestrator.db" in seen
    assert len(provider.given) >= 4
