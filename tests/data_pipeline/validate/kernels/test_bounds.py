"""What a column can hold at most, and values of times row by row."""

from typing import Any

import pytest

from data_pipeline.validate.kernels.bounds import storage_of
from data_pipeline.validate.kernels.columns import Chunk
from data_pipeline.validate.kernels.rowwise import evaluate_rows
from data_pipeline.validate.surroundings import NOTHING_AROUND
from utils.arrow import pa
from utils.expression.grammar import parse_expression


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.int64(), pa.date32(), pa.date64(), pa.timestamp("ns")], ids=str
)
def test_what_a_column_holds_at_most_is_known_to_the_last_count(kind: Any) -> None:
    """One more, and it does not fit."""
    storage = storage_of(kind)
    whole = {"date32[day]": pa.int32(), "date64[ms]": pa.int64(), "timestamp[ns]": pa.int64()}.get(str(kind), kind)

    assert storage is not None
    assert pa.array([storage.low, storage.high], whole).to_pylist() == [storage.low, storage.high]
    for beyond in (storage.low - 1, storage.high + 1):
        with pytest.raises((OverflowError, pa.ArrowInvalid)):
            pa.array([beyond], whole)


def test_times_are_compared_row_by_row_to_the_nanosecond_and_a_missing_one_is_not_judged() -> None:
    """Of any unit, and with dates: what Arrow cannot compare is compared so."""
    created = pa.array([1_000_000_000, None, 2_000_000_001], pa.timestamp("ns"))
    updated = pa.array([1, 5, 2], pa.timestamp("s"))
    day = pa.array([0, 0, None], pa.date32())
    chunk = Chunk((created, updated, day), 3, {}, 0, NOTHING_AROUND)

    def found(text: str) -> list[Any]:
        return evaluate_rows(parse_expression(text), chunk, {"created": 0, "updated": 1, "day": 2})

    assert found("created <= updated") == [True, None, False]
    assert found("day < updated") == [True, True, None]
