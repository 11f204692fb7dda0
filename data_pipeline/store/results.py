"""Versions of a dataset in storage: write one, read one back, find the last good.

A version is one Parquet file, named after the run that made it, or the list of the files that a table consists of;
readers need not know which. Storage is the durable truth, the cache only the quick way. A held batch stands beside the
accepted ones under another name and is never read by mistake.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from data_pipeline.batch import Batch
from data_pipeline.dataset import UNPARSED, Provenance
from data_pipeline.errors import StoreError
from data_pipeline.store.manifest import Manifest, Part, is_manifest
from data_pipeline.store.parts import FILE, READ, SMALL, TINY, TINY_FILE, Parts, beyond, read_part
from data_pipeline.store.segment_names import named, split
from data_pipeline.store.views import Current, Version, Views
from data_pipeline.store.wholeness import Damage, Wholeness
from data_pipeline.store.written import Written
from data_pipeline.validate.report import Report
from utils.storage import BlobWriter, Storage, StorageError, Stored

if TYPE_CHECKING:
    from data_pipeline.store.merge import Change
    from data_pipeline.validate.engine import Validation
    from utils.arrow import pa


class Results:
    """Reads and writes versions and quarantined rows.

    Args:
        noted: Called when an accepted version is found damaged, and (with None) when it is whole again.
    """

    def __init__(
        self,
        storage: Storage,
        views: Views,
        noted: Callable[[Version, Damage | None], None] | None = None,
    ) -> None:
        self._storage = storage
        self._views = views
        self._noted = noted
        self._told: dict[tuple[str, str], bool] = {}
        self._wholeness = Wholeness(storage)

    def write(
        self,
        batch: Batch,
        validation: "Validation",
        *,
        dataset: str,
        run_id: str,
        accepted: bool,
        change: "Change | None" = None,
        base: Version | None = None,
    ) -> Written:
        """Write a batch's good rows as a version and its bad rows to quarantine.

        Args:
            change: How the good rows become part of the table that `base` is; None: they are the version.

        Raises:
            StoreError: the disk is full or cannot be written; nothing half-written stays.
            PipelineError: the batch and the table do not go together.
        """
        folder = "held" if not accepted else "datasets" if change is None else "tables"
        path = f"{folder}/{dataset}/{run_id}.parquet"
        try:
            if not validation.report.quarantined:
                written = self._write(path, (good for good, _ in split(batch, validation)), batch, validation)
            else:
                written = self._write_both(path, dataset, run_id, batch, validation)
            if change is None or not accepted:
                return written
            columns = _kept(batch, validation)
            return self.advance(written, columns, batch.nbytes, change, base, Parts(self._storage, dataset, run_id))
        except StorageError as error:
            raise StoreError(f"{dataset}: {error}", hint=error.hint) from error

    def advance(
        self, written: Written, columns: "pa.Schema", nbytes: int, change: "Change", base: Version | None, parts: Parts
    ) -> Written:
        """The table that `base` is, with a batch in it that was written as a file of its own.

        Args:
            columns: Of the batch; `nbytes`: about what it takes in memory.
        """
        from data_pipeline.store.merge import advanced

        good = written.good
        mine = Part(good.path, written.rows, good.size, nbytes, good.sha256)
        before, notes = self._before(base, change)
        after = advanced(parts, before, mine, columns, change)
        table, added = after.table, after.added.path if after.added is not None else ""
        listed = self._storage.put_bytes(good.path.removesuffix(".parquet") + ".json", table.to_bytes(), later=True)
        return replace(
            written,
            good=listed,
            table=None,
            batch=good.path,
            table_rows=table.rows,
            size=listed.size + table.size,
            added=None if added == good.path else added,
            notes=(*notes, *after.notes),
            piece_rows=tuple(rows for _, rows in change.pieces or ()),
        )

    def _before(self, base: Version | None, change: "Change") -> tuple[Manifest | None, tuple[str, ...]]:
        """The table as it was; a list that is damaged is no obstacle to a table that is built of everything."""
        if base is None or change.anew:
            return None, ()
        try:
            return self.manifest(base), ()
        except StoreError as error:
            if not change.full or not (change.complete or change.pieces is not None):
                raise
            return None, (f"the table begins anew: {error}",)

    def manifest(self, version: Version) -> Manifest:
        """The files of a version; of one that is a single file, that file.

        Raises:
            StoreError: the list is missing or damaged.
        """
        if is_manifest(version.path):
            return self._listed(version.path)
        digest = version.body.get("sha256", "")
        part = Part(version.path, version.rows, version.size, self.nbytes(version.path), digest)
        return Manifest(self.schema(version.path), (part,))

    def files(self, version: Version) -> set[str]:
        """All files that a version needs, the batch that it came with included."""
        body = version.body
        found = {version.path, body.get("batch") or version.path, body.get("added") or version.path}
        if is_manifest(version.path):
            found |= {part.path for part in self._listed(version.path).parts}
        return found

    def flush(self) -> None:
        """Bring to the disk what waits of the versions written so far; before the events that speak of them.

        Raises:
            StateError: the disk is full or cannot be written.
        """
        self._storage.flush()

    def last_good(self, current: Current | None, *, thorough: bool = True) -> Version | None:
        """The newest accepted version that is whole: what readers see, or one before it when that is damaged.

        Args:
            thorough: For who delivers its rows; else a large version is judged by its sizes (see `wholeness.py`).
        """
        newest = self.newest(current)
        if newest is None or self._is_whole(newest, thorough):
            return newest
        return self.before(newest, thorough=thorough)

    def before(self, version: Version, *, thorough: bool = True) -> Version | None:
        """The newest whole one of those that were accepted before a version."""
        for older in sorted(self._views.versions(version.dataset), key=lambda one: one.age, reverse=True):
            if older.is_accepted and older.age < version.age and self._is_whole(older, thorough):
                return older
        return None

    def newest(self, current: Current | None) -> Version | None:
        """The version that was accepted last, whole or not."""
        if current is None or current.version is None:
            return None
        return self._views.version(current.dataset, current.version)

    def damage(self, version: Version) -> Damage | None:
        """What is wrong with a version; None: it is whole."""
        found = self._wholeness.damage(version)
        if version.is_accepted and (found is None or found.lasting):
            self._tell(version, found)
        return found

    def check(self, version: Version) -> None:
        """Refuse a version that is damaged.

        Raises:
            StoreError: it is not as it was written.
        """
        if (found := self.damage(version)) is not None:
            raise damaged(version, found)

    def forget(self) -> None:
        """Compare every file anew with the log, also those that were found whole before."""
        self._wholeness.forget()

    def _is_whole(self, version: Version, thorough: bool) -> bool:
        if thorough or version.state == "damaged":
            return self.damage(version) is None
        found = self._wholeness.damage(version, thorough=False)
        if found is not None and found.lasting:
            self._tell(version, found)
        return found is None

    def _tell(self, version: Version, found: Damage | None) -> None:
        """Once in a process, and only what the log does not say already."""
        name, whole = (version.dataset, version.version), found is None
        if self._told.get(name, version.state == "accepted") != whole:
            self._told[name] = whole
            if self._noted is not None:
                self._noted(version, found)

    def batches(self, path: str, columns: Sequence[str] | None = None, *, after: int = 0) -> "Iterator[pa.RecordBatch]":
        """The record batches of a stored file, or only some columns of them, in that order.

        Args:
            after: So many rows are passed over; whole files and row groups of them are not read.

        Raises:
            StoreError: the file is missing or damaged.
        """
        import pyarrow.parquet as pq

        from utils.arrow import pa

        wanted = None if columns is None else list(columns)
        if is_manifest(path):
            table = self._listed(path)
            schema = table.schema if wanted is None else pa.schema([table.schema.field(name) for name in wanted])
            for part in table.parts:
                if after < part.rows:
                    yield from read_part(self._storage, part, schema, after=after)
                after = max(0, after - part.rows)
            return

        with (
            _readable(path),
            self._storage.open(path) as file,
            pq.ParquetFile(file, **READ) as parquet,
        ):
            for batch in beyond(parquet, wanted, after):
                plain = batch.replace_schema_metadata()
                yield plain if wanted is None else plain.select(wanted)

    def schema(self, path: str) -> "pa.Schema":
        """The columns of a stored file."""
        if is_manifest(path):
            return self._listed(path).schema
        return self._footer(path).remove_metadata()

    def _footer(self, path: str) -> "pa.Schema":
        import pyarrow.parquet as pq

        with _readable(path), self._storage.open(path) as file:
            return pq.read_schema(file)

    def report(self, version: Version) -> Report:
        """The report on the batch that a version came with. What failed is named as far as its file is there."""
        found = Report.from_json(version.body["report"])
        if any(one.failed and (one.segments is not None or one.kind == "aggregate") for one in found.outcomes):
            with suppress(StoreError):
                return named(found, self._footer(version.body.get("batch") or version.path))
        return found

    def nbytes(self, path: str) -> int:
        """About how many bytes a stored file takes in memory."""
        if is_manifest(path):
            return self._listed(path).nbytes
        import pyarrow.parquet as pq

        with _readable(path), self._storage.open(path) as file:
            metadata = pq.ParquetFile(file, pre_buffer=False).metadata
            return sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))

    def table(self, path: str) -> "pa.Table":
        """A stored file as one table."""
        from utils.arrow import pa

        batches = list(self.batches(path))
        return pa.Table.from_batches(batches, schema=None if batches else self.schema(path))

    def batch(self, path: str, provenance: Provenance, *, memory_limit: int) -> Batch:
        """The rows of a version as a batch."""
        table = self._listed(path) if is_manifest(path) else None
        rows = self._rows(path) if table is None else table.rows
        return Batch(
            self.schema(path),
            lambda: self.batches(path),
            rows=rows,
            nbytes=self.nbytes(path),
            provenance=provenance,
            memory_limit=memory_limit,
            open_columns=lambda columns, after: self.batches(path, columns, after=after),
        )

    def _rows(self, path: str) -> int:
        import pyarrow.parquet as pq

        with _readable(path), self._storage.open(path) as file:
            return int(pq.read_metadata(file).num_rows)

    def _listed(self, path: str) -> Manifest:
        try:
            return Manifest.from_bytes(self._storage.read_bytes(path))
        except (StorageError, ValueError) as error:
            raise StoreError(f"{path}: {error}", hint="build the table anew with `run --full`") from error

    def _write(self, path: str, batches: "Iterator[pa.RecordBatch]", batch: Batch, validation: "Validation") -> Written:
        import pyarrow.parquet as pq

        from utils.arrow import pa

        size = batch.nbytes
        if size <= SMALL:
            parts = list(batches)
            schema = parts[0].schema if parts else _kept(batch, validation)
            table = pa.Table.from_batches(parts, schema=schema)
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, **(TINY_FILE if size <= TINY else FILE))
            stored = self._storage.put_bytes(path, sink.getvalue(), later=True)
            # A tiny version is read from storage as quickly as from the cache: one row of one database either way.
            kept = None if size <= TINY else table.replace_schema_metadata()
            return Written(stored, table.num_rows, kept, size=stored.size)
        from data_pipeline.store.row_groups import RowGroupWriter

        with self._storage.writer(path) as file, RowGroupWriter(file) as written:
            for good in batches:
                written.write(good)
        return Written(_stored(file), written.rows, size=_stored(file).size)

    def _write_both(self, good_path: str, dataset: str, run_id: str, batch: Batch, validation: "Validation") -> Written:
        from data_pipeline.store.row_groups import RowGroupWriter
        from data_pipeline.validate.quarantine import Origins

        bad_path = f"quarantine/{dataset}/{run_id}.parquet"
        origins = Origins(run_id, batch.provenance.origins, batch.provenance.pieces)
        with (
            self._storage.writer(good_path) as good_file,
            self._storage.writer(bad_path) as bad_file,
            RowGroupWriter(good_file) as good_rows,
            RowGroupWriter(bad_file) as bad_rows,
        ):
            for good, bad in split(batch, validation):
                good_rows.write(good)
                if bad is not None and bad.num_rows:
                    bad_rows.write(origins.told(bad))
        good = _stored(good_file)
        return Written(good, good_rows.rows, bad=_stored(bad_file), quarantined=bad_rows.rows, size=good.size)


def damaged(version: Version, found: Damage) -> StoreError:
    """The error of who needs a version that is damaged."""
    again = "--full" if is_manifest(version.path) else "--fresh"
    hint = f"put the file back from your backup, or run it again: `run {version.dataset} {again}`"
    return StoreError(f"{version.dataset}: version {version.version} is damaged: {found}", hint=hint)


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """A file that is missing or damaged, as an error of the store."""
    from utils.arrow import pa

    try:
        yield
    except (OSError, StorageError, pa.ArrowInvalid) as error:
        raise StoreError(f"{path}: {error}", hint="run the dataset again with --fresh") from error


def _kept(batch: Batch, validation: "Validation") -> "pa.Schema":
    """The columns that the good rows of a batch have."""
    from data_pipeline.store.widening import visible

    return visible(batch.schema, {UNPARSED, *validation.without})


def _stored(file: BlobWriter) -> Stored:
    if file.stored is None:
        raise StoreError("a file was not finished")  # the writer's block ended, so it was
    return file.stored
