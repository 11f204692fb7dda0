"""`/ws` of a real server: what clients hear, in which order, and what becomes of those that misbehave."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from fastapi import WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import api.live
import api.live_socket
from api.live import Ended
from api.serving import ApiService
from integrated_system import IntegratedSystem
from operations.alerting import deliver
from tests.api.conftest import UNBOUND
from tests.api.serving import served
from tests.integration.alerting import failed
from tests.integration.installation import Installation
from utils.events import NewEvent

PATIENCE_S = 120.0

Served = tuple[IntegratedSystem, str]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A system, and the address of its WebSocket."""
    made = Installation(tmp_path_factory.mktemp("live"))
    datasets = [{"name": f"d{number:02}", "collect": {"kind": "simulated"}} for number in range(3)]
    made.configure(*datasets, api=UNBOUND)
    with made.system() as system, served(system) as url:
        yield system, f"{url.replace('http', 'ws')}/ws"


def heard(client: ClientConnection) -> dict[str, Any]:
    """The next thing that a client is told."""
    told: dict[str, Any] = json.loads(client.recv(timeout=PATIENCE_S))
    return told


def seqs(client: ClientConnection, count: int) -> list[int]:
    """Positions of the next events."""
    return [heard(client)["event"]["seq"] for _ in range(count)]


def happened(system: IntegratedSystem, count: int = 1, kind: str = "demo.happened", size: int = 0) -> list[int]:
    """So many events in the log; their positions."""
    return [one.seq for one in system.events.append([NewEvent(kind, "x", {"pad": "x" * size})] * count)]


def closed_with(client: ClientConnection) -> tuple[int, str]:
    """Why the server ended it, whatever was told before."""
    with suppress(ConnectionClosed):
        while True:
            client.recv(timeout=PATIENCE_S)
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""


def test_an_incident_is_told_as_an_alert(serving: Served):
    """Its words, how grave it is, and where it comes from; the same that the paths for monitoring list."""
    system, url = serving
    with connect(url) as client:
        assert heard(client)["topics"] == ["alerts"]
        system.events.append([failed(0)])
        deliver(system)
        told = heard(client)

    assert (told["type"], told["severity"]) == ("alert", "error")
    assert "d00" in told["title"]
    assert told["title"] != told["message"] != ""
    context = told["context"]
    assert (context["type"], context["kind"], context["datasets"]) == ("dataset_failed", "opened", ["d00"])
    (event,) = system.events.read(after=context["seq"] - 1, limit=1)
    assert event.subject == context["incident"]


def test_what_a_program_says_is_told_with_its_words(serving: Served):
    """`AlertManager.send`, with the types that programs use."""
    system, url = serving
    with connect(url) as client:
        heard(client)
        sent = system.alerts.send(level="CRITICAL", title="Disk gone", message="sda", source="disks", type="critical")
        told = heard(client)

    assert sent is not None
    assert (told["severity"], told["title"], told["message"]) == ("critical", "Disk gone", "sda")
    assert {name: told["context"][name] for name in ("id", "type", "source", "kind")} == {
        "id": sent.id,
        "type": "critical",
        "source": "disks",
        "kind": "notice",
    }


def test_a_client_hears_what_it_subscribed_to(serving: Served):
    """Events by type, alerts by severity; and no more what it unsubscribed."""
    system, url = serving
    with connect(f"{url}?topics=alerts.critical,demo.*") as client:
        assert heard(client)["topics"] == ["alerts.critical", "demo.*"]
        happened(system, kind="other.happened")
        system.alerts.send(level="INFO", title="of no concern")
        (first,) = happened(system)
        assert seqs(client, 1) == [first]
        client.send(json.dumps({"type": "subscribe", "topics": ["other.**"]}))
        assert heard(client)["topics"] == ["alerts.critical", "demo.*", "other.**"]
        client.send(json.dumps({"type": "unsubscribe", "topics": ["demo.*"]}))
        assert heard(client)["topics"] == ["alerts.critical", "other.**"]
        happened(system)
        (second,) = happened(system, kind="other.happened")
        assert seqs(client, 1) == [second]
        system.alerts.send(level="CRITICAL", title="of concern")
        assert heard(client)["title"] == "of concern"


