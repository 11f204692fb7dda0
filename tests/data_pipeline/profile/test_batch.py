"""The profile of a batch: right figures, the same for every split."""

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from fractions import Fraction
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.batch import Batch
from data_pipeline.profile import EVERYTHING, Profile, Profiler, Sketches, passed_over, profile
from tests.counts import few
from tests.data_pipeline.validate import oracle, tables
from tests.data_pipeline.validate.plain import batch_of
from utils.arrow import pa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONG = "1" + "0" * 30


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
@settings(max_examples=few(80), deadline=None)
def test_whole_equals_merge_of_parts_bit_for_bit(rows, cuts, chance):
    """Any split in any order gives the same profile with all its sketches; so does one that was written down."""
    whole = tables.table(rows)
    profiles = [profile(tables.batch(part), EVERYTHING) for part in tables.parts(whole, cuts)]
    chance.shuffle(profiles)

    merged = reduce(Profile.merge, profiles)

    assert merged == profile(tables.batch(whole, cuts), EVERYTHING)
    assert reduce(Profile.merge, [Profile.from_json(json.loads(json.dumps(p.to_json()))) for p in profiles]) == merged
    assert merged.nulls == {name: sum(oracle.is_null(row[name]) for row in rows) for name in tables.SCHEMA.names}


@given(tables.rows(20), st.lists(st.integers(1, 19), max_size=4))
@settings(max_examples=few(80), deadline=None)
def test_figures_are_those_of_plain_python(rows, cuts):
    """Numbers as fractions, texts as Python's, times as nanoseconds; an infinite number is counted by itself."""
    found = profile(tables.batch(tables.table(rows), cuts), EVERYTHING).columns

    for name in ("whole", "small", "float", "single", "price"):
        there = [row[name] for row in rows if not oracle.is_null(row[name])]
        finite = [Fraction(value) for value in there if math.isfinite(value)]
        mine = found[name].numbers
        assert (mine.values, mine.infinite) == (len(finite), len(there) - len(finite))
        assert (mine.low, mine.high) == (min(finite, default=None), max(finite, default=None))
        assert mine.mean == (float(sum(finite) / len(finite)) if finite else None)
        assert mine.std == (pytest.approx(float(stdev(finite)), rel=1e-15) if len(finite) > 1 else None)
        assert found[name].distinct.count() == len(set(there))
    for name in ("text", "category"):
        there = [row[name] for row in rows if row[name] is not None]
        lengths = [len(value) for value in there]
        ends = (min(there, default=None), max(there, default=None))
        assert found[name].texts == (
            len(there),
            min(lengths, default=None),
            max(lengths, default=None),
            sum(lengths),
            *ends,
        )
        assert found[name].distinct.count() == len(set(there))
    flags = [row["flag"] for row in rows if row["flag"] is not None]
    assert found["flag"].truths == (len(flags), sum(flags))
    days = [(row["day"] - date(1970, 1, 1)).days * 86_400 * 10**9 for row in rows if row["day"] is not None]
    assert found["day"].times == (len(days), min(days, default=None), max(days, default=None))
    times = [(row["time"] - EPOCH) // timedelta(microseconds=1) * 1_000 for row in rows if row["time"] is not None]
    assert found["time"].times == (len(times), min(times, default=None), max(times, default=None))


def stdev(values):
    """Of fractions, exactly but for the root."""
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


@pytest.mark.parametrize(
    ("values", "type_", "low", "high", "mean", "std"),
    [
        pytest.param([2**53, 2**53 + 1, None], pa.int64(), 2**53, 2**53 + 1, 2.0**53, 0.5**0.5, id="beyond 2^53"),
        pytest.param([2**64 - 1, 0], pa.uint64(), 0, 2**64 - 1, 2.0**63, (2.0**64) / 2**0.5, id="unsigned"),
        pytest.param(
            [D("0.10"), D("0.20")], pa.decimal128(5, 2), D("0.10"), D("0.20"), 0.15, 0.005**0.5, id="decimals"
        ),
        pytest.param(
            [D(LONG), D(LONG[:-1] + "2")],
            pa.decimal128(38, 2),
            D(LONG),
            D(LONG[:-1] + "2"),
            1e30,
            2**0.5,
            id="long decimals",
        ),
        pytest.param(
            [D(10) ** 60, -(D(10) ** 60)],
            pa.decimal256(76, 3),
            -(D(10) ** 60),
            D(10) ** 60,
            0.0,
            2**0.5 * 1e60,
            id="wide decimals",
        ),
        pytest.param(
            [1e9, 1e9 + 1, 1e9 + 2], pa.float64(), 1e9, 1e9 + 2, 1e9 + 1, 1.0, id="a small spread far from zero"
        ),
        pytest.param([0.5, 1.5], pa.float16(), 0.5, 1.5, 1.0, 0.5**0.5, id="half floats"),
        pytest.param(
            [7, 7, 9], pa.dictionary(pa.int8(), pa.int64()), 7, 9, 23 / 3, (4 / 3) ** 0.5, id="numbers in a dictionary"
        ),
    ],
)
def test_numbers_of_every_kind(values, type_, low, high, mean, std):
    """Least, greatest, mean and standard deviation, where a float on the way would be wrong."""
    mine = profile(batch_of({"a": pa.array(values, type_)}), EVERYTHING).columns["a"]

    assert (mine.numbers.low, mine.numbers.high, mine.numbers.mean) == (low, high, mean)
    assert mine.numbers.std == pytest.approx(std, rel=1e-15)
    assert mine.quantiles.quantile(1.0) == pytest.approx(float(high), rel=0.01)


def test_infinite_numbers_do_not_spoil_the_others():
    """They are counted; NaN is null."""
    values = [float("inf"), 1.0, float("nan"), -float("inf"), 3.0, None]

    mine = profile(batch_of({"a": values}), EVERYTHING).columns["a"]

    assert (mine.nulls, mine.numbers.infinite, mine.numbers.mean, mine.numbers.high) == (2, 2, 2.0, 3.0)
    assert profile(batch_of({"a": [float("inf")]})).columns["a"].numbers.mean is None


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.nulls(3), id="of no type"),
        pytest.param(pa.nulls(3, pa.float64()), id="floats"),
        pytest.param(pa.array([float("nan")] * 3), id="NaN"),
        pytest.param(pa.nulls(3, pa.string()), id="texts"),
        pytest.param(pa.nulls(3, pa.timestamp("ms")), id="times"),
        pytest.param(pa.nulls(3, pa.dictionary(pa.int8(), pa.string())), id="a dictionary"),
        pytest.param(pa.nulls(3, pa.decimal128(10, 2)), id="decimals"),
        pytest.param(pa.nulls(3, pa.list_(pa.int64())), id="lists"),
    ],
)
def test_a_column_of_nothing_but_nulls(values):
    """Has no figures beside its nulls, whatever its type."""
    mine = profile(batch_of({"a": values}), EVERYTHING).columns["a"]

    assert (mine.cells, mine.nulls) == (3, 3)
    assert mine.distinct is None or mine.distinct.count() == 0
    assert mine.numbers is None or (mine.numbers.low, mine.numbers.mean, mine.numbers.std) == (None, None, None)


