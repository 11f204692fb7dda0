"""Parquet files made of many record batches."""

import io

import pyarrow.parquet as pq
import pytest

from data_pipeline.store.row_groups import GROUP_BYTES, GROUP_ROWS, RowGroupWriter
from utils.arrow import pa


def _batch(first: int, rows: int) -> "pa.RecordBatch":
    numbers = range(first, first + rows)
    return pa.record_batch({"id": pa.array(numbers, pa.int64()), "kind": [f"k{number % 7}" for number in numbers]})


def _written(batches: "list[pa.RecordBatch]") -> pq.ParquetFile:
    file = io.BytesIO()
    with RowGroupWriter(file) as writer:
        for batch in batches:
            writer.write(batch)
    assert writer.rows == sum(batch.num_rows for batch in batches)
    file.seek(0)
    return pq.ParquetFile(file)


def test_small_batches_share_a_row_group():
    """Rows and their order stay, however small the batches are; a group is closed once it is full."""
    batches = [_batch(first, 1_000) for first in range(0, GROUP_ROWS + 10_000, 1_000)]

    with _written(batches) as file:
        assert file.metadata.num_row_groups == 2
        assert GROUP_ROWS <= file.metadata.row_group(0).num_rows < GROUP_ROWS + 1_000
        assert file.read().equals(pa.Table.from_batches(batches).combine_chunks())


def test_wide_rows_fill_a_group_by_their_bytes():
    """Memory is bounded by bytes too: a few rows may be large."""
    wide = pa.record_batch({"text": ["x" * (GROUP_BYTES // 4)] * 2})

    with _written([wide] * 4) as file:
        assert [file.metadata.row_group(number).num_rows for number in range(2)] == [4, 4]


def test_only_values_that_come_again_get_a_dictionary():
    """A dictionary of unique values holds all of them, and the file all of them twice."""
    with _written([_batch(0, 20_000)]) as file:
        group = file.metadata.row_group(0)
        told = {group.column(at).path_in_schema: group.column(at).has_dictionary_page for at in range(2)}

    assert told == {"id": False, "kind": True}


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1, 2], None, []]),
        pa.array([{"a": 1}, None, {"a": 2}]),
        pa.nulls(3),
        pa.array([None, float("nan"), 1.5]),
        pa.array([b"a", None, b"b"]),
        pa.array([], pa.int64()),
        pa.array([b"0123456789abcdef"], pa.uuid()),
    ],
    ids=["lists", "structs", "nothing", "floats", "bytes", "no rows", "an extension"],
)
def test_any_type_is_written(column):
    """Whether values come again is asked of columns of all types."""
    batch = pa.record_batch({"column": column})

    with _written([batch]) as file:
        assert str(file.read().to_pydict()) == str(batch.to_pydict())


def test_what_goes_wrong_inside_is_what_is_told():
    """A disk that is full says so, and closing the file does not say something else."""

    class Full(io.BytesIO):
        def write(self, data) -> int:
            if self.tell() > 10:
                raise OSError("full")
            return super().write(data)

    def fill(writer: RowGroupWriter) -> None:
        with writer:
            for _ in range(3):
                writer.write(_batch(0, GROUP_ROWS))

    with pytest.raises(OSError, match="full"):
        fill(RowGroupWriter(Full()))
