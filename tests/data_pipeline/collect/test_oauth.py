"""OAuth 2.0 against a real token endpoint and a real data server that asks it."""

import base64
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config.providers import BearerAuth, ProviderSettings
from data_pipeline.collect.http.http import HttpCollector
from data_pipeline.errors import CollectError, ProviderRefused
from tests import faulty_server as fault
from tests.data_pipeline.collect.conftest import body_of
from tests.data_pipeline.collect.oauth import CSV, Fetch, asking, collect, oauth2, shown
from tests.data_pipeline.collect.requests import Calls
from tests.data_pipeline.collect.token_server import CLIENT, SECRET, TokenServer, refused
from tests.faulty_server import Answer, FaultyServer
from tests.utils.children import finish, let_go, start
from tests.utils.token_store import opened
from utils.database import StateError
from utils.tokens import StoredTokens

# Both grants


def test_the_clients_own_credentials_bring_a_token_that_serves_many_requests(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, store: StoredTokens
) -> None:
    """Grant, scope and Basic as RFC 6749 wants them; asked once."""
    request = asking(oauth2(tokens.url, scope="rates orders"), store)

    bodies = [body_of(fetch(data.url, request=request)) for _ in range(3)]

    assert bodies == [CSV] * 3
    assert [(asked.form, asked.how) for asked in tokens.asked] == [
        ({"grant_type": "client_credentials", "scope": "rates orders"}, "basic")
    ]
    assert shown(data) == ["Bearer access-1"] * 3


def test_without_a_state_directory_the_token_is_kept_in_memory(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer
) -> None:
    """The collector remembers it for as long as it lives."""
    for _ in range(3):
        fetch(data.url, request=asking(oauth2(tokens.url)))
    assert tokens.count == 1


def test_a_refresh_token_is_used_when_there_is_one(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, store: StoredTokens
) -> None:
    """And used again when the provider sends no other."""
    request = asking(oauth2(tokens.url, refresh_token="refresh-0"), store)
    fetch(data.url, request=request)
    tokens.good.clear()
    fetch(data.url, request=request)
    assert [asked.form for asked in tokens.asked] == [{"grant_type": "refresh_token", "refresh_token": "refresh-0"}] * 2


def test_a_public_client_shows_its_id_in_the_form(fetch: Fetch, tokens: TokenServer, data: FaultyServer) -> None:
    """Without a secret there is nothing to put into a header (RFC 6749, 3.2.1)."""
    tokens.answers = [fault.as_json({"access_token": "access-p"})]
    tokens.good.add("access-p")
    request = asking(oauth2(tokens.url, client_secret="", refresh_token="refresh-0"))
    assert body_of(fetch(data.url, request=request)) == CSV
    assert (tokens.asked[0].how, tokens.asked[0].form["client_id"]) == ("body", CLIENT)


@pytest.mark.parametrize(
    "secret", ["with space+plus", "50%:half", "päss/wörd&=?"], ids=["spaces", "colon", "beyond ASCII"]
)
def test_a_secret_may_hold_any_letters(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are encoded before they go into the header (RFC 6749, 2.3.1)."""
    monkeypatch.setattr("tests.data_pipeline.collect.token_server.SECRET", secret)
    assert body_of(fetch(data.url, request=asking(oauth2(tokens.url, client_secret=secret)))) == CSV
    assert [asked.how for asked in tokens.asked] == ["basic"]


def test_a_server_that_wants_the_secret_in_the_form_gets_it_there_and_is_remembered(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, store: StoredTokens
) -> None:
    """The second token is asked for in the way that worked, without another refusal."""
    tokens.accepts = ("body",)
    request = asking(oauth2(tokens.url), store)
    fetch(data.url, request=request)
    tokens.good.clear()
    fetch(data.url, request=request)
    assert [asked.how for asked in tokens.asked] == ["basic", "body", "body"]


# Rotation and restart


def test_a_refresh_token_that_rotates_survives_a_restart(
    tokens: TokenServer, data: FaultyServer, tmp_path: Path
) -> None:
    """Each process goes on where the last one was; no refresh token is ever used twice."""
    tokens.rotates = True
    for _ in range(4):
        collector = HttpCollector()
        again = asking(oauth2(tokens.url, refresh_token="refresh-0"), opened(tmp_path))
        assert body_of(collect(collector, data, tmp_path, again)) == CSV
        collector.close()
        data.answer = tokens.protecting(fault.ok(CSV))
        tokens.good = {f"old-{token}" for token in tokens.good}  # all end; the next process must renew

    assert [asked.form["refresh_token"] for asked in tokens.asked] == [
        "refresh-0",
        "refresh-1",
        "refresh-2",
        "refresh-3",
    ]
    assert tokens.reused == []


def test_a_new_refresh_token_in_the_configuration_wins_over_the_stored_one(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, store: StoredTokens
) -> None:
    """The user authorised again because the old chain had ended."""
    tokens.rotates = True
    fetch(data.url, request=asking(oauth2(tokens.url, refresh_token="refresh-0"), store))
    tokens.refresh_tokens = {"pasted"}
    fetch(data.url, request=asking(oauth2(tokens.url, refresh_token="pasted"), store))
    assert tokens.asked[-1].form["refresh_token"] == "pasted"


def test_an_access_token_is_used_by_the_next_process_without_asking(
    tokens: TokenServer, data: FaultyServer, tmp_path: Path
) -> None:
    """A restart costs no token."""
    for _ in range(3):
        collector = HttpCollector()
        collect(collector, data, tmp_path, asking(oauth2(tokens.url), opened(tmp_path)))
        collector.close()
    assert tokens.count == 1


def test_processes_that_start_at_once_refresh_once(tokens: TokenServer, data: FaultyServer, tmp_path: Path) -> None:
    """Of a token that may be used once, four processes make one use, and all get their rows."""
    tokens.rotates = True
    opened(tmp_path)
    children = [start("collect-with-token", data.url, tokens.url, tmp_path, CLIENT, SECRET) for _ in range(4)]
    let_go(*children)
    assert [finish(child)[-1] for child in children] == ["15"] * 4
    assert (tokens.count, tokens.reused) == (1, [])


def test_threads_that_start_at_once_refresh_once(
    tokens: TokenServer, data: FaultyServer, store: StoredTokens, tmp_path: Path, collector: HttpCollector
) -> None:
    """With stored tokens and without."""
    tokens.rotates = True
    for kept in (store, None):
        tokens.asked.clear()
        tokens.refresh_tokens = {"refresh-0"}
        tokens._used.clear()
        request = asking(oauth2(tokens.url, refresh_token="refresh-0"), kept)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: collect(collector, data, tmp_path, request), range(8)))  # noqa: B023
        assert [body_of(each) for each in found] == [CSV] * 8
        assert (tokens.count, tokens.reused) == (1, [])


def test_a_token_that_cannot_be_saved_is_used_all_the_same_and_saved_later(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, store: StoredTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk must not cost the refresh token that exists nowhere else."""
    tokens.rotates = True
    request = asking(oauth2(tokens.url, refresh_token="refresh-0"), store)

    def full(_name: str, _token: object) -> None:
        raise StateError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "save", full)
        assert body_of(fetch(data.url, request=request)) == CSV
    tokens.good = {f"old-{token}" for token in tokens.good}
    assert body_of(fetch(data.url, request=request)) == CSV

    assert [asked.form["refresh_token"] for asked in tokens.asked] == ["refresh-0", "refresh-1"]
    (name,) = (row[0] for row in store._database.query("SELECT name FROM tokens"))
    assert (store.load(name) or {})["refresh_token"] == "refresh-2"


