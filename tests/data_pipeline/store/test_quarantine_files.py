"""The file of rows that were set aside: what leaves is remembered, what stays is as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from data_pipeline.errors import StoreError
from data_pipeline.store.quarantine_files import Aside, QuarantineFiles, counted, shown
from data_pipeline.store.quarantine_views import Quarantined
from utils.arrow import pa
from utils.storage import Storage

ROWS = pa.table(
    {
        "id": ["5", "x", "7"],
        "_rules": pa.array([["a", "b"], ["type(id)"], ["b"]], pa.list_(pa.string())),
        "_row": pa.array([2, 5, 9], pa.int64()),
        "_raw": [None, '{"id": "x"}', None],
        "_batch": ["r1"] * 3,
        "_file": ["a.csv"] * 3,
    }
)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    storage = Storage(tmp_path)
    yield storage
    storage.close()


def entry(path: str = "quarantine/stock/r1.parquet") -> Quarantined:
    return Quarantined("stock", "r1", "2026-01-01T00:00:00Z", 3, path, "waiting", {})


def test_rows_that_leave_are_remembered(storage: Storage) -> None:
    """The places of the others are found by the numbers of all that were set aside."""
    files = QuarantineFiles(storage)
    left = Aside(ROWS).with_reasons({5: ["c"]}).without(accepted=[2]).without(dropped=[9])

    again = files.read(entry(files.write(entry(), left, "n1")))

    assert (again.numbers.tolist(), again.accepted, again.dropped) == ([5], (2,), (9,))
    assert again.rows.column("_rules").to_pylist() == [["c"]]
    assert counted(again.rows) == {"c": 1}


def test_people_see_rules_run_and_number_behind_the_data() -> None:
    """Not what only we need."""
    assert shown(ROWS).schema.names == ["id", "_rules", "_batch", "_row", "_file"]
    assert counted(ROWS) == {"b": 2, "a": 1, "type(id)": 1}


def test_a_file_that_is_gone_is_told(storage: Storage) -> None:
    """With the way out."""
    with pytest.raises(StoreError) as told:
        QuarantineFiles(storage).read(entry())

    assert "quarantine drop" in told.value.hint


def test_long_texts_are_read_a_few_at_a_time(storage: Storage) -> None:
    """Whatever the file holds, what is shown of it takes some megabytes at once; and no more than is asked for."""
    long = pa.table(
        {
            "text": [f"{number:07}" * 150_000 for number in range(40)],
            "_rules": pa.array([["a"]] * 40, pa.list_(pa.string())),
            "_row": pa.array(range(40), pa.int64()),
            "_batch": ["r1"] * 40,
        }
    )
    files = QuarantineFiles(storage)
    written = entry(files.write(entry(), Aside(long), "n1"))

    parts = [part.num_rows for part in files.shown(written, None)]
    chosen = [part for part in files.shown(written, [1, 2]) if part.num_rows]

    assert sum(parts) == 40
    assert max(parts) <= 17
    assert [part.column("_row").to_pylist() for part in chosen] == [[1, 2]]
