"""`/api/v1/events/follow`: events as they are committed, sent by the server; a browser needs only `EventSource`.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from api.live import Client, Ended, Live
from api.problems import Refused
from api.security import Viewer
from operations.live import Heard, Topics

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["router"]

router = APIRouter(tags=["events"])

MEDIA_TYPE = "text/event-stream"
AGAIN_MS = 2000
"""How soon a browser comes back when the connection was lost."""

_EXAMPLE = 'id: 42\nevent: run.finished\ndata: {"seq":42,"type":"run.finished","subject":"…","data":{}}\n\n'


class Stream(Response):
    """An answer that goes on until the asker leaves, or the server stops."""

    media_type = MEDIA_TYPE

    def __init__(self, live: Live, client: Client, for_s: float | None) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._live, self._client, self._for_s = live, client, for_s

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        async def out(text: str) -> None:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

        try:
            await self._live.join(self._client)
        except Ended as ended:
            raise Refused(503, ended.reason, hint="try again in a moment", headers={"Retry-After": "5"}) from None
        listening = asyncio.create_task(self._listen(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [*self.raw_headers]})
            self._client.say(f"retry: {AGAIN_MS}\n\n")
            with contextlib.suppress(TimeoutError, Ended):
                async with asyncio.timeout(self._for_s):
                    await self._client.serve(self._live, out)
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(1.0):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._live.leave(self._client)
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening

    async def _listen(self, receive: "Receive") -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._client.end(1000, "")


@router.get(
    "/api/v1/events/follow",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}}}},
    summary="Follow the log",
)
async def follow(
    request: Request,
    _: Viewer,
    type: Annotated[
        str, Query(max_length=200, description="Types of events: `run.finished`, `dataset.*`, `**`; or `alerts`.")
    ] = "**",
    since: Annotated[int | None, Query(ge=0, lt=2**63, description="Begin after this position of the log.")] = None,
    for_s: Annotated[
        float | None, Query(gt=0, le=86_400, description="End after so many seconds; default: never.")
    ] = None,
    last_event_id: Annotated[str | None, Header(description="Sent by a browser that comes back.")] = None,
) -> Response:
    """Events as any process commits them, each once and in order.

    `id` is the position in the log: a browser that lost the connection goes on where it was. Without `since` it begins
    with what happens from now on.
    """
    if last_event_id is not None and last_event_id.isascii() and last_event_id.isdigit():
        since = min(int(last_event_id[:18]), 2**62)
    client = Client(Topics([type]), since, texts=_texts, beat=_beat, lost=_lost)
    return Stream(request.app.state.live, client, for_s)


def _texts(topics: Topics, heard: Heard) -> list[str]:
    event = heard.event
    told = [(event.type, heard.event_text)] if topics.takes_event(event.type) else []
    if heard.severity in topics.severities:
        told.append(("alert", heard.alert_text))
    return [f"id: {event.seq}\nevent: {name}\ndata: {text}\n\n" for name, text in told]


def _beat(position: int) -> str:
    return f": at {position}\n\n"


def _lost(events: int, after: int) -> str:
    return f'event: dropped\ndata: {{"events":{events},"since":{after}}}\n\n'
