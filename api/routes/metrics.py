"""`/metrics` (the state as numbers, and numbers of yours), `/anomalies`, and what people say about them."""

from typing import Annotated, Any, Literal

from fastapi import Body, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.metrics import Exposition
from api.routes.frame import Asked, Moment, Why, documents, done, router
from api.security import Operator
from api.shapes.base import Time, Told
from integrated_system import IntegratedSystem
from operations.metric_history import Curve

__all__ = ["routes"]

routes = router("metrics")

Names = Annotated[
    list[str] | None,
    Query(description="`DATASET`, `DATASET.METRIC`, or a recorded number; default: all.", examples=[["orders.rows"]]),
]


class NumberAsked(Asked):
    """A number of yours: it gets history, detection and alerts."""

    name: str = Field(max_length=64, examples=["orders_open"])
    value: float = Field(allow_inf_nan=False, examples=[12.5])
    unit: str = Field("", max_length=64)
    tags: dict[str, str] = Field({}, examples=[{"shop": "berlin"}])


class Recorded(Told):
    """A number that was kept, and what the detectors say about it."""

    name: str = Field(examples=["orders_open"])
    value: float
    unit: str
    tags: dict[str, str]
    time: Time
    anomalies: list[dict[str, Any]]
    learning: str | None


class Name(Told):
    """A series that is kept."""

    series: str = Field(examples=['orders_open{shop="berlin"}'])
    metric: str
    labels: dict[str, str]
    unit: str
    newest: Time | None


class Series(Told):
    """Every series that is kept."""

    metrics: list[Name]


class Histories(Told):
    """Figures over time."""

    history: list[Curve]


class Anomaly(Told):
    """A point that is unlikely. `score` 0..1; times are epoch seconds."""

    metric: str = Field(examples=["rows"])
    time: float
    value: float
    score: float | None
    severity: str
    direction: str
    expected_low: float | None
    expected_high: float | None
    reason: str
    since: float


class Trouble(Told):
    """A figure that grows towards a threshold of its own, and when it reaches it: at the earliest, at the latest."""

    dataset: str = Field(examples=["this_host"])
    metric: str = Field(examples=["mean(disk_percent)"])
    level: float
    threshold: float
    what: str
    reached: Time
    earliest: Time
    latest: Time
    in_s: float
    words: str


class Detected(Told):
    """What the detectors find unlikely now, which series are too short to be judged, and what lies ahead."""

    judged: int
    anomalies: list[Anomaly]
    incidents: list[dict[str, Any]]
    learning: dict[str, str]
    ahead: list[Trouble]


class Sensitivity(Told):
    """What a rate would have brought."""

    rate: float
    episodes: int
    per_1000: float


class Backtest(Told):
    """What would have been told of all that is stored."""

    judged: int
    episodes: list[Anomaly]
    sensitivities: list[Sensitivity]


class Edge(Told):
    """Between what a figure was expected at a moment."""

    time: str = Field(examples=["2026-03-28T06:00:00Z"])
    low: float
    high: float


class Expectation(Told):
    """The band of one series, oldest first."""

    series: str = Field(examples=["orders.rows"])
    points: list[Edge]


class Expectations(Told):
    """Bands, in the order in which they were asked for."""

    expected: list[Expectation]


class Said(Told):
    """What somebody said about a series; `number` is for taking it back."""

    number: int
    kind: Literal["fine", "normal_since", "excluded"]
    shown: str = Field(examples=["orders.rows"])
    actor: str
    reason: str


class Given(Told):
    """What was said."""

    feedback: list[Said]


class FeedbackAsked(Asked):
    """One thing about anomalies.

    `fine`: the anomaly `at` that time (default: the last one) is none; `fine_since`: all that were told since `at`;
    `normal_since`: what was before `at` is no past any more; `excluded`: from `at` up to `until` nothing counts.
    """

    kind: Literal["fine", "fine_since", "normal_since", "excluded"]
    metrics: list[str] = Field([], max_length=1000, examples=[["orders.rows"]])
    at: Moment | None = None
    until: Moment | None = None
    reason: Why = ""


@routes.get("/metrics", responses=documents(dict[str, Any]), summary="The state as numbers")
async def numbers(request: Request) -> Response:
    """What `/metrics` tells Prometheus, as JSON."""
    from operations.metrics import as_json

    exposition: Exposition = request.app.state.exposition
    return await read(request, lambda system: as_json(system, exposition.recent))


