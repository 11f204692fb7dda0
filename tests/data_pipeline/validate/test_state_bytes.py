"""States travel: written, read back and merged they say what the whole says; what does not fit is refused."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.validate import state_bytes
from data_pipeline.validate.engine import judge, observe, validate
from data_pipeline.validate.kernels import duplicates
from data_pipeline.validate.kernels.binding import GATHERED
from data_pipeline.validate.kernels.packing import packed, unpacked
from data_pipeline.validate.rules import Rule, parse_rules
from data_pipeline.validate.state_bytes import states_from_bytes, states_to_bytes
from data_pipeline.validate.states import States
from data_pipeline.validate.surroundings import NOTHING_AROUND, Surroundings
from tests.counts import few
from tests.data_pipeline.validate import tables
from tests.data_pipeline.validate.kernels.around import Made
from tests.data_pipeline.validate.plain import NOW, batch_of
from utils.arrow import pa

WHOLE_BATCH = parse_rules([{"fresh": {"column": "time", "within": "1h"}}, {"row_count": {"min": 5}}])


def travelled(rules: tuple[Rule, ...], parts: list[pa.Table], around: Surroundings = NOTHING_AROUND) -> list[States]:
    """The states of the parts, each judged elsewhere and sent here; the rows are at hand."""
    found = []
    for number, part in enumerate(parts):
        batch, name = tables.batch(part), f"part {number}"
        data = states_to_bytes(observe(batch, rules, now=NOW, surroundings=around, part=name))
        found.append(states_from_bytes(data, rules, batches={name: batch}))
    return found


@given(
    tables.rows(20),
    st.lists(tables.rules(), min_size=1, max_size=4),
    st.lists(st.integers(1, 19), max_size=5),
    st.randoms(use_true_random=False),
    st.sampled_from([1, 4096]),
)
@settings(max_examples=few(50), deadline=None)
def test_parts_that_travelled_merge_to_the_whole(rows, rules, cuts, chance: random.Random, small):
    """In any order, read back once more after some were merged: the report of the whole."""
    rules = (*rules, *WHOLE_BATCH)
    whole = tables.table(rows)
    parts = tables.parts(whole, cuts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "SMALL", small)
        states = travelled(rules, parts)
        chance.shuffle(states)
        merged = states[0]
        for state in states[1:]:
            merged = merged.merge(state)
        batches = {f"part {number}": tables.batch(part) for number, part in enumerate(parts)}
        again = states_from_bytes(states_to_bytes(merged), rules, batches=batches)

        expected = replace(validate(tables.batch(whole), rules, now=NOW).report, samples={})

        assert judge([again]) == expected
        assert judge(states) == expected


GATHERING: dict[str, list[dict[str, Any]]] = {
    "unique": [{"unique": ["text", "flag"]}, {"unique": "whole", "by": "category"}],
    "fresh": [{"fresh": {"column": "zoned", "within": "1h"}}, {"fresh": {"column": "time", "within": 9}, "by": "flag"}],
    "changed": [{"changed": {"within": "1d"}}],
    "row_count": [
        {"row_count": {"min": 3}, "where": "small > 1"},
        {"row_count": {"min": 2}, "by": "flag", "id": "by flag"},
    ],
    "monotonic": [{"monotonic": {"column": "whole", "strict": True}}, {"monotonic": "time", "by": "flag"}],
    "python": [{"python": "tests.data_pipeline.validate.plain:has_text"}],
    "aggregate": [
        {"aggregate": {"expr": "sum(float)", "min": 0}},
        {"aggregate": {"expr": "max(small)", "by": "category", "max": 4}},
    ],
    "drift": [{"drift": {"column": "whole", "psi": 0.2}}, {"drift": {"column": "text", "psi": 0.2}}],
}
"""Rules of each kind that gathers a state."""

BEFORE = tables.table(
    [dict.fromkeys(tables.NAMES) | {"whole": number, "text": "a" * (number % 3)} for number in range(9)]
)


@pytest.mark.parametrize("kind", GATHERED)
@given(rows=tables.rows(12), cuts=st.lists(st.integers(1, 11), max_size=4))
@settings(max_examples=few(25), deadline=None)
def test_the_state_of_every_kind_travels(kind: str, rows: list[dict[str, Any]], cuts: list[int]):
    """Parts in the order of their rows, whole or by segment: as one batch. A new kind needs rules in the list."""
    rules = parse_rules(GATHERING[kind])
    whole = tables.table(rows)
    around = Made(BEFORE, since=NOW - timedelta(days=2))

    states = travelled(rules, tables.parts(whole, cuts), around)

    expected = validate(tables.batch(whole), rules, now=NOW, surroundings=around).report
    assert judge(states) == replace(expected, samples={})


def one_state(**columns: Any) -> tuple[tuple[Rule, ...], bytes]:
    rules = parse_rules([{"unique": "a"}, {"not_null": "a"}])
    return rules, states_to_bytes(observe(batch_of(columns), rules, now=NOW, part="monday"))


def test_states_of_other_rules_are_refused():
    """The rule that differs is named; so is another number of rules."""
    rules, data = one_state(a=[1])

    with pytest.raises(ValueError, match="made by another rule `unique\\(a\\)` than today's `unique\\(b\\)`"):
        states_from_bytes(data, parse_rules([{"unique": "b"}, {"not_null": "a"}]))
    with pytest.raises(ValueError, match="made by another rule `not_null\\(a\\)`"):
        states_from_bytes(data, parse_rules([{"unique": "a"}, {"not_null": "a", "severity": "warning"}]))
    with pytest.raises(ValueError, match="made by 2 rules, here are 1"):
        states_from_bytes(data, rules[:1])


def test_states_of_another_form_are_refused(monkeypatch: pytest.MonkeyPatch):
    """Of another version, of something else, cut off."""
    rules, data = one_state(a=[1])

    with pytest.raises(ValueError, match="long, here are"):
        states_from_bytes(data[:-1], rules)
    with pytest.raises(ValueError, match="no states of rules"):
        states_from_bytes(packed({"form": "profile"}), rules)
    with pytest.raises(ValueError, match="no packed figures"):
        states_from_bytes(b"PAR1" * 10, rules)
    monkeypatch.setattr(state_bytes, "VERSION", 2)
    with pytest.raises(ValueError, match="have form 1, here form 2 is read"):
        states_from_bytes(data, rules)


def test_keys_of_another_hash_are_refused(monkeypatch: pytest.MonkeyPatch):
    """Equal texts would not meet."""
    rules, data = one_state(a=["x"])
    monkeypatch.setattr(duplicates, "HASH", "words65-1")

    with pytest.raises(ValueError, match="hashed by `words64-1`, here they are by `words65-1`"):
        states_from_bytes(data, rules)


def test_a_part_is_not_merged_twice():
    """Neither the very same states, nor those that were sent twice, nor a second observation under its name."""
    rules, data = one_state(a=[1, 2])
    one, again = states_from_bytes(data, rules), states_from_bytes(data, rules)

    for other in (one, again, observe(batch_of({"a": [1, 2]}), rules, now=NOW, part="monday")):
        with pytest.raises(ValueError, match="part `monday` is on both sides"):
            one.merge(other)
    nameless = observe(batch_of({"a": [1]}), rules, now=NOW)
    with pytest.raises(ValueError, match="is on both sides"):
        nameless.merge(nameless)
    assert nameless.merge(observe(batch_of({"a": [1]}), rules, now=NOW)).rows == 2


def test_rows_that_must_be_looked_at_again_are_asked_for():
    """Without repeated keys nothing is asked; with them the part is named whose rows are elsewhere."""
    rules, data = one_state(a=["x", "y"])
    other = observe(batch_of({"a": ["z"]}), rules, now=NOW)
    same = observe(batch_of({"a": ["y"]}), rules, now=NOW)

    assert judge([states_from_bytes(data, rules), other]).outcomes[0].failed == 0
    with pytest.raises(ValueError, match="the rows of part `monday` are not at hand"):
        judge([states_from_bytes(data, rules), same])


def test_what_travels_holds_no_text_of_the_rows():
    """Keys of text are hashes there, masks are bits."""
    _, data = one_state(a=["a very secret name", "another"])

    assert b"secret" not in data
    assert unpacked(data)[0]["parts"] == [{"name": "monday", "columns": [["a", "string"]], "chunks": [[2, [], []]]}]


def test_parts_of_other_moments_are_refused_after_the_journey_too():
    rules, data = one_state(a=[1])

    with pytest.raises(ValueError, match="different moments"):
        states_from_bytes(data, rules).merge(observe(batch_of({"a": [1]}), rules, now=NOW + timedelta(1)))
