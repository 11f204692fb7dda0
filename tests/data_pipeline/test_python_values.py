"""Arrow's values as Python's: nothing that Arrow holds is lost or ends in a traceback."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.python_values import rows_of, values_of
from utils.arrow import pa


@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [
        (pa.timestamp("ns", "UTC"), 1772445600000000001, "2026-03-02T10:00:00.000000001Z"),
        (pa.timestamp("ns"), -1, "1969-12-31T23:59:59.999999999"),
        (pa.timestamp("ns", "UTC"), 1772445600000001000, datetime(2026, 3, 2, 10, 0, 0, 1, UTC)),
        (pa.timestamp("us", "UTC"), 2**60, "+38504-08-17T21:30:06.846976Z"),
        (pa.timestamp("s"), 253402300800, "+10000-01-01T00:00:00"),
        (pa.timestamp("ms", "UTC"), -62135596800001, "0000-12-31T23:59:59.999Z"),
        (pa.date32(), 2932897, "+10000-01-01"),
        (pa.date32(), 0, date(1970, 1, 1)),
    ],
    ids=[
        "nanoseconds",
        "before 1970",
        "whole microseconds",
        "far ahead",
        "the year 10000",
        "the year 0",
        "a day",
        "day 0",
    ],
)
def test_what_python_has_no_value_for_is_text(kind: Any, count: int, value: Any) -> None:
    """Alone and beside a value that it has, and a null."""
    beyond = pa.array([count, None, 0, 1 if pa.types.is_date(kind) else 10**18 + 1], pa.int64())
    column = beyond.cast(pa.int32()).view(kind) if pa.types.is_date(kind) else beyond.view(kind)
    found = values_of(column.slice(0, 3))
    assert found[:2] == [value, None]
    assert isinstance(found[2], date)
    batch = pa.RecordBatch.from_arrays([column.slice(0, 2), pa.array([1, 2])], ["at", "id"])
    assert rows_of(batch) == [{"at": value, "id": 1}, {"at": None, "id": 2}]


@given(st.datetimes(timezones=st.just(UTC)), st.integers(1, 999))
def test_moments_that_python_has_are_those_of_arrow(moment: datetime, more: int) -> None:
    """Also beside one that it has not: only that one is text, and begins with the same microseconds."""
    column = pa.array([moment], pa.timestamp("us", "UTC"))
    beside = pa.concat_arrays([column, pa.array([2**60], pa.int64()).view(column.type)])
    assert values_of(beside)[0] == moment

    if 1700 < moment.year < 2200:
        fine = pa.array([column.cast(pa.int64())[0].as_py() * 1000 + more], pa.int64()).view(pa.timestamp("ns", "UTC"))
        (text,) = values_of(fine)
        assert text == f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}{more:03}Z"


def test_moments_are_the_same_where_pandas_is_imported() -> None:
    """Arrow would give pandas' own values there."""
    import pandas as pd

    (moment,) = values_of(pa.array([1_772_445_600_000_000_001], pa.timestamp("ns", "UTC")))

    assert pd is not None
    assert moment == "2026-03-02T10:00:00.000000001Z"
    assert rows_of(pa.RecordBatch.from_pylist([{"at": None}], pa.schema([("at", pa.timestamp("ns"))]))) == [
        {"at": None}
    ]
