"""Cursors survive JSON digit for digit, and are compared as what they are."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.datasets import IncrementalSettings
from data_pipeline.errors import PipelineError
from data_pipeline.incremental import Cursor, initial, moved, start
from utils.arrow import pa

values = st.one_of(
    st.tuples(st.just("int"), st.integers(-(2**63), 2**64 - 1)),
    st.tuples(st.just("float"), st.floats(allow_nan=False, allow_infinity=False)),
    st.tuples(st.just("decimal"), st.decimals(allow_nan=False, allow_infinity=False)),
    st.tuples(st.just("date"), st.dates()),
    st.tuples(st.just("timestamp"), st.integers(-(10**22), 10**22)),
    st.tuples(st.just("text"), st.text()),
)


@given(values)
def test_a_cursor_comes_back_from_json_as_it_went(found: tuple[str, Any]) -> None:
    """Nanoseconds, all digits of a decimal, integers beyond 2^53."""
    kind, value = found
    if kind == "text":
        value = value.encode("utf-8", "replace").decode()
    cursor = Cursor("at", kind, value)
    assert Cursor.from_json(orjson.loads(orjson.dumps(cursor.to_json()))) == cursor


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([3, None, 1]), ("int", 3)),
        (pa.array([0.5, float("inf")]), ("float", 0.5)),
        (pa.array([Decimal("1.10"), Decimal("1.9")]), ("decimal", Decimal("1.90"))),
        (pa.array([1, 1_700_000_000_000_000_001], pa.timestamp("ns", "UTC")), ("timestamp", 1_700_000_000_000_000_001)),
        (pa.array([1_700_000_000], pa.timestamp("s", "UTC")), ("timestamp", 1_700_000_000 * 10**9)),
        (pa.array(["b", "a", "É"]), ("text", "É")),
        (pa.array([date(2026, 3, 1)]), ("date", date(2026, 3, 1))),
    ],
    ids=["numbers", "never infinity", "decimals", "nanoseconds", "seconds", "text by code points", "days"],
)
def test_the_cursor_is_the_greatest_value(array: pa.Array, expected: tuple[str, Any]) -> None:
    """In the type of the column; and a later, smaller value does not move it back."""
    batch = pa.RecordBatch.from_arrays([array], ["at"])
    settings = IncrementalSettings(cursor="at")
    found, objection = moved(None, settings, [batch], batch.schema)
    assert objection is None
    assert found is not None
    assert (found.kind, found.value) == expected
    assert moved(found, settings, [batch.slice(0, 1)], batch.schema) == (found, None)
    assert found.scalar(array.type).type == array.type


def test_a_column_that_changes_its_family_is_refused() -> None:
    """17 and "17" have no order between them."""
    batch = pa.RecordBatch.from_arrays([pa.array(["17"])], ["at"])
    found, objection = moved(Cursor("at", "int", 5), IncrementalSettings(cursor="at"), [batch], batch.schema)
    assert found == Cursor("at", "int", 5)
    assert objection is not None
    assert "`at` held numbers until now" in objection.reason


@pytest.mark.parametrize(
    ("cursor", "settings", "expected"),
    [
        (Cursor("at", "timestamp", 10**18 + 1), {"lag": "1s"}, datetime(2001, 9, 9, 1, 46, 39, tzinfo=UTC)),
        (Cursor("at", "date", date(2026, 3, 2)), {"lag": "12h"}, date(2026, 3, 1)),
        (Cursor("at", "int", 1000), {"lag": "1500ms", "format": "epoch_s"}, 998),
        (Cursor("at", "int", 10_000), {"lag": "1500ms", "format": "epoch_ms"}, 8500),
        (Cursor("at", "text", "2026-03-01T00:00:10Z"), {"lag": "10s"}, datetime(2026, 3, 1, tzinfo=UTC)),
        (Cursor("at", "int", 0), {}, 0),
        (Cursor("at", "text", ""), {}, ""),
    ],
    ids=["a moment", "a day", "epoch seconds", "epoch milliseconds", "ISO text", "zero", "empty text"],
)
def test_the_next_start_lies_at_or_below_the_cursor(cursor: Cursor, settings: dict[str, Any], expected: Any) -> None:
    """Never above, whatever is rounded: rows would be lost."""
    assert start(cursor, IncrementalSettings.model_validate({"cursor": "at", **settings})) == expected


def test_an_initial_that_is_no_time_is_told() -> None:
    """With how to write it."""
    with pytest.raises(PipelineError, match=r"`incremental\.initial` is 'soon'") as caught:
        initial(IncrementalSettings(cursor="at", initial="soon"), "timestamp", "UTC")
    assert "2024-01-01" in caught.value.hint
