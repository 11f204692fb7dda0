"""`references`: a value stands in the other table, or it does not, whatever the two columns are made of."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from tests.data_pipeline.validate.kernels.around import Made
from tests.data_pipeline.validate.kernels.judged import judged
from utils.arrow import pa

RULE = {"references": {"column": "a", "dataset": "others", "key": "id"}}


def beside(values: Any) -> Made:
    return Made(values={("others", "id"): values if isinstance(values, pa.Array) else pa.array(values)})


_NUMBERS = st.sampled_from(
    [0, 1, 255, 2**53, 2**53 + 1, 2**63 - 1, -1, 0.5, 1.0, -0.0, Decimal("0.50"), Decimal("1.005")]
)
_TYPES = [pa.int64(), pa.int8(), pa.uint64(), pa.float64(), pa.float32(), pa.decimal128(30, 3)]


def held(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Those of the values that a column of this type holds exactly."""
    kept = []
    for value in values:
        try:
            (back,) = pa.array([value], kind).to_pylist()
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            continue
        if back == value:
            kept.append(value)
    return pa.array(kept, kind)


@given(
    st.lists(_NUMBERS, max_size=6),
    st.sampled_from(_TYPES),
    st.lists(_NUMBERS, max_size=6),
    st.sampled_from(_TYPES),
    st.lists(st.integers(1, 5), max_size=2),
)
@settings(max_examples=few(120), deadline=None)
def test_numbers_are_the_same_when_they_are_equal(mine, kind, theirs, other_kind, cuts):
    """Integers, fractions and decimals of any width meet exactly."""
    column, key = held(mine, kind), held(theirs, other_kind)

    found = judged(RULE, {"a": column}, cuts, around=beside(key))

    there = set(key.to_pylist())
    assert found.rows == [at for at, value in enumerate(column.to_pylist()) if value not in there]
    assert found.counts == (len(found.rows), len(column))


@pytest.mark.parametrize(
    ("column", "key", "rows"),
    [
        ([float(2**53), 1.5], pa.array([Decimal(2**53 + 1), Decimal("1.50")]), [0]),
        (["a", None, "ü", "A"], pa.array(["ü", "a"], pa.large_string()), [3]),
        (pa.array(["x", "y", None]).dictionary_encode(), ["y"], [0]),
        ([date(2026, 1, 1), date(2026, 1, 2)], [datetime(2026, 1, 1, tzinfo=UTC)], [1]),
        ([datetime(2026, 1, 1), datetime(2026, 1, 1, 1)], [date(2026, 1, 1)], [1]),
        (pa.array([1_000, 1_001], pa.timestamp("ns")), pa.array([1], pa.timestamp("us", "UTC")), [1]),
        (pa.array([1, 2], pa.timestamp("s")), pa.array([1_000, 1_500], pa.timestamp("ms")), [1]),
        ([float("nan"), 1.0, -0.0], [0.0, 1.0], []),
        ([True, None, False], [True], [2]),
        ([1, None], pa.array([], pa.int64()), [0]),
        ([1, None], pa.nulls(0), [0]),
        (pa.nulls(2), [1], []),
    ],
    ids=[
        *(
            "decimals in floats",
            "text",
            "categories",
            "days in moments",
            "moments in days",
            "nanoseconds",
            "parts of a second",
            "NaN and -0.0",
        ),
        *("truths", "an empty table", "a column without values there", "a column without values here"),
    ],
)
def test_values_of_each_sort_are_looked_up(column, key, rows):
    """Null and NaN are not judged; a value that the other type cannot hold is not there."""
    for cuts in ([], [1]):
        assert judged(RULE, {"a": column}, cuts, around=beside(key)).rows == rows


@pytest.mark.parametrize(
    ("column", "key", "words"),
    [
        ([1], ["1"], "column `a` holds numbers, `id` of dataset `others` text: declare one type for both in `columns`"),
        (
            [date(2026, 1, 1)],
            [1],
            "column `a` holds times, `id` of dataset `others` numbers: declare one type for both",
        ),
        ([[1]], [1], "column `a` is list<item: int64>: list<item: int64> cannot be looked up"),
    ],
    ids=["numbers and text", "times and numbers", "lists"],
)
def test_different_sorts_of_values_cannot_be_compared(column, key, words):
    """Text is never a number by accident: every row fails, and it is said what to do."""
    found = judged(RULE, {"a": column}, around=beside(key))

    assert found.outcome.detail.startswith(words)
    assert found.counts == (1, 1)


def test_as_long_as_nothing_was_delivered_every_row_fails():
    """What is not known to be good is not good, null included; the words are those of the surroundings."""
    found = judged(RULE, {"a": [1, None, 3]}, cuts=[2], around=Made())

    assert (found.outcome.detail, found.counts, found.rows) == ("there is no `others`", (3, 3), [0, 1, 2])


def test_the_values_are_made_ready_once_for_all_chunks():
    """However many chunks there are."""

    class Counting(Made):
        asked_for = 0

        def values_of(self, dataset: str, column: str) -> pa.Array:
            self.asked_for += 1
            return super().values_of(dataset, column)

    around = Counting(values={("others", "id"): pa.array([1, 2])})

    assert judged(RULE, {"a": [1, 2, 3, 4]}, cuts=[1, 2, 3], around=around).rows == [2, 3]
    assert around.asked_for == 1
