"""The outbox over the API, and incidents as they were."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.alerting import deliver
from operations.alerts import listed
from operations.run import run
from tests.api.conftest import UNBOUND
from tests.api.serving import asked
from tests.faulty_server import Answer, FaultyServer, Request, as_json, ok, status
from tests.integration.installation import Installation


class Chat:
    """A channel that answers as it is told."""

    def __init__(self, server: FaultyServer) -> None:
        self.place = server.url.removeprefix("http://").split("/")[0]
        self.answer: Answer = as_json({"ok": True})
        server.answer = self.answered

    def answered(self, request: Request) -> Answer:
        return self.answer


@pytest.fixture
def chat() -> Iterator[Chat]:
    with FaultyServer(ok(b"")) as server:
        yield Chat(server)


@pytest.fixture
def installation(installation: Installation, chat: Chat) -> Installation:
    """One dataset that fails; whoever is told of it is a chat that is away."""
    installation.configure(
        {"name": "broken", "collect": {"kind": "simulated", "script": [{"after": "0s", "do": "down"}]}},
        alerts={"channels": {"chat": f"json://{chat.place}/chat"}},
        api=UNBOUND,
    )
    return installation


def _told(system: IntegratedSystem, chat: Chat, answer: Answer) -> str:
    """An incident of which the chat is told while it answers so; its id."""
    chat.answer = answer
    run(system, Actor("test"))
    deliver(system)
    return listed(system).incidents[0].incident.id


def test_a_message_that_nobody_took_is_shown_in_its_words_and_sent_again(system: IntegratedSystem, chat: Chat) -> None:
    """With how the channel stands, before and after."""
    incident = _told(system, chat, status(404))
    chat.answer = as_json({"ok": True})

    async def talk(client: httpx.AsyncClient) -> list[Any]:
        (dead,) = (await client.get("/api/v1/outbox?state=dead")).json()["letters"]
        paths = ["/channels", f"/letters/{dead['key']}"]
        before = [(await client.get(f"/api/v1{path}")).json() for path in paths]
        again = (await client.post("/api/v1/outbox/resend", json={"keys": [dead["key"]]})).json()
        paths = ["/outbox?state=dead", "/outbox?state=sent", "/channels", "/letters/none"]
        return [dead, *before, again, *[(await client.get(f"/api/v1{path}")).json() for path in paths]]

    dead, before, written, again, left, sent, after, missing = asked(system, talk)

    assert (dead["channel"], dead["incident"], dead["attempts"]) == ("chat", incident, 1)
    (channel,) = before["channels"]
    assert (channel["service"], channel["dead"], channel["told_at"]) == ("json", 1, None)
    assert "404" in channel["error"]
    assert written["message"]["title"] == dead["title"]
    assert any(part["label"] == "Paste" for part in written["message"]["parts"])
    assert (again["sent"], again["waiting"]) == (1, 0)
    assert left["letters"] == []
    assert [one["key"] for one in sent["letters"]] == [dead["key"]]
    assert after["channels"][0]["told_at"] is not None
    assert missing["detail"] == "there is no message 'none'"


def test_incidents_are_shown_as_they_were(system: IntegratedSystem, chat: Chat) -> None:
    """Open before it was taken, with what had been told by then; before it began there was none."""
    beginning = system.events.read(newest_first=True, limit=1)
    incident = _told(system, chat, as_json({"ok": True}))
    then = system.events.read(newest_first=True, limit=1)[0].time

    async def talk(client: httpx.AsyncClient) -> list[Any]:
        place = f"/api/v1/incidents/{incident}"
        await client.post(f"{place}/acknowledge")
        await client.post("/api/v1/silences", json={"matchers": ["dataset=broken"], "until": "1h"})
        paths = [f"{place}/explain", f"{place}/explain?as_of={then}", f"{place}?as_of={then}"]
        paths += [f"/api/v1/incidents?as_of={then}", f"/api/v1/silences?as_of={then}"]
        paths += ["/api/v1/incidents?as_of=2020-01-01T00:00:00Z", "/api/v1/incidents?as_of=2999-01-01T00:00:00Z"]
        return [(await client.get(path)).json() for path in paths]

    now, was, one, list_then, silences, none, ahead = asked(system, talk)

    assert not beginning
    assert (now["incident"]["state"], now["incident"]["acknowledged_by"]) == ("silenced", "local:api")
    assert now["message"]["title"]
    assert (was["incident"]["state"], one["state"]) == ("open", "open")
    assert "acknowledged" in {happened["change"] for happened in now["happened"]}
    assert {happened["change"] for happened in was["happened"]} == {"opened", "changed"}
    assert {letter["state"] for letter in was["letters"]} == {"sent"}
    assert (was["message"], was["due"]) == (None, [])
    assert [found["id"] for found in list_then["incidents"]] == [incident]
    assert list_then["incidents"][0]["title"] in {letter["title"] for letter in was["letters"]}
    assert silences == {"silences": []}
    assert none["incidents"] == []
    assert "has not come yet" in ahead["detail"]
