"""`/status`, `/health`, `/schedules`, `/maintenance`, `/configuration`, `/cache`."""

from typing import Annotated, Any

from fastapi import Body, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.routes.frame import Asked, Moment, Reason, Why, documents, done, router
from api.security import Operator, Viewer
from api.shapes.base import Told
from api.shapes.datasets import Datasets
from operations.actor import Role
from operations.cache import CacheCleared, CacheFigures

__all__ = ["routes"]

routes = router("system")


class Status(Datasets):
    """The state of the whole system."""

    last_run: dict[str, Any] | None
    breakers: dict[str, dict[str, Any]]
    queued: int
    network_away_since: str | None
    consumers: list[dict[str, Any]]
    as_of: str | None
    incidents: list[dict[str, Any]]


class Check(Told):
    """One thing that was looked at."""

    name: str = Field(examples=["log"])
    healthy: bool


class Health(Told):
    """Is the system itself well? Degraded data is still healthy."""

    healthy: bool
    checks: list[Check]


class Schedule(Told):
    """A schedule of a dataset, and how it stands."""

    dataset: str = Field(examples=["orders"])
    schedule: str = Field(examples=["every 15m"])
    zone: str = Field(examples=["UTC"])
    next_due: str | None
    waits: bool
    last_due: str | None
    last_run: str | None
    status: str | None
    failures: int
    paused_at: str | None
    paused_by: str | None
    put_off: str | None
    put_off_for: str | None
    overdue: str | None
    skipped: dict[str, int] = Field(description="In the last day, by reason.")
    why: str | None


class WhoAsks(Told):
    """Who was let in, as it stands in the log, and what they may do."""

    name: str = Field(examples=["token:grafana"])
    role: Role


class Moved(Told):
    """The schedules that were paused or go on; `already`: those that were so before."""

    schedules: list[str] = Field(examples=[["orders"]])
    already: list[str]
    skipped: int


class Schedules(Told):
    """When each dataset is due; `led_by`: the process that sees to them, null: nobody does."""

    led_by: str | None
    schedules: list[Schedule]


class Step(Told):
    """What one step of maintenance did."""

    name: str
    count: int
    freed_bytes: int
    detail: str
    well: bool


class Maintenance(Told):
    """What maintenance did, or would do; `left`: steps for which there was no time."""

    dry_run: bool
    freed_bytes: int
    steps: list[Step]
    left: list[str]


class Value(Told):
    """A value of the configuration, and where it came from. Secrets are masked."""

    key: str = Field(examples=["app.name"])
    value: Any
    origin: str = Field(examples=["default"])


class Configuration(Told):
    """What counts, of all files and variables together."""

    files: list[str]
    values: list[Value]


class MaintenanceAsked(Asked):
    """How long it may take."""

    dry_run: bool = Field(False, description="Say what would be done, and do nothing.")
    seconds: float = Field(20.0, ge=1.0, le=25.0, description="What is not begun by then is left to the next one.")


class ScheduleNames(Asked):
    """Whose schedules; none: all."""

    datasets: list[str] = Field([], max_length=10_000, examples=[["orders"]])


class Pausing(ScheduleNames):
    """And why."""

    reason: Why = ""


@routes.get("/status", responses=documents(Status), summary="Is everything all right?")
async def status(
    request: Request, as_of: Annotated[Moment | None, Query(description="As it was at this time.")] = None
) -> Response:
    """One sentence, then every dataset, worst first; the last run, circuits, incidents."""
    from operations.status import status as ask

    return await read(request, lambda system: ask(system, as_of=as_of).to_json())


@routes.get("/whoami", responses=documents(WhoAsks), summary="Who asks, and what they may do")
async def whoami(request: Request, who: Viewer) -> Response:
    """As the token says; without one, on the machine of the API, an operator."""
    return await done(request, lambda _: {"name": who.name, "role": who.role})


@routes.get("/health", responses=documents(Health), summary="Is the system itself well?")
async def health(request: Request) -> Response:
    """All checks. For probes there are `/livez`, `/readyz` and `/health`, which say it by their status."""
    from operations.health import health as ask

    return await read(request, lambda system: ask(system).to_json())


@routes.get("/schedules", responses=documents(Schedules), summary="When datasets are due")
async def schedules(
    request: Request,
    dataset: Annotated[list[str] | None, Query(description="Whose; default: all.", examples=[["orders"]])] = None,
) -> Response:
    """When each is due next, what came of it last, and what was skipped in the last day."""
    from operations.schedules import listed

    return await read(request, lambda system: listed(system, dataset or ()).to_json())


@routes.post("/schedules/pause", responses=documents(Moved), summary="Pause schedules")
async def pause(request: Request, who: Operator, body: Annotated[Pausing | None, Body()] = None) -> Response:
    """Nothing of them is run until they are resumed. What lies in the pause is never made up for."""
    from operations.schedules import pause as do

    asked = body or Pausing()
    return await done(request, lambda system: do(system, who, asked.datasets, reason=asked.reason).to_json())


@routes.post("/schedules/resume", responses=documents(Moved), summary="Resume schedules")
async def resume(request: Request, who: Operator, body: Annotated[ScheduleNames | None, Body()] = None) -> Response:
    """They go on from their next due time."""
    from operations.schedules import resume as do

    asked = body or ScheduleNames()
    return await done(request, lambda system: do(system, who, asked.datasets).to_json())


@routes.post("/maintenance", responses=documents(Maintenance), summary="Clean up now")
async def maintenance(
    request: Request, who: Operator, body: Annotated[MaintenanceAsked | None, Body()] = None
) -> Response:
    """Purge, prune, roll up, rotate, verify, deliver what waits; says what was freed."""
    from operations.maintain import maintain

    asked = body or MaintenanceAsked()
    return await done(
        request, lambda system: maintain(system, who, dry_run=asked.dry_run, seconds=asked.seconds).to_json()
    )


@routes.get("/configuration", responses=documents(Configuration), summary="The configuration")
async def configuration(request: Request) -> Response:
    """Every value that counts, and where it came from; secrets masked."""
    from operations.configuration import shown

    return await read(request, shown)


@routes.get("/cache", responses=documents(CacheFigures), summary="How the cache stands")
async def cache(request: Request) -> Response:
    """What it holds, and what came of the lookups of this process."""
    from operations.cache import figures

    return await read(request, lambda system: figures(system).to_json())


@routes.post("/cache/clear", responses=documents(CacheCleared), summary="Empty the cache")
async def clear_cache(request: Request, who: Operator, body: Reason = None) -> Response:
    """Nothing is lost: readers are served from storage, the next run asks the providers."""
    from operations.cache import clear

    reason = body.reason if body else ""
    return await done(request, lambda system: clear(system, who, reason=reason).to_json())
