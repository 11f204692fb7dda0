"""`/news` and `/trends`: what somebody who comes back wants to know first."""

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.routes.frame import Moment, documents, router
from api.shapes.base import Time, Told

__all__ = ["routes"]

routes = router("system")


class Turn(Told):
    """An event after which something is not as it was before. `actor`: who did it; empty: nobody."""

    seq: int
    time: Time
    type: str
    subject: str
    actor: str
    reason: str


class News(Told):
    """What happened since a moment: how runs ended, the newest turns of events, and how many more there are."""

    since: Time
    runs: dict[str, int]
    turns: list[Turn]
    more: int


class Trend(Told):
    """A dataset's newest figures, oldest first."""

    dataset: str
    rows: list[float]
    quality: list[float]


class Trends(Told):
    """One for each dataset."""

    trends: list[Trend]


@routes.get("/news", responses=documents(News), summary="What happened since a moment")
async def news(
    request: Request, since: Annotated[Moment, Query(description="From then on.", examples=["2026-11-20T18:00:00Z"])]
) -> Response:
    """For somebody who was away: how runs ended, and what is not as it was before."""
    from operations.news import news as ask

    return await read(request, lambda system: ask(system, since).to_json())


@routes.get("/trends", responses=documents(Trends), summary="How all datasets moved lately")
async def trends(
    request: Request,
    points: Annotated[int, Query(ge=1, le=200, description="Of each dataset, the last so many.")] = 40,
    as_of: Annotated[Moment | None, Query(description="As it was at this time.")] = None,
) -> Response:
    """Rows and score of the last runs of every dataset, in one answer."""
    from operations.trends import trends as ask

    return await read(
        request, lambda system: {"trends": [one.to_json() for one in ask(system, points=points, as_of=as_of)]}
    )
