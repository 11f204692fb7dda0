"""What one collection brought: a schema and a re-openable stream of record batches, bounded in memory."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from data_pipeline.dataset import Provenance
from data_pipeline.errors import MemoryLimitExceeded
from data_pipeline.row_spool import RowSpool
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
        spool = RowSpool(SPOOL_AFTER)
        try:
            for batch in batches:
                if batch.num_rows:
                    spool.append(batch)
            spool.finish()
        except BaseException:
            spool.drop()
            raise
        return cls(schema, spool.batches, rows=spool.rows, nbytes=spool.nbytes, provenance=provenance, **limits)

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
