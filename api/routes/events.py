"""`/events`: the log, page by page; its proof; who follows it."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.paging import Cursor, Limit, page
from api.routes.frame import Moment, documents, done, page_of, position, router
from api.shapes.base import Time, Told
from integrated_system import IntegratedSystem

__all__ = ["routes"]

routes = router("events")


class Event(Told):
    """A fact. `seq` has no gaps; `hash` is of this event and of `prev_hash`, so that nothing can be taken out."""

    seq: int = Field(examples=[4711])
    id: str = Field(examples=["0198f2d2-5b0e-7c3a-9a52-8d1c7b0e4f11"])
    time: Time
    source: str = Field(examples=["runner"])
    type: str = Field(examples=["run.finished"])
    subject: str = Field(examples=["orders"])
    data: dict[str, Any]
    version: int
    prev_hash: str
    hash: str


class Verified(Told):
    """The chain of hashes, computed anew; `fault`: where it is broken."""

    whole: bool
    events: int
    head: str
    fault: str | None


class Consumer(Told):
    """Somebody who follows the log."""

    name: str = Field(examples=["alerts"])
    pattern: str = Field(examples=["*"])
    seq: int
    behind: int
    behind_s: float
    running: bool
    failed: int
    attempts: int
    error: str
    parked: int


class Parked(Told):
    """An event that a consumer could not take and went on without."""

    consumer: str
    seq: int
    id: str
    time: Time
    attempts: int
    error: str


class Consumers(Told):
    """All who follow the log, and what they went on without."""

    consumers: list[Consumer]
    parked: list[Parked]


@routes.get("/events", responses=documents(page_of(Event, "Events")), summary="The log")
async def listed(
    request: Request,
    type: Annotated[str | None, Query(max_length=200, description="Only this type; `batch.*` for several.")] = None,
    source: Annotated[str | None, Query(max_length=200, description="Only from this source.")] = None,
    subject: Annotated[str | None, Query(max_length=500, description="Only of this dataset, run or provider.")] = None,
    since: Annotated[Moment | None, Query(description="Only from then on.")] = None,
    until: Annotated[Moment | None, Query(description="Exclusive.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The newest first; pages go back to the first event, and what happens meanwhile moves none of them."""
    from operations.events import recent

    before = position(request, cursor, int) or 0

    def made(system: IntegratedSystem) -> Any:
        asked = {"type": type, "source": source, "subject": subject, "since": since, "until": until}
        found = recent(system, **asked, before=before, limit=limit + 1)[::-1]
        end = found[limit - 1].seq if len(found) > limit else None
        return page(request, [event.to_json() for event in found[:limit]], end)

    return await read(request, made)


@routes.get("/events/verify", responses=documents(Verified), summary="Is the log whole?")
async def verify(
    request: Request,
    head: Annotated[
        str | None,
        Query(pattern="^[0-9]+:[0-9a-fA-F]{64}$", description="`SEQ:HASH` that was kept elsewhere: finds a cut tail."),
    ] = None,
) -> Response:
    """Recompute the chain of hashes, from the first event to the last."""
    from operations.events import verify as ask

    return await done(request, lambda system: ask(system, head=head).to_json())


@routes.get("/events/consumers", responses=documents(Consumers), summary="Who follows the log")
async def consumers(request: Request) -> Response:
    """Where each stands, and what it could not take."""
    from operations.events import consumers as ask
    from operations.events import parked

    def made(system: IntegratedSystem) -> Any:
        followers = [one.to_json() for one in ask(system)]
        return {"consumers": followers, "parked": [one.to_json() for one in parked(system)]}

    return await read(request, made)
