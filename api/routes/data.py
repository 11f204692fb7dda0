"""`/datasets/{name}/data`: the rows that readers get, as JSON, JSON lines, CSV, Parquet or an Arrow stream."""

from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.asking import ask
from api.problems import PROBLEMS
from api.routes.datasets import Name
from api.routes.frame import router
from api.rows import ROWS, Columns, Format, MostRows, Opened, names_of, sent
from integrated_system import IntegratedSystem

__all__ = ["routes"]

routes = router("datasets")


@routes.get("/datasets/{name}/data", responses={**PROBLEMS, **ROWS}, summary="Its rows")
async def data(
    request: Request,
    name: Name,
    columns: Columns = None,
    limit: MostRows = None,
    after: Annotated[int, Query(ge=0, le=2**53, description="So many rows are passed over.")] = 0,
    format: Annotated[Format | None, Query(description="Default: what `Accept` says.")] = None,
    batch: Annotated[bool, Query(description="The batch collected last, held or accepted.")] = False,
    version: Annotated[str | None, Query(max_length=100, description="The rows of this version, in any state.")] = None,
) -> Response:
    """What readers of a dataset get. Other columns, and rows beyond the limit, are not read.

    `ETag` is of the version: with `If-None-Match` the rows come again only when there are others.
    """

    from operations.extract import current_version, extract

    which: dict[str, Any] = {"last_batch": batch, "version": version or ""}

    def opened(system: IntegratedSystem) -> Opened:
        found = extract(system, name, columns=names_of(columns), after=after, limit=limit, **which)
        told = {"X-Rows": str(found.rows), "X-Collected-At": found.collected_at, "X-Dataset-Version": found.version}
        return found.schema, found.batches, {header: value for header, value in told.items() if value}

    tag = "" if batch or version else await ask(request, current_version, name)
    return await sent(request, opened, format, version or tag)
