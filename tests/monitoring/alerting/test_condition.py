"""Conditions over an event's data: what holds, what does not, and what nobody knows."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitoring.alerting.condition import compiled
from utils.expression.words import ExpressionError

DATA: dict[str, Any] = {
    "rows": 3,
    "share": 0.25,
    "partial": False,
    "reason": None,
    "at": "2026-03-02T03:00:00Z",
    "status": "Degraded",
    "error": {"type": "PayloadUnreadable", "transient": False},
    "tries": [1, 2, 3],
    "a.b": 5,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("rows < 10", True),
        ("rows = 3.0", True),
        ("rows < 3", False),
        ("not partial", True),
        ("partial = false", True),
        ("partial < true", None),
        ("error.type = 'PayloadUnreadable'", True),
        ("error.transient", False),
        ("error.code = 5", None),
        ("`a.b` = 5", True),
        ("lower(status) = 'degraded'", True),
        ("upper(status) = 'DEGRADED' and len(status) = 8", True),
        ("len(tries) >= 3", True),
        ("abs(-rows) = 3", True),
        ("at < 2026-03-03", True),
        ("at >= 2026-03-02T04:00:00Z", False),
        ("year(at) = 2026", True),
        ("is_null(reason)", True),
        ("is_null(nothing)", True),
        ("reason = 'x'", None),
        ("rows = 'x'", None),
        ("reason = 'x' or rows = 3", True),
        ("reason = 'x' and rows = 4", False),
        ("reason = 'x' and rows = 3", None),
        ("rows / 0 > 1", None),
        ("rows * 4 + 1 = 13", True),
        ("rows - share > 2.7", True),
        ("partial + 1 > 0", None),
        ("rows and partial", False),
    ],
)
def test_a_condition_holds_or_not_or_nobody_knows(text: str, holds: bool | None):
    """As SQL has it: what is compared with something unknown is unknown."""
    assert compiled(text)(DATA) is holds


def test_what_is_not_there_is_named_and_what_is_null_is_not():
    """A misspelt field is worth a word; one that is null is not."""
    condition = compiled("rwos < 3 or reason = 'x' or error.code = 5")
    assert condition.missing(DATA) == ["rwos", "error.code"]


@pytest.mark.parametrize("text", ["rows <", "1 < 2", "size(rows) > 1", "rows + 1", "'x' < rows <"])
def test_what_is_no_condition_says_where(text: str):
    """With its place."""
    with pytest.raises(ExpressionError, match="at position"):
        compiled(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
    max_leaves=6,
)
TEXTS = st.recursive(
    st.sampled_from(["x", "y", "x.y", "1", "'t'", "2026-03-02", "true"]),
    lambda inner: (
        st.builds(
            lambda one, sign, other: f"({one} {sign} {other})",
            inner,
            st.sampled_from(["<", ">=", "=", "!=", "and", "or", "+", "-", "*", "/"]),
            inner,
        )
        | st.builds(
            lambda name, one: f"{name}({one})", st.sampled_from(["abs", "len", "lower", "year", "is_null"]), inner
        )
    ),
    max_leaves=6,
)


@example(text="(x < y)", data={"x": {}, "y": {}})
@example(text="(x >= y)", data={"x": [1], "y": ["t"]})
@given(text=TEXTS, data=st.dictionaries(st.sampled_from(["x", "y"]), JSON, max_size=2))
def test_no_data_makes_a_condition_raise(text: str, data: dict[str, Any]):
    """Whatever an event carries: true, false or unknown."""
    try:
        condition = compiled(text)
    except ExpressionError:
        return
    assert condition(data) in (True, False, None)
