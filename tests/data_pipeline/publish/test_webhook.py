"""The webhook sink against a real HTTP server that fails on purpose: signed, once, in order, refused for good."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from data_pipeline.publish import webhook
from data_pipeline.publish.webhook import Options, WebhookSink
from tests.data_pipeline.collect.test_http_tls import TLS
from tests.data_pipeline.publish.test_publish import House
from tests.faulty_server import Answer, FaultyServer, Request, hang, redirect, reset, status, too_many

SECRET = "whsec_" + base64.b64encode(b"a key of two dozen bytes").decode()
TAKEN = Answer(204)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, str(tmp_path / "orchestrator.db"))
    yield house
    house.close()


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(TAKEN) as server:
        yield server


def hook(server: FaultyServer, **keys: Any) -> dict[str, Any]:
    return {"kind": "webhook", "url": f"{server.url}?token=s3cret-word", "secret": SECRET, **keys}


def told(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.body)
    return found


def versions(server: FaultyServer) -> list[str]:
    return [told(request)["data"]["version"] for request in server.requests]


def test_a_version_is_told_with_what_is_known_of_it(house: House, server: FaultyServer) -> None:
    """What it is, where it is from, when; the link as it was written; no rows; and not twice."""
    dataset = house.dataset(
        hook(server, link="https://pages.example.org/{dataset}?v={version}", headers={"Authorization": "Bearer abc"})
    )
    house.accept([1, 2])
    (done,) = house.outbox.publish([dataset])
    assert (done.error, done.rows) == (None, 2)
    assert house.outbox.publish([dataset]) == []
    (request,) = server.requests
    document = told(request)
    assert (document["type"], document["timestamp"]) == ("version.published", document["data"]["accepted_at"])
    data = document["data"]
    assert (data["key"], data["dataset"], data["version"], data["rows"]) == ("orders:v001", "orders", "v001", 2)
    assert (data["columns"], data["link"]) == (["id", "version"], "https://pages.example.org/orders?v=v001")
    assert "records" not in data
    assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
    assert request.headers["authorization"] == "Bearer abc"


def test_the_receiver_can_prove_who_sent_it(house: House, server: FaultyServer) -> None:
    """The signature as a receiver checks it, over the very bytes; the id stays the same when it is sent again."""
    server.answer = [status(500), TAKEN]
    dataset = house.dataset(hook(server))
    house.accept([1])
    house.outbox.publish([dataset])
    house.outbox.publish([dataset])
    for request in server.requests:
        headers = request.headers
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
        expected = base64.b64encode(hmac.new(b"a key of two dozen bytes", signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
    first, second = server.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == first.headers["idempotency-key"]
    assert first.body == second.body


def test_rows_come_with_it_when_they_are_asked_for_and_few(
    house: House, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a receiver would take are left out, and it can see that."""
    dataset = house.dataset(hook(server, rows=True))
    house.accept([1, 2])
    house.outbox.publish([dataset])
    monkeypatch.setattr(webhook, "MOST_BYTES", 100)
    house.accept(list(range(50)))
    house.outbox.publish([dataset])
    small, large = (told(request)["data"] for request in server.requests)
    assert small["records"] == [{"id": 1, "version": "v001"}, {"id": 2, "version": "v001"}]
    assert (large["records"], large["rows"]) == (None, 50)


def test_what_waited_comes_in_order_each_once(house: House, server: FaultyServer) -> None:
    """A receiver that is away for three versions gets all three; no newer one overtakes."""
    dataset = house.dataset(hook(server))
    server.answer = status(503)
    house.outbox.declare([dataset])
    for number in (1, 2, 3):
        house.accept([number])
    house.outbox.publish([dataset])
    server.answer = TAKEN
    house.outbox.publish([dataset])
    assert versions(server) == ["v001", "v001", "v002", "v003"]
    assert house.states() == [("v001", "published"), ("v002", "published"), ("v003", "published")]


@pytest.mark.parametrize("code", [400, 401, 404, 410, 422, 302])
def test_what_is_refused_is_not_sent_again_and_later_ones_are(house: House, server: FaultyServer, code: int) -> None:
    """One document that the receiver cannot take does not hold up all others for ever."""
    server.answer = [redirect("/elsewhere") if code == 302 else status(code), TAKEN]
    dataset = house.dataset(hook(server))
    house.accept([1])
    (refused,) = house.outbox.publish([dataset])
    assert refused.words.startswith(f"orders: webhook sink {refused.sink} refused the version: {server.host} answered")
    assert refused.to_json()["state"] == "refused"
    assert refused.hint
    assert house.outbox.publish([dataset]) == []
    house.accept([2])
    house.outbox.publish([dataset])
    assert versions(server) == ["v001", "v002"]
    assert house.states() == [("v001", "refused"), ("v002", "published")]
    house.events.rebuild()
    assert house.states() == [("v001", "refused"), ("v002", "published")]
    assert house.outbox.waiting(dataset) == set()


