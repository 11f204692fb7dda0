"""The rows of one batch that were set aside, as a file: read, and written again without those that have left."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from data_pipeline.batch import MEMORY_LIMIT
from data_pipeline.errors import MemoryLimitExceeded, StoreError
from data_pipeline.store.parts import FILE, READ
from data_pipeline.store.quarantine_views import Quarantined
from data_pipeline.validate.quarantine import BATCH, OWN, RAW, ROW, RULES
from utils.arrow import compute, pa
from utils.storage import Storage, StorageError

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

__all__ = ["Aside", "QuarantineFiles", "counted", "shown"]

_LEFT = b"left"
"""Key of the file's metadata: the numbers of rows that were set aside too and have left since."""

MOST_AT_ONCE, BYTES_AT_ONCE = 16_384, 16 << 20
"""Rows, and bytes of them, that are read at once to be shown."""

Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Aside:
    """Rows that were set aside, in the order of their numbers.

    Attributes:
        rows: The columns of the data and those of our own (`validate/quarantine.py`).
        accepted, dropped: Numbers of the rows of the same batch that joined the dataset since, or were given up.
        beside: Of rows that left: numbers of those that waited when they did.
    """

    rows: "pa.Table"
    accepted: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    beside: tuple[int, ...] = ()

    @property
    def numbers(self) -> Numbers:
        """The rows' numbers in their batch, from 1, ascending."""
        return np.asarray(self.rows.column(ROW).to_numpy(), np.int64)

    def without(self, *, accepted: Iterable[int] = (), dropped: Iterable[int] = ()) -> "Aside":
        """What is left when some rows leave."""
        accepted, dropped = tuple(map(int, accepted)), tuple(map(int, dropped))
        gone = np.isin(self.numbers, np.asarray([*accepted, *dropped], np.int64))
        rows = self.rows.filter(pa.array(~gone))
        return Aside(rows, (*self.accepted, *accepted), (*self.dropped, *dropped))

    def with_reasons(self, reasons: dict[int, list[str]]) -> "Aside":
        """The same rows; those that were judged anew with the rules that they break now."""
        at = self.rows.schema.get_field_index(RULES)
        before = zip(self.numbers.tolist(), self.rows.column(RULES).to_pylist(), strict=True)
        now = pa.array([reasons.get(number, old) for number, old in before], pa.list_(pa.string()))
        return replace(self, rows=self.rows.set_column(at, RULES, now))


