"""Our engine and profile, and the floor: one pass of numpy over the same bytes. Answers as `quality_work` says.

Run as a program: `python -m benchmarks.quality_ours NAME PATH TURNS`.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.quality_work import EMAIL, MOST_ROWS, NOW, STATUS, Counts, perform
from data_pipeline.batch import MEMORY_LIMIT, ROWS_PER_BATCH, Batch
from data_pipeline.dataset import Provenance
from data_pipeline.profile import EVERYTHING, profile
from data_pipeline.row_spool import spooling_in
from data_pipeline.validate.engine import validate
from data_pipeline.validate.rules import parse_rules
from utils.arrow import pa, with_pandas

RULES = parse_rules(
    [
        {"not_null": ["email", "amount", "created_at"]},
        {"unique": "order_id"},
        {"range": {"column": "amount", "min": 0, "max": 10_000}},
        {"range": {"column": "quantity", "min": 1, "max": 100}},
        {"one_of": {"column": "status", "values": STATUS}},
        {"matches": {"column": "email", "pattern": EMAIL}},
        {"length": {"column": "country", "min": 2, "max": 2}},
        {"not_in_future": "created_at"},
        {"compare": "created_at <= updated_at"},
        {"row_count": {"min": 1, "max": MOST_ROWS}},
    ]
)
MOMENT = datetime.fromisoformat(NOW).replace(tzinfo=UTC)
SPILLING = 128 * 2**20
"""A memory limit that leaves 32 MB to keys."""


def frame(path: str) -> Callable[[], Counts]:
    """A pandas frame in memory; it is turned into Arrow, judged, and which rows broke what is known."""
    loaded = with_pandas().read_parquet(path)

    def work() -> Counts:
        return _judged(_of(pa.Table.from_pandas(loaded, preserve_index=False)))

    return work


def file(path: str, memory_limit: int = MEMORY_LIMIT) -> Callable[[], Counts]:
    """A Parquet file, read part by part."""

    def opened(columns: Sequence[str] | None = None, _after: int = 0) -> Iterator["pa.RecordBatch"]:
        with pq.ParquetFile(path, pre_buffer=False) as parquet:
            yield from parquet.iter_batches(columns=columns, use_threads=False)

    def work() -> Counts:
        with pq.ParquetFile(path) as parquet:
            schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
        batch = Batch(
            schema,
            opened,
            rows=rows,
            nbytes=0,
            provenance=Provenance("benchmark", MOMENT),
            memory_limit=memory_limit,
            open_columns=opened,
        )
        with spooling_in(Path(path).parent):
            return _judged(batch)

    return work


def profiled(path: str) -> Callable[[], Counts]:
    """The frame's profile, with distinct values and quantiles of every column."""
    loaded = with_pandas().read_parquet(path)

    def work() -> Counts:
        profile(_of(pa.Table.from_pandas(loaded, preserve_index=False)), EVERYTHING)
        return None

    return work


def floor(path: str) -> Callable[[], Counts]:
    """The greatest word of every buffer of the frame."""
    buffers = []
    for column in pq.read_table(path).columns:
        for chunk in column.chunks:
            found = [np.frombuffer(buffer, np.uint8) for buffer in chunk.buffers() if buffer is not None]
            buffers += [words[: len(words) // 8 * 8].view(np.int64) for words in found if len(words) >= 64]

    def work() -> Counts:
        for buffer in buffers:
            buffer.max()
        return None

    return work


def _of(table: "pa.Table") -> Batch:
    """The table as it lies there: `Batch.from_table` would put what is large into a file."""
    return Batch(
        table.schema,
        lambda: iter(table.to_batches(max_chunksize=ROWS_PER_BATCH)),
        rows=table.num_rows,
        nbytes=table.nbytes,
        provenance=Provenance("benchmark", MOMENT),
    )


def _judged(batch: Batch) -> list[int]:
    validation = validate(batch, RULES, now=MOMENT)
    known = sum(mask.true_count for mark in validation.marks for _, mask in mark.reasons)
    failed = [outcome.failed for outcome in validation.report.outcomes]
    assert known == sum(failed[:-1]), "every row that broke a rule is marked"
    return failed


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    perform(
        {
            "ours": frame,
            "ours-file": file,
            "ours-file-spilling": lambda path: file(path, SPILLING),
            "ours-profile": profiled,
            "floor": floor,
        }
    )
