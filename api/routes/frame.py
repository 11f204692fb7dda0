"""What all routes have in common: their place, their documents, their parameters, and how an operation is answered."""

from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, TypeVar

import orjson
from fastapi import APIRouter, Body
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from api.asking import ask
from api.paging import opened
from api.problems import PROBLEMS
from api.security import needs
from integrated_system import IntegratedSystem
from operations.actor import UsageError

__all__ = ["ROOT", "Asked", "Moment", "Reason", "Why", "documents", "done", "page_of", "position", "router"]

T = TypeVar("T")

ROOT = "/api/v1"


class _KnownParameters(APIRoute):
    """A route that refuses a parameter it does not know: a slip would be ignored, and the answer be another one."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        handle = super().get_route_handler()
        known = {field.alias for field in self.dependant.query_params}

        async def checked(request: Request) -> Any:
            if request.scope["query_string"]:
                for name in request.query_params:
                    if name not in known:
                        near = get_close_matches(name, known, n=1)
                        meant = f"; did you mean `{near[0]}`?" if near else ""
                        there = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
                        raise UsageError(f"query: there is no parameter `{name[:100]}`{meant}", hint=there)
            return await handle(request)

        return checked


def router(tag: str) -> APIRouter:
    """For the paths of a resource: a viewer may look."""
    return APIRouter(prefix=ROOT, tags=[tag], route_class=_KnownParameters, dependencies=[needs("viewer")])


def documents(model: Any, words: str = "", *, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """For `responses=`: what a good answer is. The body itself is made by the operation, and not checked again."""
    return {**PROBLEMS, status: {"model": model, "description": words or "As `--json` tells it."}}


def page_of(model: Any, name: str) -> Any:
    """A page of a long list, for `documents`."""
    from pydantic import create_model

    after = Field(description="`cursor` of the next page; null: this is the last.")
    return create_model(name, items=(list[model], ...), next=(str | None, after))


async def done(
    request: Request,
    make: Callable[[IntegratedSystem], Any],
    *,
    status: int = 200,
    location: Callable[[Any], str] | None = None,
) -> Response:
    """The answer to what changes something, or is not worth keeping: `make` gives the JSON, in a thread.

    `location`: of what was made, from that JSON.
    """

    def told(system: IntegratedSystem) -> tuple[bytes, dict[str, str]]:
        made = make(system)
        headers = {"Cache-Control": "no-store"}
        if location is not None:
            headers["Location"] = f"{ROOT}{location(made)}"
        return orjson.dumps(made), headers

    body, headers = await ask(request, told)
    return Response(body, status, headers, "application/json")


def _moment(text: str) -> str:
    """A time as operations read it.

    >>> _moment("2026-11-20T08:00:00Z")
    '2026-11-20T08:00:00Z'
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment.astimezone(UTC)
    except (ValueError, OverflowError):  # overflow: its zone takes it out of the years 1 to 9999
        raise ValueError("this is no time; write it as 2026-11-20T08:00:00Z") from None
    return text


Moment = Annotated[
    str,
    AfterValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-20T08:00:00Z"]}),
]
"""RFC 3339; without a zone: UTC."""

Why = Annotated[str, Field(max_length=2000, description="Why; it stands in the log.", examples=["the file was cut"])]


class Asked(BaseModel):
    """What is sent: each field of its own type, and none that is not known."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)


class _Reason(Asked):
    reason: Why = ""


Reason = Annotated[_Reason | None, Body(description="May be left out.")]


def position(request: Request, cursor: str | None, kind: type[T]) -> T | None:
    """Where a page begins, as the page before said.

    Raises:
        UsageError: the cursor is none of ours, or belongs to another query.
    """
    found = opened(request, cursor)
    if found is not None and not isinstance(found, kind):
        raise UsageError("cursor: this is none of ours", hint="take `next` of a page as it is")
    return found
