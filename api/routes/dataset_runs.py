"""What came of a dataset run by run, how its score went, and which of its runs can be run again from raw answers."""

from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.paging import Cursor, Limit, page
from api.routes.datasets import Name
from api.routes.frame import Moment, documents, page_of, position, router
from api.shapes.datasets import DatasetRun, QualityHistory, RawKept
from integrated_system import IntegratedSystem

__all__ = ["AsOf", "routes"]

routes = router("datasets")

AsOf = Annotated[Moment | None, Query(description="As it was at this time.")]


@routes.get("/datasets/{name}/runs", responses=documents(page_of(DatasetRun, "DatasetRuns")), summary="Its runs")
async def runs(request: Request, name: Name, as_of: AsOf = None, limit: Limit = 20, cursor: Cursor = None) -> Response:
    """What came of it in each run, newest first: origin, attempts, rows, score, what was wrong."""
    from operations.dataset_runs import dataset_runs

    before = position(request, cursor, str)

    def made(system: IntegratedSystem) -> Any:
        found = dataset_runs(system, name, limit=limit + 1, before=before, as_of=as_of)
        return page(request, found[:limit], found[limit - 1]["run_id"] if len(found) > limit else None)

    return await read(request, made)


@routes.get("/datasets/{name}/quality/history", responses=documents(QualityHistory), summary="Its score over time")
async def quality_history(
    request: Request,
    name: Name,
    since: Annotated[Moment | None, Query(description="Default: from the beginning.")] = None,
    as_of: AsOf = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="The last so many.")] = 300,
) -> Response:
    """The score of each batch and its parts, oldest first."""
    from operations.dataset_runs import quality_history as ask

    return await read(request, lambda system: ask(system, name, since=since, as_of=as_of, limit=limit).to_json())


@routes.get("/datasets/{name}/raw", responses=documents(RawKept), summary="Raw answers that are kept")
async def raw(request: Request, name: Name) -> Response:
    """The runs that `from_raw` of a run can take, newest first."""
    from operations.raw_kept import raw_kept

    return await read(request, lambda system: raw_kept(system, name).to_json())
