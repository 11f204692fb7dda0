"""`/providers` and their circuits, `/breakers`."""

from typing import Annotated

from fastapi import Body, Path
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.cached import read
from api.routes.frame import Asked, Reason, Why, documents, done, router
from api.security import Operator
from api.shapes.base import Told
from operations.breakers import Breaker
from operations.providers import Provider

__all__ = ["routes"]

routes = router("providers")

Whose = Annotated[str, Path(description="The provider, as `/providers` names it.", examples=["partner"])]


class Providers(Told):
    """Every provider, by name."""

    providers: list[Provider]


class Breakers(Told):
    """Every provider's circuit, by name."""

    breakers: list[Breaker]


class Reset(Told):
    """The providers whose circuits were not as they are from now on."""

    reset: list[str] = Field(examples=[["partner"]])


class Closing(Asked):
    """`hold`: it stays closed, whatever fails, until it is reset."""

    hold: bool = False
    reason: Why = ""


@routes.get("/providers", responses=documents(Providers), summary="Providers")
async def listed(request: Request) -> Response:
    """Whose data they serve, how their circuits stand, and what limits there are."""
    from operations.providers import providers

    return await read(request, lambda system: {"providers": [one.to_json() for one in providers(system)]})


@routes.get("/breakers", responses=documents(Breakers), summary="Circuits")
async def breakers(request: Request) -> Response:
    """How every provider's circuit stands."""
    from operations.breakers import listed as ask

    return await read(request, lambda system: {"breakers": [one.to_json() for one in ask(system)]})


@routes.post("/breakers/reset", responses=documents(Reset), summary="Reset every circuit")
async def reset_all(request: Request, who: Operator) -> Response:
    """Closed, nothing held, no failure remembered."""
    return await _reset(request, who, None)


# A provider's name may have a slash: a database of a host.
@routes.post("/breakers/{provider:path}/open", responses=documents(Breaker), summary="Open a circuit")
async def force_open(request: Request, who: Operator, provider: Whose, body: Reason = None) -> Response:
    """Refuse every call to a provider until somebody closes or resets its circuit."""
    from operations.breakers import force_open as do

    reason = body.reason if body else ""
    return await done(request, lambda system: do(system, who, provider, reason=reason).to_json())


@routes.post("/breakers/{provider:path}/close", responses=documents(Breaker), summary="Close a circuit")
async def close(
    request: Request, who: Operator, provider: Whose, body: Annotated[Closing | None, Body()] = None
) -> Response:
    """Let calls pass again, and forget failures."""
    from operations.breakers import close as do

    asked = body or Closing()
    return await done(request, lambda system: do(system, who, provider, reason=asked.reason, hold=asked.hold).to_json())


@routes.post("/breakers/{provider:path}/reset", responses=documents(Reset), summary="Reset a circuit")
async def reset(request: Request, who: Operator, provider: Whose) -> Response:
    """Closed, nothing held, no failure remembered."""
    return await _reset(request, who, provider)


async def _reset(request: Request, who: Operator, provider: str | None) -> Response:
    from operations.breakers import reset as do

    return await done(request, lambda system: {"reset": [one.provider for one in do(system, who, provider)]})
