"""Which rows of a grid are the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.parse.grid import NoHeader, heading, tables_in, transposed
from data_pipeline.parse.options import ParseOptions

SHEET = [
    ["Bank of Nowhere", None],
    [None, None],
    ["day", "rate"],
    ["mon", 1],
    ["", " "],
    ["tue", 2],
    ["day", "price"],
    ["wed", 3],
    [None, None],
    ["source: us", None],
]


def tables(**options):
    return [(table.header, table.rows) for table in tables_in(SHEET, ParseOptions(**options))]


def test_rows_at_the_top_and_the_bottom_are_left_out_and_blank_ones_too():
    """The footer is counted with its blank row; blank rows inside are no rows."""
    [(header, rows)] = tables(skip_rows=1, header_row=2, footer_rows=2)

    assert header == ["day", "rate"]
    assert rows == [["mon", 1], ["tue", 2], ["day", "price"], ["wed", 3]]


def test_a_blank_row_can_end_the_table():
    """Only what stands before the first blank row counts."""
    assert tables(header_row=3, stop_at_blank=True) == [(["day", "rate"], [["mon", 1]])]


def test_a_repeated_header_begins_a_table_with_names_of_its_own():
    """The second table has another second column."""
    expected = [(["day", "rate"], [["mon", 1], ["tue", 2]]), (["day", "price"], [["wed", 3]])]

    assert tables(header_row=3, footer_rows=1, repeated_header=True) == expected
    [(_, first), (_, second)] = tables(header_row=3, repeated_header=True, stop_at_blank=True)
    assert (first, second) == ([["mon", 1]], [["wed", 3]])


def test_without_a_header_every_row_counts():
    """`header_row: 0`."""
    [(header, rows)] = tables(skip_rows=9, header_row=0)

    assert (header, rows) == (None, [["source: us", None]])


def test_a_blank_row_where_the_header_should_be_is_passed_over():
    """The next row with something in it is the header, as in CSV."""
    assert tables(header_row=2, footer_rows=6)[0][0] == ["day", "rate"]


def test_columns_become_rows_before_names_are_read():
    """The first column holds the names then."""
    [table] = tables_in([["title"], ["day", "mon", "tue"], ["rate", 1]], ParseOptions(header_row=2, transpose=True))

    assert table.header == ("day", "rate")
    assert table.rows == [("mon", 1), ("tue", None)]


@pytest.mark.parametrize("options", [{"skip_rows": 10}, {"header_row": 11}], ids=["all skipped", "below the end"])
def test_a_header_below_the_end_is_refused(options):
    """Nobody knows the names then."""
    with pytest.raises(NoHeader):
        tables(**options)


@pytest.mark.parametrize(
    ("cell", "name"), [("USD\n(mid)", "USD (mid)"), (2024.0, "2024"), (None, ""), (" a\u00a0 b ", "a b")]
)
def test_a_heading_is_one_line(cell, name):
    """Line breaks become blanks, a year has no fraction."""
    assert heading(cell) == name


@given(st.integers(1, 5).flatmap(lambda w: st.lists(st.lists(st.integers(), min_size=w, max_size=w), min_size=1)))
def test_transposing_twice_gives_the_grid_back(grid):
    """For grids without short rows."""
    assert [list(row) for row in transposed(transposed(grid))] == grid
