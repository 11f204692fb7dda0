"""Rows kept in memory, then in a file: in order, counted rightly, and nothing is left behind."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance
from data_pipeline.row_spool import RowSpool, spooling_in

PROVENANCE = Provenance("rows", datetime(2026, 1, 1, tzinfo=UTC))


def numbers(*values: int | None) -> pa.RecordBatch:
    """One column."""
    return pa.record_batch({"n": pa.array(values, pa.int64())})


@pytest.mark.parametrize("memory", [0, 40, 10**6], ids=["all in the file", "some in the file", "all in memory"])
def test_what_was_appended_comes_back_as_often_as_wanted(tmp_path: Path, memory: int):
    """In order, each batch with a schema of its own."""
    sent = [numbers(1, 2, None), pa.record_batch({"t": ["a", "b"]}), numbers(), numbers(3)]
    spool = RowSpool(memory, folder=tmp_path / "made")
    for batch in sent:
        spool.append(batch)
    spool.finish()

    assert list(spool.batches()) == sent
    assert list(spool.batches()) == sent
    assert spool.rows == 6


def test_equal_rows_have_equal_hashes_and_other_types_another(tmp_path: Path):
    """Whether they wait in memory or in a file makes no difference."""

    def hashed(batch: pa.RecordBatch, memory: int) -> str:
        spool = RowSpool(memory, folder=tmp_path, hashed=True)
        spool.append(batch)
        spool.drop()
        return spool.sha256

    assert hashed(numbers(1, 2), 0) == hashed(numbers(1, 2), 10**6)
    assert hashed(numbers(1, 2), 0) != hashed(numbers(2, 1), 0)
    assert hashed(numbers(1), 0) != hashed(pa.record_batch({"n": pa.array([1], pa.uint64())}), 0)


@pytest.mark.parametrize("dropped", [True, False], ids=["dropped", "forgotten"])
def test_the_file_goes_away(tmp_path: Path, dropped: bool):
    """Also one that was never finished."""
    spool = RowSpool(0, folder=tmp_path)
    spool.append(numbers(1))
    assert len(list(tmp_path.iterdir())) == 1

    if dropped:
        spool.drop()
    del spool

    assert list(tmp_path.iterdir()) == []


def test_slices_of_one_large_batch_are_not_counted_as_often_as_there_are_slices():
    """8 MB in eight slices are 8 MB, not 64: `memory_limit` is held against this figure."""
    whole = pa.record_batch({"n": pa.array(range(1_000_000), pa.int64())})
    spool = RowSpool(10**9)
    for start in range(0, whole.num_rows, 125_000):
        spool.append(whole.slice(start, 125_000))

    assert spool.nbytes == pytest.approx(whole.nbytes, rel=0.01)


def test_a_stream_that_breaks_off_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A batch that was half on the disk when its source failed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("data_pipeline.batch.SPOOL_AFTER", 0)
    seen: list[int] = []

    def broken() -> Iterator[pa.RecordBatch]:
        yield numbers(1)
        seen.append(len(list(tmp_path.iterdir())))
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        Batch.from_batches(broken(), schema=numbers().schema, provenance=PROVENANCE)

    assert seen == [1]
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_block_holds_the_files_of_its_spools(tmp_path: Path):
    """Of those that name none of their own; afterwards all is as before."""
    inside, own = tmp_path / "inside", tmp_path / "own"
    with spooling_in(inside):
        spools = [RowSpool(0), RowSpool(0, folder=own)]
    for spool in spools:
        spool.append(numbers(1))

    assert len(list(inside.iterdir())) == len(list(own.iterdir())) == 1

    outside = RowSpool(0)
    outside.append(numbers(1))
    assert len(list(inside.iterdir())) == 1
