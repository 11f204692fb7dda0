"""Where a table of delimited text begins and ends: footers, blank rows, tables below tables, transposed ones."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.errors import MemoryLimitExceeded, PayloadUnreadable
from data_pipeline.parse.encoding import IN_MEMORY
from tests.counts import few
from tests.data_pipeline.parse.reading import read, rows


def test_footer_rows_are_dropped_at_the_end_blank_ones_counted():
    """A sum and a source below the table are no rows of it, however few cells they have."""
    data = b"a,b\n1,2\n3,4\n\nTotal\nSource: us\n"

    assert rows(data, parse_options={"footer_rows": 3}) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert rows(data, parse_options={"footer_rows": 2}) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert rows(b"1,2\n3,4\nsum\n", parse_options={"header_row": 0, "footer_rows": 1})[-1]["column_2"] == 4


def test_a_footer_of_several_lines_in_quotes_is_one_row():
    """Records are counted, not lines; a quote within a cell opens nothing."""
    data = b'a,b\n1,5" pipe\n3,4\n"a note,\nof two lines"\n'

    assert rows(data, parse_options={"footer_rows": 1}) == [{"a": 1, "b": '5" pipe'}, {"a": 3, "b": "4"}]


def test_a_footer_of_a_streamed_file_is_dropped():
    """Only as many rows are held back as the footer has."""
    count = IN_MEMORY // 4 + 10

    batch = read(b"a,b\n" + b"1,2\n" * count + b"end\n", parse_options={"footer_rows": 1})

    assert batch.rows == count


@pytest.mark.parametrize("blank", [b"\n", b"  \n", b",\n", b'"",""\n'], ids=["empty", "blanks", "no cells", "quoted"])
def test_the_first_blank_row_ends_the_table(blank):
    """What stands below it is another story; a row without any value is blank too."""
    data = b"a,b\n1,2\n" + blank + b"Notes\n,,,\n"

    assert rows(data, parse_options={"stop_at_blank": True}) == [{"a": 1, "b": 2}]


def test_a_blank_line_inside_quotes_ends_nothing():
    """It is text of a cell."""
    assert rows(b'a,b\n1,"x\n\ny"\n2,z\n\nend\n', parse_options={"stop_at_blank": True}) == [
        {"a": 1, "b": "x\n\ny"},
        {"a": 2, "b": "z"},
    ]


def test_tables_below_each_other_are_stacked_by_name():
    """A repeated header begins a new table; columns that one of them lacks are null, others may stand in any order."""
    data = b"title\nday,x,y\n1,2,3\n\nday,y,z\n2,4,5\nday,x\n3,9\n"

    assert rows(data, parse_options={"skip_rows": 1, "repeated_header": True}) == [
        {"day": 1, "x": 2, "y": 3, "z": None},
        {"day": 2, "x": None, "y": 4, "z": 5},
        {"day": 3, "x": 9, "y": None, "z": None},
    ]


def test_a_transposed_table_is_turned_before_names_are_read():
    """The first cell of each line is a name."""
    data = b"Country;DE;FR\nrate;1,5;2\nday;2024-01-01;2024-01-02\n"

    result = rows(data, parse_options={"transpose": True, "decimal": ",", "delimiter": ";"}, columns={"day": "string"})

    assert result == [
        {"Country": "DE", "rate": 1.5, "day": "2024-01-01"},
        {"Country": "FR", "rate": 2.0, "day": "2024-01-02"},
    ]


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"repeated_header": True}, r"line 5 has 1 cells, the header has 2: `3"),
        ({"transpose": True}, r"line 5 has 1 cells, the header has 2: `3"),
        ({"footer_rows": 1}, r"line 5 has 1 cells, the header has 2: `3"),
        ({"stop_at_blank": True, "skip_rows": 3}, r"line 5 has 1 cells, the header has 2: `3"),
    ],
    ids=["repeated header", "transpose", "footer", "stop at blank"],
)
def test_errors_name_the_line_as_it_was_sent(options, where):
    """Whatever was skipped or turned before."""
    data = b"a,b\n1,2\n\n7,8\n3\nend,1\n"

    with pytest.raises(PayloadUnreadable, match=where) as caught:
        read(data, parse_options={"delimiter": ",", **options})

    assert "parse.delimiter" in caught.value.hint


def test_a_heading_of_several_lines_is_one_name():
    """Line breaks in a quoted heading become blanks, as in a workbook."""
    assert rows(b'day,"BUY\r\n rate"\n1,2\n') == [{"day": 1, "BUY rate": 2}]


def test_a_table_that_must_be_held_is_bounded():
    """A transposed table larger than the memory limit is refused with the way out."""
    with pytest.raises(MemoryLimitExceeded, match="cells"):
        read(b"1,2,3\n" * 5000, parse_options={"transpose": True}, memory_limit=1_000_000)


@pytest.mark.parametrize("option", ["plain", "transpose", "repeated_header"])
def test_a_million_columns_are_refused(option):
    """Nobody meant them; the delimiter is wrong."""
    line = b",".join(b"c%d" % number for number in range(1_000_000))
    data = line + b"\n" + b"1," * 999_999 + b"1\n" if option != "transpose" else b"x,1\n" * 1_000_000

    with pytest.raises(PayloadUnreadable, match=r"columns.* are refused") as caught:
        read(data, parse_options={} if option == "plain" else {option: True})

    assert "check `parse." in caught.value.hint


cells = st.text(st.sampled_from('a1 ",;\n5'), max_size=5)


@settings(max_examples=few(80), deadline=None)
@given(
    st.lists(st.tuples(cells, cells), min_size=1, max_size=8).filter(
        lambda table: all(any(cell.strip() for cell in row) for row in table)
    ),
    st.integers(1, 3),
    st.sampled_from(["footer_rows", "stop_at_blank", "repeated_header"]),
)
def test_the_table_is_what_it_is_without_the_footer(table, footer, option):
    """Any cells: a table with rows to drop reads as the one without them."""

    def text(lines):
        out = io.StringIO(newline="")
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows(lines)
        return out.getvalue().encode()

    plain = text([("head", "t"), *table])
    options = {"format": "csv", "delimiter": ","}
    columns = {"head": "string", "t": "string"}
    expected = rows(plain, parse_options=options, columns=columns)
    value = footer if option == "footer_rows" else True
    end = {"footer_rows": b"end\n" * footer, "stop_at_blank": b"\nrest\n", "repeated_header": b""}[option]

    assert rows(plain + end, parse_options={**options, option: value}, columns=columns) == expected