def test_a_dictionary_may_hold_null_and_values_that_no_row_has():
    """What counts are the rows."""
    values = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1], pa.int8()), pa.array(["a", None, "unused"]))

    mine = profile(batch_of({"a": values}), EVERYTHING).columns["a"]

    assert (mine.nulls, mine.texts.values, mine.texts.last, mine.distinct.count()) == (3, 1, "a", 1)


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
def test_texts_of_pandas_2_and_3_and_views_are_measured_alike(type_):
    """In characters, not in bytes."""
    mine = profile(batch_of({"a": pa.array(["é🎉", None, "", "abc"], type_)}), EVERYTHING).columns["a"]

    assert mine.texts == (3, 0, 3, 5, "", "é🎉")
    assert (mine.nulls, mine.distinct.count(), mine.texts.mean) == (1, 3, 5 / 3)


def test_bytes_are_measured_and_never_shown():
    """Their first and last are no text."""
    assert profile(batch_of({"a": [b"\0\1", b""]}), EVERYTHING).columns["a"].texts == (2, 0, 2, 2, None, None)


def test_a_part_of_another_type_is_merged_with_what_both_have():
    """A column that was whole yesterday and a float today, and the same with text."""
    whole, floats = (profile(batch_of({"a": values}), EVERYTHING) for values in ([1, 2], [0.5, 2.0]))
    text = profile(batch_of({"a": ["x"]}), EVERYTHING)

    merged = whole.merge(floats).merge(text)

    mine = merged.columns["a"]
    assert merged == text.merge(floats.merge(whole))
    assert (mine.types, mine.numbers.mean, mine.texts.values) == ({"int64", "double", "string"}, 5.5 / 4, 1)


