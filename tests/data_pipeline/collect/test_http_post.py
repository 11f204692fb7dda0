"""Requests with a body: what is sent, how placeholders are encoded in it, and where it goes along."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.collect.http.body import Body, body_of
from data_pipeline.collect.placeholders import Values
from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderRefused, ProviderUnavailable
from tests import faulty_server as fault
from tests.data_pipeline.collect.conftest import body_of as content_of
from tests.data_pipeline.collect.requests import NOW, Calls
from tests.faulty_server import FaultyServer

Fetch = Callable[..., Collected]
ROWS = fault.as_json([{"id": 1}])
ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><since>{cursor}</since></s:Body></s:Envelope>'


def test_a_map_is_sent_as_json_with_its_placeholders_filled(fetch: Fetch) -> None:
    """Types stay; a text that is exactly `{cursor}` becomes the number that the cursor is."""
    body = {"since": "{cursor}", "label": "from {cursor}", "day": "{run_date}", "deep": [{"n": 2, "on": True}]}
    with FaultyServer(ROWS) as server:
        fetch(server.url, method="post", body=body, request={"cursor": 42})
        request = server.requests[0]
    assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
    assert json.loads(request.body) == {
        "since": 42,
        "label": "from 42",
        "day": "2026-03-01",
        "deep": [{"n": 2, "on": True}],
    }


@pytest.mark.parametrize("cursor", [0, "", None, "a&b", 2.5, datetime(2026, 1, 2, tzinfo=UTC)])
def test_a_cursor_of_any_kind_arrives_in_a_json_body(fetch: Fetch, cursor: Any) -> None:
    """0 and the empty text are cursors; a moment is written as the dataset says."""
    with FaultyServer(ROWS) as server:
        fetch(server.url, method="POST", body={"after": "{cursor}"}, request={"cursor": cursor})
        sent = json.loads(server.requests[0].body)["after"]
    assert sent == {None: "", datetime(2026, 1, 2, tzinfo=UTC): "2026-01-02T00:00:00Z"}.get(cursor, cursor)


def test_a_form_is_sent_as_browsers_do(fetch: Fetch) -> None:
    """Names and values encoded; a list is one field several times."""
    form = {"q": "a b&c=ü", "n": 3, "tag": ["x", "y"], "all": True, "at": "{now:%H:%M}"}
    with FaultyServer(ROWS) as server:
        fetch(server.url, method="POST", body={"form": form})
        request = server.requests[0]
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    found = {"q": ["a b&c=ü"], "n": ["3"], "tag": ["x", "y"], "all": ["true"], "at": ["07:05"]}
    assert parse_qs(request.body.decode()) == found


@pytest.mark.parametrize(
    ("headers", "media_type"),
    [({}, "text/plain; charset=utf-8"), ({"content-type": "text/xml"}, "text/xml")],
    ids=["by itself", "as a header says"],
)
def test_a_text_is_sent_as_it_is(fetch: Fetch, headers: dict[str, str], media_type: str) -> None:
    """The dataset's own Content-Type wins, and there is only one."""
    with FaultyServer(ROWS) as server:
        fetch(server.url, method="POST", body="ü {{x}}", headers=headers)
        request = server.requests[0]
    assert (request.body.decode(), request.headers["content-type"]) == ("ü {x}", media_type)


def test_a_value_cannot_break_out_of_an_xml_body(fetch: Fetch) -> None:
    """A SOAP request with its action; what stands in the cursor stays text."""
    headers = {"Content-Type": "text/xml; charset=iso-8859-1", "SOAPAction": '"urn:rates"'}
    given = {"cursor": "</since><admin>&ü"}
    with FaultyServer(ROWS) as server:
        fetch(server.url, method="POST", body=ENVELOPE, headers=headers, request=given)
        request = server.requests[0]
    assert b"<since>&lt;/since&gt;&lt;admin&gt;&amp;\xfc</since>" in request.body
    assert request.headers["soapaction"] == '"urn:rates"'


@given(st.text())
def test_a_value_cannot_break_out_of_a_json_text(value: str) -> None:
    """Whatever the cursor is, the text stays one JSON document with the same value in it."""
    body = body_of('{{"after": "{cursor}"}}', Values(NOW, cursor=value), "application/json")
    assert body is not None
    assert json.loads(body.value) == {"after": value}


