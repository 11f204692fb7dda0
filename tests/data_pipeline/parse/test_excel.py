"""Workbooks become rows with the types that their cells have."""

import io
import zipfile
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from data_pipeline.dataset import UNPARSED
from data_pipeline.errors import MemoryLimitExceeded, PayloadUnreadable
from tests.data_pipeline.parse.reading import PAYLOADS, read, rows, types

WORKBOOKS = PAYLOADS.parent / "workbooks"


def workbook(*sheets, merged=()):
    """The bytes of an .xlsx; a sheet is a name and its rows."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, cells in sheets:
        sheet = book.create_sheet(name)
        for row in cells:
            sheet.append(row)
        for span in merged:
            sheet.merge_cells(span)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def sheet(*cells, **settings):
    return workbook(("Sheet", cells), **settings)


def test_cells_keep_their_types():
    """Whole numbers are integers when all of a column are; real dates are dates or moments."""
    data = sheet(
        ["n", "x", "d", "t", "flag", "word", "long"],
        [1, 1, date(2024, 1, 2), datetime(2024, 1, 2), True, "a", timedelta(hours=30, minutes=1)],
        [2.0, 1.5, date(2024, 1, 3), datetime(2024, 1, 2, 12, 34, 56), False, None, time(12, 30)],
    )

    batch = read(data, zone="Europe/Berlin")

    assert types(batch) == {
        "n": "int64", "x": "double", "d": "date32[day]", "t": "timestamp[us, tz=UTC]", "flag": "bool",
        "word": "string", "long": "string",
    }  # fmt: skip
    first, second = batch.table.to_pylist()
    assert first["long"] == "30:01:00"
    assert second == {
        "n": 2, "x": 1.5, "d": date(2024, 1, 3), "t": datetime(2024, 1, 2, 11, 34, 56, tzinfo=ZoneInfo("UTC")),
        "flag": False, "word": None, "long": "12:30:00",
    }  # fmt: skip


def test_texts_beside_numbers_make_a_text_column_unless_it_is_declared():
    """An id stays as people see it; a declared number that is none keeps its text in its row."""
    data = sheet(["id", "rate"], [1001, 0.5], ["A-1", "holiday"])

    assert rows(data) == [{"id": "1001", "rate": "0.5"}, {"id": "A-1", "rate": "holiday"}]
    declared = rows(data, columns={"rate": "float"})
    assert declared[0] == {"id": "1001", "rate": 0.5, UNPARSED: None}
    assert declared[1] == {"id": "A-1", "rate": None, UNPARSED: '{"rate":"holiday"}'}


def test_numbers_typed_as_text_are_numbers_and_ids_stay_text():
    """Inferred from the whole column, with the signs that the options name for text cells."""
    data = sheet(["a", "b", "c", "d"], ["007", "12", "1.234,5", "-"], ["008", 13, 0.5, 3])

    assert rows(data, parse_options={"decimal": ",", "thousands": ".", "na_values": ["-"]}) == [
        {"a": "007", "b": 12, "c": 1234.5, "d": None},
        {"a": "008", "b": 13, "c": 0.5, "d": 3},
    ]


@pytest.mark.parametrize("form", [None, "%d.%m.%Y", "excel"])
def test_dates_beside_texts_are_read_where_they_are_declared(form):
    """Real dates, and dates typed as text in the form that the column declares."""
    typed = {None: "2024-01-03", "%d.%m.%Y": "03.01.2024", "excel": "45294"}[form]
    data = sheet(["day"], [date(2024, 1, 2)], [typed], ["Total"])

    read_ = rows(data, columns={"day": {"type": "date", "format": form}})

    assert [row["day"] for row in read_] == [date(2024, 1, 2), date(2024, 1, 3), None]
    assert read_[2][UNPARSED] == '{"day":"Total"}'


def test_numbers_that_count_days_are_dates_where_they_are_declared():
    """A cell that lost its date format."""
    data = sheet(["day", "at"], [45293, 45293.5])
    columns = {"day": {"type": "date", "format": "excel"}, "at": {"type": "timestamp", "format": "excel"}}

    [row] = rows(data, columns=columns, zone="America/New_York")

    assert row == {"day": date(2024, 1, 2), "at": datetime(2024, 1, 2, 17, tzinfo=ZoneInfo("UTC"))}


def test_errors_of_formulas_and_blank_rows_are_nothing():
    """#N/A is null; hundreds of blank rows are no rows."""
    data = sheet(["a", "b"], ["#N/A", 1], *[[None, " "]] * 500, [2, 3])

    assert rows(data) == [{"a": None, "b": 1}, {"a": 2, "b": 3}]


