"""Rows written out as CSV, JSON, JSON lines, Parquet or Arrow, batch by batch, so that their number does not matter.

Decimals and integers beyond 2^53 are written digit for digit: decimals as JSON strings, never with an exponent.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO, RawIOBase, TextIOWrapper
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from data_pipeline.python_values import rows_of, values_of

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Format", "cell", "rows_of", "stream_rows", "write_rows"]

Format = Literal["csv", "json", "jsonl", "parquet", "arrow"]


def write_rows(
    schema: "pa.Schema",
    batches: "Iterable[pa.RecordBatch]",
    format: Format,
    target: IO[bytes],
    *,
    arrow_file: bool = False,
) -> int:
    """Write all batches into an open file; gives the number of rows. The file stays open.

    Args:
        arrow_file: Arrow's file format, for which `target` must be a file; else its stream format.
    """
    rows = 0
    with _writing(schema, format, target, arrow_file=arrow_file) as write:
        for batch in batches:
            rows += batch.num_rows
            write(batch)
    return rows


def stream_rows(schema: "pa.Schema", batches: "Iterable[pa.RecordBatch]", format: Format) -> Iterator[bytes]:
    """The same bytes piece by piece, as somebody takes them; no more is held than one batch."""
    sent = BytesIO()

    def taken() -> bytes:
        written = sent.getvalue()
        sent.seek(0)
        sent.truncate()
        return written

    with _writing(schema, format, _Passing(sent)) as write:
        for batch in batches:
            write(batch)
            if written := taken():
                yield written
    yield taken()


class _Passing(RawIOBase):
    """Hands on what is written: the writers ask how much it was, and what was taken away meanwhile counts."""

    def __init__(self, target: BytesIO) -> None:
        self._target = target
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        size = self._target.write(data)
        self._written += size
        return size

    def tell(self) -> int:
        return self._written


@contextmanager
def _writing(
    schema: "pa.Schema", format: Format, target: "IO[bytes] | RawIOBase", *, arrow_file: bool = False
) -> "Iterator[Callable[[pa.RecordBatch], None]]":
    """What writes a batch; the document ends with the block."""
    if format == "json":
        with _json(target) as write:
            yield write
    elif format == "jsonl":
        yield lambda batch: _lines(batch, target)
    elif format == "csv":
        with _csv(schema, target) as write:
            yield write
    elif format == "parquet":
        import pyarrow.parquet as pq

        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            yield writer.write_batch
    else:
        import pyarrow as pa

        with (pa.ipc.new_file if arrow_file else pa.ipc.new_stream)(target, schema) as stream:
            yield stream.write_batch


@contextmanager
def _json(target: "IO[bytes] | RawIOBase") -> "Iterator[Callable[[pa.RecordBatch], None]]":
    import orjson

    separator = b"[\n"

    def write(batch: "pa.RecordBatch") -> None:
        nonlocal separator
        for row in rows_of(batch):
            target.write(separator + orjson.dumps(row, default=_plain, option=orjson.OPT_UTC_Z))
            separator = b",\n"

    yield write
    target.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def _lines(batch: "pa.RecordBatch", target: "IO[bytes] | RawIOBase") -> None:
    import orjson

    for row in rows_of(batch):
        target.write(orjson.dumps(row, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


@contextmanager
def _csv(schema: "pa.Schema", target: "IO[bytes] | RawIOBase") -> "Iterator[Callable[[pa.RecordBatch], None]]":
    import csv

    text = TextIOWrapper(cast("IO[bytes]", target), encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(schema.names)

    def write(batch: "pa.RecordBatch") -> None:
        columns = [[cell(value) for value in values_of(column)] for column in batch.columns]
        writer.writerows(zip(*columns, strict=True))

    yield write
    text.detach()


def cell(value: Any) -> str:
    """A value as it stands in a CSV file; nothing is the empty text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        import orjson

        return orjson.dumps(value, default=_plain).decode()
    return str(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    return value
