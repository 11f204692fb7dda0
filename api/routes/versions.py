"""`/datasets/{name}/versions` and the gate by hand: accept, reject, roll back."""

from typing import Annotated

from fastapi import Body, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.routes.dataset_runs import AsOf
from api.routes.datasets import Name
from api.routes.frame import Asked, Why, documents, done, router
from api.security import Operator
from api.shapes.datasets import Decided, Difference
from operations.versions import Versions

__all__ = ["routes"]

routes = router("datasets")

Version = Annotated[str | None, Field(description="Default: see the path.", examples=[None])]


class Decision(Asked):
    """About which version, and why."""

    version: Version = None
    reason: Why = ""


class Acceptance(Decision):
    """`force`: also when it takes the place of rows that were accepted since."""

    force: bool = False


@routes.get("/datasets/{name}/versions", responses=documents(Versions), summary="Its versions")
async def listed(request: Request, name: Name, as_of: AsOf = None) -> Response:
    """Which version readers see, what waits for a decision, who decided what; newest first."""
    from operations.versions import versions

    return await read(request, lambda system: versions(system, name, as_of=as_of).to_json())


@routes.get("/datasets/{name}/difference", responses=documents(Difference), summary="What differs between two versions")
async def difference(
    request: Request,
    name: Name,
    before: Annotated[
        str | None, Query(max_length=100, description="Default: what readers see, or the one before that.")
    ] = None,
    after: Annotated[
        str | None, Query(max_length=100, description="Default: what waits for a decision, else what readers see.")
    ] = None,
) -> Response:
    """Columns, rows (added, removed, changed, with some of them), figures of columns, and the same in words."""
    from operations.difference import difference as ask

    return await done(request, lambda system: ask(system, name, before, after).to_json())


@routes.post("/datasets/{name}/accept", responses=documents(Decided), summary="Accept a held batch")
async def accept(
    request: Request, who: Operator, name: Name, body: Annotated[Acceptance | None, Body()] = None
) -> Response:
    """Let readers see a batch that the gate held; the newest one, if none is named."""
    from operations.gate import accept as do

    asked = body or Acceptance()
    return await done(
        request,
        lambda system: do(system, who, name, asked.version, reason=asked.reason, force=asked.force).to_json(),
    )


@routes.post("/datasets/{name}/reject", responses=documents(Decided), summary="Reject a held batch")
async def reject(
    request: Request, who: Operator, name: Name, body: Annotated[Decision | None, Body()] = None
) -> Response:
    """Turn away a batch that the gate held; the newest one, if none is named."""
    from operations.gate import reject as do

    asked = body or Decision()
    return await done(request, lambda system: do(system, who, name, asked.version, reason=asked.reason).to_json())


@routes.post("/datasets/{name}/rollback", responses=documents(Decided), summary="Give readers an earlier version")
async def rollback(
    request: Request, who: Operator, name: Name, body: Annotated[Decision | None, Body()] = None
) -> Response:
    """The one before what readers see, if none is named."""
    from operations.gate import rollback as do

    asked = body or Decision()
    return await done(request, lambda system: do(system, who, name, asked.version, reason=asked.reason).to_json())
