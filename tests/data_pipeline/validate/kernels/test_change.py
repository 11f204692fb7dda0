"""`change` against exact arithmetic, row by row."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.validate.kernels import change as kernel
from data_pipeline.validate.rules import parse_rule
from tests.counts import few
from tests.data_pipeline.validate import tables
from tests.data_pipeline.validate.kernels.around import Made
from tests.data_pipeline.validate.kernels.judged import judged, judged_batch
from utils.arrow import pa


def exact(value: Any) -> Fraction | None:
    """The number as it is shown; None for infinity."""
    if isinstance(value, float):
        return Fraction(repr(value)) if np.isfinite(value) else None
    return Fraction(value)


def too_far(new: Any, old: Any, percent: Any) -> bool:
    if new == old:
        return False
    one, other = exact(new), exact(old)
    if one is None or other is None:
        return True
    return abs(one - other) > exact(percent) / 100 * abs(other)  # type: ignore[operator]  # neither is infinite


def expected(rows: list[tuple[Any, Any]], before: list[tuple[Any, Any]], percent: Any) -> tuple[list[int], int]:
    known = {key: value for key, value in before if key is not None and value is not None}
    judged_rows = [at for at, (key, value) in enumerate(rows) if key in known and value is not None]
    return [at for at in judged_rows if too_far(rows[at][1], known[rows[at][0]], percent)], len(judged_rows)


_NUMBERS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "integers": (pa.int64(), st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, -(2**63), 0, 10, 11, 12, -10])),
    "unsigned": (pa.uint64(), st.sampled_from([0, 1, 2**64 - 1, 2**64 - 2])),
    "floats": (
        pa.float64(),
        st.sampled_from([0.3, 0.33, 0.33000000000000007, 0.1, 0.11, float("inf"), 1e308, -1e308, 0.0]),
    ),
    "decimals": (
        pa.decimal128(38, 2),
        st.sampled_from([Decimal(f"{10**35}.00"), Decimal(f"{11 * 10**34}.01"), Decimal("0.01")]),
    ),
}
_KEYS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "numbers": (pa.int64(), st.integers(0, 4)),
    "text": (pa.string(), st.sampled_from(["a", "b", "ü", ""])),
    "categories": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "b"])),
}


@given(
    st.data(),
    st.sampled_from(sorted(_NUMBERS)),
    st.sampled_from(sorted(_KEYS)),
    st.sampled_from([0, 10, 0.1, 1e-9, 100, 250]),
    st.lists(st.integers(1, 9), max_size=2),
)
@settings(max_examples=few(120), deadline=None)
def test_the_rows_that_moved_too_far_are_told(data, numbers, keys, percent, cuts):
    """Exact to the digit; nulls, new keys and keys that stand there twice; cut anywhere."""
    (kind, one), (key_kind, key) = _NUMBERS[numbers], _KEYS[keys]
    pairs = st.tuples(st.none() | key, st.none() | one)
    rows, before = data.draw(st.lists(pairs, max_size=10)), data.draw(st.lists(pairs, max_size=10))

    def table(found: list[tuple[Any, Any]]) -> pa.Table:
        return pa.table({"k": pa.array([k for k, _ in found], key_kind), "v": pa.array([v for _, v in found], kind)})

    rule = {"change": {"column": "v", "by": "k", "max_percent": percent}}
    found = judged(rule, table(rows), cuts, around=Made(table(before)))

    failing, of = expected(rows, before, percent)
    assert (found.rows, found.counts) == (failing, (len(failing), of))


def test_ten_percent_is_ten_percent():
    """As people count, not as binary fractions do; of single precision too."""
    rule = {"change": {"column": "v", "by": "k", "max_percent": 10}}
    keys = {"k": [1, 2, 3, 4]}
    for kind in (pa.float64(), pa.float32()):
        around = Made(pa.table({**keys, "v": pa.array([0.3, 0.1, 10.0, -0.3], kind)}))

        found = judged(rule, {**keys, "v": pa.array([0.33, 0.11, 11.0, -0.33], kind)}, around=around)

        assert found.counts == (0, 4), kind


def test_from_zero_every_other_value_is_too_far():
    """And zero stays zero."""
    rule = {"change": {"column": "v", "by": "k", "max_percent": 1000}}
    around = Made(pa.table({"k": [1, 2, 3], "v": [0, 0, 5]}))

    assert judged(rule, {"k": [1, 2, 3], "v": [1, 0, 0]}, around=around).rows == [0]


def test_the_first_version_and_new_keys_pass():
    """Nothing before, a column that was not there, an empty table: nothing is judged."""
    rule = {"change": {"column": "v", "by": "k", "max_percent": 1}}
    batch = {"k": [1, 2], "v": [1.0, 2.0]}

    for before in (
        None,
        pa.table({"k": [1]}),
        pa.table({"k": pa.array([], pa.int64()), "v": pa.array([], pa.float64())}),
    ):
        assert judged(rule, batch, around=Made(before)).counts == (0, 0)
    assert judged(rule, batch, around=Made(pa.table({"k": [7, 2], "v": [9.0, 2.0]}))).counts == (0, 1)


def test_the_version_before_is_read_once_for_all_chunks():
    """And only the columns that are needed."""
    around = Made(pa.table({"k": [1, 2, 3], "j": [1, 1, 1], "v": [1, 1, 1], "more": [0, 0, 0]}))
    rule = {"change": {"column": "v", "by": ["k", "j"], "max_percent": 1}}

    found = judged(rule, {"k": [1, 2, 3], "j": [1, 1, 2], "v": [1, 2, 3]}, cuts=[1, 2], around=around)

    assert found.rows == [1]
    assert around.asked == [("k", "j", "v")]


def test_keys_that_share_a_hash_are_told_apart(monkeypatch):
    """All keys collide: the values of the keys decide."""
    monkeypatch.setattr(kernel, "hashes", lambda array: np.zeros(len(array), np.uint64))
    around = Made(pa.table({"k": ["a", "b", "c", "b"], "v": [1, 2, 3, 4]}))
    rule = {"change": {"column": "v", "by": "k", "max_percent": 0}}

    found = judged(rule, {"k": ["b", "c", "d", "a"], "v": [4, 9, 9, 1]}, around=around)

    assert (found.rows, found.counts) == ([1], (1, 3))


@pytest.mark.parametrize(
    ("batch", "before", "words"),
    [
        ({"k": [1], "v": ["x"]}, {"k": [1], "v": ["x"]}, "column `v` is string: it holds no numbers"),
        ({"k": [1], "v": [1]}, {"k": [1], "v": ["x"]}, "`v` was string in the version before: it held no numbers"),
        ({"k": [1], "v": [1]}, {"k": ["1"], "v": [1]}, "the key `k` was string in the version before and is int64 now"),
        (
            {"k": [[1]], "v": [1]},
            {"k": [[1]], "v": [1]},
            "column `v` is int64: its key `k` is list<item: int64>, which cannot be compared",
        ),
    ],
    ids=["text", "it was text", "another key", "a list as key"],
)
def test_what_cannot_be_compared_is_said(batch, before, words):
    """Every row fails: what is not known to be good is not good."""
    found = judged({"change": {"column": "v", "by": "k", "max_percent": 1}}, batch, around=Made(pa.table(before)))

    assert (found.outcome.detail, found.counts) == (words, (1, 1))


def test_integers_beside_decimals_and_floats_are_compared_as_they_are():
    """A column that changed its type is no reason to fail."""
    rule = {"change": {"column": "v", "by": "k", "max_percent": 0}}
    around = Made(pa.table({"k": [1, 2], "v": pa.array([Decimal("9007199254740993.00"), Decimal("1.50")])}))

    assert judged(rule, {"k": [1, 2], "v": [2**53 + 1, 1]}, around=around).rows == [1]
    assert judged(rule, {"k": [2], "v": [1.5]}, around=around).counts == (0, 1)


def test_a_version_before_that_takes_too_much_memory_is_refused():
    """A share of the memory limit is the rule's; every row fails, with the figure."""
    before = pa.table({"k": range(5_000), "v": range(5_000)})
    batch = tables.batch(pa.table({"k": [1], "v": [1]}))
    batch.memory_limit = 100_000
    (rule,) = parse_rule({"change": {"column": "v", "by": "k", "max_percent": 0}})

    found = judged_batch(rule, batch, Made(before))

    assert "`k`, `v` of the version before take more than 25,000 bytes" in found.outcome.detail
    assert found.counts == (1, 1)
