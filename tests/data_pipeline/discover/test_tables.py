"""Where a table is, what its signs mean."""

import pytest

from data_pipeline.discover.delimited import delimited
from data_pipeline.discover.table import missing_in, number_signs, place_of
from data_pipeline.parse.options import ParseOptions


def options(text: str) -> dict[str, object]:
    found = delimited(text, whole=True).options()
    ParseOptions(**found)  # whatever is found must be possible
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\n1,2\n3,4\n", {"delimiter": ","}),
        ("a;b\n1,5;2\n3,25;4\n", {"delimiter": ";", "decimal": ","}),
        ("a\tb\n1\t2\n", {"delimiter": "\t"}),
        ("a|b|c\n1|2|3\n", {"delimiter": "|"}),
        ("Report\n\na,b\n1,2\n3,4\n", {"delimiter": ",", "skip_rows": 2}),
        ("# made by X\n# on Monday\na,b\n1,2\n", {"delimiter": ",", "comment": "#"}),
        ("1,2.5\n3,4.5\n", {"delimiter": ",", "header_row": 0}),
        ("country,2024,2025\nTR,1,2\nDE,3,4\n", {"delimiter": ","}),
        ("a,b\n1,2\n3,4\nTotal,6\n", {"delimiter": ",", "footer_rows": 1}),
        ("a,b\n1,2\n3,4\nSource: someone\n", {"delimiter": ",", "footer_rows": 1}),
        ("a,b\n1,2\n3,4\n\nSource: someone, somewhere and else\n", {"delimiter": ",", "stop_at_blank": True}),
        ("a,b\n1,.\n3,4.25\n", {"delimiter": ",", "na_values": ["."]}),
        ('a,b\n1,"1,234,567"\n3,"2,345"\n', {"delimiter": ",", "thousands": ","}),
        ("name\nanna\nbert\n", {}),
    ],
    ids=[
        *("commas", "semicolons and decimal commas", "tabs", "bars", "a title", "comments", "no header"),
        *("years above columns", "a total", "a footer", "a footer behind a blank line", "a point for nothing"),
        *("grouped", "one column"),
    ],
)
def test_a_text_is_laid_out(text: str, found: dict[str, object]) -> None:
    """Only what differs from the defaults is said."""
    assert options(text) == {"format": "csv", **found}


def test_a_footer_is_smaller_than_its_table() -> None:
    """A ragged file used to lose three of its four rows as a footer, without a word."""
    assert "footer_rows" not in options("a,b,c\n1,2,3\n4,5\n6,7,8,9\n1,2\n")


@pytest.mark.parametrize(
    ("cells", "signs"),
    [
        (["1.5", "2.25"], (".", None)),
        (["1,5", "2,25"], (",", None)),
        (["1.234,56", "12"], (",", ".")),
        (["1,234.56", "12"], (".", ",")),
        (["1 234 567,5", "3,5"], (",", " ")),
        (["1.234", "2.345"], (".", None)),
        (["01.02.2026", "02.02.2026"], (".", None)),
        (["a,5", "1,5"], (".", None)),
    ],
    ids=[
        "points",
        "commas",
        "both, European",
        "both, English",
        "blanks",
        "a fraction of three digits",
        "dates",
        "words",
    ],
)
def test_number_signs_are_told_from_the_cells(cells: list[str], signs: tuple[str, str | None]) -> None:
    """In doubt a number stays what it is to most of the world."""
    assert number_signs([cells])[:2] == signs


def test_missing_values_need_numbers_or_dates_around_them() -> None:
    """A dash among words may be a word."""
    assert missing_in([["1", "-", "2.5"], ["a", "-", "b"], ["2026-01-01", "N/A"]]) == ["-", "N/A"]
    assert missing_in([["a", "."]]) == []


def test_blank_lines_inside_a_table_end_nothing() -> None:
    """Series below each other: stopping at the first blank line would lose all but one."""
    assert options("a;b\nx;1\nx;2\n\ny;1\ny;2\n\nz;3\n") == {"format": "csv", "delimiter": ";"}
    again = options("a;b\nx;1\nx;2\n\na;b\ny;1\ny;2\n")
    assert again == {"format": "csv", "delimiter": ";", "repeated_header": True}


def test_the_last_of_several_headings_names_the_columns() -> None:
    """Title, unit, publication date, code: then the figures."""
    head = "Title,AUD,EUR\nUnits,per USD,per USD\nPublished,20-Mar-2026,20-Mar-2026\nSeries ID,FXA,FXE\n"
    body = "".join(f"{day:02d}-Jan-2026,1.{day},2.{day}\n" for day in range(1, 20))
    assert options(head + body)["skip_rows"] == 3


def test_titles_padded_with_empty_cells_are_no_header() -> None:
    """As spreadsheets write them."""
    rows = [["Report", "", ""], ["", "", ""], ["id", "name", "n"], ["1", "x", "2"], ["2", "y", "3"]]
    place = place_of(rows)
    assert place is not None
    assert (place.header, place.first, place.last) == (2, 3, 4)