@routes.post("/metrics", status_code=201, responses=documents(Recorded, status=201), summary="Record a number")
async def record(request: Request, who: Operator, body: NumberAsked) -> Response:
    """Keep a number of yours now."""
    from operations.own_metrics import record as do

    return await done(
        request,
        lambda system: do(system, who, body.name, body.value, body.unit, body.tags).to_json(),
        status=201,
    )


@routes.get("/metrics/names", responses=documents(Series), summary="Which series there are")
async def names(request: Request) -> Response:
    """Figures of datasets, and numbers of yours."""
    from operations.metric_history import metric_names

    return await read(request, lambda system: {"metrics": metric_names(system)})


@routes.get("/metrics/history", responses=documents(Histories), summary="Numbers over time")
async def history(
    request: Request,
    metric: Annotated[list[str], Query(min_length=1, description="`DATASET.METRIC`, or a recorded number.")],
    since: Annotated[Moment | None, Query(description="Default: a day before `until`.")] = None,
    until: Annotated[Moment | None, Query(description="Exclusive; default: now.")] = None,
    points: Annotated[int, Query(ge=1, le=2000, description="At most so many each.")] = 300,
) -> Response:
    """Each point sums up a stretch of time: the mean, and the least and greatest value that it would hide."""
    from operations.metric_history import metric_history as ask

    return await read(
        request,
        lambda system: {
            "history": [one.to_json() for one in ask(system, metric, since=since, until=until, points=points)]
        },
    )


@routes.get("/anomalies", responses=documents(Detected), summary="What is unlikely now")
async def anomalies(request: Request, metric: Names = None) -> Response:
    """The newest point of every series is judged."""
    from operations.detect import detect

    return await read(request, lambda system: detect(system, metric or ()).to_json())


@routes.get("/anomalies/backtest", responses=documents(Backtest), summary="What would have been told")
async def backtest(
    request: Request,
    metric: Names = None,
    rate: Annotated[
        float | None,
        Query(ge=0.000001, lt=1000, description="False episodes per 1,000 points: at this one, and at no other."),
    ] = None,
) -> Response:
    """Every stored point is judged by those before it; at other rates, too."""
    from operations.detect import backtest as ask

    return await read(request, lambda system: ask(system, metric or (), rate=rate).to_json())


@routes.get("/anomalies/expected", responses=documents(Expectations), summary="Between what figures were expected")
async def expected(
    request: Request,
    metric: Annotated[list[str], Query(min_length=1, description="`DATASET.METRIC`, or a recorded number.")],
    since: Annotated[Moment | None, Query(description="Default: a day before `until`.")] = None,
    until: Annotated[Moment | None, Query(description="Exclusive; default: now.")] = None,
) -> Response:
    """The band of each figure at its newest 2,000 points, by the points before each."""
    from operations.expected import expected as ask

    def told(system: IntegratedSystem) -> Any:
        return {"expected": [one.to_json() for one in ask(system, metric, since=since, until=until)]}

    return await read(request, told)


@routes.get("/anomalies/feedback", responses=documents(Given), summary="What was said")
async def given(request: Request, metric: Names = None) -> Response:
    """All that was said about anomalies and counts, oldest first."""
    from operations.feedback import given as ask

    return await read(request, lambda system: ask(system, metric or ()).to_json())


@routes.post("/anomalies/feedback", status_code=201, responses=documents(Given, status=201), summary="Say something")
async def say(request: Request, who: Operator, body: Annotated[FeedbackAsked, Body()]) -> Response:
    """That something was fine, is normal now, or does not count."""
    from operations.feedback import say as do

    def told(system: IntegratedSystem) -> Any:
        return do(system, who, body.kind, body.metrics, at=body.at, until=body.until, reason=body.reason).to_json()

    return await done(request, told, status=201)


@routes.delete("/anomalies/feedback/{number}", responses=documents(Given), summary="Take it back")
async def take_back(
    request: Request, who: Operator, number: Annotated[int, Path(ge=1, le=2**53, description="Of what was said.")]
) -> Response:
    """What was said under this number counts no more."""
    from operations.feedback import take_back as do

    return await done(request, lambda system: do(system, who, number).to_json())
