"""Rows written out as CSV, JSON, JSON lines, Parquet or Arrow, batch by batch, so that their number does not matter.

Decimals and integers beyond 2^53 are written digit for digit: decimals as JSON strings, never with an exponent.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, Literal

from data_pipeline.python_values import rows_of, values_of

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Format", "cell", "rows_of", "write_rows"]

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
    counted = _Counted(batches)
    if format == "json":
        _json(counted, target)
    elif format == "jsonl":
        _jsonl(counted, target)
    elif format == "csv":
        _csv(schema, counted, target)
    elif format == "parquet":
        import pyarrow.parquet as pq

        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in counted:
                writer.write_batch(batch)
    else:
        import pyarrow as pa

        with (pa.ipc.new_file if arrow_file else pa.ipc.new_stream)(target, schema) as stream:
            for batch in counted:
                stream.write_batch(batch)
    return counted.rows


class _Counted:
    """Batches on their way, and how many rows went by."""

    def __init__(self, batches: "Iterable[pa.RecordBatch]") -> None:
        self._batches = batches
        self.rows = 0

    def __iter__(self) -> Any:
        for batch in self._batches:
            self.rows += batch.num_rows
            yield batch


def _json(batches: "Iterable[pa.RecordBatch]", target: IO[bytes]) -> None:
    import orjson

    separator = b"[\n"
    for batch in batches:
        for row in rows_of(batch):
            target.write(separator + orjson.dumps(row, default=_plain, option=orjson.OPT_UTC_Z))
            separator = b",\n"
    target.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def _jsonl(batches: "Iterable[pa.RecordBatch]", target: IO[bytes]) -> None:
    import orjson

    for batch in batches:
        for row in rows_of(batch):
            target.write(orjson.dumps(row, default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


def _csv(schema: "pa.Schema", batches: "Iterable[pa.RecordBatch]", target: IO[bytes]) -> None:
    import csv
    import io

    text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(schema.names)
    for batch in batches:
        columns = [[cell(value) for value in values_of(column)] for column in batch.columns]
        writer.writerows(zip(*columns, strict=True))
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
