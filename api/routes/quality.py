"""`/quality`: how good the data of all datasets is."""

from typing import Annotated

from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.routes.frame import Moment, documents, router
from api.shapes.base import Time, Told
from api.shapes.datasets import RuleReport

__all__ = ["routes"]

routes = router("datasets")

Points = Annotated[float, Field(ge=0.0, le=100.0, examples=[97.4])]


class DatasetQuality(Told):
    """The batch of a dataset that came last: its score, how many of its rules were broken; rows in quarantine."""

    dataset: str = Field(examples=["orders"])
    version: str | None
    state: str | None
    time: Time | None
    rows: int
    score: Points | None
    dimensions: dict[str, float]
    rules: int
    broken: int
    failed: int
    waiting: int


class JudgedRule(RuleReport):
    """A rule of a dataset, and what to do where it was broken."""

    dataset: str = Field(examples=["orders"])
    advice: str
    paste: str


class Qualities(Told):
    """Datasets and rules, the worst first."""

    datasets: list[DatasetQuality]
    rules: list[JudgedRule]


class Day(Told):
    """The scores of a day."""

    day: str = Field(examples=["2026-11-20"])
    low: Points
    mean: Points
    last: Points
    count: int


class DatasetDays(Told):
    """The days of a dataset that had a score."""

    dataset: str = Field(examples=["orders"])
    days: list[Day]


class Days(Told):
    """Scores by day of a zone."""

    zone: str = Field(examples=["Europe/Berlin"])
    first: str
    last: str
    datasets: list[DatasetDays]


@routes.get("/quality", responses=documents(Qualities), summary="How good all data is")
async def all_of_them(
    request: Request, passed: Annotated[bool, Query(description="Also rules that nothing broke.")] = False
) -> Response:
    """The score of each dataset, and the rules that its last batch broke, with advice; the worst first."""
    from operations.quality import qualities

    return await read(request, lambda system: qualities(system, passed=passed).to_json())


@routes.get("/quality/days", responses=documents(Days), summary="Scores by day")
async def by_day(
    request: Request,
    dataset: Annotated[list[str] | None, Query(description="Only of these; default: of all.")] = None,
    since: Annotated[Moment | None, Query(description="Default: 30 days before `until`.")] = None,
    until: Annotated[Moment | None, Query(description="Exclusive; default: now.")] = None,
) -> Response:
    """The least score of each day, the mean, and the last one, by the clock of the installation's zone."""
    from operations.quality import quality_days

    return await read(request, lambda system: quality_days(system, dataset or (), since=since, until=until).to_json())
