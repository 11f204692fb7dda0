"""OAuth 2.0 when something is refused: tokens that ended, credentials that are wrong, endpoints that are down."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.collect.http.http import HttpCollector
from data_pipeline.errors import PayloadUnreadable, ProviderRefused, ProviderUnavailable
from tests import faulty_server as fault
from tests.data_pipeline.collect.conftest import body_of
from tests.data_pipeline.collect.oauth import CSV, Fetch, asking, collect, oauth2, shown
from tests.data_pipeline.collect.requests import Calls
from tests.data_pipeline.collect.token_server import TokenServer, refused
from tests.faulty_server import Answer, FaultyServer
from utils.clock import ManualClock
from utils.resilience.registry import ResilienceRegistry
from utils.resilience.settings import BreakerSettings, ProviderResilience
from utils.tokens import StoredTokens


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