def test_sketches_are_made_of_the_columns_that_were_asked_for():
    """And nothing else costs anything."""
    batch = batch_of({"a": [1, 2, 2], "b": ["x", "y", "z"], "c": [1.0, 2.0, 3.0]})

    found = profile(batch, Sketches(distinct=frozenset({"a"}), quantiles=True)).columns

    assert [name for name, column in found.items() if column.distinct is not None] == ["a"]
    assert [name for name, column in found.items() if column.quantiles is not None] == ["a", "c"]
    assert found["b"].texts.first is None


def test_what_was_asked_for_in_vain_is_said():
    """A column that is misspelt, or holds what cannot be measured so; what works is not mentioned."""
    schema = pa.schema(
        [("a", pa.int64()), ("b", pa.string()), ("c", pa.list_(pa.int64())), ("__unparsed__", pa.string())]
    )
    asked = Sketches(distinct=frozenset({"a", "b", "c"}), quantiles=frozenset({"a", "b", "aa"}))

    assert passed_over(asked, schema) == (
        "`profile.distinct` names `c`, whose values are not compared (list<item: int64>)",
        "`profile.quantiles` names a column `aa` that is not there; there are `a`, `b`, `c`",
        "`profile.quantiles` names `b`, which has no numbers (string)",
    )
    assert passed_over(EVERYTHING, schema) == ()


def test_who_reads_the_batch_profiles_it_on_the_way():
    """The first pass that reaches the end counts: not one that was given up, not the second."""
    batch = Batch.from_batches(
        pa.table({"a": list(range(10))}).to_batches(max_chunksize=4),
        schema=pa.schema({"a": pa.int64()}),
        provenance=batch_of({"a": []}).provenance,
    )
    profiler = Profiler(batch.schema)
    watched = profiler.over(batch)

    assert next(iter(watched.batches())).num_rows == 4
    assert [sum(part.num_rows for part in watched.batches()) for _ in range(2)] == [10, 10]

    assert profiler.profile == profile(batch)


def test_what_is_written_down_stays_readable():
    """A profile as an earlier release wrote it: this text is a promise, another form needs another version."""
    found = profile(batch_of({"a": [0.5, None, -3.0], "b": ["x", "yz", "x"]}), EVERYTHING)

    assert json.dumps(found.to_json()) == WRITTEN
    assert Profile.from_json(json.loads(WRITTEN)) == found


WRITTEN = (
    '{"version": 1, "rows": 3, "columns": {"a": {"cells": 3, "nulls": 1, "types": ["double"], "numbers": '
    '{"values": 2, "low": -3.0, "high": 0.5, "total": "-5/2", "squares": "37/4", "infinite": 0}, '
    '"distinct": {"hash": "words64-1", "precision": 14, "few": "ddPy5Uz+QAQMVr1t7yRrMw=="}, "quantiles": '
    '{"bits": 45, "below": [[131136, 1]], "zeros": 0, "above": [[130816, 1]]}}, "b": {"cells": 3, '
    '"nulls": 0, "types": ["string"], "texts": {"values": 3, "shortest": 1, "longest": 2, "length": 4, '
    '"first": "x", "last": "yz"}, "distinct": {"hash": "words64-1", "precision": 14, "few": '
    '"9eOrHlia+EFnZKh+Lm+DgQ=="}}}}'
)


def test_a_profile_of_another_version_is_refused():
    """Rather than merged with what it does not mean."""
    with pytest.raises(ValueError, match="version 0"):
        Profile.from_json({**profile(batch_of({"a": [1]})).to_json(), "version": 0})


def test_parts_with_other_columns_merge_to_all_of_them():
    """A column that one part lacks is counted where it is; the cells are those that exist."""
    one, other = profile(batch_of({"a": [1, None]})), profile(batch_of({"b": [None]}))

    merged = one.merge(other)

    assert merged == other.merge(one)
    assert merged.metrics() == {"rows": 3, "columns": 2, "nulls": 2 / 3}
