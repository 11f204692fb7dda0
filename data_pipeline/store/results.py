"""Versions of a dataset in storage: write one, read one back, find the last good.

A version is one Parquet file, named after the run that made it; storage is the durable truth, the cache only the quick
way. A held batch stands beside the accepted ones under another name and is never read by mistake.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_pipeline.batch import Batch
from data_pipeline.dataset import UNPARSED
from data_pipeline.errors import StoreError
from data_pipeline.store.views import Current, Version, Views
from utils.storage import BlobWriter, Storage, StorageError, Stored

if TYPE_CHECKING:
    from data_pipeline.validate.engine import Validation
    from utils.arrow import pa

SMALL = 4 * 2**20
"""Bytes up to which a version is built in memory and written at once."""

TINY = 16_384
"""Bytes up to which setting up zstd, dictionaries and statistics costs more than the rows (74 against 28 µs)."""

_FILE: dict[str, Any] = {"compression": "zstd"}
_TINY_FILE: dict[str, Any] = {"compression": "snappy", "use_dictionary": False, "write_statistics": False}


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of one batch: good rows, and quarantined ones if any; `table`: the rows worth caching."""

    good: Stored
    rows: int
    table: "pa.Table | None" = None
    bad: Stored | None = None
    quarantined: int = 0


class Results:
    """Reads and writes versions and quarantined rows."""

    def __init__(self, storage: Storage, views: Views) -> None:
        self._storage = storage
        self._views = views

    def write(self, batch: Batch, validation: "Validation", *, dataset: str, run_id: str, accepted: bool) -> Written:
        """Write a batch's good rows as a version and its bad rows to quarantine.

        Raises:
            StoreError: the disk is full or cannot be written; nothing half-written stays.
        """
        path = f"{'datasets' if accepted else 'held'}/{dataset}/{run_id}.parquet"
        try:
            if not validation.report.quarantined:
                return self._write(path, (good for good, _ in validation.split(batch)), batch)
            return self._write_both(path, f"quarantine/{dataset}/{run_id}.parquet", batch, validation)
        except StorageError as error:
            raise StoreError(f"{dataset}: {error}", hint=error.hint) from error

    def flush(self) -> None:
        """Bring to the disk what waits of the versions written so far; before the events that speak of them.

        Raises:
            StateError: the disk is full or cannot be written.
        """
        self._storage.flush()

    def last_good(self, current: Current | None) -> Version | None:
        """The accepted version that readers see, if its file is there."""
        if current is None or current.version is None:
            return None
        version = self._views.version(current.dataset, current.version)
        return version if version is not None and self._storage.exists(version.path) else None

    def batches(self, path: str) -> "Iterator[pa.RecordBatch]":
        """The record batches of a stored file.

        Raises:
            StoreError: the file is missing or damaged.
        """
        import pyarrow.parquet as pq

        with (
            _readable(path),
            self._storage.open(path) as file,
            pq.ParquetFile(file, pre_buffer=False) as parquet,
        ):
            yield from parquet.iter_batches()

    def schema(self, path: str) -> "pa.Schema":
        """The columns of a stored file."""
        import pyarrow.parquet as pq

        with _readable(path), self._storage.open(path) as file:
            return pq.read_schema(file)

    def nbytes(self, path: str) -> int:
        """About how many bytes a stored file takes in memory."""
        import pyarrow.parquet as pq

        with _readable(path), self._storage.open(path) as file:
            metadata = pq.ParquetFile(file, pre_buffer=False).metadata
            return sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))

    def table(self, path: str) -> "pa.Table":
        """A stored file as one table."""
        from utils.arrow import pa

        batches = list(self.batches(path))
        return pa.Table.from_batches(batches) if batches else self._empty(path)

    def _empty(self, path: str) -> "pa.Table":
        import pyarrow.parquet as pq

        with self._storage.open(path) as file:
            return pq.read_table(file)

    def _write(self, path: str, batches: "Iterator[pa.RecordBatch]", batch: Batch) -> Written:
        import pyarrow.parquet as pq

        from utils.arrow import pa

        size = batch.nbytes
        if size <= SMALL:
            parts = list(batches)
            table = pa.Table.from_batches(parts, schema=parts[0].schema if parts else _visible(batch.schema))
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, **(_TINY_FILE if size <= TINY else _FILE))
            stored = self._storage.put_bytes(path, sink.getvalue(), later=True)
            # A tiny version is read from storage as quickly as from the cache: one row of one database either way.
            return Written(stored, table.num_rows, None if size <= TINY else table)
        with self._storage.writer(path) as file:
            rows = _stream(batches, file)
        return Written(_stored(file), rows)

    def _write_both(self, good_path: str, bad_path: str, batch: Batch, validation: "Validation") -> Written:
        import pyarrow.parquet as pq

        rows = quarantined = 0
        good_writer = bad_writer = None
        with self._storage.writer(good_path) as good_file, self._storage.writer(bad_path) as bad_file:
            for good, bad in validation.split(batch):
                good_writer = good_writer or pq.ParquetWriter(good_file, good.schema, **_FILE)
                good_writer.write_batch(good)
                rows += good.num_rows
                if bad is not None and bad.num_rows:
                    bad_writer = bad_writer or pq.ParquetWriter(bad_file, bad.schema, **_FILE)
                    bad_writer.write_batch(bad)
                    quarantined += bad.num_rows
            for writer in (good_writer, bad_writer):
                if writer is not None:
                    writer.close()
        return Written(_stored(good_file), rows, bad=_stored(bad_file), quarantined=quarantined)


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """A file that is missing or damaged, as an error of the store."""
    from utils.arrow import pa

    try:
        yield
    except (OSError, StorageError, pa.ArrowInvalid) as error:
        raise StoreError(f"{path}: {error}", hint="run the dataset again with --fresh") from error


def _visible(schema: "pa.Schema") -> "pa.Schema":
    """The columns that are stored, of a batch without rows to take them from."""
    from utils.arrow import pa

    return pa.schema([field for field in schema if field.name != UNPARSED])


def _stored(file: BlobWriter) -> Stored:
    if file.stored is None:
        raise StoreError("a file was not finished")  # the writer's block ended, so it was
    return file.stored


def _stream(batches: "Iterator[pa.RecordBatch]", file: object) -> int:
    import pyarrow.parquet as pq

    rows, writer = 0, None
    for batch in batches:
        writer = writer or pq.ParquetWriter(file, batch.schema, **_FILE)
        writer.write_batch(batch)
        rows += batch.num_rows
    if writer is not None:
        writer.close()
    return rows