def test_what_was_before_is_told_once_and_in_order_while_more_comes(serving: Served):
    """From a position on, across the seam to what happens now: no event twice, none left out."""
    system, url = serving
    before = happened(system, 1200, "replay.happened")
    going = threading.Event()
    after: list[int] = []

    def more() -> None:
        going.wait(PATIENCE_S)
        for _ in range(30):
            after.extend(happened(system, 5, "replay.happened"))

    writer = threading.Thread(target=more)
    writer.start()
    with connect(f"{url}?topics=replay.*&since={before[0] - 1}", max_queue=None) as client:
        assert heard(client)["type"] == "subscribed"
        found = seqs(client, 100)
        going.set()
        found += seqs(client, 1200 + 150 - 100)
        writer.join()

    assert found == before + after


def test_a_client_that_comes_back_hears_of_the_alerts_it_missed(serving: Served):
    """With the position of the last one that it had."""
    system, url = serving
    with connect(url) as client:
        heard(client)
        system.alerts.send(level="ERROR", title="heard", source="first")
        last = heard(client)["context"]["seq"]
    system.alerts.send(level="ERROR", title="missed", source="second")
    happened(system, 3)
    with connect(url) as client:
        client.send(json.dumps({"type": "subscribe", "topics": ["alerts"], "since": last}))
        assert [heard(client)["type"] for _ in range(2)] == ["subscribed"] * 2
        assert heard(client)["title"] == "missed"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{", "this is no JSON"),
        ("[]", "None is nothing that is understood"),
        ('{"type": "shout"}', "'shout' is nothing that is understood"),
        ('{"type": ["ping"]}', "['ping'] is nothing that is understood"),
        ('{"type": "subscribe", "topics": "alerts"}', "topics: a list of names is expected"),
        ('{"type": "subscribe", "topics": ["weather"]}', "'weather' is no topic"),
        ('{"type": "subscribe", "topics": ["alerts.loud"]}', "'alerts.loud' is no topic"),
        ('{"type": "subscribe", "topics": ["a.**.b"]}', "'a.**.b' is no topic"),
        ('{"type": "subscribe", "topics": ["alerts"], "since": "then"}', "since: a position in the log is expected"),
    ],
    ids=[
        "no JSON",
        "no object",
        "unknown",
        "a list for a word",
        "no list",
        "no topic",
        "no severity",
        "no pattern",
        "no position",
    ],
)
def test_what_is_not_understood_is_said_and_the_client_stays(serving: Served, said: str, told: str):
    """With a hint; a ping is answered afterwards."""
    with connect(serving[1]) as client:
        heard(client)
        client.send(said)
        answer = heard(client)
        client.send('{"type": "ping"}')
        assert heard(client)["type"] == "pong"

    assert (answer["type"], answer["message"]) == ("error", told)
    assert answer["hint"]


def test_a_position_that_has_not_come_is_now(serving: Served):
    """It is told what happens next."""
    system, url = serving
    with connect(f"{url}?topics=demo.*&since={2**60}") as client:
        heard(client)
        expected = happened(system)
        assert seqs(client, 1) == expected


def test_a_topic_that_is_none_is_refused(serving: Served):
    """With the reason."""
    with connect(f"{serving[1]}?topics=weather") as client:
        assert closed_with(client) == (1008, "'weather' is no topic")


@pytest.mark.parametrize("since", ["-1", "x", "", f"{2**64}"], ids=["before the log", "no number", "nothing", "beyond"])
def test_a_position_that_is_none_is_refused(serving: Served, since: str):
    """Before the handshake."""
    with pytest.raises(InvalidStatus) as refused, connect(f"{serving[1]}?since={since}"):
        pass
    assert refused.value.response.status_code == 403


