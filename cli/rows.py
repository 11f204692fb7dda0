"""Rows on standard output or in a file: table, CSV, JSON, Parquet, Arrow."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from cli.command import UsageError
from cli.output import say, table

if TYPE_CHECKING:
    from data_pipeline.batch import Batch
    from utils.arrow import pa

Format = Literal["table", "csv", "json", "parquet", "arrow"]
ROWS_ON_A_SCREEN = 20


class OutputError(Exception):
    """The file that was asked for cannot be written."""

    hint = "choose a place with room that you may write to"


_SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".json": "json", ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow",
}  # fmt: skip


def wanted(format: Format | None, output: Path | None, *, json: bool) -> Format:
    """How to write: as asked, else as the file's name says, else JSON with `--json`, else a table.

    Raises:
        UsageError: a file was asked for, and nothing says how to write it.
    """
    if output is None:
        return ("json" if json else "table") if format in (None, "table") else format
    found = format or _SUFFIXES.get(output.suffix.lower())
    if found is None or found == "table":
        raise UsageError(f"--output {output}: in which format?", hint="add --format csv, json, parquet or arrow")
    return found


def write(rows: "Batch", *, format: Format, output: Path | None, limit: int | None) -> None:
    """Write a batch, part by part, so that its size does not matter."""
    if format == "table" and output is None and limit is None:
        limit = ROWS_ON_A_SCREEN
    _write(rows.schema, _limited(rows.batches(), limit), format, output)
    if format == "table" and limit is not None and rows.rows > limit:
        say(f"{limit} of {rows.rows:,} rows; more with --limit, all with --format csv")


def write_batches(
    schema: "pa.Schema", batches: "Iterator[pa.RecordBatch]", *, format: Format, output: Path | None
) -> None:
    """Write rows as they come."""
    _write(schema, batches, format, output)


def _limited(batches: "Iterable[pa.RecordBatch]", limit: int | None) -> "Iterator[pa.RecordBatch]":
    for batch in batches:
        if limit is None:
            yield batch
        elif limit > 0:
            part = batch.slice(0, limit)
            limit -= part.num_rows
            yield part
        else:
            return


def _write(schema: "pa.Schema", batches: "Iterator[pa.RecordBatch]", kind: Format, output: Path | None) -> None:
    from operations.export import cell, rows_of, write_rows

    if kind == "table":
        rows = (row for batch in batches for row in rows_of(batch))
        table(schema.names, [[cell(value) for value in row.values()] for row in rows])
        return
    with target(output) as file:
        write_rows(schema, batches, kind, file)


@contextmanager
def target(output: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that appears only when it is whole."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = output.with_name(output.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(output)
    except OSError as error:
        raise OutputError(f"{output}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # where it could not be made, there is nothing to take away
            part.unlink(missing_ok=True)
