"""YAML -> plain data."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from config.yaml_values import Refused, value_of

LEAVES = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("ab :#'-\n", max_size=4)
DATA = st.dictionaries(
    st.text("ab:", max_size=2),
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xy ", max_size=2), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=3,
)


def read(text: str) -> Any:
    return value_of(text, max_nodes=1000, max_depth=20)


@given(DATA, st.booleans())
def test_what_was_written_is_read(data: dict[str, Any], flow: bool) -> None:
    """Any data comes back equal, in block and in flow style."""
    assert read(yaml.safe_dump(data, default_flow_style=flow)) == data


@given(st.lists(DATA, min_size=1, max_size=3))
def test_an_alias_stands_for_a_copy_of_what_its_anchor_holds(items: list[dict[str, Any]]) -> None:
    """The same thing twice is written as an alias, read equal, and changing one of the two leaves the other."""
    made = read(yaml.safe_dump({"once": items, "again": [*items, items]}))

    assert made == {"once": items, "again": [*items, items]}
    made["again"][0]["changed"] = True
    assert made["once"] == items


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("- &a\n- *a", [None, None]),
        ("&k key: 1\nb: *k", {"key": 1, "b": "key"}),
        ("a: &a 1\n*a : 3", {"a": 1, "1": 3}),
        ("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}", {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}),
        ("b: {<<: [{x: 1}, {x: 2, y: 2}]}", {"b": {"x": 1, "y": 2}}),
        ("b: {'<<': 1}", {"b": {"<<": 1}}),
        ("", None),
        ("# nothing\n", None),
    ],
    ids=[
        "an empty value with an anchor",
        "an anchor on a key",
        "an alias as a key",
        "a map merged",
        "of several the first wins",
        "quoted it is a key",
        "an empty text",
        "a comment",
    ],
)
def test_anchors_aliases_and_merges(text: str, value: Any) -> None:
    """They mean what YAML says they mean."""
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: {c: 1, c: 2}", 2, "key `c` is there twice"),
        ("a:\n  [x]: 1", 2, "a key must be a single value"),
        ("a: &a {b: 1}\n*a : 2", 2, "a key must be a single value"),
        ("a: !!set {b}", 1, "the YAML tag `!!set` is not allowed"),
        ("a: !!python/name:os.system x", 1, "`!!python/name:os.system`"),
        ('a: !!int "5"', 1, "the YAML tag `!!int`"),
        ("a: 1\nb: {<<: 5}", 2, "`<<` needs a map"),
        ("a: &a\n  b: *a", 2, "is nested too deeply"),
        ("[" * 30 + "]" * 30, 1, "is nested too deeply"),
        (f"[{'x, ' * 1001}]", 1, "holds too many values"),
    ],
)
def test_what_a_configuration_may_not_hold_is_refused_with_its_line(text: str, line: int, what: str) -> None:
    """YAML can say more than a configuration may."""
    with pytest.raises(Refused) as refused:
        read(text)

    assert what in str(refused.value)
    assert refused.value.line == line


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: *x", "undefined alias `x`"),
        ("a: &a 1\nb: &a 2", "duplicate anchor `a`"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ("a: [1", "expected ',' or ']'"),
        ("a: 1\nb: c: 3", "mapping values"),
    ],
)
def test_what_is_no_yaml_is_said_as_it_always_was(text: str, what: str) -> None:
    """The errors of the parser, and those that `yaml.compose` has."""
    with pytest.raises(yaml.MarkedYAMLError, match=what.replace("[", r"\[").replace("]", r"\]")):
        read(text)
