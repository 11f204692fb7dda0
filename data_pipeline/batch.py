"""What one collection brought: a schema and a re-openable stream of record batches, bounded in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
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

    `batches()` starts again from the first row each time it is called, and gives at most `ROWS_PER_BATCH` rows at a
    time, cut without copies. `table` and `frame` hold everything at once and refuse beyond `memory_limit` bytes
    (`MemoryLimitExceeded`); `batches()` works at any size.
    """

    __slots__ = ("__weakref__", "_open", "_open_columns", "memory_limit", "nbytes", "provenance", "rows", "schema")

    def __init__(
        self,
        schema: "pa.Schema",
        open_stream: Callable[[], Iterator["pa.RecordBatch"]],
        *,
        rows: int,
        nbytes: int,
        provenance: Provenance,
        memory_limit: int = MEMORY_LIMIT,
        open_columns: "Callable[[Sequence[str] | None, int], Iterator[pa.RecordBatch]] | None" = None,
    ) -> None:
        """
        Args:
            open_stream: Gives the rows from the first on.
            open_columns: The same rows with these columns only (None: all), from a row number on, where a source can
                leave the others unread.
        """
        self.schema = schema
        self._open = open_stream
        self._open_columns = open_columns
        self.rows = rows
        self.nbytes = nbytes
        self.provenance = provenance
        self.memory_limit = memory_limit

    @classmethod
    def from_batches(
        cls,
        batches: Iterable["pa.RecordBatch"],
        *,
        schema: "pa.Schema",
        provenance: Provenance,
        memory_limit: int = MEMORY_LIMIT,
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
        return cls(
            schema,
            spool.batches,
            rows=spool.rows,
            nbytes=spool.nbytes,
            provenance=provenance,
            memory_limit=memory_limit,
        )

    @classmethod
    def from_table(cls, table: "pa.Table", *, provenance: Provenance, memory_limit: int = MEMORY_LIMIT) -> "Batch":
        return cls.from_batches(
            table.to_batches(max_chunksize=ROWS_PER_BATCH),
            schema=table.schema,
            provenance=provenance,
            memory_limit=memory_limit,
        )

    def batches(self, only: Sequence[str] | None = None, *, after: int = 0) -> Iterator["pa.RecordBatch"]:
        """All rows.

        Args:
            only: The columns that are looked at: others may be missing.
            after: So many rows are passed over.
        """
        if (only is None and not after) or self._open_columns is None:
            stream = self._open() if not after else _beyond(self._open(), after)
        else:
            stream = self._open_columns(only, after)
        for batch in stream:
            if batch.num_rows <= ROWS_PER_BATCH:
                yield batch
                del batch  # else it would lie beside the next one while that is read
            else:
                for start in range(0, batch.num_rows, ROWS_PER_BATCH):
                    yield batch.slice(start, ROWS_PER_BATCH)

    def with_provenance(self, provenance: Provenance) -> "Batch":
        """The same rows under another provenance; the spool, if any, stays alive as long as either."""
        return Batch(
            self.schema,
            self._open,
            rows=self.rows,
            nbytes=self.nbytes,
            provenance=provenance,
            memory_limit=self.memory_limit,
            open_columns=self._open_columns,
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


def _beyond(batches: Iterator["pa.RecordBatch"], after: int) -> Iterator["pa.RecordBatch"]:
    for batch in batches:
        if after < batch.num_rows:
            yield batch.slice(after)
        after = max(0, after - batch.num_rows)