def test_merged_and_broken_headings_are_names():
    """A heading over two columns names both; one over two rows is found in the header's row."""
    data = sheet(
        ["Title", None, None, None], ["Day", "Rates\nEUR", None, "Note"], [None, "buy", "sell", None],
        [date(2024, 1, 2), 1.5, 2.5, "x"],
        merged=["A1:D1", "A2:A3", "B2:C2", "D2:D3"],
    )  # fmt: skip

    assert list(rows(data, parse_options={"header_row": 3})[0]) == ["Day", "buy", "sell", "Note"]
    assert list(rows(data, parse_options={"skip_rows": 1})[0]) == ["Day", "Rates EUR", "Rates EUR_2", "Note"]


def test_headings_that_repeat_or_are_missing_are_unique_names():
    """Said in the report."""
    batch = read(sheet(["x", "x", None, 2024], [1, 2, 3, 4]))

    assert batch.schema.names == ["x", "x_2", "column_3", "2024"]
    assert "column 2 `x` is called `x_2`" in batch.provenance.notes


SHEETS = workbook(("Jan", [["a", "b"], [1, 2]]), ("Feb", [["b", "c"], [3.5, "x"]]), ("Notes", []))


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (1, [{"a": 1, "b": 2}]),
        (2, [{"b": 3.5, "c": "x"}]),
        ("Feb", [{"b": 3.5, "c": "x"}]),
        (" feb", [{"b": 3.5, "c": "x"}]),
        ("*", [{"_sheet": "Jan", "a": 1, "b": 2.0, "c": None}, {"_sheet": "Feb", "a": None, "b": 3.5, "c": "x"}]),
    ],
)
def test_a_sheet_is_chosen_by_number_or_name_or_all_are_stacked(which, expected):
    """All: by name, with the sheet's name first; one without a header is noted."""
    batch = read(SHEETS, parse_options={"sheet": which})

    assert batch.table.to_pylist() == expected
    assert ("sheet `Notes` ends before its header and was left out" in batch.provenance.notes) == (which == "*")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sheet": "Mar"}, "no sheet `Mar`; there are `Jan`, `Feb`, `Notes`"),
        ({"sheet": 4}, "no sheet 4; there are 3: `Jan`"),
        ({"sheet": "Notes"}, "`Notes` ends before its header"),
        ({"sheet": "*", "header_row": 9}, "no sheet reaches"),
    ],
)
def test_a_sheet_that_is_not_there_is_told_with_those_that_are(options, words):
    """So that nobody has to open the file."""
    with pytest.raises(PayloadUnreadable, match=words):
        read(SHEETS, parse_options=options)


def test_the_layout_options_hold_for_sheets():
    """Skipped rows, footer, repeated header, no header, and rows for columns."""
    data = sheet(["junk"], ["k", "v"], ["a", 1], ["k", "w"], ["b", 2], ["sum", 3])

    assert rows(data, parse_options={"skip_rows": 1, "footer_rows": 1, "repeated_header": True}) == [
        {"k": "a", "v": 1, "w": None}, {"k": "b", "v": None, "w": 2},
    ]  # fmt: skip
    assert rows(data, parse_options={"header_row": 0})[2] == {"column_1": "a", "column_2": "1"}
    assert rows(sheet(["k", "a", "b"], ["v", 1, 2]), parse_options={"transpose": True}) == [
        {"k": "a", "v": 1}, {"k": "b", "v": 2},
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["base.xls", "base.xlsb", "base.ods"])
def test_the_other_formats_are_read_too(name):
    """Rows count from the first of the sheet, blank ones included."""
    [row] = rows((WORKBOOKS / name).read_bytes(), parse_options={"skip_rows": 1, "header_row": 0})

    assert [row[f"column_{n}"] for n in range(1, 7)] == ["String", 1, 1.1, True, False, date(2010, 10, 10)]
    assert row["column_7"] == datetime(2010, 10, 10, 10, 10, 10, tzinfo=ZoneInfo("UTC"))


def encrypted():
    target = io.BytesIO()
    OOXMLFile(io.BytesIO(SHEETS)).encrypt("secret", target)
    return target.getvalue()


def locked_ods():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", b"\x93\x01 not for you")
        archive.writestr("META-INF/manifest.xml", "<manifest:encryption-data/>")
    return target.getvalue()


