"""Whoever goes while the log begins to be followed for them leaves nothing behind: no thread, no ear."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import api.live
from api.asking import Asking
from api.live import Client, Live
from api.problems import Refused
from integrated_system import IntegratedSystem
from operations.live import LogTail, Topics
from utils.database import StateError
from utils.events import NewEvent

PATIENCE_S = 120.0


class Slow(LogTail):
    """One that begins when it is let, and says how far it is."""

    def __init__(self, system: IntegratedSystem, tell: Any) -> None:
        self.asked.set()
        assert self.let.wait(PATIENCE_S)
        super().__init__(system, tell)
        self.began_at.set()

    def close(self) -> None:
        super().close()
        self.ended.set()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> type[Slow]:
    events = {name: threading.Event() for name in ("asked", "let", "began_at", "ended")}
    made = type("Slow", (Slow,), events)
    monkeypatch.setattr(api.live, "LogTail", made)
    return made


def _listener() -> Client:
    return Client(Topics(["demo.*"]), None, texts=lambda _, one: [str(one.seq)], beat=str, lost=lambda *_: "lost")


def _in_loop(system: IntegratedSystem, talk: Callable[[Live], Awaitable[None]]) -> None:
    async def whole() -> None:
        asking = Asking(system)
        live = Live(asking, asyncio.Event())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await talk(live)
        finally:
            await live.close()
            asking.close()

    asyncio.run(whole())


def _followers() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "live"]


async def _gone_while_it_begins(live: Live, slow: type[Any]) -> None:
    joining = asyncio.create_task(live.join(_listener()))
    assert await asyncio.to_thread(slow.asked.wait, PATIENCE_S)
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    slow.let.set()


async def _gone_when_it_has_begun(live: Live, slow: type[Any]) -> None:
    slow.let.set()
    joining = asyncio.create_task(live.join(_listener()))
    await asyncio.sleep(0)  # it asks for the tail
    assert slow.began_at.wait(PATIENCE_S)  # in this loop, so that nobody hears yet that the tail is there
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining


async def _given_up(live: Live, slow: type[Any]) -> None:
    with pytest.raises(Refused, match="no answer"):
        await live.join(_listener())
    slow.let.set()


@pytest.mark.parametrize(
    "goes",
    [_gone_while_it_begins, _gone_when_it_has_begun, _given_up],
    ids=["while it begins", "when it has begun", "it takes too long"],
)
def test_who_goes_while_it_begins_leaves_no_thread(
    system: IntegratedSystem, slow: type[Slow], monkeypatch: pytest.MonkeyPatch, goes: Any
) -> None:
    """Cancelled before the log is followed, or in the moment it is; or it took too long. The next one hears."""
    if goes is _given_up:
        call = Asking.call
        monkeypatch.setattr(Asking, "call", lambda asking, function: call(asking, function, within=0.01))
    heard = []

    async def talk(live: Live) -> None:
        await goes(live, slow)
        assert await asyncio.to_thread(slow.ended.wait, PATIENCE_S)
        assert (live.clients, _followers()) == (0, [])
        monkeypatch.undo()
        await _hears(live, system, heard)

    _in_loop(system, talk)

    assert heard == ["1"]
    assert _followers() == []


async def _hears(live: Live, system: IntegratedSystem, heard: list[str]) -> None:
    client = _listener()
    await live.join(client)

    async def send(text: str) -> None:
        heard.append(text)
        client.end(1000, "")

    await asyncio.to_thread(system.events.append, [NewEvent(type="demo.happened", source="test", subject="x")])
    with pytest.raises(api.live.Ended):
        await client.serve(live, send)
    live.leave(client)


def test_a_log_that_cannot_be_read_leaves_no_ear(system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would have told of news is closed."""
    ears = []
    news = system.database.news

    def listened() -> Any:
        ears.append(news())
        closed = ears[-1].close
        monkeypatch.setattr(ears[-1], "close", lambda: (closed(), ears.clear()))
        return ears[-1]

    def unread() -> Any:
        raise StateError("the disk is gone")

    monkeypatch.setattr(system.database, "news", listened)
    monkeypatch.setattr(system.events, "head", unread)

    with pytest.raises(StateError, match="the disk is gone"):
        LogTail(system, lambda *_: None)

    assert ears == []
