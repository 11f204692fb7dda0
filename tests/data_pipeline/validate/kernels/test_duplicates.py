"""`unique` over many rows: the ways of large batches, taken by small ones, agree with the plain reading."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.validate.engine import judge, observe, validate
from data_pipeline.validate.kernels import duplicates, key_runs, key_values
from data_pipeline.validate.kernels.duplicates import _joined, _kind
from data_pipeline.validate.kernels.key_runs import Repeated
from data_pipeline.validate.rules import parse_rules
from tests.counts import few
from tests.data_pipeline.validate import oracle, tables
from tests.data_pipeline.validate.plain import batch_of
from tests.data_pipeline.validate.tables import NOW
from utils.arrow import pa


@pytest.fixture
def as_if_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows are many, a stretch holds two keys, and every part goes to a file."""
    monkeypatch.setattr(duplicates, "SMALL", 1)
    monkeypatch.setattr(duplicates, "KEYS_AT_ONCE", 2)
    monkeypatch.setattr(key_runs, "KEYS_AT_ONCE", 2)
    monkeypatch.setattr(key_runs, "_STEP", 2)
    monkeypatch.setattr(key_values, "_ROWS_HELD", 2)


def keys_of(names: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)


def agrees(rows: list[dict[str, Any]], columns: list[str], cuts: list[int], memory: int) -> None:
    rules = parse_rules([{"unique": columns}])
    batch = tables.batch(tables.table(rows), cuts)
    batch.memory_limit = memory

    validation = validate(batch, rules, now=NOW)

    bad, of = oracle.failing(rules[0], tables.table(rows).to_pylist(), NOW)
    outcome = validation.report.outcomes[0]
    assert (outcome.failed, outcome.of) == (len(bad), of)
    found = [part.column("_row").to_pylist() for _, part in validation.split(batch) if part is not None]
    assert sorted(row - 1 for part in found for row in part) == sorted(bad)


@pytest.mark.usefixtures("as_if_large")
@given(
    tables.rows(20), keys_of(tables.NAMES), st.lists(st.integers(1, 19), max_size=4), st.sampled_from([0, 64, 10**9])
)
@settings(max_examples=few(60), deadline=None)
def test_the_way_of_large_batches_agrees_with_the_oracle(rows, columns, cuts, memory):
    """Every type, alone and together, with nulls, in memory and in a file: the very rows."""
    agrees(rows, columns, cuts, memory)


@given(tables.rows(20), keys_of(["text", "category", "wide", "price", "whole"]), st.lists(st.integers(1, 19)))
@settings(max_examples=few(50), deadline=None)
def test_a_hash_that_meets_never_fails_a_good_row(rows, columns, cuts):
    """With a hash that knows two values only, every row is suspected, and the values decide."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "SMALL", 0)
        patch.setattr(duplicates, "hashes", lambda array: HASHES(array) & 1)
        patch.setattr(duplicates, "together", lambda parts: sum(parts[1:], parts[0]) & 1)
        agrees(rows, columns, cuts, 10**9)


HASHES = duplicates.hashes


@pytest.mark.usefixtures("as_if_large")
def test_a_column_without_any_value_in_one_part_goes_with_the_type_of_the_others():
    """What has no type has no keys; the rows of the others are found where they are."""
    rules = parse_rules([{"unique": "a"}])
    parts = [pa.table({"a": pa.nulls(2)}), pa.table({"a": ["x", "y", None]}), pa.table({"a": ["y", "z"]})]

    report = judge([observe(tables.batch(part), rules, now=NOW) for part in parts])

    assert (report.outcomes[0].failed, report.outcomes[0].of, report.quarantined) == (2, 4, 2)


def test_keys_of_different_types_are_not_compared():
    """A number in one part and text in another are not said to be different: the merge is refused."""
    rules = parse_rules([{"unique": "a"}])
    one, other = (observe(batch_of({"a": values}), rules, now=NOW) for values in ([1], ["1"]))

    with pytest.raises(ValueError, match="column `a` is int64 in one part and string in another"):
        one.merge(other)


def test_many_texts_that_occur_again_are_all_found():
    """300,000 rows in five parts, a third of them twice, one 20,000 times."""
    texts = [f"key {number % 200_000}" for number in range(280_000)] + ["often"] * 20_000
    batch = tables.batch(pa.table({"t": texts}), [60_000, 120_000, 180_000, 240_000])

    outcome = validate(batch, parse_rules([{"unique": "t"}]), now=NOW).report.outcomes[0]

    assert (outcome.failed, outcome.of) == (2 * 80_000 + 20_000, 300_000)


@pytest.mark.parametrize(("at_most", "sizes"), [(3, [2, 2, 2]), (4, [4, 2]), (6, [6])])
def test_keys_of_several_groups_are_asked_for_together(at_most, sizes):
    """As many as one look may ask for, and none is left out."""
    groups = [Repeated(np.array([at, at + 1]), np.array([2, 2])) for at in (0, 2, 4)]

    joined = list(_joined(iter(groups), at_most))

    assert [len(keys) for keys in joined] == sizes
    assert np.concatenate(joined).tolist() == [0, 1, 2, 3, 4, 5]


def test_long_and_short_bytes_are_of_one_kind():
    """Parts of a batch may have either."""
    assert {_kind(kind) for kind in (pa.binary(), pa.large_binary())} == {"bytes"}