@pytest.mark.parametrize("answer", [too_many("120"), status(503, retry_after="120")], ids=["too many", "down"])
def test_it_is_left_alone_as_long_as_it_asks(house: House, server: FaultyServer, answer: Answer) -> None:
    """Runs meanwhile do not ask; after that it is asked again."""
    server.answer = [answer, TAKEN]
    dataset = house.dataset(hook(server))
    house.accept([1])
    (waits,) = house.outbox.publish([dataset])
    assert waits.words.endswith(f"tried again at the next run after {waits.not_before:%H:%M:%S} UTC")
    house.clock.advance(119)
    assert house.outbox.publish([dataset]) == []
    assert house.outbox.waiting(dataset) == {"v001"}
    house.clock.advance(1)
    (done,) = house.outbox.publish([dataset])
    assert (done.error, done.attempts, server.count) == (None, 2, 2)


def test_pauses_between_tries_grow(house: House, server: FaultyServer) -> None:
    """At once, then 30 s, 60 s, … so that a receiver in trouble is not asked by every run."""
    server.answer = status(500)
    dataset = house.dataset(hook(server))
    house.accept([1])
    pauses = []
    for _ in range(10):
        (waits,) = house.outbox.publish([dataset])
        pauses.append(0 if waits.not_before is None else (waits.not_before - house.clock.now()).total_seconds())
        house.clock.advance(pauses[-1])
    assert pauses == [0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


@pytest.mark.parametrize(
    ("answer", "words"),
    [(hang(), "in time"), (reset(), "broke"), (None, "no connection")],
    ids=["silent", "reset", "away"],
)
def test_no_answer_is_no_refusal(
    house: House, server: FaultyServer, monkeypatch: pytest.MonkeyPatch, answer: Answer | None, words: str
) -> None:
    """The version waits; neither the address behind the host nor the secret is in what is told."""
    dataset = house.dataset(hook(server))
    if answer is None:
        server.close()
    else:
        server.answer = answer
    if answer == hang():
        monkeypatch.setattr(webhook, "ANSWER_WITHIN_S", 0.3)
    house.accept([1])
    (waits,) = house.outbox.publish([dataset])
    assert words in (waits.error or "")
    assert (waits.transient, waits.to_json()["state"]) == (True, "waiting")
    log = "".join(str(event) for event in house.events.read()) + waits.words
    for secret in ("s3cret-word", "data.csv", SECRET):
        assert secret not in log


def test_refused_it_goes_to_none_of_those_that_belong_together(house: House, server: FaultyServer) -> None:
    """The file gets back what it had; the version is over for both, and the next one goes to both."""
    server.answer = [TAKEN, status(422), TAKEN]
    file = {"kind": "file", "path": "out/t.csv"}
    dataset = house.dataset(file, hook(server)).model_copy(update={"publish_together": True})
    contents = []
    for number in (1, 2):
        house.accept([number])
        house.outbox.publish([dataset])
        contents.append((house.folder / "out/t.csv").read_text())
    assert house.outbox.publish([dataset]) == []
    house.accept([3])
    house.outbox.publish([dataset])
    contents.append((house.folder / "out/t.csv").read_text())
    assert contents == ["id,version\n1,v001\n", "id,version\n1,v001\n", "id,version\n3,v003\n"]
    assert versions(server) == ["v001", "v002", "v003"]
    assert {state for version, state in house.states() if version == "v002"} == {"refused"}


def test_two_addresses_on_one_host_are_two_sinks() -> None:
    """The name tells them apart, and tells nothing else."""
    sink = WebhookSink()
    one, two = (sink.name_of(Options(url=f"https://hooks.example.org/T0/{token}")) for token in ("abc", "abd"))
    assert one != two
    assert one.startswith("hooks.example.org#")
    assert "T0" not in one


def test_an_unknown_authority_is_told_with_the_way_out(house: House) -> None:
    """It waits, for somebody may set that right."""
    with FaultyServer(TAKEN, tls=TLS) as server:
        dataset = house.dataset(hook(server))
        house.accept([1])
        (waits,) = house.outbox.publish([dataset])
    assert "no trusted TLS connection" in (waits.error or "")
    assert "SSL_CERT_FILE" in waits.hint
    assert waits.to_json()["state"] == "waiting"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"url": "ftp://example.org/x"}, "no web address"),
        ({"url": "https://example.org:port/x"}, "no web address"),
        ({"url": "https://bob:pw@example.org/x"}, "user part"),
        ({"secret": "whsec_§"}, "no Base64"),
        ({"headers": {"Webhook-Id": "1"}}, "is set by us"),
        ({"headers": {"X-A": "a\r\nb"}}, "signs that no header may have"),
        ({"headers": {"X A": "a"}}, "letters, digits and dashes"),
        ({"link": "https://h/{cursor}"}, "has no meaning here"),
    ],
    ids=["scheme", "port", "user part", "secret", "our header", "two lines", "name of a header", "link"],
)
def test_mistakes_are_told_at_once(keys: dict[str, Any], words: str) -> None:
    """When the configuration is read."""
    with pytest.raises(ValidationError, match=words):
        Options(**{"url": "https://example.org/hook", **keys})


def test_a_secret_may_be_any_text() -> None:
    """Then its bytes are the key."""
    expected = base64.b64encode(hmac.new(b"hush", b"a.1.{}", hashlib.sha256).digest()).decode()
    assert webhook.signature("hush", "a", "1", b"{}") == f"v1,{expected}"