# Its address


def test_a_path_as_token_url_needs_a_base_url(fetch: Fetch, data: FaultyServer) -> None:
    """Told with its key."""
    with pytest.raises(ProviderRefused, match="`token_url` in `auth` of provider partner"):
        fetch(data.url, request=asking(oauth2("login/token")))


def test_a_token_url_may_be_a_path_of_the_provider(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, store: StoredTokens
) -> None:
    """Under its `base_url`; then the provider's own limits count."""
    calls = Calls()
    settings = ProviderSettings(base_url=f"http://{tokens.host}", auth=oauth2("oauth/token"))
    fetch(data.url, request={"provider": "partner", "settings": settings, "tokens": store, "call": calls})
    assert calls.providers == ["partner", "partner"]


# Secrets


def test_nothing_that_is_secret_is_repeated(
    fetch: Fetch, tokens: TokenServer, tmp_path: Path, store: StoredTokens, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even when the provider repeats it: in the token's refusal, and in that of the data."""
    caplog.set_level(logging.DEBUG)
    said: list[CollectError] = []
    echo = refused("invalid_grant", f"refresh-0 of {SECRET} has ended" + "x" * 170 + SECRET)
    tokens.answers = [echo]
    request = asking(oauth2(tokens.url, refresh_token="refresh-0"), store)

    def echoing(asked: fault.Request) -> Answer:
        return fault.status(400, f"bad token {asked.headers['authorization']}".encode())

    with FaultyServer(echoing) as data:
        for given in (request, asking(oauth2(tokens.url), store)):
            with pytest.raises(CollectError) as caught:
                fetch(data.url, request=given)
            said.append(caught.value)

    text = " ".join(f"{error} {error.hint} {error!r}" for error in said) + caplog.text
    assert "has ended" in text
    assert "bad token Bearer ***" in text
    for secret in ("refresh-0", SECRET, "access-1"):
        assert secret not in text


def test_a_token_endpoint_that_repeats_the_request_is_not_quoted(
    fetch: Fetch, tokens: TokenServer, store: StoredTokens
) -> None:
    """Our id and secret in base64 are as good as in plain text."""
    basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    tokens.answers = [refused("invalid_scope", f"you sent Authorization: Basic {basic}")]

    with pytest.raises(ProviderRefused, match=r"Basic \*\*\*") as caught:
        fetch("http://127.0.0.1:1/x", request=asking(oauth2(tokens.url), store))

    assert basic not in str(caught.value)


def test_the_stored_tokens_are_for_their_owner_only(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, store: StoredTokens, tmp_path: Path
) -> None:
    """Like all of the state."""
    fetch(data.url, request=asking(oauth2(tokens.url), store))
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "spool" not in path.parts]
    assert any(path.name == "coordination.db" for path in files)
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


# The dataset's own


def test_the_datasets_own_auth_wins_over_its_providers(fetch: Fetch, tokens: TokenServer, data: FaultyServer) -> None:
    """And is named in its errors."""
    settings = ProviderSettings(auth=BearerAuth(kind="bearer", token="not this one"))
    own = oauth2(tokens.url).model_dump()
    assert body_of(fetch(data.url, request={"provider": "partner", "settings": settings}, auth=own)) == CSV
    tokens.good.clear()
    with pytest.raises(ProviderRefused) as caught:
        fetch(data.url, request={"provider": "partner", "settings": settings}, auth={**own, "client_secret": "wrong"})
    assert "`collect.auth` of dataset rates" in caught.value.hint
