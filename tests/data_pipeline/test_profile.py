"""The profile of a batch: right figures, the same for every split."""

from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.profile import Profile, profile
from tests.data_pipeline.validate import oracle, tables
from tests.data_pipeline.validate.plain import batch_of
from utils.arrow import pa


def test_nulls_are_a_share_of_all_cells_and_nan_is_one():
    """Two empty cells of six; the hidden column for unparsed cells does not count."""
    found = profile(batch_of({"a": [1.0, float("nan"), None], "b": ["x", "", "y"], "__unparsed__": [None, None, "{}"]}))

    assert found.metrics() == {"rows": 3, "columns": 2, "nulls": 2 / 6}
    assert found.nulls == {"a": 2, "b": 0}


def test_no_cells_is_not_measured():
    """An empty batch has no share of nulls: not 0, not 1."""
    assert profile(batch_of({"a": pa.array([], pa.int64())})).metrics() == {"rows": 0, "columns": 1, "nulls": None}
    assert Profile().metrics()["nulls"] is None


@given(tables.rows(20), st.lists(st.integers(1, 19), max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_whole_equals_merge_of_parts_and_the_oracle(rows, cuts, chance):
    """Any split in any order gives the same profile, and the figures are those of plain Python."""
    whole = tables.table(rows)
    profiles = [profile(tables.batch(part)) for part in tables.parts(whole, cuts)]
    chance.shuffle(profiles)

    merged = reduce(Profile.merge, profiles)

    assert merged == profile(tables.batch(whole, cuts))
    assert merged.nulls == {name: sum(oracle.is_null(row[name]) for row in rows) for name in tables.SCHEMA.names}


def test_parts_with_other_columns_merge_to_all_of_them():
    """A column that one part lacks is counted where it is; the cells are those that exist."""
    one, other = profile(batch_of({"a": [1, None]})), profile(batch_of({"b": [None]}))

    merged = one.merge(other)

    assert merged == other.merge(one)
    assert merged.metrics() == {"rows": 3, "columns": 2, "nulls": 2 / 3}
