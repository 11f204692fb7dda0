"""What a request shows to its provider: every kind of `auth`, and to whom it is not shown."""

import base64
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from config.providers import Auth, ProviderSettings
from data_pipeline.collect.http.credentials import Credentials, hidden
from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderRefused
from tests import faulty_server as fault
from tests.data_pipeline.collect.conftest import body_of
from tests.data_pipeline.collect.token_server import CLIENT, SECRET, TokenServer
from tests.faulty_server import FaultyServer

CSV = b"id,value\n1,2.5\n"
Fetch = Callable[..., Collected]

BASIC = "Basic " + base64.b64encode("me:pass wörd:1".encode()).decode()
KINDS = [
    ({"kind": "basic", "user": "me", "password": "pass wörd:1"}, {"authorization": BASIC}, {}),
    ({"kind": "bearer", "token": "abc.def-ghi"}, {"authorization": "Bearer abc.def-ghi"}, {}),
    ({"kind": "bearer", "token": "from-a-file\n"}, {"authorization": "Bearer from-a-file"}, {}),
    ({"kind": "header", "name": "X-Api-Key", "value": "k-123"}, {"x-api-key": "k-123"}, {}),
    ({"kind": "query", "name": "api key", "value": "k&1=2/ü"}, {}, {"api key": "k&1=2/ü"}),
]
NAMES = ["basic", "bearer", "bearer with a line end", "header", "query"]


@pytest.mark.parametrize(("auth", "headers", "query"), KINDS, ids=NAMES)
@pytest.mark.parametrize("own", [False, True], ids=["of the provider", "of the dataset"])
def test_every_kind_of_auth_arrives(
    fetch: Fetch, auth: dict[str, str], headers: dict[str, str], query: dict[str, str], own: bool
) -> None:
    """At a real server, letter by letter; the dataset's own wins."""
    other = {"kind": "header", "name": "X-Other", "value": "of the provider"}
    settings = ProviderSettings(auth=TypeAdapter(Auth).validate_python(other if own else auth))
    with FaultyServer(fault.ok(CSV)) as server:
        fetch(server.url + "?a=1", request={"settings": settings}, **({"auth": auth} if own else {}))
    (request,) = server.requests
    assert {name: request.headers.get(name) for name in headers} == headers
    assert dict(request.query) == {"a": "1", **query}
    assert "x-other" not in request.headers


