"""OAuth 2.0 against a real token endpoint and a real data server that asks it."""

import base64
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from config.providers import BearerAuth, OAuth2Auth, ProviderSettings
from data_pipeline.collect.http.http import HttpCollector, Options
from data_pipeline.dataset import Collected
from data_pipeline.errors import CollectError, PayloadUnreadable, ProviderRefused, ProviderUnavailable
from tests import faulty_server as fault
from tests.data_pipeline.collect.conftest import body_of
from tests.data_pipeline.collect.requests import Calls
from tests.data_pipeline.collect.token_server import CLIENT, SECRET, TokenServer, refused
from tests.faulty_server import Answer, FaultyServer
from tests.utils.children import finish, let_go, start
from tests.utils.token_store import opened
from utils.clock import ManualClock
from utils.database import StateError
from utils.resilience.registry import ResilienceRegistry
from utils.resilience.settings import BreakerSettings, ProviderResilience
from utils.tokens import StoredTokens

CSV = b"id,value\n1,2.5\n"
Fetch = Callable[..., Collected]


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with TokenServer() as server:
        yield server


@pytest.fixture
def data(tokens: TokenServer) -> Iterator[FaultyServer]:
    """Gives its rows to who shows a token of `tokens`."""
    with FaultyServer(tokens.protecting(fault.ok(CSV))) as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> StoredTokens:
    return opened(tmp_path)


def oauth2(token_url: str, **more: str) -> OAuth2Auth:
    return OAuth2Auth(kind="oauth2", **{"token_url": token_url, "client_id": CLIENT, "client_secret": SECRET, **more})


def asking(auth: OAuth2Auth, store: StoredTokens | None = None, **more: Any) -> dict[str, Any]:
    """The fields of a request whose provider `partner` asks with `auth`."""
    return {"provider": "partner", "settings": ProviderSettings(auth=auth), "tokens": store, **more}


def shown(server: FaultyServer) -> list[str]:
    """The Authorization header of each request to the data."""
    return [request.headers.get("authorization", "") for request in server.requests]


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


# Its end


@pytest.mark.parametrize(
    ("expires_in", "seconds", "asked"),
    [
        (3600, 3539, 1),
        (3600, 3541, 2),
        ("3600", 3541, 2),
        (100, 89, 1),
        (100, 91, 2),
        (None, 10**8, 1),
        ("soon", 10**8, 1),
    ],
    ids=["in time", "a minute before", "as text", "short, in time", "short, near its end", "not said", "nonsense"],
)
def test_a_token_is_renewed_before_it_ends(
    fetch: Fetch,
    tokens: TokenServer,
    data: FaultyServer,
    store: StoredTokens,
    expires_in: Any,
    seconds: float,
    asked: int,
) -> None:
    """With a margin of a minute, or a tenth of a short life; when nobody says, once it is refused."""
    clock, tokens.expires_in = ManualClock(), expires_in
    request = asking(oauth2(tokens.url), store, clock=clock)
    fetch(data.url, request=request)
    clock.advance(seconds)
    fetch(data.url, request=request)
    assert tokens.count == asked
    assert data.count == 2


def test_a_token_that_is_refused_is_renewed_once_and_the_request_made_again(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, store: StoredTokens
) -> None:
    """Revoked, or ended before its time: nobody notices."""
    request = asking(oauth2(tokens.url), store)
    fetch(data.url, request=request)
    tokens.good.clear()
    tokens.good.add("something else")

    collected = fetch(data.url, request=request)

    assert body_of(collected) == CSV
    assert shown(data) == ["Bearer access-1", "Bearer access-1", "Bearer access-2"]


def test_threads_whose_token_is_refused_at_once_renew_it_once(
    tokens: TokenServer, store: StoredTokens, tmp_path: Path, collector: HttpCollector
) -> None:
    """All four show the old token before any of them is answered; the first one renews it for all."""
    request = asking(oauth2(tokens.url), store)
    together = threading.Barrier(4)
    ask = tokens.protecting(fault.ok(CSV))

    def answer(asked: fault.Request) -> Answer:
        if asked.number > 1 and asked.headers["authorization"] == "Bearer access-1":
            together.wait(120)
        return ask(asked)

    with FaultyServer(answer) as data:
        collect(collector, data, tmp_path, request)
        tokens.good = {"revoked"}
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: collect(collector, data, tmp_path, request), range(4)))
    assert [body_of(each) for each in found] == [CSV] * 4
    assert (tokens.count, data.count) == (2, 9)


def test_a_refused_token_does_not_count_against_the_provider(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, store: StoredTokens
) -> None:
    """The circuit that opens at the first failure stays closed."""
    strict = ProviderResilience(breaker=BreakerSettings(failure_threshold=1))
    registry = ResilienceRegistry(lambda _: strict)
    request = asking(oauth2(tokens.url), store, call=lambda name, ask: registry.policy(name).call(ask))
    fetch(data.url, request=request)
    tokens.good.clear()
    fetch(data.url, request=request)
    assert registry.policy("partner").breaker.state == "closed"
    assert sorted(registry.figures().providers) == sorted(["partner", tokens.host])


def test_a_new_token_that_is_refused_too_says_that_the_credentials_are_wrong(
    fetch: Fetch, tokens: TokenServer, store: StoredTokens
) -> None:
    """Two requests, not more."""
    with FaultyServer(fault.status(401)) as data, pytest.raises(ProviderRefused) as caught:
        fetch(data.url, request=asking(oauth2(tokens.url), store))
    assert (data.count, tokens.count) == (2, 2)
    assert "a new token did not help" in str(caught.value)
    assert "`auth` of provider partner" in caught.value.hint
    assert caught.value.status == 401


