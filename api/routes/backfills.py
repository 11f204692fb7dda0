"""`/backfills`: pieces of tables again, and missing ones."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.following import followed, waited
from api.paging import Cursor, Limit, page
from api.routes.frame import Asked, Reason, documents, done, page_of, position, router
from api.routes.runs import Wait
from api.security import Operator
from api.shapes.runs import RUN_ID, Backfill, BackfillPlan
from integrated_system import IntegratedSystem

__all__ = ["routes"]

routes = router("runs")

BackfillId = Annotated[str, Path(description="The backfill.", examples=[RUN_ID])]
Text = Annotated[str, Field(max_length=100)]


class BackfillAsked(Asked):
    """Which pieces are to be collected. Nothing but the dataset: all that are complete."""

    dataset: str = Field(examples=["orders"])
    begin: Text | None = Field(None, alias="from", description="Where the first piece begins.", examples=["2026-11-01"])
    end: Text | None = Field(
        None, alias="to", description="Where the first piece begins that is not wanted.", examples=["2026-11-20"]
    )
    partitions: list[Text] = Field([], max_length=10_000, description="These pieces.")
    only: list[Literal["missing", "failed", "held", "collected"]] = Field([], description="In one of these states.")
    concurrency: int | None = Field(None, ge=1, le=64, description="Pieces at once.")
    dry_run: bool = Field(False, description="Say what would be done and what it costs (200), and do nothing.")


@routes.post(
    "/backfills",
    status_code=202,
    responses={**documents(BackfillPlan, "With `dry_run`: what would be done."), **documents(Backfill, status=202)},
    summary="Start a backfill",
)
async def start(request: Request, who: Operator, body: BackfillAsked) -> Response:
    """A `serve` or `schedule` works it off; where there is none, a process is started. `Location` is the backfill."""
    from operations.backfill_plan import plan
    from operations.backfill_service import ask

    def planned(system: IntegratedSystem) -> Any:
        return plan(
            system,
            body.dataset,
            begin=body.begin,
            end=body.end,
            keys=body.partitions,
            only=body.only,
            concurrency=body.concurrency,
        )

    if body.dry_run:
        return await done(request, lambda system: planned(system).to_json())
    return await done(
        request,
        lambda system: ask(system, who, planned(system)).to_json(),
        status=202,
        location=lambda one: f"/backfills/{one['backfill']}",
    )


@routes.get("/backfills", responses=documents(page_of(Backfill, "Backfills")), summary="Backfills")
async def listed(
    request: Request,
    dataset: Annotated[str | None, Query(description="Only of this dataset.")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """The newest first; without what became of each piece."""
    from operations.backfill import listed as ask

    before = position(request, cursor, str)

    def made(system: IntegratedSystem) -> Any:
        found = ask(system, dataset, limit=limit + 1, before=before)
        end = found[limit - 1].id if len(found) > limit else None
        return page(request, [one.to_json() for one in found[:limit]], end)

    return await read(request, made)


@routes.get("/backfills/{backfill}", responses=documents(Backfill), summary="One backfill")
async def one(request: Request, backfill: BackfillId, wait: Wait = 0) -> Response:
    """How it stands, and what became of the pieces that are not there."""
    make = _of(backfill)
    if wait:
        return await waited(request, make, _is_over, wait)
    return await read(request, make)


@routes.get(
    "/backfills/{backfill}/follow",
    responses={
        200: {"description": "`progress` at each change, `finished` at its end.", "content": {"text/event-stream": {}}}
    },
    summary="Follow a backfill",
)
async def follow(request: Request, backfill: BackfillId) -> Response:
    """Server-sent events; the data of each is the backfill."""
    return await followed(request, _of(backfill), _is_over)


@routes.post("/backfills/{backfill}/cancel", responses=documents(Backfill), summary="Call a backfill off")
async def cancel(request: Request, who: Operator, backfill: BackfillId, body: Reason = None) -> Response:
    """Nothing more of it is collected. What is stored stays."""
    from operations.backfill import call_off

    reason = body.reason if body else ""
    return await done(request, lambda system: call_off(system, who, backfill, reason=reason).to_json())


@routes.post(
    "/backfills/{backfill}/resume", status_code=202, responses=documents(Backfill, status=202), summary="Go on"
)
async def resume(request: Request, who: Operator, backfill: BackfillId) -> Response:
    """Have somebody go on with one that was broken off; nothing happens where somebody is at it."""
    from operations.backfill_service import ask_again

    return await done(
        request,
        lambda system: ask_again(system, who, backfill).to_json(),
        status=202,
        location=lambda one: f"/backfills/{one['backfill']}",
    )


def _of(backfill: str) -> Any:
    from operations.backfill import result_of

    return lambda system: result_of(system, backfill).to_json()


def _is_over(backfill: Any) -> bool:
    return backfill["finished_at"] is not None or backfill["status"] == "interrupted"
