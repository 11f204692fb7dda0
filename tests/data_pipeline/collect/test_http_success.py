"""A good status is not a good answer: `success` and `transient_when`, by JMESPath, XPath or RE2."""

from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.collect.http.success import check_condition, holds
from data_pipeline.dataset import Collected
from data_pipeline.errors import PayloadUnreadable, ProviderRefused, ProviderUnavailable
from tests import faulty_server as fault
from tests.data_pipeline.collect.conftest import body_of
from tests.data_pipeline.collect.requests import Calls
from tests.faulty_server import Answer, FaultyServer

Fetch = Callable[..., Collected]
SOAP = (
    b'<?xml version="1.0"?><env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>%s</env:Body>'
    b"</env:Envelope>"
)
RATES = SOAP % b'<rates xmlns="urn:bank"><rate>1.5</rate></rates>'
FAULT = SOAP % b"<env:Fault><faultcode>env:Server</faultcode><faultstring>try later</faultstring></env:Fault>"
CSV = b"id,value\n1,2.5\n"


def xml(body: bytes, status: int = 200) -> Answer:
    return Answer(status, body, {"Content-Type": "text/xml; charset=utf-8"})


@pytest.mark.parametrize(
    ("answer", "condition"),
    [
        (fault.as_json({"status": "ok", "n": 0}), "status == 'ok'"),
        (fault.as_json({"status": "ok", "n": 0}), "n == `0`"),
        (fault.as_json({"data": [{"id": 1}]}), "data"),
        (fault.as_json([{"id": 1}]), "length(@) > `0`"),
        (xml(RATES), "not(//soap:Fault)"),
        (xml(RATES), "//rate"),
        (xml(RATES), "//env:Body"),
        (xml(b"<empty/>"), "/empty"),
        (fault.ok(CSV, "text/csv"), "^id,value"),
        (fault.ok("währung\n".encode("iso-8859-1"), "text/csv; charset=iso-8859-1"), "ä"),
        (fault.ok(b"1\tok\n"), r"\tok\b"),
    ],
)
def test_an_answer_that_fulfils_its_condition_is_brought(fetch: Fetch, answer: Answer, condition: str) -> None:
    """The language is that of the answer's format."""
    with FaultyServer(answer) as server:
        assert body_of(fetch(server.url, success=condition)) == answer.body


@pytest.mark.parametrize(
    ("answer", "condition", "begins"),
    [
        (fault.as_json({"status": "error"}), "status == 'ok'", '{"status": "error"}'),
        (fault.as_json({"data": []}), "data", '{"data": []}'),
        (fault.ok(b'{"status": ', "application/json"), "status == 'ok'", '{"status":'),
        (xml(FAULT), "not(//soap:Fault)", "<?xml"),
        (xml(RATES), "//bank:rate", "<?xml"),
        (xml(b"<rates>"), "//rate", "<rates>"),
        (fault.ok(b"no data today\n"), "^id,value", "no data today"),
        (fault.html(), "status == 'ok'", "<!DOCTYPE html>"),
        (fault.html(), "sign", "<!DOCTYPE html>"),
        (fault.ok(b"PK\x03\x04\x14\x00"), "^id", "PK"),
    ],
    ids=[
        "json that says no",
        "json without rows",
        "cut json",
        "a SOAP fault with 200",
        "a prefix nobody declared",
        "broken xml",
        "other text",
        "a login page",
        "a login page with the word in it",
        "a zip archive",
    ],
)
def test_one_that_does_not_is_no_data_and_not_asked_for_again(
    fetch: Fetch, answer: Answer, condition: str, begins: str
) -> None:
    """The error names the condition and the first bytes; the provider is not blamed for being away."""
    with FaultyServer(answer) as server:
        with pytest.raises(PayloadUnreadable, match="answered with a good status") as caught:
            fetch(server.url, success=condition, request={"call": Calls(tries=3)})
        assert server.count == 1
    assert (caught.value.transient, "`success`" in caught.value.hint) == (False, True)
    assert condition in str(caught.value)
    assert f"begins with `{begins}" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "condition"),
    [
        (fault.as_json({"state": "pending"}), "state == 'pending'"),
        (xml(FAULT), "//soap:Fault[contains(faultstring, 'later')]"),
        (fault.html(), "Please sign in"),
        (fault.status(400, b'{"error": {"code": "BUSY"}}', content_type="application/json"), "error.code == 'BUSY'"),
        (xml(FAULT, 400), "//soap:Fault[contains(faultstring, 'later')]"),
        (fault.status(403, b"try later"), "try later"),
    ],
    ids=["202 in words", "a fault with 200", "a page with 200", "400 in JSON", "a fault with 400", "403 in text"],
)
def test_an_answer_that_says_try_later_is_tried_later(fetch: Fetch, answer: Answer, condition: str) -> None:
    """`transient_when` makes it a failure that may pass, whatever its status."""
    good = fault.as_json([1])
    with FaultyServer([answer, good]) as server:
        collected = fetch(server.url, transient_when=condition, request={"call": Calls(tries=2)})
        assert (body_of(collected), server.count) == (good.body, 2)
    with FaultyServer(answer) as server, pytest.raises(ProviderUnavailable, match="`transient_when` holds"):
        fetch(server.url, transient_when=condition)


