"""`/datasets`: how each stands, why, its quality, what its table looks like, its figures over time."""

from typing import Annotated, Literal

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.routes.frame import Moment, documents, router
from api.shapes.base import Told
from api.shapes.datasets import Dataset, DatasetReport, Datasets, Profile, Reasons
from operations.lineage import Lineage
from operations.metric_history import Curve

__all__ = ["Name", "routes"]

routes = router("datasets")

Name = Annotated[str, Path(description="The dataset.", examples=["orders"])]
State = Literal["collected", "held", "failed", "missing"]


class History(Told):
    """Figures over time."""

    dataset: str
    history: list[Curve]


class Piece(Told):
    """A piece of a table."""

    partition: str
    state: State


class Pieces(Told):
    """The pieces of a table: which are there, missing, failed, held."""

    dataset: str
    newest: str | None
    counts: dict[str, int]
    partitions: list[Piece]


@routes.get("/datasets", responses=documents(Datasets), summary="All datasets")
async def listed(request: Request) -> Response:
    """How every declared dataset stands, worst first. Ages are of this second."""
    from operations.status import listed_datasets as ask

    return await read(request, lambda system: ask(system).to_json())


@routes.get("/datasets/{name}", responses=documents(Dataset), summary="One dataset")
async def one(request: Request, name: Name) -> Response:
    """How a dataset stands."""
    from operations.status import status_of

    return await read(request, lambda system: status_of(system, name).to_json())


@routes.get("/datasets/{name}/why", responses=documents(Reasons), summary="Why it is as it is")
async def why(request: Request, name: Name) -> Response:
    """Last good against now, what changed, the next try, and commands to paste."""
    from operations.why import why as ask

    return await read(request, lambda system: ask(system, name).to_json())


@routes.get("/datasets/{name}/quality", responses=documents(DatasetReport), summary="Quality")
async def quality(request: Request, name: Name) -> Response:
    """The report on the batch that came last: its score, each rule, some rows that broke one, and advice."""
    from operations.report import report_of

    return await read(request, lambda system: report_of(system, name).to_json())


@routes.get("/datasets/{name}/profile", responses=documents(Profile), summary="What its columns look like")
async def profile(
    request: Request,
    name: Name,
    batch: Annotated[bool, Query(description="The batch collected last, held or accepted.")] = False,
) -> Response:
    """Empty cells, different values, range, mean, quantiles, lengths and ages, of all rows."""
    from operations.profile import profile as ask

    return await read(request, lambda system: ask(system, name, last_batch=batch).to_json())


@routes.get("/datasets/{name}/history", responses=documents(History), summary="Its figures over time")
async def history(
    request: Request,
    name: Name,
    metric: Annotated[
        list[str] | None, Query(description="Which figures, e.g. `rows`; default: all.", examples=[["rows"]])
    ] = None,
    since: Annotated[Moment | None, Query(description="Default: a day before `until`.")] = None,
    until: Annotated[Moment | None, Query(description="Exclusive; default: now.")] = None,
    points: Annotated[int, Query(ge=1, le=2000, description="At most so many a figure.")] = 300,
) -> Response:
    """Each point sums up a stretch of time: the mean, and the least and greatest value that it would hide."""
    from operations.metric_history import dataset_history as ask

    return await read(
        request,
        lambda system: {
            "dataset": name,
            "history": [
                one.to_json() for one in ask(system, name, metric or (), since=since, until=until, points=points)
            ],
        },
    )


@routes.get("/datasets/{name}/partitions", responses=documents(Pieces), summary="Its pieces")
async def partitions(
    request: Request,
    name: Name,
    only: Annotated[list[State] | None, Query(description="Only those in these states.")] = None,
) -> Response:
    """The pieces of a table that is collected in pieces."""
    from operations.partitions import partitions as ask

    return await read(request, lambda system: ask(system, name, tuple(only or ())).to_json())


@routes.get("/lineage", responses=documents(Lineage), summary="What is made of what")
async def lineage(
    request: Request,
    dataset: Annotated[
        list[str] | None, Query(description="`orders`, `+orders` with what it is made of, `tag:finance`; default: all.")
    ] = None,
) -> Response:
    """Datasets, their providers, and the versions they were made of."""
    from operations.lineage import lineage as ask

    return await read(request, lambda system: ask(system, dataset or ()).to_json())