def test_a_dataset_may_show_nothing_where_its_provider_does(fetch: Fetch) -> None:
    """`auth: {kind: none}` is an answer too."""
    settings = ProviderSettings(auth=TypeAdapter(Auth).validate_python(KINDS[0][0]))
    with FaultyServer(fault.ok(CSV)) as server:
        fetch(server.url, request={"settings": settings}, auth={"kind": "none"})
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("auth", [kind for kind, *_ in KINDS] + [{"kind": "oauth2"}], ids=[*NAMES, "oauth2"])
def test_no_credentials_go_to_another_host(fetch: Fetch, auth: dict[str, str]) -> None:
    """A redirect elsewhere gets neither `auth` nor the headers of provider and dataset; ports are hosts."""
    with TokenServer() as tokens, FaultyServer(fault.ok(CSV)) as other:
        if auth["kind"] == "oauth2":
            auth = {"kind": "oauth2", "token_url": tokens.url, "client_id": CLIENT, "client_secret": SECRET}
        settings = ProviderSettings(
            auth=TypeAdapter(Auth).validate_python(auth), headers={"X-Tenant": "t-1", "Cookie": "session=s-1"}
        )
        with FaultyServer(fault.redirect(other.url)) as server:
            collected = fetch(server.url, request={"settings": settings}, headers={"X-Signature": "sig-1"})

    assert body_of(collected) == CSV
    sent, received = server.requests[0], other.requests[0]
    assert {"x-tenant", "cookie", "x-signature"} <= set(sent.headers)
    assert set(received.headers) <= {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert received.query == {}


def test_a_401_of_another_host_renews_no_token(fetch: Fetch) -> None:
    """The token was never shown there, so a new one would not help."""
    with TokenServer() as tokens, FaultyServer(fault.status(401)) as other:
        auth = {"kind": "oauth2", "token_url": tokens.url, "client_id": CLIENT, "client_secret": SECRET}
        settings = ProviderSettings(auth=TypeAdapter(Auth).validate_python(auth))
        with FaultyServer(fault.redirect(other.url)) as server, pytest.raises(ProviderRefused, match="401"):
            fetch(server.url, request={"settings": settings})
        assert (tokens.count, other.count) == (1, 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"auth": {"kind": "basic", "user": "a:b", "password": "s3cret"}}, "`user` has a colon"),
        ({"auth": {"kind": "bearer", "token": " "}}, "the token is empty"),
        ({"auth": {"kind": "bearer", "token": "s3cret\nX-Evil: 1"}}, "a line break"),
        ({"auth": {"kind": "header", "name": "X Key", "value": "s3cret"}}, "`X Key` is not the name of a header"),
        ({"auth": {"kind": "header", "name": "X-Key", "value": "s3cret\x00"}}, "the value of X-Key"),
        ({"auth": {"kind": "query", "name": "", "value": "s3cret"}}, "`name` is empty"),
        ({"headers": {"X-Key": "s3cret\r\nX-Evil: 1"}}, "`headers` of provider partner"),
    ],
    ids=["colon", "empty", "line break", "name", "control character", "no name", "headers"],
)
def test_what_cannot_be_sent_is_told_without_repeating_it(fetch: Fetch, settings: dict[str, Any], words: str) -> None:
    """Before any request is made."""
    with FaultyServer(fault.ok(CSV)) as server, pytest.raises(ProviderRefused) as caught:
        fetch(server.url, request={"provider": "partner", "settings": ProviderSettings.model_validate(settings)})
    text = f"{caught.value} {caught.value.hint}"
    assert words in text
    assert "s3cret" not in text
    assert server.count == 0


@pytest.mark.parametrize("auth", [kind for kind, *_ in KINDS if kind["kind"] != "query"], ids=NAMES[:-1])
def test_a_provider_that_repeats_our_secret_is_not_quoted(fetch: Fetch, auth: dict[str, str]) -> None:
    """Error pages like to show the whole request."""

    def echoing(request: fault.Request) -> fault.Answer:
        return fault.status(400, " ".join(request.headers.values()).encode("latin-1"))

    settings = ProviderSettings(auth=TypeAdapter(Auth).validate_python(auth))
    with FaultyServer(echoing) as server, pytest.raises(ProviderRefused) as caught:
        fetch(server.url, request={"settings": settings}, headers={"Accept": "a", "User-Agent": "u"})
    secret = next(auth[key] for key in ("password", "token", "value") if key in auth).strip()
    assert secret not in str(caught.value)
    assert base64.b64encode(f"me:{secret}".encode()).decode() not in str(caught.value)


@pytest.mark.parametrize(
    "written", ['p"w ü/1', 'p\\"w \\u00fc/1', 'p\\"w ü/1', "p%22w%20%C3%BC%2F1", "p%22w+%C3%BC%2F1"]
)
def test_a_secret_is_hidden_however_the_provider_writes_it(written: str) -> None:
    """In JSON with escapes, in an address with per cents."""
    assert Credentials(secrets=('p"w ü/1',)).hidden(f"<{written}>") == "<***>"


def test_the_representation_shows_no_secret() -> None:
    """It ends up in tracebacks."""
    settings = SimpleNamespace(headers={"X": "hush"}, auth=SimpleNamespace(kind="bearer", token="s3cret"))
    assert not {"hush", "s3cret"} & set(repr(Credentials.of(settings, "https://example.org")).replace("'", " ").split())


@given(
    secret=st.text("abcxyz0189", min_size=8, max_size=20),
    before=st.text("mnop ", max_size=20),
    cut=st.integers(4, 30),
    dots=st.sampled_from(["", "…"]),
)
def test_a_secret_is_hidden_also_where_the_text_was_cut(secret: str, before: str, cut: int, dots: str) -> None:
    """Of a secret, no more than three letters are ever left."""
    text = hidden(before + secret[:cut] + dots, (secret,))
    assert secret[:4] not in text
    assert text.startswith(before)