def test_a_wait_that_is_named_goes_with_it(fetch: Fetch) -> None:
    """Retry-After counts as it does with a 429."""
    answer = fault.as_json({"state": "pending"}, retry_after="7")
    with FaultyServer(answer) as server, pytest.raises(ProviderUnavailable) as caught:
        fetch(server.url, transient_when="state == 'pending'")
    assert caught.value.retry_after == 7.0


def test_a_refusal_that_does_not_say_so_stays_one(fetch: Fetch) -> None:
    """400 with other words is not worth another try."""
    answer = fault.status(400, b'{"error": "unknown column"}')
    with FaultyServer(answer) as server, pytest.raises(ProviderRefused, match="unknown column"):
        fetch(server.url, transient_when="error.code == 'BUSY'")


def test_the_last_page_need_not_fulfil_what_the_others_do(fetch: Fetch) -> None:
    """`success: data` asks for rows; the page that ends the pages has none."""
    pages = {"1": [1], "2": [2]}
    with FaultyServer(lambda r: fault.as_json({"data": pages.get(r.query["page"], [])})) as server:
        collected = fetch(server.url, success="data", paginate={"kind": "page"})
    assert (len(collected.payloads), collected.provenance.partial) == (2, False)


def test_a_later_page_that_says_no_leaves_a_part(fetch: Fetch) -> None:
    """An error with status 200 in the middle of the pages does not pass for their end."""
    with FaultyServer(lambda r: fault.as_json({"data": [r.number]} if r.number < 3 else {"error": "quota"})) as server:
        collected = fetch(server.url, success="!error", paginate={"kind": "page"})
    assert (len(collected.payloads), collected.provenance.partial) == (2, True)
    assert "quota" in collected.provenance.notes[0]


def test_our_own_secrets_are_not_repeated(fetch: Fetch) -> None:
    """A provider that echoes the token into its answer does not bring it into the message."""
    settings = SimpleNamespace(auth=SimpleNamespace(kind="bearer", token="t0ps3cret"))
    answer = fault.ok(b"unknown token t0ps3cret")
    with FaultyServer(answer) as server, pytest.raises(PayloadUnreadable) as caught:
        fetch(server.url, success="^id", request={"settings": settings})
    assert "t0ps3cret" not in str(caught.value)
    assert "unknown token ***" in str(caught.value)


@pytest.mark.parametrize("condition", ["not(//a", "a((", "foo[", "(?<=x)y("])
def test_what_is_none_of_the_three_languages_is_refused(condition: str) -> None:
    """When the configuration is read, not at night."""
    with pytest.raises(ValueError, match="neither JMESPath"):
        check_condition(condition)


@given(st.binary(max_size=300), st.sampled_from(["data", "not(//soap:Fault)", "^id", "length(@) > `1`", "count(//a)"]))
def test_no_answer_makes_trouble(content: bytes, condition: str) -> None:
    """True, false, or a ValueError that says why it cannot be told."""
    try:
        answer: object = holds(condition, BytesIO(content))
    except ValueError as error:
        answer = str(error)
    assert answer in (True, False) or (isinstance(answer, str) and answer)


def test_an_entity_bomb_is_not_unfolded() -> None:
    """A document that declares entities is not asked at all."""
    layers = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "lol">{layers}]><a>&e11;</a>'.encode()
    with pytest.raises(ValueError, match=r"declares XML entities|no XML"):
        holds("string-length(/a) > 5", BytesIO(bomb), media_type="text/xml")
    assert holds("/a", BytesIO(b"<!DOCTYPE a><a>x</a>"), media_type="text/xml")
