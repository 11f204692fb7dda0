"""The part of a table that rules are learned from, and the part that they are tried on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.suggest.candidate import wilson_lower
from data_pipeline.suggest.sample import Sample, sample_of
from tests.counts import few
from utils.arrow import pa


def sample(table: pa.Table, size: int, most_cells: int = 10**6) -> Sample:
    return sample_of(iter(table.to_batches(max_chunksize=size)), table.schema, table.num_rows, most_cells=most_cells)


@given(st.integers(0, 3000), st.integers(1, 3000), st.sampled_from([2_000, 10**6]))
@settings(max_examples=few(40))
def test_the_same_table_gives_the_same_sample_whatever_its_split(rows, size, most_cells):
    """Both sides together are rows of the table, each at most once."""
    table = pa.table({"n": list(range(rows)), "s": [str(n % 3) for n in range(rows)]})

    whole, parts = sample(table, 10**6, most_cells), sample(table, size, most_cells)

    assert (parts.learn, parts.unseen, parts.rows) == (whole.learn, whole.unseen, rows)
    taken = [*whole.learn.column("n").to_pylist(), *whole.unseen.column("n").to_pylist()]
    assert len(set(taken)) == len(taken) == whole.taken
    assert most_cells < 2 * rows or len(taken) == rows


def test_a_large_table_is_held_in_part():
    """About as many cells as may be held, from everywhere; a quarter of them unseen by those who learn."""
    found = sample(pa.table({"n": list(range(100_000))}), 4096, most_cells=8_000)

    assert 7_500 < found.taken < 8_500
    assert 0.2 < found.unseen.num_rows / found.taken < 0.3
    assert found.rows == 100_000
    numbers = sorted(found.learn.column("n").to_pylist())
    assert numbers[0] < 200
    assert numbers[-1] > 99_800


@pytest.mark.parametrize(
    ("count", "of", "least"), [(10, 10, 0.7225), (0, 10, 0.0), (500, 1000, 0.4691), (99, 100, 0.9455)]
)
def test_wilsons_lower_bound(count, of, least):
    """Figures as printed in tables of the Wilson score interval at 95 %."""
    assert wilson_lower(count, of) == pytest.approx(least, abs=1e-4)
