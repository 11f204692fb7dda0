"""Watching one thing until it is over: by a request that waits, or as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.cached import CachedReads, Ready
from integrated_system import IntegratedSystem

__all__ = ["LONGEST_WAIT_S", "followed", "waited"]

LOOK_S = 0.1
"""Seconds between two looks at an answer that is kept: one is a look into a map."""

HEARTBEAT_S = 15.0
"""Seconds after which a line says that we are there; proxies cut what is silent."""

LONGEST_WAIT_S = 25


async def waited(
    request: Request,
    make: Callable[[IntegratedSystem], Any],
    is_over: Callable[[Any], bool],
    seconds: float,
) -> Response:
    """The answer once it is over, or as it is when the time is up, the server stops, or the client is gone."""
    end = asyncio.get_running_loop().time() + seconds
    async for ready in _states(request, make):
        if ready is not None and is_over(orjson.loads(ready.body)):
            return ready
        if asyncio.get_running_loop().time() >= end or await request.is_disconnected():
            break
    return await _now(request, make)


async def followed(
    request: Request, make: Callable[[IntegratedSystem], Any], is_over: Callable[[Any], bool]
) -> Response:
    """A stream: `event: progress` now and at each change, `event: finished` as the last. Data is the JSON of a read."""
    first = await _now(request, make)  # what is not there is told as a problem

    async def events() -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        told, seen = loop.time(), b""
        async for ready in _states(request, make, first):
            if ready is not None and bytes(ready.body) != seen:
                seen, told = bytes(ready.body), loop.time()
                over = is_over(orjson.loads(seen))
                yield b"event: " + (b"finished" if over else b"progress") + b"\ndata: " + seen + b"\n\n"
                if over:
                    return
            elif loop.time() - told >= HEARTBEAT_S:
                told = loop.time()
                yield b": still at it\n\n"

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)


async def _states(
    request: Request, make: Callable[[IntegratedSystem], Any], first: Ready | None = None
) -> AsyncIterator[Ready | None]:
    """The answer at each look, None where it is the same as before; until the server stops."""
    stopping: asyncio.Event = request.app.state.stopping
    before = first
    if first is not None:
        yield first
    while True:
        now = await _now(request, make)
        yield None if now is before else now
        before = now
        try:
            await asyncio.wait_for(stopping.wait(), LOOK_S)
        except TimeoutError:
            continue
        return


async def _now(request: Request, make: Callable[[IntegratedSystem], Any]) -> Ready:
    kept: CachedReads = request.app.state.cached
    return await kept.get(("followed", request.url.path), make, "application/json")
