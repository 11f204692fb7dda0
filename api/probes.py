"""Is it there, can it work, is it well: three questions, each for another asker.

`/livez` asks nothing of anybody, so that nobody restarts us because a database is away; `/readyz` says whether requests
should come here; `/health` is for people and looks at everything.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.asking import ask
from api.cached import Answered, Ready, read
from integrated_system import IntegratedSystem
from operations.health import health
from operations.readiness import ready

__all__ = ["router"]

router = APIRouter(tags=["monitoring"])

_ALIVE = Ready(b'{"alive":true}')


class Alive(BaseModel):
    """The process answers."""

    alive: bool = Field(examples=[True])


class Check(BaseModel):
    """One thing that was looked at."""

    name: str = Field(examples=["log"])
    ok: bool = Field(examples=[True])
    detail: str = Field(examples=["can be written"])


class Readiness(BaseModel):
    """Whether requests should come here. `checks` with `?verbose`, and where something is wrong."""

    ready: bool = Field(examples=[True])
    checks: list[Check] = []


class Looked(BaseModel):
    """One check of `health`."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(examples=["log"])
    healthy: bool = Field(examples=[True])


class Wellness(BaseModel):
    """All checks; healthy when every one is."""

    healthy: bool = Field(examples=[True])
    checks: list[Looked]


@router.get("/livez", response_model=Alive, summary="The process lives")
async def livez() -> Response:
    """Depends on nothing: answered as long as the process can answer."""
    return _ALIVE


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not now; `checks` says why."}},
    summary="Requests should come here",
)
async def readyz(
    request: Request, verbose: Annotated[str | None, Query(description="Say what was looked at.")] = None
) -> Response:
    """Whether the log can be written and the database has our tables."""
    found = await ask(request, ready)
    told = found.to_json()
    if found.ready and verbose is None:
        del told["checks"]
    return Ready.of(told, status=200 if found.ready else 503)


@router.get(
    "/health",
    response_model=Wellness,
    responses={503: {"model": Wellness, "description": "Something needs a person; `checks` says what."}},
    summary="Everything is well",
)
async def whole_health(request: Request) -> Response:
    """The same as `health` of the command line: 503 when something must be looked at; degraded data is healthy."""
    return await read(request, _health)


def _health(system: IntegratedSystem) -> Any:
    found = health(system)
    return Answered(found.to_json(), 200 if found.healthy else 503)
