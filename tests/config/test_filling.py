"""Which blocks have nothing to fill in, seen without a walk through them."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.errors import Fault, KeyPath
from config.layers import filled
from config.variables import Secrets, fill

TEXT = st.text('$@:/{}AB?# \t\\"é', max_size=10) | st.sampled_from(
    ["https://a:b@c", "x://é@y", "${A}", "$${A}", "a@b.c"]
)
BLOCK = st.dictionaries(st.text("ab", max_size=2), TEXT | st.integers() | st.lists(TEXT, max_size=2), max_size=4)


@given(st.lists(BLOCK, max_size=3))
def test_a_block_that_is_not_walked_through_has_nothing_to_fill_in(blocks: list[dict[str, Any]]) -> None:
    """Values, secrets, and faults are those of filling in every text by itself."""
    known, faults = Secrets(), set[KeyPath]()
    made = filled(
        {"datasets": blocks},
        environ={"A": "apple"},
        folder=Path(),
        secrets=known,
        report=lambda path, _: faults.add(path),
    )

    alone, lone = Secrets(), set[KeyPath]()

    def one(value: Any, path: KeyPath) -> Any:
        if isinstance(value, list):
            return [one(item, (*path, place)) for place, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            return fill(value, path, environ={"A": "apple"}, folder=Path(), secrets=alone)
        except Fault:
            lone.add(path)
            return value

    expected = [
        {key: one(value, ("datasets", place, key)) for key, value in block.items()}
        for place, block in enumerate(blocks)
    ]
    assert made["datasets"] == expected
    assert (known.values, faults) == (alone.values, lone)
