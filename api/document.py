"""The OpenAPI document, and the page that shows it: all of it comes from here, so it works without the internet."""

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from api.problems import Problem
from api.security import is_open

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

__all__ = ["install"]

PAGE = Path(__file__).with_name("docs.html")

IDEMPOTENT = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Asked twice with the same key, it is done once and answered the same, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    "example": "0198f2d2-5b0e-7c3a-9a52-8d1c7b0e4f11",
}
"""What every POST takes, whichever route it is."""


def install(app: "FastAPI") -> None:
    """Make the document whole, and serve the page at `/docs`."""
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _whole(made_by_fastapi())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it
    app.add_route("/docs", _page, include_in_schema=False)


def _whole(document: dict[str, Any]) -> dict[str, Any]:
    """With the problem every route may answer with, and the header every POST takes."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for path, operations in document["paths"].items():
        if (post := operations.get("post")) is not None:
            post.setdefault("parameters", []).append(IDEMPOTENT)
        if is_open(path):  # from elsewhere it takes a token as well
            operations["get"]["security"] = [{}, {"token": ["viewer"]}]
    return document


async def _page(_: "Request") -> Response:
    body, policy = _read()
    return Response(body, headers={"Content-Security-Policy": policy}, media_type="text/html")


@cache
def _read() -> tuple[bytes, str]:
    """The page, and a policy that lets its own script and style work, and no other."""
    body = PAGE.read_bytes()

    def hashed(tag: bytes) -> str:
        inside = body.partition(b"<" + tag + b">")[2].partition(b"</" + tag + b">")[0]
        return f"'sha256-{b64encode(hashlib.sha256(inside).digest()).decode()}'"

    policy = f"default-src 'none'; connect-src 'self'; script-src {hashed(b'script')}; style-src {hashed(b'style')}"
    return body, f"{policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
