"""Cells that are divided by blanks, as many as it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import PayloadUnreadable
from data_pipeline.parse import encoding
from tests.data_pipeline.parse.reading import rows

BLANKS = {"delimiter": " "}


@pytest.mark.parametrize(
    "data",
    [
        b"a b\n1 x\n2 y\n",
        b"  a    b  \n  1    x  \n\n 22    y",
        b"a\tb\r\n1 \tx\r\n22\t\ty\r\n",
        b"a b\n1  'x'\n  22 y \n",
    ],
    ids=["one blank", "aligned", "tabs", "quotes"],
)
def test_runs_of_blanks_divide(data):
    """At the ends of a line they mean nothing, as blank lines do."""
    found = rows(data.replace(b"\n2 y", b"\n22 y"), parse_options={**BLANKS, "quote": "'"})
    assert found == [{"a": 1, "b": "x"}, {"a": 22, "b": "y"}]


def test_blanks_inside_of_quotes_stay():
    """Over several lines too."""
    found = rows(b'id  name\n 1   "two  blanks "\n 2  " a\n   b"\n', parse_options=BLANKS)
    assert found == [{"id": 1, "name": "two  blanks "}, {"id": 2, "name": " a\n   b"}]


def test_a_name_of_two_words_is_an_error_that_names_the_line():
    """Never shifted into the next column."""
    with pytest.raises(PayloadUnreadable, match="3 cells, the header has 2") as told:
        rows(b"id name\n1   one\n2   New York\n", parse_options=BLANKS)
    assert "parse.delimiter" in told.value.hint


@given(st.lists(st.lists(st.integers(), min_size=3, max_size=3), min_size=1), st.integers(1, 25))
def test_an_aligned_table_gives_its_numbers(table, width):
    """However wide its columns are, also where it is streamed."""
    lines = [" ".join(f"{cell:>{width}}" for cell in row) for row in [["a", "b", "c"], *table]]
    data = "\n".join(lines).encode()
    expected = rows("\n".join(",".join(map(str, row)) for row in [["a", "b", "c"], *table]).encode())
    assert rows(data, parse_options=BLANKS) == expected
    before = encoding.IN_MEMORY
    encoding.IN_MEMORY = 10
    try:
        assert rows(data, parse_options=BLANKS) == expected
    finally:
        encoding.IN_MEMORY = before
