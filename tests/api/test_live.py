"""The queue of one who listens, and server-sent events; in process."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI

import api.live
from api.app import create_app
from api.asking import Asking
from api.live import QUEUE, Client, Ended, Live
from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.live import Heard, Topics, replayed
from tests.api.serving import asked, served
from tests.integration.installation import Installation
from utils.events import Event, NewEvent

PATIENCE_S = 120.0
R = TypeVar("R")


def heard(seq: int, kind: str = "demo.happened") -> Heard:
    return Heard(Event(seq, f"id{seq}", "2026-11-20T02:00:00.000000Z", "test", kind, "x", {}, 1, "", ""), None)


def listener(topics: str = "demo.*", since: int | None = None) -> Client:
    return Client(
        Topics([topics]),
        since,
        texts=lambda _, one: [str(one.seq)],
        beat=lambda position: f"beat {position}",
        lost=lambda events, after: f"lost {events} after {after}",
    )


def in_loop(system: IntegratedSystem, talk: Callable[[Live, asyncio.Event], Awaitable[R]], **options: Any) -> R:
    """What a talk with all who listen gives; `options` are those of `Live`."""

    async def whole() -> R:
        asking, stopping = Asking(system), asyncio.Event()
        live = Live(asking, stopping, **options)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await talk(live, stopping)
        finally:
            await live.close()
            asking.close()

    return asyncio.run(whole())


def test_who_does_not_keep_up_loses_the_oldest_and_is_told(system: IntegratedSystem):
    """How many, and after which position; what is left is whole and in order."""

    async def talk(live: Live, _: asyncio.Event) -> list[str]:
        client, told = listener(), []
        client.at = 7
        for seq in range(8, 8 + QUEUE + 10):
            client.take(heard(seq))

        async def send(text: str) -> None:
            told.append(text)
            if len(told) == QUEUE + 1:
                client.end(1000, "enough")

        with pytest.raises(Ended, match="enough"):
            await client.serve(live, send)
        return told

    first, *others = in_loop(system, talk)
    assert first == "lost 10 after 7"
    assert others == [str(seq) for seq in range(18, 18 + QUEUE)]


def test_who_takes_nothing_is_cut_off(system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch):
    """Once it has not taken anything for the time that is allowed."""
    monkeypatch.setattr(api.live, "SEND_S", 0.01)

    async def talk(live: Live, _: asyncio.Event) -> Ended:
        client = listener()
        client.take(heard(1))
        with pytest.raises(Ended) as ended:
            await client.serve(live, lambda _: asyncio.Event().wait())  # type: ignore[arg-type, return-value] - never
        return ended.value

    assert in_loop(system, talk).code == 1008


def test_a_heartbeat_comes_when_nothing_happens(system: IntegratedSystem):
    """With the position up to which there was nothing."""
    (event,) = system.events.append([NewEvent("demo.happened", "x")])

    async def talk(live: Live, _: asyncio.Event) -> str:
        client = listener()
        await live.join(client)
        beaten: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def send(text: str) -> None:
            beaten.set_result(text)

        serving = asyncio.create_task(client.serve(live, send))
        try:
            return await beaten
        finally:
            client.end(1000, "")
            with pytest.raises(Ended):
                await serving
            live.leave(client)

    assert in_loop(system, talk, heartbeat_s=0.01) == f"beat {event.seq}"


def test_all_hear_when_the_server_stops(system: IntegratedSystem):
    """And nobody may come any more."""

    async def talk(live: Live, stopping: asyncio.Event) -> list[int]:
        clients = [listener() for _ in range(3)]
        for client in clients:
            await live.join(client)

        async def send(_: str) -> None:
            raise AssertionError("nothing is said")

        serving = [asyncio.create_task(client.serve(live, send)) for client in clients]
        stopping.set()
        ended = await asyncio.gather(*serving, return_exceptions=True)
        with pytest.raises(Ended):
            await live.join(listener())
        return [one.code for one in ended if isinstance(one, Ended)]

    assert in_loop(system, talk) == [1012] * 3


def test_so_many_may_listen(system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch):
    """One more is sent away, until somebody left."""
    monkeypatch.setattr(api.live, "CLIENTS", 2)

    async def talk(live: Live, _: asyncio.Event) -> int:
        first, second, third = listener(), listener(), listener()
        await live.join(first)
        await live.join(second)
        with pytest.raises(Ended, match="too many"):
            await live.join(third)
        live.leave(first)
        await live.join(third)
        return live.clients

    assert in_loop(system, talk) == 2


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_what_was_before_leave_nothing_out(system: IntegratedSystem, limit: int):
    """Whatever the topics and the length of a page: each wanted event once, in order, up to the end."""
    said = {"id": "1", "level": "info", "type": "notice", "title": "x"}
    kinds = random.Random(11).choices(["demo.happened", "alert.raised", "other.happened"], k=40)
    first = system.events.head()[0]
    events = system.events.append([NewEvent(kind, "x", said if kind == "alert.raised" else {}) for kind in kinds])
    for topics in (Topics(["alerts"]), Topics(["demo.*"]), Topics(["alerts", "**"]), Topics(["alerts.critical"])):
        at, found = first, []
        while at < events[-1].seq:
            page, reached = replayed(system, topics, after=at, limit=limit)
            assert reached > at
            at = reached
            found += [one.seq for one in page if topics.texts(one)]
        is_told = {"info"} & topics.severities
        assert found == [
            one.seq for one in events if topics.takes_event(one.type) or (is_told and one.type == "alert.raised")
        ]


@pytest.mark.parametrize("name", ["", "alerts.", "alerts.loud", "weather", "a..b", "**.b"])
def test_what_is_no_topic_is_refused(name: str):
    """With what there is."""
    with pytest.raises(UsageError, match="is no topic") as refused:
        Topics([name])
    assert "alerts.critical" in refused.value.hint


def followed(url: str, **headers: str) -> list[dict[str, str]]:
    """The events of a stream that ends by itself."""
    with httpx.stream("GET", url, headers=headers, timeout=PATIENCE_S) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        blocks = "".join(answer.iter_text()).split("\n\n")
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks if block.startswith("id: ")]


def test_a_browser_that_comes_back_goes_on_where_it_was(installation: Installation):
    """By `Last-Event-ID`, which is the position in the log and counts more than `since`."""
    with installation.system() as system, served(system) as url:
        first, _, third = system.events.append([NewEvent(f"demo.{name}", "x") for name in ("one", "two", "three")])
        address = f"{url}/api/v1/events/follow?type=demo.*&for_s=0.3&since={first.seq - 1}"
        whole = followed(address)
        rest = followed(address, **{"Last-Event-ID": str(third.seq - 1)})
        sent = system.alerts.send(level="ERROR", title="Import failed")
        assert sent is not None
        (alert,) = followed(f"{url}/api/v1/events/follow?type=alerts.error&for_s=0.3&since={first.seq}")

    assert [one["event"] for one in whole] == ["demo.one", "demo.two", "demo.three"]
    assert [one["id"] for one in rest] == [str(third.seq)]
    assert alert["event"] == "alert"
    assert '"title":"Import failed"' in alert["data"]


@pytest.mark.parametrize("query", ["type=weather", "since=-1", "for_s=0", "since=99999999999999999999"])
def test_a_wrong_question_to_the_stream_is_a_problem(system: IntegratedSystem, query: str):
    """Before anything is sent."""

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(f"/api/v1/events/follow?{query}")

    assert asked(system, talk).status_code == 422


def test_too_many_streams_are_refused(system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch):
    """With a status, and when to come again."""
    monkeypatch.setattr(api.live, "CLIENTS", 0)

    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/api/v1/events/follow")

    answer = asked(system, talk)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_whoever_listens_to_nothing_costs_no_thread(system: IntegratedSystem):
    """An application that nobody listens to follows nothing."""

    async def whole() -> FastAPI:
        app = create_app(system)
        async with app.router.lifespan_context(app):
            assert app.state.live.clients == 0
            assert app.state.live._tail is None
        return app

    assert asyncio.run(whole()).state.live.position == 0
