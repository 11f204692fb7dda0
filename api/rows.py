"""Rows as a stream, in the form the asker wants: read, written and sent part by part, so that their number is nothing.

No thread waits for a slow reader: a part is read when the one before it was taken.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.asking import Asking
from api.negotiation import wanted
from integrated_system import IntegratedSystem
from operations.export import stream_rows

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BINARY", "FORMATS", "ROWS", "Columns", "Format", "MostRows", "sent", "tag_of"]

Format = Literal["json", "jsonl", "csv", "parquet", "arrow"]

FORMATS: dict[str, Format] = {
    "application/json": "json",
    "application/x-ndjson": "jsonl",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
}
BINARY = tuple(media for media in FORMATS if "apache" in media)
"""Small as they are; to pack them once more takes longer than to send them."""

_MEDIA = {name: media for media, name in FORMATS.items()}

SMALL_ROWS = 8192
"""Rows that are written at once where each value becomes one of Python's."""

Columns = Annotated[
    list[str] | None,
    Query(description="Only these, in this order: `columns=a&columns=b`, or `columns=a,b`.", examples=[["id"]]),
]
MostRows = Annotated[int | None, Query(ge=1, le=2**53, description="Rows at most; default: all.")]

ROWS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The rows, as `Accept` or `format` says.",
        "content": {
            "application/json": {
                "schema": {"type": "array", "items": {"type": "object"}},
                "example": [{"id": 1, "mag": 2.5}],
            },
            "text/csv": {"schema": {"type": "string"}, "example": "id,mag\r\n1,2.5\r\n"},
            **{
                media: {"schema": {"type": "string", "format": "binary"}}
                for media in FORMATS
                if media not in {"application/json", "text/csv"}
            },
        },
    },
    304: {"description": "These rows are known: `If-None-Match` had their `ETag`."},
}
"""For `responses=` of a route that sends rows."""


def form_of(request: Request, format: Format | None) -> Format:
    """What is wanted: `format`, else what `Accept` likes best.

    Raises:
        Refused: 406.
    """
    return format or FORMATS[wanted(request, tuple(FORMATS))]


def tag_of(request: Request, version: str, format: Format) -> str:
    """The `ETag` of the rows of a version that are asked for in this way."""
    asked = hashlib.blake2b(request.scope["query_string"] + format.encode(), digest_size=6).hexdigest()
    return f'"{version}.{asked}"'


Opened = tuple["pa.Schema", "Iterator[pa.RecordBatch]", dict[str, str]]


async def sent(
    request: Request, open_rows: Callable[[IntegratedSystem], Opened], format: Format | None, version: str = ""
) -> Response:
    """Answer with rows. What cannot be opened, or whose first part cannot be read, is told as a problem.

    A later fault cuts the connection: the reader sees that the end is missing.

    Args:
        open_rows: Gives schema, batches and headers; called in a thread, as is each further part.
        version: That the rows are of, where readers may keep them; "": none.
    """
    form = form_of(request, format)
    asking: Asking = request.app.state.asking
    headers = {"Cache-Control": "no-cache" if version else "no-store", "Vary": "Accept, Authorization"}
    if version:
        headers["ETag"] = tag = tag_of(request, version, form)
        known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
        if tag in known or "*" in known:
            return Response(status_code=304, headers=headers)

    def begin() -> tuple[Iterator[bytes], bytes, dict[str, str]]:
        schema, batches, more = open_rows(asking.system)
        parts = stream_rows(schema, batches if form in {"arrow", "parquet"} else _cut(batches), form)
        return parts, next(parts, b""), more

    parts, first, more = await asking.call(begin)
    return _Rows(asking, parts, first, _MEDIA[form], {**headers, **more})


def names_of(columns: Sequence[str] | None) -> list[str]:
    """The columns of a query, where one value may name several."""
    return [name for given in columns or () for name in given.split(",") if name]


class _Rows(StreamingResponse):
    """Takes part after part in a thread of the pool; what is open is closed when the reader leaves."""

    def __init__(
        self, asking: Asking, parts: Iterator[bytes], first: bytes, media_type: str, headers: dict[str, str]
    ) -> None:
        self._asking = asking
        self._parts = parts
        self._first = first
        super().__init__(self._all(), media_type=media_type, headers=headers)

    async def __call__(self, *args: Any) -> None:
        try:
            await super().__call__(*args)
        finally:
            with contextlib.suppress(Exception):  # the server ends, and takes nothing more
                await asyncio.shield(self._asking.call(self._close))

    async def _all(self) -> AsyncIterator[bytes]:
        part: bytes | None = self._first
        self._first = b""
        while part is not None:
            yield part
            del part  # else it would lie beside the next one while that is read
            part = await self._asking.call(lambda: next(self._parts, None))

    def _close(self) -> None:
        """A part that is being read just now comes to its end; the generator goes with its last reference then."""
        with contextlib.suppress(ValueError):
            getattr(self._parts, "close", lambda: None)()


def _cut(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    for batch in batches:
        for start in range(0, batch.num_rows, SMALL_ROWS):
            yield batch.slice(start, SMALL_ROWS)
