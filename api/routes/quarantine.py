"""`/quarantine`: rows that broke a rule, with their reasons; put back, or given up."""

from typing import Annotated

from fastapi import Body, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.problems import PROBLEMS
from api.routes.frame import Asked, Why, documents, done, router
from api.rows import ROWS, Format, MostRows, Opened, sent
from api.security import Operator
from api.shapes.runs import Dropped, Quarantine, Replays
from integrated_system import IntegratedSystem

__all__ = ["routes"]

routes = router("datasets")

Dataset = Annotated[str, Path(description="The dataset.", examples=["orders"])]
Run = Annotated[str | None, Field(description="Of this run only; default: all that wait.")]


class ReplayAsked(Asked):
    """`force`: also old rows beside newer ones, and what the gate would hold."""

    run: Run = None
    reason: Why = ""
    force: bool = False


class DropAsked(Asked):
    """`rules`: only rows that broke one of these, by their ids."""

    run: Run = None
    rules: list[str] = Field([], max_length=1000)
    reason: Why = ""


@routes.get("/quarantine", responses=documents(Quarantine), summary="What was set aside")
async def listed(
    request: Request, dataset: Annotated[str | None, Query(description="Only of this dataset.")] = None
) -> Response:
    """What waits, what was replayed, what was dropped; newest first."""
    from operations.quarantine import listed as ask

    return await read(request, lambda system: {"quarantine": [one.to_json() for one in ask(system, dataset)]})


@routes.get("/quarantine/{dataset}", responses={**PROBLEMS, **ROWS}, summary="Rows in quarantine")
async def rows(
    request: Request,
    dataset: Dataset,
    run: Annotated[str | None, Query(description="Of this run; default: the newest.")] = None,
    limit: MostRows = None,
    after: Annotated[
        int | None, Query(ge=0, le=2**53, description="Pass over so many rows: `limit` is the next page.")
    ] = None,
    format: Annotated[Format | None, Query(description="Default: what `Accept` says.")] = None,
) -> Response:
    """Each row with the rules it broke and its place in the batch; `limit`: a sample, or with `after` a page."""
    from operations.quarantine import rows as ask

    def opened(system: IntegratedSystem) -> Opened:
        found = ask(system, dataset, run, limit=limit, after=after)
        return found.schema, found.batches(), {"X-Rows": str(found.of), "X-Run-ID": found.run_id}

    return await sent(request, opened, format)


@routes.post("/quarantine/{dataset}/replay", responses=documents(Replays), summary="Try the rows again")
async def replay(
    request: Request, who: Operator, dataset: Dataset, body: Annotated[ReplayAsked | None, Body()] = None
) -> Response:
    """Put them under the rules as they are now: those that pass join the dataset."""
    from operations.replay import replay as do

    asked = body or ReplayAsked()
    return await done(
        request,
        lambda system: do(system, who, dataset, asked.run, reason=asked.reason, force=asked.force).to_json(),
    )


@routes.post("/quarantine/{dataset}/drop", responses=documents(Dropped), summary="Give rows up")
async def drop(
    request: Request, who: Operator, dataset: Dataset, body: Annotated[DropAsked | None, Body()] = None
) -> Response:
    """For good."""
    from operations.quarantine import drop as do

    asked = body or DropAsked()
    return await done(
        request,
        lambda system: do(system, who, dataset, asked.run, rules=asked.rules, reason=asked.reason).to_json(),
    )