class QuarantineFiles:
    """Reads and writes the files. A file that is there is never changed.

    Raises (all methods):
        StoreError: it is missing or damaged, or cannot be written.
    """

    def __init__(self, storage: Storage, *, memory_limit: int = MEMORY_LIMIT) -> None:
        self._storage = storage
        self._memory_limit = memory_limit

    def read(self, entry: Quarantined) -> Aside:
        """All rows that are left of a batch, in memory.

        Raises:
            MemoryLimitExceeded: they are too many for that.
        """
        with self._opened(entry) as file:
            metadata = file.metadata
            nbytes = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
            if nbytes > self._memory_limit:
                raise MemoryLimitExceeded(
                    f"{entry.dataset}: the {entry.rows:,} quarantined rows of run {entry.run_id} hold {nbytes:,} "
                    f"bytes, more than app.memory_limit ({self._memory_limit:,})",
                    hint="raise `app.memory_limit` for this once: ORCHESTRATOR_APP__MEMORY_LIMIT=8GB",
                )
            rows = _whole(file.read(), entry)
            left = orjson.loads((file.schema_arrow.metadata or {}).get(_LEFT, b"{}"))
        if rows.num_rows:
            rows = rows.take(compute.sort_indices(rows.column(ROW)))
        return Aside(rows, *(tuple(left.get(name, ())) for name in ("accepted", "dropped", "beside")))

    def numbers(self, entry: Quarantined) -> Numbers:
        """The numbers of the rows that are left."""
        with self._opened(entry) as file:
            return np.asarray(file.read([ROW]).column(0).to_numpy(), np.int64)

    def schema(self, entry: Quarantined) -> "pa.Schema":
        """The columns as people see them."""
        with self._opened(entry) as file:
            return shown(_whole(file.schema_arrow.empty_table(), entry)).schema

    def shown(self, entry: Quarantined, numbers: Sequence[int] | None) -> "Iterator[pa.RecordBatch]":
        """The rows as people see them, part by part; only some of them, if their numbers are given."""
        wanted = None if numbers is None else pa.array(numbers, pa.int64())
        left = None if numbers is None else len(numbers)
        with self._opened(entry) as file:
            for batch in file.iter_batches(batch_size=_at_once(file.metadata)):
                part = _whole(pa.Table.from_batches([batch]), entry)
                if wanted is not None and left is not None:
                    part = part.filter(compute.is_in(part.column(ROW), value_set=wanted))
                    left -= part.num_rows
                yield from shown(part).to_batches()
                if left == 0:
                    return

    @contextmanager
    def _opened(self, entry: Quarantined) -> "Iterator[ParquetFile]":
        import pyarrow.parquet as pq

        try:
            with self._storage.open(entry.path) as file, pq.ParquetFile(file, **READ) as parquet:
                yield parquet
        except (OSError, StorageError, pa.ArrowInvalid) as error:
            hint = "the file is gone or damaged: drop the rows, `quarantine drop`, and run the dataset again"
            raise StoreError(f"{entry.path}: {error}", hint=hint) from error

    def write(self, entry: Quarantined, rows: Aside, name: str) -> str:
        """The rows that are left, as a new file; gives its path. Without any there is no file: the path stays."""
        return self._write(entry, rows, name) if rows.rows.num_rows else entry.path

    def keep(self, entry: Quarantined, before: Aside, after: Aside, name: str) -> str:
        """The rows that left, as they were set aside, for a rollback would bring them back; gives their path."""
        gone = np.isin(before.numbers, after.numbers, invert=True)
        mine = replace(after, rows=before.rows.filter(pa.array(gone)), beside=tuple(after.numbers.tolist()))
        return self._write(entry, mine, f"{name}-accepted")

    def put_back(self, entry: Quarantined, kept: Sequence[str], name: str) -> tuple[str, Aside, int]:
        """Rows that were kept wait again beside those that still do: where, all of them, and how many came back."""
        found = [self.read(replace(entry, path=path)) for path in kept]
        waiting = [self.read(entry)] if entry.waits else []
        rows = pa.concat_tables([one.rows for one in (*waiting, *found)], promote_options="permissive").combine_chunks()
        rows = rows.take(compute.sort_indices(rows.column(ROW)))
        back = {int(number) for one in found for number in one.numbers}
        accepted = {number for one in (*waiting, *found) for number in one.accepted} - back
        now = accepted | set(rows.column(ROW).to_pylist())
        dropped = {number for one in (*waiting, *found) for number in (*one.dropped, *one.beside)} - now
        aside = Aside(rows, tuple(sorted(accepted)), tuple(sorted(dropped)))
        return self._write(entry, aside, name), aside, len(back)

    def _write(self, entry: Quarantined, rows: Aside, name: str) -> str:
        import pyarrow.parquet as pq

        left = orjson.dumps({"accepted": rows.accepted, "dropped": rows.dropped, "beside": rows.beside})
        table = rows.rows.replace_schema_metadata({_LEFT: left})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, **FILE)
        path = f"quarantine/{entry.dataset}/{entry.run_id}-{name}.parquet"
        try:
            self._storage.put_bytes(path, sink.getvalue())
        except StorageError as error:
            raise StoreError(f"{entry.dataset}: {error}", hint=error.hint) from error
        return path

    def forget(self, before: str, now: str, *, left: int) -> None:
        """Remove a file whose rows lie in another one by now, or have left; what stays, maintenance finds."""
        if before != now or not left:
            try:
                self._storage.delete(before)
            except StorageError:
                return


def _at_once(metadata: Any) -> int:
    """How many rows of a file (its Parquet metadata) are read at once, so that long texts take no gigabytes."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    widest = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=0.0)
    return max(1, min(MOST_AT_ONCE, int(BYTES_AT_ONCE / max(1.0, widest))))


def _whole(rows: "pa.Table", entry: Quarantined) -> "pa.Table":
    """The rows of a file; those of earlier releases do not say which run brought them."""
    rows = rows.replace_schema_metadata(None).combine_chunks()
    if BATCH in rows.schema.names:
        return rows
    return rows.append_column(BATCH, pa.repeat(pa.scalar(entry.run_id), rows.num_rows))


def shown(rows: "pa.Table") -> "pa.Table":
    """The rows as people see them: what did not parse stands in its cell."""
    own = [name for name in (RULES, BATCH, ROW) if name in rows.schema.names]
    more = [name for name in rows.schema.names if name in OWN and name not in (*own, RAW)]
    data = [name for name in rows.schema.names if name not in OWN]
    return rows.select([*data, *own, *more])


def counted(rows: "pa.Table") -> dict[str, int]:
    """How many rows broke which rule, the most frequent first."""
    found = compute.list_flatten(rows.column(RULES).combine_chunks()) if rows.num_rows else pa.array([], pa.string())
    counts = {one["values"]: one["counts"] for one in compute.value_counts(found).to_pylist()}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