def test_another_refusal_renews_nothing(fetch: Fetch, tokens: TokenServer, store: StoredTokens) -> None:
    """403 is about rights, not about the token."""
    with FaultyServer(fault.status(403)) as data, pytest.raises(ProviderRefused):
        fetch(data.url, request=asking(oauth2(tokens.url), store))
    assert (data.count, tokens.count) == (1, 1)


# Refusals


def test_a_wrong_secret_is_told_without_the_secret_and_not_tried_by_every_dataset(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, store: StoredTokens
) -> None:
    """A hundred datasets must not lock the account; a minute later it may be tried again."""
    clock = ManualClock()
    request = asking(oauth2(tokens.url, client_secret="wrong-secret"), store, clock=clock)
    with pytest.raises(ProviderRefused) as caught:
        fetch(data.url, request=request)
    assert [asked.how for asked in tokens.asked] == ["basic", "body"]
    with pytest.raises(ProviderRefused, match="not asked again"):
        fetch(data.url, request={**request, "dataset": "orders"})
    assert tokens.count == 2
    clock.advance(61)
    with pytest.raises(ProviderRefused, match="invalid_client"):
        fetch(data.url, request=request)

    assert tokens.count == 4
    text = f"{caught.value} {caught.value.hint}"
    assert "rates: provider partner: the token endpoint" in text
    assert "invalid_client: unknown client" in text
    assert "check `client_id` and `client_secret` in `auth` of provider partner" in text
    assert "wrong-secret" not in text
    assert data.count == 0


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (refused("invalid_grant", "expired"), "invalid_grant: expired", "authorise again"),
        (refused("invalid_scope"), "invalid_scope", "`scope`"),
        (refused("unauthorized_client", status=403), "unauthorized_client", "ask the provider to allow it"),
        (refused("unsupported_grant_type"), "unsupported_grant_type", "`refresh_token`"),
        (fault.status(404), "status 404", "`token_url`"),
        (fault.as_json({"error": {"message": "no such app", "type": "OAuthException"}}), "no such app", "`token_url`"),
        (
            fault.redirect("https://x.example.org/?secret=1"),
            "redirects to https://x.example.org/?…",
            "token_url",
        ),
    ],
    ids=["ended", "scope", "not allowed", "other grant", "nothing there", "an object, status 200", "redirect"],
)
def test_a_refusal_says_what_to_do(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, answer: Answer, words: str, hint: str
) -> None:
    """By the code that the provider sent (RFC 6749, 5.2)."""
    tokens.answers = [answer, answer]
    with pytest.raises(ProviderRefused) as caught:
        fetch(data.url, request=asking(oauth2(tokens.url, refresh_token="refresh-0")))
    assert words in str(caught.value)
    assert hint in caught.value.hint
    assert (caught.value.transient, caught.value.provider, data.count) == (False, "partner", 0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (fault.html(), "text/html that is no JSON object"),
        (fault.ok(b"", "application/json"), "no JSON object"),
        (fault.as_json([1, 2]), "no JSON object"),
        (fault.as_json({"token": "x"}), "no `access_token`"),
        (fault.as_json({"access_token": 5}), "no `access_token`"),
        (fault.as_json({"access_token": "x", "token_type": "mac"}), "type `mac`"),
        (fault.ok(b"[" * 2_000_000, "application/json"), "more than 1,048,576 bytes"),
        (fault.ok(b"not gzip", "application/json", content_encoding="gzip"), "not compressed"),
    ],
    ids=["login page", "empty", "list", "other fields", "a number", "not a bearer token", "endless", "broken gzip"],
)
def test_an_answer_that_is_no_token_is_told(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, answer: Answer, words: str
) -> None:
    """What came instead, and where to look."""
    tokens.answers = [answer]
    with pytest.raises(PayloadUnreadable, match="gave no usable token") as caught:
        fetch(data.url, request=asking(oauth2(tokens.url)))
    assert words in str(caught.value)
    assert "`token_url`" in caught.value.hint


def test_a_form_instead_of_json_is_read(fetch: Fetch, tokens: TokenServer, data: FaultyServer) -> None:
    """As some older providers answer."""
    tokens.good.add("access-f")
    tokens.answers = [fault.ok(b"access_token=access-f&token_type=bearer", "application/x-www-form-urlencoded")]
    assert body_of(fetch(data.url, request=asking(oauth2(tokens.url)))) == CSV


@pytest.mark.parametrize(
    "down",
    [fault.status(503), fault.too_many("7"), refused("temporarily_unavailable", status=400)],
    ids=["503", "429", "says so"],
)
def test_a_token_endpoint_that_is_down_may_come_back(
    fetch: Fetch, tokens: TokenServer, data: FaultyServer, down: Answer
) -> None:
    """It is tried again as any request is, on the account of its own host."""
    tokens.answers = [down]
    with pytest.raises(ProviderUnavailable, match="the token endpoint"):
        fetch(data.url, request=asking(oauth2(tokens.url)))
    tokens.answers = [down, down]
    calls = Calls(tries=3)
    assert body_of(fetch(data.url, request=asking(oauth2(tokens.url), call=calls))) == CSV
    assert calls.providers == [tokens.host, "partner"]


def test_a_token_endpoint_that_nobody_answers_at_is_unavailable(fetch: Fetch, data: FaultyServer) -> None:
    """Connection refused may pass."""
    with TokenServer() as gone:
        url = gone.url
    with pytest.raises(ProviderUnavailable, match="no connection"):
        fetch(data.url, request=asking(oauth2(url)))


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


def collect(collector: HttpCollector, data: FaultyServer, folder: Path, request: dict[str, Any]) -> Collected:
    """Collect with this collector, as a process of its own would."""
    from tests.data_pipeline.collect.requests import make_request

    return collector.collect(make_request(Options(url=data.url), folder / "spool", **request))
