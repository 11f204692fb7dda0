"""`/runs`: asked for, followed, called off, listed."""

from typing import Annotated, Any

from fastapi import Body, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.following import LONGEST_WAIT_S, followed, waited
from api.paging import Cursor, Limit, page
from api.routes.frame import Asked, Moment, Reason, documents, done, page_of, position, router
from api.security import Operator
from api.shapes.base import RunStatus
from api.shapes.runs import RUN_ID, Cancelled, ListedRun, LogLines, Planned, Queued, Run
from integrated_system import IntegratedSystem

__all__ = ["Wait", "routes"]

routes = router("runs")

RunId = Annotated[str, Path(description="The run.", examples=[RUN_ID])]
Wait = Annotated[
    int, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for its end; then it is told as it is.")
]
AsOf = Annotated[Moment | None, Query(description="As it was at this time.")]
NOT_OVER = {"queued", "running"}


class RunAsked(Asked):
    """What is to be run. Nothing: all datasets."""

    datasets: list[str] = Field(
        [], max_length=10_000, description="Names or selections (`tag:finance`, `+orders`).", examples=[["orders"]]
    )
    fresh: bool = Field(False, description="Ask the providers even within the TTL.")
    from_raw: str = Field(
        "", max_length=100, description="Take what came in this run in place of the providers (`keep_raw`)."
    )
    priority: int = Field(0, ge=-1_000_000, le=1_000_000, description="Of those that wait, the highest begins first.")
    dry_run: bool = Field(False, description="Say what would be done (200), and do nothing.")


@routes.post(
    "/runs",
    status_code=202,
    responses={**documents(Planned, "With `dry_run`: what would be done."), **documents(Queued, status=202)},
    summary="Start a run",
)
async def start(request: Request, who: Operator, body: Annotated[RunAsked | None, Body()] = None) -> Response:
    """It waits in the queue until a `serve` or `schedule` takes it up; where there is none, a process is started.

    `Location` is the run: follow it there.
    """
    from operations.run import queue
    from operations.run_plan import plan

    asked = body or RunAsked()
    if asked.dry_run:

        def told(system: IntegratedSystem) -> Any:
            planned = plan(system, asked.datasets, fresh=asked.fresh, from_raw=asked.from_raw)
            return {"dry_run": True, "datasets": [one.to_json() for one in planned]}

        return await done(request, told)
    return await done(
        request,
        lambda system: queue(
            system, who, asked.datasets, fresh=asked.fresh, from_raw=asked.from_raw, priority=asked.priority
        ).to_json(),
        status=202,
        location=lambda run: f"/runs/{run['run_id']}",
    )


@routes.get("/runs", responses=documents(page_of(ListedRun, "Runs")), summary="Runs")
async def listed(
    request: Request,
    status: Annotated[RunStatus | None, Query(description="Only those that are so.")] = None,
    as_of: AsOf = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """The newest first; with `status=queued` in the order in which they are begun."""
    from operations.runs import runs

    waiting = status == "queued"
    after = position(request, cursor, str)
    passed = _number(after) if waiting else 0

    def made(system: IntegratedSystem) -> Any:
        before = None if waiting else after
        found = runs(system, status=status, limit=limit + 1, before=before, passed=passed, as_of=as_of)
        end = None
        if len(found) > limit:
            end = str(passed + limit) if waiting else found[limit - 1].run_id
        return page(request, [run.to_json() for run in found[:limit]], end)

    return await read(request, made)


@routes.get("/runs/{run_id}", responses=documents(Run), summary="One run")
async def one(request: Request, run_id: RunId, wait: Wait = 0, as_of: AsOf = None) -> Response:
    """A run, and what came of each of its datasets."""
    make = _of(run_id, as_of)
    if wait and as_of is None:
        return await waited(request, make, _is_over, wait)
    return await read(request, make)


@routes.get(
    "/runs/{run_id}/follow",
    responses={
        200: {"description": "`progress` at each change, `finished` at its end.", "content": {"text/event-stream": {}}}
    },
    summary="Follow a run",
)
async def follow(request: Request, run_id: RunId) -> Response:
    """Server-sent events; the data of each is the run."""
    return await followed(request, _of(run_id), _is_over)


@routes.post("/runs/{run_id}/cancel", responses=documents(Cancelled), summary="Call a run off")
async def cancel(request: Request, who: Operator, run_id: RunId, body: Reason = None) -> Response:
    """One that waits never begins; of one that runs what was finished is kept."""
    from operations.queue import cancel as do

    reason = body.reason if body else ""
    return await done(request, lambda system: do(system, who, run_id, reason=reason).to_json())


@routes.post("/runs/{run_id}/resume", status_code=202, responses=documents(Queued, status=202), summary="Go on")
async def resume(request: Request, who: Operator, run_id: RunId) -> Response:
    """Have somebody go on with a run that was broken off: it begins with what it has not finished."""
    from operations.resume_run import resume_soon as do

    return await done(
        request,
        lambda system: do(system, who, run_id).to_json(),
        status=202,
        location=lambda run: f"/runs/{run['run_id']}",
    )


@routes.get("/runs/{run_id}/logs", responses=documents(LogLines), summary="What was logged for a run")
async def logs(
    request: Request,
    run_id: RunId,
    limit: Annotated[int, Query(ge=1, le=1000, description="So many of the newest lines.")] = 200,
) -> Response:
    """Lines of the log files, oldest first; of files as JSON only (`logging.files`)."""
    from operations.run_logs import lines_of

    return await done(request, lambda system: lines_of(system, run_id, limit=limit).to_json())


def _of(run_id: str, as_of: str | None = None) -> Any:
    from operations.runs import show

    return lambda system: show(system, run_id, as_of=as_of).to_json()


def _is_over(run: Any) -> bool:
    return run["status"] not in NOT_OVER


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
