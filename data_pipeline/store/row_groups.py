"""Record batches of any size as a Parquet file of row groups worth reading."""

from contextlib import suppress
from io import BufferedIOBase
from typing import TYPE_CHECKING

from data_pipeline.store.parts import FILE
from utils.arrow import compute, pa

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetWriter

__all__ = ["RowGroupWriter"]

GROUP_ROWS = 131_072
GROUP_BYTES = 16 * 2**20
"""A row group is full at whichever comes first. Batches of JSON lines hold a few thousand rows."""

_SAMPLE = 10_000


class RowGroupWriter:
    """Writes a stream of record batches of one schema into an open file. Memory: one row group.

    Use it in a `with` block, whose end writes what is left; nothing is written when there was no batch.
    """

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self._held: list[pa.RecordBatch] = []
        self._rows_held = 0
        self._bytes_held = 0
        self._writer: ParquetWriter | None = None
        self.rows = 0

    def __enter__(self) -> "RowGroupWriter":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            if self._held:
                self._write()
            if self._writer is not None:
                self._writer.close()
        elif self._writer is not None:
            with suppress(Exception):  # the file is thrown away; what went wrong is known already
                self._writer.close()

    def write(self, batch: "pa.RecordBatch") -> None:
        self.rows += batch.num_rows
        self._held.append(batch)
        self._rows_held += batch.num_rows
        self._bytes_held += batch.nbytes
        if self._rows_held >= GROUP_ROWS or self._bytes_held >= GROUP_BYTES:
            self._write()

    def _write(self) -> None:
        import pyarrow.parquet as pq

        group = pa.Table.from_batches(self._held)
        self._held, self._rows_held, self._bytes_held = [], 0, 0
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, group.schema, **FILE, use_dictionary=_repeating(group))
        self._writer.write_table(group, row_group_size=max(group.num_rows, 1))


def _repeating(group: "pa.Table") -> "bool | list[str]":
    """The columns whose values come again: of others, a dictionary doubles the size and the time."""
    if any(pa.types.is_nested(kind) for kind in group.schema.types):
        return True  # their dictionaries go by other names
    some = group.slice(0, _SAMPLE)
    found = [name for name, column in zip(some.schema.names, some.columns, strict=True) if _repeats(column)]
    return found or False


def _repeats(column: "pa.ChunkedArray") -> bool:
    try:
        return 2 * len(compute.unique(column)) <= len(column)
    except pa.ArrowNotImplementedError:
        return True  # an extension type, such as uuid
