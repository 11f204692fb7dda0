"""`/events`: the log, page by page; its proof; who follows it."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.paging import Cursor, Limit, page
from api.routes.frame import Asked, Moment, documents, done, page_of, position, router
from api.security import Operator
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


class Proof(Told):
    """How the last proof stands: `checked` of `total` events. `failed`: it came to no end; the log may be whole."""

    state: Literal["none", "going on", "done", "failed"]
    checked: int
    total: int
    finished_at: Time | None
    result: Verified | None
    trouble: str | None


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


class RetryAsked(Asked):
    """Which of its parked events a consumer is to try again; nothing: all."""

    event: int | None = Field(None, ge=1, le=2**62, description="The position of one.")


class Retried(Told):
    """So many parked events are tried again."""

    consumer: str = Field(examples=["alerts"])
    events: int


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
    text: Annotated[str, Query(max_length=100, description="Only with this in the subject, type or source.")] = "",
    run: Annotated[str, Query(max_length=100, description="Only of this run, and of its datasets in it.")] = "",
    since: Annotated[Moment | None, Query(description="Only from then on.")] = None,
    until: Annotated[Moment | None, Query(description="Exclusive.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The newest first; pages go back to the first event, and what happens meanwhile moves none of them.

    With `text` or `run`, a page may have fewer events although there is a next one: so far back none was found.
    """
    from operations.find_events import find_events

    before = position(request, cursor, int) or 0

    def made(system: IntegratedSystem) -> Any:
        asked = {"type": type, "source": source, "subject": subject, "since": since, "until": until}
        found = find_events(system, text=text, run=run, **asked, before=before, limit=limit)
        return page(request, [event.to_json() for event in found.events], found.before)

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


@routes.post("/events/verification", status_code=202, responses=documents(Proof, status=202), summary="Prove the log")
async def begin_proof(request: Request, who: Operator) -> Response:
    """The same in the background, for a log of millions; one that is going on is joined. Ask here how it stands."""
    from operations.verification import begin

    prover = request.app.state.prover
    return await done(request, lambda system: begin(system, who, prover).to_json(), status=202)


@routes.get("/events/verification", responses=documents(Proof), summary="How the proof stands")
async def proof(request: Request) -> Response:
    """Of this process; `checked` of `total` events."""
    prover = request.app.state.prover
    return await done(request, lambda _: prover.proof.to_json())


@routes.get("/events/consumers", responses=documents(Consumers), summary="Who follows the log")
async def consumers(request: Request) -> Response:
    """Where each stands, and what it could not take."""
    from operations.events import consumers as ask
    from operations.events import parked

    def made(system: IntegratedSystem) -> Any:
        followers = [one.to_json() for one in ask(system)]
        return {"consumers": followers, "parked": [one.to_json() for one in parked(system)]}

    return await read(request, made)


@routes.post("/events/consumers/{consumer}/retry", responses=documents(Retried), summary="Try parked events again")
async def retry(
    request: Request,
    who: Operator,
    consumer: Annotated[str, Path(max_length=200, description="Its name.", examples=["alerts"])],
    body: RetryAsked | None = None,
) -> Response:
    """As soon as the consumer runs."""
    from operations.events import retry as do

    event = body.event if body else None
    return await done(request, lambda system: {"consumer": consumer, "events": do(system, who, consumer, event=event)})


@routes.get("/events/{seq}", responses=documents(Event), summary="One event")
async def one(
    request: Request, seq: Annotated[int, Path(ge=1, le=2**62, description="Its position.", examples=[4711])]
) -> Response:
    """The event at a position of the log."""
    from operations.events import one as ask

    return await read(request, lambda system: ask(system, seq).to_json())
