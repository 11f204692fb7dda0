"""`/host`, `/services`: this machine now, what is asked of who watches it, and the services."""

from typing import Annotated, Any, Literal

from fastapi import Body
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.routes.frame import Asked, documents, done, router
from api.security import Operator
from api.shapes.base import Told

__all__ = ["routes"]

routes = router("system")


class Host(Told):
    """This machine. `sample`: taken now, by the process that answers; `level`: null while nobody watches."""

    sample: dict[str, Any]
    level: str | None
    mode: str | None
    dry_run: bool
    healing: bool
    garbage: list[dict[str, int]]


class LevelAsked(Asked):
    """How closely the machine is to be watched."""

    level: Literal["IDLE", "NORMAL", "INTENSIVE", "CRITICAL"]


class ModeAsked(Asked):
    """How full the machine may be before the protector acts."""

    mode: Literal["dev", "test", "prod"]


class Service(Told):
    """A service. What is not known is null."""

    service: str = Field(examples=["program/serve"])
    kind: str = Field(examples=["program"], description="`program`, `part`, `check`, `provider`, `other`.")
    state: str = Field(examples=["running"])
    since: str | None
    reason: str
    instances: int
    starts: int
    outages: int
    died: int
    away_s: float
    cpu_percent: float | None
    memory_bytes: float | None
    response_s: float | None
    requests_per_s: float | None
    error_rate: float | None = Field(description="0 to 1.")
    measured_at: str | None


class AllServices(Told):
    """Programs, their parts, checks, providers."""

    services: list[Service]


@routes.get("/services", responses=documents(AllServices), summary="Every service, and its figures")
async def services(request: Request) -> Response:
    """How each stands, since when, how often it was away; CPU, memory, response time, requests a second, errors."""
    from operations.services import services as ask

    return await read(request, lambda system: {"services": [one.to_json() for one in ask(system)]})


@routes.get("/host", responses=documents(Host), summary="This machine, now")
async def host(request: Request) -> Response:
    """A sample of now, how closely it is watched, and whether it is protected."""
    from operations.host import host_now

    return await read(request, lambda system: host_now(system).to_json())


@routes.post("/host/level", responses=documents(LevelAsked), summary="Watch more, or less, closely")
async def level(request: Request, who: Operator, body: Annotated[LevelAsked, Body()]) -> Response:
    """Whoever watches hears of it within two seconds; the next who watches begins as configured."""
    from operations.host import ask_level

    return await done(request, lambda system: {"level": ask_level(system, who, body.level)})


@routes.post("/host/mode", responses=documents(ModeAsked), summary="Let the protector act sooner, or later")
async def mode(request: Request, who: Operator, body: Annotated[ModeAsked, Body()]) -> Response:
    """Refused while the protector is off: the configuration switches it on."""
    from operations.host import ask_mode

    return await done(request, lambda system: {"mode": ask_mode(system, who, body.mode)})