@pytest.mark.parametrize("code", [301, 302, 303])
def test_a_post_that_is_sent_elsewhere_is_asked_there_without_its_body(fetch: Fetch, code: int) -> None:
    """See Other means: fetch it there."""
    with FaultyServer([fault.redirect("/result", code), ROWS]) as server:
        collected = fetch(server.url, method="POST", body={"q": 1}, headers={"X-Key": "k"})
        second = server.requests[1]
    assert content_of(collected) == ROWS.body
    assert (second.method, second.body, second.headers["x-key"]) == ("GET", b"", "k")
    assert "content-type" not in second.headers


@pytest.mark.parametrize("code", [307, 308])
def test_a_post_that_moved_is_repeated_as_it_was(fetch: Fetch, code: int) -> None:
    """Same method, same body, on the same host."""
    with FaultyServer([fault.redirect("/moved", code), ROWS]) as server:
        fetch(server.url, method="POST", body={"q": 1})
        second = server.requests[1]
    assert (second.method, second.body, second.path) == ("POST", b'{"q":1}', "/moved")


def test_a_body_does_not_go_to_another_host(fetch: Fetch) -> None:
    """A body may hold a password; the message says what to do when the other host is meant."""
    with FaultyServer(ROWS) as other, FaultyServer(fault.redirect(other.url, 307)) as server:
        with pytest.raises(ProviderRefused, match="the body of a request goes to no other host") as caught:
            fetch(server.url, method="POST", body={"password": "s3cret"})
        assert (other.count, "s3cret" in str(caught.value), "`url`" in caught.value.hint) == (0, False, True)


def test_a_post_is_never_conditional(fetch: Fetch) -> None:
    """Validators belong to what a GET brings."""
    with FaultyServer(fault.with_etag(b"[1]")) as server:
        known = dict(fetch(server.url).provenance.validators)
        collected = fetch(server.url, method="POST", body={"q": 1}, request={"validators": known})
        assert "if-none-match" not in server.requests[1].headers
    assert (collected.not_modified, collected.provenance.validators) == (False, ())


def test_a_post_is_tried_again_with_the_same_body(fetch: Fetch) -> None:
    """As often as the dataset's retries say."""
    with FaultyServer([fault.status(503), ROWS]) as server:
        fetch(server.url, method="POST", body={"q": 1}, request={"call": Calls(tries=2)})
        assert [request.body for request in server.requests] == [b'{"q":1}'] * 2


def test_a_dataset_shows_its_own_credentials_instead_of_its_providers(fetch: Fetch) -> None:
    """`collect.auth` wins over `auth` of the provider."""
    settings = SimpleNamespace(auth=SimpleNamespace(kind="bearer", token="theirs"))
    with FaultyServer(ROWS) as server:
        fetch(server.url, auth={"kind": "bearer", "token": "mine"}, request={"settings": settings})
        assert server.requests[0].headers["authorization"] == "Bearer mine"


def test_a_text_that_its_charset_cannot_hold_is_told(fetch: Fetch) -> None:
    """The request is not made with something else in it."""
    headers = {"Content-Type": "text/plain; charset=us-ascii"}
    with FaultyServer(ROWS) as server, pytest.raises(ProviderRefused, match="cannot be sent as `us-ascii`"):
        fetch(server.url, method="POST", body="ü", headers=headers)


def test_the_words_of_a_soap_fault_are_told(fetch: Fetch) -> None:
    """A fault with status 500 says why, without its tags."""
    fault_body = b"<s:Fault><faultcode>s:Server</faultcode><faultstring>no such table</faultstring></s:Fault>"
    answer = fault.Answer(500, fault_body, {"Content-Type": "text/xml"})
    with FaultyServer(answer) as server, pytest.raises(ProviderUnavailable, match="s:Server no such table"):
        fetch(server.url, method="POST", body=ENVELOPE)


def test_a_value_in_the_way_of_a_path_is_told() -> None:
    """`body.page.after` needs a map at `page`."""
    with pytest.raises(ValueError, match="not a map"):
        Body("json", {"page": 3}).put(("page", "after"), 1)
