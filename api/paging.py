"""Pages of a long list: an opaque cursor that belongs to the query it came from.

A page's body is `{"items": […], "next": CURSOR or null}`. The next page is the same request with `cursor=CURSOR`; any
other parameter but `limit` may not change meanwhile, or the cursor is refused.
"""

import base64
import binascii
import hashlib
from typing import Annotated, Any

import orjson
from fastapi import Query
from starlette.requests import Request

from operations.actor import UsageError

__all__ = ["Cursor", "Limit", "opened", "page"]

Cursor = Annotated[str | None, Query(max_length=1000, description="`next` of the page before; default: the first.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]

_FREE = {"cursor", "limit"}


def opened(request: Request, cursor: str | None) -> Any:
    """The position that a cursor holds, as `page` was given it; None without one.

    Raises:
        UsageError: it is no cursor, or one of another query.
    """
    if cursor is None:
        return None
    try:
        read = orjson.loads(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
        made_of, position = read
    except (binascii.Error, ValueError, TypeError):
        raise UsageError("cursor: this is none of ours", hint="take `next` of a page as it is") from None
    if made_of != _query(request):
        raise UsageError("cursor: it belongs to another query", hint="leave it out to begin with the first page")
    return position


def page(request: Request, items: list[Any], after: Any) -> dict[str, Any]:
    """The body of a page. `after`: where the next one begins (JSON), None when this is the last."""
    return {"items": items, "next": None if after is None else _closed(request, after)}


def _closed(request: Request, position: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([_query(request), position])).decode()


def _query(request: Request) -> str:
    """A fingerprint of what is asked for; the order of parameters does not matter."""
    asked = sorted(pair for pair in request.query_params.multi_items() if pair[0] not in _FREE)
    return hashlib.blake2b(orjson.dumps([request.url.path, asked]), digest_size=8).hexdigest()
