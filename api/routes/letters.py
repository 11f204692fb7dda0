"""`/outbox`, `/letters`: the outbox of alerts: what waits, what was sent in which words, what nobody took."""

from typing import Annotated, Literal

from fastapi import Body, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.routes.frame import Asked, documents, done, router
from api.security import Operator
from api.shapes.incidents import Letters, Resent, WrittenLetter

__all__ = ["routes"]

routes = router("incidents")


class ResendAsked(Asked):
    """`keys`: of dead letters, or of their incidents; none: all of them."""

    keys: list[str] = Field([], max_length=1000, examples=[["0198f2d2-5b0e-7c3a-9a52-8d1c7b0e4f11:team"]])


@routes.get("/outbox", responses=documents(Letters), summary="What people are told")
async def listed(
    request: Request,
    state: Annotated[
        Literal["waiting", "sent", "dead"], Query(description="`dead`: nobody took it, for good.")
    ] = "waiting",
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 50,
) -> Response:
    """Messages that wait, that were sent (the latest first), or that no channel took."""
    from operations.letters import letters as ask

    return await read(request, lambda system: {"letters": [one.to_json() for one in ask(system, state, limit=limit)]})


@routes.get("/letters/{key}", responses=documents(WrittenLetter), summary="One message")
async def one(request: Request, key: Annotated[str, Path(description="The key of the message.")]) -> Response:
    """In the words in which it was written, or will be sent."""
    from operations.letters import letter as ask

    return await read(request, lambda system: ask(system, key).to_json())


@routes.post("/outbox/resend", responses=documents(Resent), summary="Send dead letters again")
async def resend(request: Request, who: Operator, body: Annotated[ResendAsked | None, Body()] = None) -> Response:
    """They are tried at once, as if they were new."""
    from operations.letters import resend_now as do

    asked = body or ResendAsked()
    return await done(request, lambda system: do(system, who, asked.keys).to_json())
