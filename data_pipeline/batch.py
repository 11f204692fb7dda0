"""What one collection brought: a schema and a re-openable stream of record batches, bounded in memory."""

import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from data_pipeline.dataset import Provenance
from data_pipeline.errors import MemoryLimitExceeded
from utils.arrow import pa, with_pandas

SPOOL_AFTER = 64 * 2**20
"""Bytes a batch may hold in memory; what comes after goes to a spool file."""

ROWS_PER_BATCH = 131_072
MEMORY_LIMIT = 10**9


class Batch:
    """Rows with their schema and origin.

    `batches()` starts again from the first row each time it is called. `table` and `frame` hold everything at once
    and refuse beyond `memory_limit` bytes (`MemoryLimitExceeded`); `batches()` works at any size.
    """

    __slots__ = ("__weakref__", "_open", "memory_limit", "nbytes", "provenance", "rows", "schema")

    def __init__(
        self,
        schema: "pa.Schema",
        open_stream: Callable[[], Iterator["pa.RecordBatch"]],
        *,
        rows: int,
        nbytes: int,
        provenance: Provenance,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        self.schema = schema
        self._open = open_stream
        self.rows = rows
        self.nbytes = nbytes
        self.provenance = provenance
        self.memory_limit = memory_limit

    @classmethod
    def from_batches(
        cls, batches: Iterable["pa.RecordBatch"], *, schema: "pa.Schema", provenance: Provenance, **limits: int
    ) -> "Batch":
        """Keep a stream: in memory up to 64 MB, the rest in a spool file that goes away with the batch."""
        spool = _Spool(schema)
        for batch in batches:
            spool.append(batch)
        return spool.finish(provenance, **limits)

    @classmethod
    def from_table(cls, table: "pa.Table", *, provenance: Provenance, **limits: int) -> "Batch":
        return cls.from_batches(
            table.to_batches(max_chunksize=ROWS_PER_BATCH), schema=table.schema, provenance=provenance, **limits
        )

    def batches(self) -> Iterator["pa.RecordBatch"]:
        return self._open()

    def with_provenance(self, provenance: Provenance) -> "Batch":
        """The same rows under another provenance; the spool, if any, stays alive as long as either."""
        open_stream = self._open
        return Batch(
            self.schema,
            open_stream,
            rows=self.rows,
            nbytes=self.nbytes,
            provenance=provenance,
            memory_limit=self.memory_limit,
        )

    @property
    def table(self) -> "pa.Table":
        if self.nbytes > self.memory_limit:
            raise MemoryLimitExceeded(
                f"the batch holds {self.nbytes:,} bytes, more than app.memory_limit ({self.memory_limit:,})",
                hint="read it in parts with .batches(), or raise app.memory_limit",
            )
        return pa.Table.from_batches(self.batches(), schema=self.schema)

    @property
    def frame(self) -> Any:
        """A pandas frame with Arrow-backed columns, so that integers with nulls stay integers."""
        pd = with_pandas()
        return self.table.to_pandas(types_mapper=pd.ArrowDtype)


class _Spool:
    """Collects record batches in memory until there are too many, then in an Arrow IPC file."""

    def __init__(self, schema: "pa.Schema") -> None:
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self._path: Path | None = None
        self._writer: Any = None
        self._rows = 0
        self._nbytes = 0

    def append(self, batch: "pa.RecordBatch") -> None:
        if not batch.num_rows:
            return
        self._rows += batch.num_rows
        self._nbytes += batch.nbytes
        if self._writer is None and self._nbytes <= SPOOL_AFTER:
            self._held.append(batch)
            return
        if self._writer is None:
            handle, name = tempfile.mkstemp(prefix="batch-", suffix=".arrow")
            os.close(handle)
            self._path = Path(name)
            self._writer = pa.ipc.new_stream(name, self._schema)
            for held in self._held:
                self._writer.write_batch(held)
            self._held.clear()
        self._writer.write_batch(batch)

    def finish(self, provenance: Provenance, **limits: int) -> Batch:
        if self._writer is None:
            held = tuple(self._held)
            return Batch(
                self._schema, lambda: iter(held), rows=self._rows, nbytes=self._nbytes, provenance=provenance, **limits
            )
        self._writer.close()
        stream = _SpoolFile(self._path or Path())
        return Batch(
            self._schema, stream.batches, rows=self._rows, nbytes=self._nbytes, provenance=provenance, **limits
        )


class _SpoolFile:
    """A spool on disk; the file is removed when the last batch that reads it is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._finalizer = weakref.finalize(self, path.unlink, missing_ok=True)

    def batches(self) -> Iterator["pa.RecordBatch"]:
        with pa.ipc.open_stream(pa.memory_map(str(self._path))) as reader:
            yield from reader
