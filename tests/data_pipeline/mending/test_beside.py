"""Rows among those that they came with: each at its place, however the others are cut."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.mending.beside import Beside, places
from utils.arrow import pa

SCHEMA = pa.schema([("n", pa.int64())])


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[int]]:
    """The rows of a batch that were good, in some parts; those that were not; and which of these are put back."""
    size = draw(st.integers(0, 30))
    bad = sorted(draw(st.sets(st.integers(1, max(size, 1)), max_size=size)))
    good = [number for number in range(1, size + 1) if number not in bad]
    cuts = sorted(draw(st.lists(st.integers(0, len(good)), max_size=3)))
    parts = [good[start:end] for start, end in zip([0, *cuts], [*cuts, len(good)], strict=True)]
    return parts, bad, sorted(draw(st.sets(st.sampled_from(bad)))) if bad else []


def part(numbers: list[int]) -> Any:
    return pa.RecordBatch.from_arrays([pa.array(numbers, pa.int64())], schema=SCHEMA)


@given(batches())
def test_every_row_stands_at_the_place_it_had(found: tuple[list[list[int]], list[int], list[int]]) -> None:
    """In the order of the numbers; where ours are is told; a second reading gives the same."""
    parts, bad, back = found
    ours = pa.table({"n": pa.array(back, pa.int64())})

    beside = Beside(lambda: map(part, parts), SCHEMA, ours, places(back, bad))

    rows = [number for batch in beside.batches() for number in batch[0].to_pylist()]
    assert rows == sorted([*(number for numbers in parts for number in numbers), *back])
    assert [rows[at] for at in beside.positions] == back
    assert list(beside.batches()) == list(beside.batches())


def test_columns_that_only_one_side_has_are_null_on_the_other() -> None:
    """And a type that holds both."""
    ours = pa.table({"n": [1.5], "extra": ["x"]})

    (batch,) = Beside(lambda: iter([part([1, 3])]), SCHEMA, ours, [1]).batches()

    assert batch.to_pylist() == [{"n": 1.0, "extra": None}, {"n": 1.5, "extra": "x"}, {"n": 3.0, "extra": None}]
