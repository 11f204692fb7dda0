"""`/ws`: alerts as they are told, to whoever keeps a WebSocket open."""

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect

from api.live import Client, Ended, Live
from operations.actor import UsageError
from operations.live import Heard, Topics

__all__ = ["router"]

router = APIRouter(tags=["monitoring"])

LONGEST = 4096
"""Characters of a message from a client."""

SAID, SAID_WITHIN_S = 60, 10.0
"""Messages that a client may send within so many seconds."""

TOPICS = 50
CODE_BUSY, CODE_REFUSED, CODE_TOO_LONG, CODE_TROUBLE = 1013, 1008, 1009, 1011


@router.websocket("/ws")
async def live(
    websocket: WebSocket,
    topics: Annotated[str, Query(max_length=2000)] = "alerts",
    since: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
) -> None:
    """Alerts, or events: what was subscribed to, from `since` on when that is given."""
    await websocket.accept()
    all_who_listen: Live = websocket.app.state.live
    try:
        wanted = Topics(topics.split(","))
    except UsageError as error:
        await _bye(websocket, Ended(CODE_REFUSED, str(error)))
        return
    client = Client(wanted, since, texts=_texts, beat=_beat, lost=_lost)
    try:
        await all_who_listen.join(client)
    except Ended as ended:
        await _bye(websocket, ended)
        return
    except Exception:  # noqa: BLE001 - the log is away: told as such, its words may hold anything
        await _bye(websocket, Ended(CODE_TROUBLE, "the log cannot be read now"))
        return
    listening = asyncio.create_task(_listen(websocket, client, all_who_listen))
    try:
        client.say(_subscribed(client.topics, client.at if since is None else since))
        await client.serve(all_who_listen, websocket.send_text)
    except Ended as ended:
        await _bye(websocket, ended)
    except (WebSocketDisconnect, RuntimeError):
        pass  # it is gone
    finally:
        all_who_listen.leave(client)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def _listen(websocket: WebSocket, client: Client, live: Live) -> None:
    """Take what the client says, until it leaves."""
    loop = asyncio.get_running_loop()
    began, said = loop.time(), 0
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            client.end(message.get("code") or 1000, "")
            return
        if loop.time() - began > SAID_WITHIN_S:
            began, said = loop.time(), 0
        said += 1
        text = message.get("text") or ""
        if said > SAID:
            client.end(CODE_REFUSED, "you say too much")
            return
        if len(text) > LONGEST:
            client.end(CODE_TOO_LONG, f"a message has {LONGEST} characters at most")
            return
        client.say(_answered(text, client, live))


def _answered(text: str, client: Client, live: Live) -> str:
    try:
        asked = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _error("this is no JSON", 'send {"type": "subscribe", "topics": ["alerts"]}')
    kind = asked.get("type") if isinstance(asked, dict) else None
    if kind == "ping":
        return orjson.dumps({"type": "pong", "seq": live.position}).decode()
    if kind not in ("subscribe", "unsubscribe"):  # it may be anything, a list too
        return _error(f"{kind!r} is nothing that is understood", "there are subscribe, unsubscribe and ping")
    named, since = asked.get("topics", []), asked.get("since")
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named) or len(named) > TOPICS:
        return _error("topics: a list of names is expected", f"of {TOPICS} at most")
    if since is not None and (not isinstance(since, int) or isinstance(since, bool) or since < 0):
        return _error("since: a position in the log is expected", "take `context.seq` of an alert, or `seq`")
    before = client.topics.names
    try:
        kept = [*before, *named] if kind == "subscribe" else [one for one in before if one not in named]
        if len(kept) > 2 * TOPICS:
            return _error("too many topics", f"of {2 * TOPICS} at most")
        client.listen(Topics(kept), since)
    except UsageError as error:
        return _error(str(error), error.hint)
    return _subscribed(client.topics, client.at if since is None else since)


def _texts(topics: Topics, heard: Heard) -> list[str]:
    return topics.texts(heard)


def _subscribed(topics: Topics, seq: int) -> str:
    return orjson.dumps({"type": "subscribed", "topics": topics.names, "seq": seq}).decode()


def _beat(position: int) -> str:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return orjson.dumps({"type": "heartbeat", "seq": position, "time": now}).decode()


def _lost(events: int, after: int) -> str:
    hint = "you read too slowly; subscribe with `since` to get them"
    told: dict[str, Any] = {"type": "dropped", "events": events, "since": after, "hint": hint}
    return orjson.dumps(told).decode()


def _error(message: str, hint: str) -> str:
    return orjson.dumps({"type": "error", "message": message, "hint": hint}).decode()


async def _bye(websocket: WebSocket, ended: Ended) -> None:
    reason = ended.reason.encode()[:120].decode(errors="ignore")  # a close frame has 123 bytes for it
    with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
        async with asyncio.timeout(1.0):
            await websocket.close(ended.code, reason)
