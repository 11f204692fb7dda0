"""Mended rows become a part of what readers see: written as a version, not yet told in the log."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.asking import keeps_a_table, stood
from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance, Quality
from data_pipeline.entering import Entering, change_of
from data_pipeline.errors import PipelineError, StoreError
from data_pipeline.incremental import moved
from data_pipeline.mending.belonging import Superseded, last_batch
from data_pipeline.parse.data_time import of_good_rows
from data_pipeline.parse.times import Zone
from data_pipeline.store.parts import FILE, Parts, read_part
from data_pipeline.store.recognise import hits
from data_pipeline.store.results import Results
from data_pipeline.store.views import Version
from data_pipeline.store.widening import fitted, unified
from data_pipeline.store.written import Written
from data_pipeline.validate.engine import validate
from data_pipeline.validate.report import Report
from utils.arrow import pa
from utils.events import rfc3339
from utils.storage import Storage, StorageError

__all__ = ["Joining"]

_OF_ANOTHER_EVENT = frozenset(
    {
        *("run_id", "files", "batch", "added", "table_rows", "entering"),
        *("actor", "reason", "over", "accepted_by", "seen", "objective", "last_run", "fence", "before"),
        *("restores", "withdrawn", "replayed"),
    }
)
"""What the event of a version says of how that version came to be, and not of what it is."""


class Joining:
    """Writes the version in which mended rows are.

    Args:
        name: Of the version.
    """

    def __init__(
        self, dataset: DatasetSettings, current: Version, name: str, *, results: Results, storage: Storage
    ) -> None:
        self._dataset = dataset
        self._current = current
        self._name = name
        self._results = results
        self._storage = storage

    def whole(self, batch: Batch, joined: "pa.Table") -> Written:
        """A batch with its mended rows takes the place of the one without them.

        Raises:
            StoreError: the disk is full or cannot be written.
        """
        return replace(self._write(batch, None), added=self._apart(joined))

    def table(self, rows: "pa.Table", *, force: bool, is_last: bool) -> Written:
        """The rows are added to the table, or merged by key.

        Args:
            is_last: No batch came to the table since the rows' own.

        Raises:
            Superseded: the table has rows of the same keys since, and nothing says which are newer.
            StoreError: likewise.
        """
        dataset, settings = self._dataset, self._dataset.incremental
        merges = dataset.write == "merge"
        reach = None if settings is None else stood(settings, self._current)[1]
        change, _ = change_of(Entering(replay=merges), dataset, rows.schema, reach=reach, bad=None)
        if merges and settings is None and not is_last and not force:
            self._refuse_known(rows)
        return self._write(self._batch(rows), change)

    def pieces(self, rows: "pa.Table", keys: Sequence[str]) -> Written:
        """The rows are added at the end of their pieces.

        Args:
            keys: Of the piece that each row belongs to.
        """
        manifest = self._results.manifest(self._current)
        schema = unified(manifest.schema, rows.schema)
        there = {part.partition: part for part in manifest.parts}
        parts: list[pa.RecordBatch] = []
        pieces: list[tuple[str, int]] = []
        for key in sorted(set(keys)):
            mine = rows.filter(pa.array([other == key for other in keys])).combine_chunks().to_batches()
            old = read_part(self._storage, there[key], manifest.schema) if key in there else iter(())
            piece = [fitted(batch, schema) for batch in (*old, *mine)]
            pieces.append((key, sum(batch.num_rows for batch in piece)))
            parts += piece
        change, _ = change_of(Entering(pieces=tuple(pieces)), self._dataset, schema, reach=None, bad=None)
        batch = Batch.from_batches(parts, schema=schema, provenance=self._provenance())
        return replace(self._write(batch, change), added=self._apart(rows))

    def body(self, written: Written, joined: "pa.Table", told: dict[str, Any], schema: "pa.Schema") -> dict[str, Any]:
        """What the event of the version says: what the version before said, but for what has changed."""
        before = self._current.body
        body: dict[str, Any] = {key: value for key, value in before.items() if key not in _OF_ANOTHER_EVENT}
        body |= written.to_json()
        rows = written.table_rows if written.table_rows is not None else written.rows
        body |= {
            "run_id": self._name,
            "version": self._name,
            "reason": "",
            "data_time": self._data_time(joined),
            "notes": [*before["notes"], *written.notes],
            "last_batch": last_batch(self._current),
            "replayed": told,
        }
        if not schema.equals(self._results.schema(self._current.path)):
            body["columns"] = ""  # the next batch is held against the columns themselves
        if written.added is not None:
            body["added"] = written.added
        if not keeps_a_table(self._dataset):
            body["measured"] = {**before["measured"], "rows": float(rows)}
        self._move_reach(body, joined)
        return body

    def judged(self, body: dict[str, Any], report: Report, quality: Quality) -> None:
        """The version's own report, of a batch that takes the place of another."""
        measured = {**body["measured"], "quarantined": float(report.quarantined), "quality": quality.score}
        measured["quality_uncapped"] = quality.uncapped
        body |= {"report": report.to_json(), "quality": quality.to_json(), "measured": measured}

    def _write(self, batch: Batch, change: Any) -> Written:
        passed = validate(batch, (), now=datetime.now(UTC))  # it was judged already
        return self._results.write(
            batch,
            passed,
            dataset=self._dataset.name,
            run_id=self._name,
            accepted=True,
            change=change,
            base=self._current,
        )

    def _batch(self, rows: "pa.Table") -> Batch:
        return Batch.from_table(rows, provenance=self._provenance())

    def _provenance(self) -> Provenance:
        body = self._current.body
        return Provenance(body["provider"], datetime.fromisoformat(body["collected_at"]), body["content_sha256"])

    def _apart(self, joined: "pa.Table") -> str:
        """The rows that are new, for sinks that want those only."""
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(joined, sink, **FILE)
        path = f"tables/{self._dataset.name}/{self._name}-joined.parquet"
        try:
            return self._storage.put_bytes(path, sink.getvalue(), later=True).path
        except StorageError as error:
            raise StoreError(f"{self._dataset.name}: {error}", hint=error.hint) from error

    def _refuse_known(self, rows: "pa.Table") -> None:
        manifest, key = self._results.manifest(self._current), list(self._dataset.key)
        parts = Parts(self._storage, self._dataset.name, self._name)
        mine = rows.select(key).cast(pa.schema([manifest.schema.field(name) for name in key]))
        known = sum(int(hits(mine, parts.table(part, manifest.schema, key)).sum()) for part in manifest.parts)
        if known:
            raise Superseded(
                f"{self._dataset.name}: the table has rows of {known:,} of these keys, from another batch, and nothing "
                "says which rows are newer",
                hint="leave them out with --file; or let these take their place: --force",
            )

    def _data_time(self, joined: "pa.Table") -> str | None:
        """Of a column the newest value, of all else what the batch said."""
        before: str | None = self._current.body["data_time"]
        if before is None:
            return None
        moment = datetime.fromisoformat(before)
        batch = Batch.from_table(joined, provenance=replace(self._provenance(), data_time=moment))
        setting, zone = self._dataset.data_time, Zone(self._dataset.zone or "UTC")
        found = of_good_rows(batch, batch.batches(), setting, zone).provenance.data_time
        return before if found is None or found <= moment else rfc3339(found)

    def _move_reach(self, body: dict[str, Any], joined: "pa.Table") -> None:
        """Rows beyond the cursor are in the table now: the next collection may bring them again. The cursor stays."""
        settings = self._dataset.incremental
        if settings is None:
            return
        cursor, reach = stood(settings, self._current)
        keep = settings.model_copy(update={"nulls": "keep"})
        after, objection = moved(reach, keep, _batches(joined), joined.schema)
        if objection is not None:
            raise PipelineError(f"{self._dataset.name}: {objection.reason}", hint="look at `incremental.cursor`")
        if after is not None and (cursor is None or after.rank > cursor.rank):
            body["reach"] = after.to_json()


def _batches(rows: "pa.Table") -> "Iterator[pa.RecordBatch]":
    return iter(rows.to_batches())
