"""The Parquet files of tables: read as the table's columns, write new ones. A file that is there is never changed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import StoreError
from data_pipeline.store.manifest import Part
from utils.storage import Storage, StorageError, Stored

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

    from utils.arrow import pa

__all__ = ["FILE", "READ", "SMALL", "TINY", "TINY_FILE", "Parts", "beyond", "cut", "read_part"]

SMALL = 4 * 2**20
"""Bytes up to which a file is built in memory and written at once."""

TINY = 16_384
"""Bytes up to which setting up zstd, dictionaries and statistics costs more than the rows (74 against 28 µs)."""

# With a checksum a page: a bit that flipped on the disk is an error, never another value.
FILE: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
TINY_FILE: dict[str, Any] = {
    "compression": "snappy",
    "use_dictionary": False,
    "write_statistics": False,
    "write_page_checksum": True,
}
READ: dict[str, Any] = {"pre_buffer": False, "page_checksum_verification": True}


def read_part(storage: Storage, part: Part, schema: "pa.Schema", *, after: int = 0) -> "Iterator[pa.RecordBatch]":
    """The rows of a part with the columns of `schema`, but for the first `after`; other columns are not read.

    Raises:
        StoreError: the file is missing or damaged, or a value does not fit.
    """
    if not part.rows:
        return
    import pyarrow.parquet as pq

    from data_pipeline.store.widening import fitted
    from utils.arrow import pa

    try:
        with storage.open(part.path) as file, pq.ParquetFile(file, **READ) as parquet:
            there = set(parquet.schema_arrow.names)
            wanted = [name for name in schema.names if name in there]
            for batch in beyond(parquet, wanted or None, after):
                yield fitted(batch.replace_schema_metadata(), schema)
    except (OSError, StorageError, pa.ArrowInvalid) as error:
        raise StoreError(f"{part.path}: {error}", hint="build the table anew with `run --full`") from error


def beyond(
    parquet: "ParquetFile", columns: "Sequence[str] | None" = None, after: int = 0
) -> "Iterator[pa.RecordBatch]":
    """The rows of an open file but for the first `after`; row groups that hold only those are not read."""
    if not after:
        yield from parquet.iter_batches(columns=columns)
        return
    metadata, first = parquet.metadata, 0
    while first < metadata.num_row_groups and after >= metadata.row_group(first).num_rows:
        after -= metadata.row_group(first).num_rows
        first += 1
    for batch in parquet.iter_batches(columns=columns, row_groups=list(range(first, metadata.num_row_groups))):
        if after < batch.num_rows:
            yield batch.slice(after)
        after = max(0, after - batch.num_rows)


def cut(stream: "Iterator[pa.RecordBatch]", sizes: Sequence[int]) -> "Iterator[Iterator[pa.RecordBatch]]":
    """A stream of rows in stretches of these sizes; it is read once, so each stretch is taken before the next one."""
    left: pa.RecordBatch | None = None

    def stretch(size: int) -> "Iterator[pa.RecordBatch]":
        nonlocal left
        while size:
            if left is None or not left.num_rows:
                left = next(stream)
            mine, left = left.slice(0, size), left.slice(size)
            size -= mine.num_rows
            yield mine

    for size in sizes:
        yield stretch(size)


class Parts:
    """Reads the parts of one dataset's table, and writes those that one run adds.

    Raises (all methods):
        StoreError: a part is missing or damaged, or the disk is full or cannot be written.
    """

    def __init__(self, storage: Storage, dataset: str, run_id: str) -> None:
        self._storage = storage
        self._prefix = f"tables/{dataset}/{run_id}"
        self._written = 0

    def read(self, part: Part, schema: "pa.Schema") -> "Iterator[pa.RecordBatch]":
        return read_part(self._storage, part, schema)

    def is_whole(self, part: Part) -> bool:
        """Whether a part is there, and as it was written."""
        try:
            return not (part.rows and part.sha256) or self._storage.verify(part.path, part.sha256)
        except StorageError:
            return False

    def table(self, part: Part, schema: "pa.Schema", names: Iterable[str]) -> "pa.Table":
        """Some columns of a part, in memory; each column in one piece."""
        from utils.arrow import pa

        wanted = pa.schema([schema.field(name) for name in dict.fromkeys(names)])
        return pa.Table.from_batches(self.read(part, wanted), schema=wanted).combine_chunks()

    def taken(self, part: Part, schema: "pa.Schema", positions: Any) -> "Iterator[pa.RecordBatch]":
        """The rows at some positions (ascending) of a part."""
        import numpy as np

        from utils.arrow import pa

        start = 0
        for batch in self.read(part, schema):
            first, last = np.searchsorted(positions, [start, start + batch.num_rows])
            if last > first:
                yield batch.take(pa.array(positions[first:last] - start))
            start += batch.num_rows

    def filtered(
        self, parts: Iterable[Part], schema: "pa.Schema", wanted: "Callable[[pa.RecordBatch], Any]"
    ) -> "pa.Table":
        """The rows for which `wanted` gives true, of several parts, in memory."""
        from utils.arrow import pa

        found = (batch.filter(wanted(batch)) for part in parts for batch in self.read(part, schema))
        return pa.Table.from_batches((batch for batch in found if batch.num_rows), schema=schema)

    def write(
        self, batches: "Iterable[pa.RecordBatch]", schema: "pa.Schema", *, partition: str | None = None
    ) -> Part | None:
        """A new part; None when there are no rows. Memory: at most `SMALL` bytes, more is streamed."""
        import pyarrow.parquet as pq

        from utils.arrow import pa

        stream = iter(batches)
        held, rows, nbytes = [], 0, 0
        for batch in stream:
            if batch.num_rows:
                held.append(batch)
                rows, nbytes = rows + batch.num_rows, nbytes + batch.nbytes
            if nbytes > SMALL:
                break
        if not rows:
            return None
        self._written += 1
        path = f"{self._prefix}-{self._written}.parquet"
        try:
            if nbytes <= SMALL:
                sink = pa.BufferOutputStream()
                options = TINY_FILE if nbytes <= TINY else FILE
                pq.write_table(pa.Table.from_batches(held, schema=schema), sink, **options)
                stored: Stored | None = self._storage.put_bytes(path, sink.getvalue(), later=True)
            else:
                with self._storage.writer(path) as file, pq.ParquetWriter(file, schema, **FILE) as writer:
                    while held:
                        writer.write_batch(held.pop(0))
                    for batch in stream:
                        writer.write_batch(batch)
                        rows, nbytes = rows + batch.num_rows, nbytes + batch.nbytes
                stored = file.stored
        except StorageError as error:
            raise StoreError(str(error), hint=error.hint) from error
        assert stored is not None
        return Part(path, rows, stored.size, nbytes, stored.sha256, partition)