def zipped(name, *pieces):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open(name, "w") as member:
            for piece in pieces:
                member.write(piece)
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (encrypted(), "the workbook has a password"),
        ((WORKBOOKS / "password.xls").read_bytes(), "the workbook has a password"),
        (locked_ods(), "the workbook has a password"),
        (SHEETS[:-200], "damaged or cut off"),
        (SHEETS[:60], "damaged or cut off"),
        ((WORKBOOKS / "base.xls").read_bytes()[:20_001], "the workbook is damaged"),
        (zipped("xl/worksheets/sheet1.xml", *[b" " * 2**20] * 40), "refused as a bomb"),
        (zipped("a.txt", b"x"), "not readable as a workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "not readable as a workbook"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "expected a workbook.*got HTML"),
        (b"a,b\n1,2\n", "expected a workbook.*got delimited text"),
        (b"", "got nothing"),
    ],
    ids=[
        "password",
        "password of .xls",
        "password of .ods",
        "cut",
        "head only",
        "cut .xls",
        "bomb",
        "no workbook",
        "no .xls",
        "html",
        "csv",
        "empty",
    ],
)
def test_what_cannot_be_opened_is_told(data, words):
    """What it is, and no traceback."""
    with pytest.raises(PayloadUnreadable, match=words):
        read(data, names=("rates.xlsx",), parse_options={"format": "excel"})


def test_an_html_page_or_a_csv_called_xlsx_is_read_as_what_it_is():
    """`auto` looks at the content first."""
    assert rows(b"a,b\n1,2\n", names=("rates.xlsx",)) == [{"a": 1, "b": 2}]
    with pytest.raises(PayloadUnreadable, match="got HTML"):
        read(b"<html><body>log in</body></html>", names=("rates.xlsx",))


def far_apart():
    book = openpyxl.Workbook()
    book.active["A1"], book.active["ZZ200000"] = "x", "y"
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


SPREAD = (
    b'<document-content xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"><table:table-row '
    b'table:number-rows-repeated="900000"><table:table-cell table:number-columns-repeated="900"><p>x</p>'
    b"</table:table-cell></table:table-row></document-content>"
)


@pytest.mark.parametrize(
    "data",
    [
        far_apart(),
        zipped("content.xml", SPREAD),
        zipped(
            "xl/worksheets/sheet1.xml",
            b"<w><row>"
            + b"<c><v>1</v></c>" * 16_000
            + b"</row>"
            + b"<row/>" * 9_999
            + b"<row><c><v>1</v></c></row></w>",
        ),
        zipped("xl/worksheets/sheet1.bin", b"\x00\x04\xff\xff\x0f\x00" + b"\x02\x04\xff\x3f\x00\x00"),
    ],
    ids=["two cells far apart", "a repeated cell", "cells without a place", "records of .xlsb"],
)
def test_a_sheet_whose_cells_would_fill_the_memory_is_refused_before_it_is_opened(data):
    """A few kilobytes that would become gigabytes."""
    with pytest.raises(MemoryLimitExceeded, match="rows and"):
        read(data, parse_options={"format": "excel"})


def test_an_empty_cell_far_away_does_no_harm():
    """Formats reach to the last column of many a sheet."""
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([1])
    book.active["XFD1000000"].font = openpyxl.styles.Font(bold=True)
    target = io.BytesIO()
    book.save(target)

    assert rows(target.getvalue()) == [{"a": 1}]


def repeating(text, times):
    """An .xlsx with a column of one shared text, as Excel writes it."""
    target, cells = (
        io.BytesIO(),
        "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, times + 2)),
    )
    with zipfile.ZipFile(io.BytesIO(sheet(["note"]))) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = content.replace(b"</sheetData>", cells.encode() + b"</sheetData>")
            if name != "xl/sharedStrings.xml":
                new.writestr(name, content)
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        new.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}"><si><t>{text}</t></si></sst>')
    return target.getvalue()


@pytest.mark.parametrize(("times", "fits"), [(200, True), (20_000, False)], ids=["some", "many"])
def test_a_long_text_that_every_cell_repeats_is_counted_as_often(times, fits):
    """.xlsx stores it once: a hundred kilobytes would fill gigabytes."""
    data = repeating("z" * 30_000, times)
    options = {"format": "excel", "header_row": 0}
    if fits:
        assert len(rows(data, parse_options=options)) >= times
    else:
        with pytest.raises(MemoryLimitExceeded, match="are repeated to 6"):
            read(data, parse_options=options)
