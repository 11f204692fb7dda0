"""`monotonic` against the plain reading of it: below the greatest value so far."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.validate.engine import judge, observe
from data_pipeline.validate.rules import parse_rule
from data_pipeline.validate.state_bytes import states_from_bytes, states_to_bytes
from tests.counts import few
from tests.data_pipeline.validate import tables
from tests.data_pipeline.validate.kernels.judged import judged
from tests.data_pipeline.validate.tables import NOW
from utils.arrow import pa


def failing(values: list[Any], *, strict: bool) -> list[int]:
    """Numbers of the rows that fall back behind any row before them."""
    found = []
    for at, value in enumerate(values):
        before = [other for other in values[:at] if other is not None]
        if value is not None and before and (value <= max(before) if strict else value < max(before)):
            found.append(at)
    return found


_TYPES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "integers": (pa.int64(), st.sampled_from([2**53, 2**53 + 1, -(2**63), 2**63 - 1, 0, 1])),
    "small ones": (pa.int8(), st.integers(-3, 3)),
    "unsigned": (pa.uint64(), st.sampled_from([0, 1, 2**63, 2**64 - 1, 2**63 - 1])),
    "floats": (pa.float64(), st.sampled_from([0.0, -0.0, 0.1, float("inf"), float("-inf"), 1e308])),
    "decimals": (
        pa.decimal128(38, 2),
        st.sampled_from([Decimal(f"{10**35}.01"), Decimal(f"{10**35}.02"), Decimal("-0.01")]),
    ),
    "text": (pa.string(), st.sampled_from(["", "a", "B", "é", "🎉", "ab", "10", "9"])),
    "categories": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "b"])),
    "times": (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(UTC))),
    "days": (pa.date32(), st.dates(date(2020, 1, 1), date(2020, 1, 4))),
}


@given(st.data(), st.sampled_from(sorted(_TYPES)), st.booleans(), st.lists(st.integers(1, 20), max_size=4))
@settings(max_examples=few(120), deadline=None)
def test_the_rows_that_fall_back_are_told_and_the_others_rise(data, of, strict, cuts):
    """However it is cut; and what is left of the column, read again, has nothing to tell."""
    kind, one = _TYPES[of]
    values = data.draw(st.lists(st.none() | one, max_size=20))
    column = pa.array(values, kind)

    found = judged({"monotonic": {"column": "a", "strict": strict}}, {"a": column}, cuts)

    assert found.rows == failing(values, strict=strict)
    assert found.counts == (len(found.rows), len(values) - values.count(None))
    left = [value for at, value in enumerate(values) if at not in found.rows]
    assert judged({"monotonic": {"column": "a", "strict": strict}}, {"a": pa.array(left, kind)}).outcome.failed == 0


@given(
    st.lists(st.integers(0, 6) | st.none(), min_size=2, max_size=20),
    st.lists(st.integers(1, 19), min_size=1, max_size=5),
    st.booleans(),
    st.integers(0, 5),
)
@settings(max_examples=few(120), deadline=None)
def test_states_of_parts_merge_in_any_grouping(values, cuts, strict, seed):
    """(a + b) + c and a + (b + c), through bytes or not, give what the whole gives."""
    rules = tuple(parse_rule({"monotonic": {"column": "a", "strict": strict}, "severity": "warning"}))
    batches = [tables.batch(part) for part in tables.parts(pa.table({"a": pa.array(values, pa.int64())}), cuts)]
    states = [observe(batch, rules, now=NOW, part=str(at)) for at, batch in enumerate(batches)]
    named = {str(at): batch for at, batch in enumerate(batches)}
    if seed % 2:
        states = [states_from_bytes(states_to_bytes(state), rules, batches=named) for state in states]
    while len(states) > 1:
        at = seed % (len(states) - 1)
        states[at : at + 2] = [states[at].merge(states[at + 1])]

    (outcome,) = judge(states).outcomes

    assert (outcome.failed, outcome.of) == (len(failing(values, strict=strict)), len(values) - values.count(None))


def test_a_part_that_only_begins_behind_is_not_taken_for_whole():
    """3 falls back behind the 5 of the part before; 7 does not."""
    rules = tuple(parse_rule({"monotonic": "a"}))
    one, two = (observe(tables.batch(pa.table({"a": values})), rules, now=NOW) for values in ([5], [3, 7]))

    assert judge([one, two]).outcomes[0].failed == 1


def test_sorted_parts_need_no_second_look():
    """Their rows are elsewhere: what is known of them is enough. Where it is not, it is said what is needed."""
    rules = tuple(parse_rule({"monotonic": "a"}))

    def far_away(values: list[int], name: str) -> Any:
        state = observe(tables.batch(pa.table({"a": values})), rules, now=NOW, part=name)
        return states_from_bytes(states_to_bytes(state), rules)

    assert judge([far_away([1, 2], "a"), far_away([2, 9], "b"), far_away([9], "c")]).outcomes[0].of == 5
    with pytest.raises(ValueError, match="rows of part `a` are not at hand"):
        judge([far_away([5], "a"), far_away([3, 7], "b")])


@pytest.mark.parametrize(
    "column",
    [pa.array([True, False]), pa.array([[1], [2]]), pa.array([b"a", b"b"])],
    ids=["truths", "lists", "bytes"],
)
def test_what_has_no_order_cannot_be_judged(column):
    """Every row fails and it is said why."""
    found = judged({"monotonic": "a"}, {"a": column}).outcome

    assert (found.failed, found.of) == (2, 2)
    assert found.detail == f"column `a` is {column.type}: its values have no order"


def test_naive_examples():
    """Times as people write them; a single spike takes what follows along."""
    times = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 3, 2, 3, 4)]

    assert judged({"monotonic": "t"}, {"t": times}).rows == [2]
    assert judged({"monotonic": {"column": "t", "strict": True}}, {"t": times}).rows == [2, 3]
    assert judged({"monotonic": "t"}, {"t": [1, 999, 2, 3]}).rows == [2, 3]
    assert judged({"monotonic": "t"}, {"t": pa.nulls(3)}).counts == (0, 0)