def test_a_client_may_be_silent(serving: Served, monkeypatch: pytest.MonkeyPatch):
    """What has to come soon on a connection of HTTP is a head; one that listens says nothing for hours."""
    monkeypatch.setattr("api.serving.HEAD_S", 0.1)
    with connect(serving[1]) as client:
        heard(client)
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.4)
        client.send('{"type": "ping"}')
        assert heard(client)["type"] == "pong"


def test_a_client_that_floods_is_sent_away(serving: Served):
    """It says more than it is answered for; others hear on."""
    system, url = serving
    with connect(f"{url}?topics=demo.*") as other, connect(url) as client:
        heard(other)
        with suppress(ConnectionClosed):
            for _ in range(200):
                client.send('{"type": "ping"}')
        assert closed_with(client) == (1008, "you say too much")
        expected = happened(system)
        assert seqs(other, 1) == expected


def test_a_message_that_is_too_long_is_the_last(serving: Served):
    """Whoever sends it uploads, and does not subscribe."""
    with connect(serving[1]) as client:
        heard(client)
        client.send(json.dumps({"type": "subscribe", "topics": ["x" * 5000]}))
        assert closed_with(client)[0] == 1009


def test_a_client_that_does_not_read_is_cut_off_and_others_do_not_notice(
    serving: Served, monkeypatch: pytest.MonkeyPatch
):
    """It has a handshake behind it, and takes nothing more. Its socket is gone, with what waited in it."""
    monkeypatch.setattr(api.live, "SEND_S", 0.3)
    monkeypatch.setattr("api.sockets.CUT_S", 0.0)
    said_goodbye, goodbye = threading.Event(), api.live_socket._bye

    async def bye(client: WebSocket, ended: Ended) -> None:
        said_goodbye.set()
        await goodbye(client, ended)

    monkeypatch.setattr(api.live_socket, "_bye", bye)
    system, url = serving
    place = url.removeprefix("ws://").removesuffix("/ws")
    host, port = place.split(":")
    with socket.socket() as silent, connect(f"{url}?topics=demo.*", max_queue=None) as other:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**17)
        silent.settimeout(PATIENCE_S)
        silent.connect((host, int(port)))
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        head = f"GET /ws?topics=demo.* HTTP/1.1\r\nHost: {place}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        silent.sendall(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        assert silent.recv(12) == b"HTTP/1.1 101"
        assert heard(other)["type"] == "subscribed"
        wanted = happened(system, 200, size=60_000)
        assert seqs(other, 200) == wanted
        assert said_goodbye.wait(PATIENCE_S)
        got = 0
        with suppress(ConnectionResetError):
            while more := silent.recv(2**20):
                got += len(more)
        assert 0 < got < 200 * 60_000


def test_all_clients_share_one_follower_and_the_last_one_ends_it(serving: Served):
    """Threads that follow the log: one for twenty clients."""
    system, url = serving

    def followers() -> list[threading.Thread]:
        return [one for one in threading.enumerate() if one.name == "live"]

    with ExitStack() as all_of_them:
        clients = [all_of_them.enter_context(connect(f"{url}?topics=demo.*")) for _ in range(20)]
        for client in clients:
            heard(client)
        (one,) = followers()
        expected = happened(system)
        assert [seqs(client, 1) for client in clients] == [expected] * 20
    one.join(PATIENCE_S)
    assert not one.is_alive()


def test_a_server_that_stops_says_goodbye_to_a_hundred_clients(installation: Installation):
    """At once, to each; nobody keeps it from ending."""
    with installation.system() as system, ExitStack() as all_of_them:
        service = ApiService(system, port=0)
        service.bind()
        service.step()
        url = f"{service.url.replace('http', 'ws')}/ws"
        clients = [all_of_them.enter_context(connect(url)) for _ in range(100)]
        for client in clients:
            heard(client)
        ended = threading.Thread(target=service.close)
        ended.start()
        ended.join(120)
        assert not ended.is_alive()
        assert {closed_with(client)[0] for client in clients} == {1012}
