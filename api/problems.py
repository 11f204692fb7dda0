"""Every error as `application/problem+json` (RFC 9457): what was wrong, what to do, whether another try makes sense.

Our errors carry `message`, `hint` and `transient` wherever they are told; here they get a status. What nobody expected
goes to the log whole, and out as its name at most.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Scope

__all__ = ["PROBLEMS", "Problem", "Refused", "install", "problem", "problem_of"]

MEDIA_TYPE = "application/problem+json"

STOPS = "the server is stopping"
STOPS_HINT = "ask again once it is there; something that changes the state may be done all the same: look first"

AGAIN_S = 1
"""Seconds after which what was in trouble for a moment is worth another try."""

_STATUS = {
    "UsageError": 422,
    "ConfigError": 422,
    "NotAllowedError": 403,
    "ConcurrencyError": 409,
    "MemoryLimitExceeded": 422,
    "ProviderUnavailable": 503,
    "CollectError": 502,
    "StoreError": 503,
    "NoSuchIncident": 404,
    "PipelineError": 409,
    "StateError": 503,
    "StorageError": 503,
    "HTTPException": 500,
}
"""By the name of the error's class or the nearest of its bases: a face knows no layer below operations."""


class Refused(HTTPException):
    """Raised in a route or a dependency: the answer is a problem of this status."""

    def __init__(
        self, status: int, detail: str, *, hint: str = "", error: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.hint, self.error = hint, error


class Problem(BaseModel):
    """An error, after RFC 9457."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "urn:orchestrator:problem:ConfigError",
                "title": "Not Found",
                "status": 404,
                "detail": "unknown dataset `fx`; did you mean `fx_aud`?",
                "instance": "/api/v1/datasets/fx",
                "hint": "Declared are: fx_aud, earthquakes.",
                "transient": False,
                "error": "ConfigError",
                "request_id": "0198f2d2-5b0e-7c3a-9a52-8d1c7b0e4f11",
            }
        },
    )

    type: str = Field(description="What kind of problem: `about:blank` where the status says all.")
    title: str = Field(description="The status in words.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What was wrong.")
    instance: str = Field(description="The path that was asked.")
    hint: str = Field(description="What to do; may be empty.")
    transient: bool = Field(description="Whether another try makes sense.")
    error: str = Field(description="The error's name, the same as `--json` of the command line gives.")
    request_id: str = Field(description="Stands in the log beside all that this request did.")


_SCHEMA = {"schema": {"$ref": "#/components/schemas/Problem"}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "What was asked for is not possible.", "content": {MEDIA_TYPE: _SCHEMA}},
    "5XX": {"description": "It may be possible later.", "content": {MEDIA_TYPE: _SCHEMA}},
}
"""For `responses=` of every route."""


def problem(
    scope: "Scope",
    status: int,
    detail: str,
    *,
    hint: str = "",
    transient: bool = False,
    error: str = "",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """The answer that tells of an error. `error`: its name; "": the status says all. `more`: further members."""
    title = HTTPStatus(status).phrase
    body = {
        "type": f"urn:orchestrator:problem:{error}" if error else "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": scope.get("path", ""),
        "hint": hint,
        "transient": transient,
        "error": error or title.title().replace(" ", ""),
        "request_id": scope.get("state", {}).get("request_id", ""),
        **more,
    }
    told = dict(headers or {})
    if transient and status in {429, 503}:
        told.setdefault("Retry-After", str(AGAIN_S))
    return Response(orjson.dumps(body), status, told, MEDIA_TYPE)


def problem_of(scope: "Scope", error: Exception, *, redacted: Any = str) -> Response:
    """The same of any error that an operation raised; one that nobody expected goes to the log."""
    from operations.trouble import told

    if isinstance(error, HTTPException):
        return _of_http(scope, error)
    status = _status_of(error)
    trouble = told(error)
    # What nobody expected may hold anything: its words stay in the log.
    detail = redacted(trouble.message) if status != 500 else f"internal error: {type(error).__name__}"
    transient = bool(getattr(error, "transient", False))
    headers = {"Retry-After": str(AGAIN_S)} if status == 503 else None
    if (after := getattr(error, "retry_after", None)) is not None and status in {429, 503}:
        headers = {"Retry-After": str(max(1, round(after)))}
    name = type(error).__name__
    return problem(scope, status, detail, hint=redacted(trouble.hint), transient=transient, error=name, headers=headers)


def _status_of(error: Exception) -> int:
    if getattr(error, "missing", False):
        return 404
    return next((_STATUS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _STATUS), 500)


def install(app: "FastAPI") -> None:
    """What FastAPI itself finds wrong is told the same way."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _of_validation)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        error.headers = {**(error.headers or {}), "Allow": ", ".join(_methods(request))}
    return _of_http(request.scope, error)


def _methods(request: Request) -> list[str]:
    """What a path takes: each route of it knows its own method only."""
    routes, scope = request.app.routes, request.scope

    def takes(method: str) -> bool:
        return any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)

    return [method for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") if takes(method)]


def _of_http(scope: "Scope", error: HTTPException) -> Response:
    if error.status_code == 304 or error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    status, name = error.status_code, ""
    hint = {404: "`/docs` lists every path", 405: "`/docs` lists what each path takes"}.get(status, "")
    if isinstance(error, Refused):
        hint, name = error.hint, error.error
    transient = status in {408, 429, 503, 504}
    return problem(scope, status, str(error.detail), hint=hint, transient=transient, error=name, headers=error.headers)


def _of_validation(request: Request, error: Exception) -> Response:
    """Which value, and what is wrong with it; never the value itself, which may be a secret."""
    assert isinstance(error, RequestValidationError)
    found = [{"where": ".".join(str(part) for part in one["loc"]), "message": one["msg"]} for one in error.errors()]
    unread = any(one["type"] == "json_invalid" for one in error.errors())
    words = "; ".join(f"{one['where']}: {one['message']}" for one in found[:5])
    detail = f"the body is no JSON: {words}" if unread else words
    status = 400 if unread else 422
    return problem(request.scope, status, detail, hint="`/docs` tells what it takes", error="UsageError", errors=found)
