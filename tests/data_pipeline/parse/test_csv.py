"""Delimited text: names, delimiters, types from every cell, encodings, and errors that help."""

import codecs
import csv
import gzip
import io
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.errors import PayloadUnreadable
from data_pipeline.parse.csv import BLOCK, SMALL
from data_pipeline.parse.encoding import CHUNK, IN_MEMORY
from tests.counts import few
from tests.data_pipeline.parse.reading import read, rows, types


def test_repeated_and_empty_names_become_unique_and_the_report_says_so():
    """`x, x` and a nameless column get names of their own."""
    batch = read(b"x,x,,x_2\n1,2,3,4\n")

    assert batch.schema.names == ["x", "x_3", "column_3", "x_2"]
    assert any("column_3" in note for note in batch.provenance.notes)


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_where_others_appear_in_quotes(sign):
    """A quoted comma is no delimiter, whatever the real one is."""
    text = sign.join(["name", "note"]) + "\n" + sign.join(["a", '"one, two; three"']) + "\n"

    assert rows(text.encode()) == [{"name": "a", "note": "one, two; three"}]


def test_types_come_from_every_cell_and_not_from_a_sample():
    """One word in the last of 300,000 rows makes the column text, as sent."""
    data = b"n,x\n" + b"1,1.50\n" * 300_000 + b"oops,2\n"

    batch = read(data)

    assert types(batch) == {"n": "string", "x": "double"}
    assert batch.rows == 300_001
    last = list(batch.batches())[-1]
    assert last.column(0)[-1].as_py() == "oops"
    assert last.column(0)[0].as_py() == "1"


def test_inferred_types_are_the_obvious_ones():
    """Integers, floats, booleans, ISO dates and moments; anything else is text."""
    batch = read(b"i,f,b,d,t,s\n1,1.0,true,2024-02-29,2024-01-01T00:00:00Z,a\n-2,3e2,FALSE,2024-03-01,,\n")

    assert list(types(batch).values()) == [
        "int64", "double", "bool", "date32[day]", "timestamp[us, tz=UTC]", "string",
    ]  # fmt: skip
    assert batch.table.to_pylist()[1] == {
        "i": -2, "f": 300.0, "b": False, "d": date(2024, 3, 1), "t": None, "s": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "kind", "first"),
    [
        (["007", "12"], "string", "007"),
        (["0x1F", "2"], "string", "0x1F"),
        (["1", "007"], "string", "1"),
        (["9007199254740993", "1"], "int64", 2**53 + 1),
        (["18446744073709551616", "1"], "decimal128(38, 0)", Decimal(2**64)),
        (["9" * 39, "1"], "string", "9" * 39),
        (["9007199254740993", "1.5"], "string", "9007199254740993"),
        (["1.5", "9007199254740993"], "string", "1.5"),
        ([" 12", "+5"], "int64", 12),
        (["1.5", "nan"], "double", 1.5),
        (["1e999", "1"], "string", "1e999"),
        (["2024-02-30", "2024-01-01"], "string", "2024-02-30"),
        (["1", "true"], "string", "1"),
        (["12:30", "12:45"], "string", "12:30"),
        (["NA", "1"], "string", "NA"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_no_value_is_lost_or_invented_by_inference(cells, kind, first):
    """Ids keep their zeros, large integers their digits, impossible dates their text."""
    batch = read("\n".join(["x", *cells]).encode())

    assert types(batch) == {"x": kind}
    assert batch.table["x"][0].as_py() == first


def test_an_empty_column_on_one_page_takes_its_type_from_another():
    """Pages are one dataset: types are settled over all of them."""
    batch = read(b"a,b\n1,\n", b"a,b\n,2.5\n", b"b,a\n,x\n")

    assert types(batch) == {"a": "string", "b": "double"}
    assert batch.table.to_pylist() == [{"a": "1", "b": None}, {"a": None, "b": 2.5}, {"a": "x", "b": None}]


def test_decimal_comma_and_thousands_are_read_and_misgrouped_numbers_are_not():
    """`1.234,5` is a number under these signs; `1.2,5` stays text."""
    options = {"delimiter": ";", "decimal": ",", "thousands": "."}

    assert rows(b"x\n1.234,5\n-0,25\n", parse_options=options) == [{"x": 1234.5}, {"x": -0.25}]
    assert rows(b"x\n1.2,5\n", parse_options=options) == [{"x": "1.2,5"}]
    assert rows(b"x\n1.234\n", parse_options={"delimiter": ";", "decimal": ","}) == [{"x": "1.234"}]


def test_comments_skipped_lines_and_header_row_are_counted_in_order():
    """`skip_rows` first, then comments, then the header's row; without a header names are made."""
    data = b"junk\n# c\ntitle\na,b\n1,2\n# c\n3,4\n"

    assert rows(data, parse_options={"skip_rows": 1, "header_row": 2, "comment": "#"}) == [
        {"a": 1, "b": 2},
        {"a": 3, "b": 4},
    ]
    assert rows(b"1,2\n3,4\n", parse_options={"header_row": 0}) == [
        {"column_1": 1, "column_2": 2},
        {"column_1": 3, "column_2": 4},
    ]


def test_a_comment_sign_inside_a_quoted_cell_is_text():
    """A line of a quoted cell may start like a comment."""
    data = b'a,b\n1,"x\n# y"\n# gone\n'

    assert rows(data, parse_options={"comment": "#"}) == [{"a": 1, "b": "x\n# y"}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_systems_are_read(end):
    """Unix, Windows and old Macs, blank lines and lines of blanks between."""
    text = end.join(["a,b", "1,2", "", "   ", "3,4", ""])

    assert rows(text.encode()) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings_are_detected(encoding):
    """By byte order mark, else UTF-8, else Windows-1252 with a note."""
    batch = read("name\nGrüße\n".encode(encoding))

    assert batch.table.to_pylist() == [{"name": "Grüße"}]
    assert any("guess" in note for note in batch.provenance.notes) == (encoding == "cp1252")


def test_the_providers_charset_is_believed_when_it_fits_and_noted_when_not():
    """ISO-8859-9 cannot be guessed, so the declaration counts; a wrong one is told."""
    turkish = read("il\nİstanbul\n".encode("iso8859-9"), charset="ISO-8859-9")
    wrong = read("il\nİstanbul\n".encode(), charset="us-ascii")

    assert turkish.table.to_pylist() == [{"il": "İstanbul"}]
    assert turkish.provenance.notes == ()
    assert wrong.table.to_pylist() == [{"il": "İstanbul"}]
    assert "us-ascii" in wrong.provenance.notes[0]


@pytest.mark.parametrize("filler", [0, IN_MEMORY], ids=["small", "streamed"])
def test_a_byte_outside_the_declared_encoding_is_named_with_its_offset(filler):
    """Declared UTF-8 is a promise; the error says where it is broken."""
    good = b"name\n" + b"x" * 99 + b"\n" + b"abcdefghi\n" * (filler // 10 + 1)

    with pytest.raises(PayloadUnreadable, match=f"byte 0xff at offset {len(good):d}"):
        read(good + b"\xff\n", parse_options={"encoding": "utf-8"})


def test_html_instead_of_csv_is_told_in_words():
    """A login page with status 200 is the commonest surprise."""
    with pytest.raises(PayloadUnreadable) as caught:
        read(b"<html><body>Please log in</body></html>", parse_options={"format": "csv", "delimiter": ";"})

    assert str(caught.value) == (
        "fx_daily: expected `;`-separated text, got HTML (first bytes: `<html><body>Please log in</body></html>`). "
        "Check `parse.format`, or the provider's login page."
    )
    assert caught.value.provider == "provider"


@pytest.mark.parametrize("filler", [b"", b'"q"', b"x" * SMALL], ids=["small", "quoted", "large"])
def test_a_row_with_missing_cells_is_an_error_with_its_line(filler):
    """A download that was cut off is not padded to look whole."""
    with pytest.raises(PayloadUnreadable, match=r"line 4 has 1 cells, the header has 2: `3`"):
        read(b"a,b\n1," + filler + b"\n\n3")


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\x00\x01\x02", b"%PDF-1.4\x00"])
def test_nothing_and_binary_rubbish_are_unreadable(data):
    """An empty body is not an empty table."""
    with pytest.raises(PayloadUnreadable):
        read(data, parse_options={"format": "csv"})


def test_a_header_alone_is_an_empty_table():
    """No rows, but the names are known."""
    batch = read(b"a,b\n")

    assert (batch.rows, batch.schema.names) == (0, ["a", "b"])


def test_gzip_is_undone_and_a_cut_one_is_told():
    """A `.gz` file is the same data; half of it is an incomplete download."""
    packed = gzip.compress(b"a,b\n1,2\n" * 1000)

    assert read(packed, names=("x.csv.gz",)).rows == 1999
    with pytest.raises(PayloadUnreadable, match="damaged or cut off"):
        read(packed[: len(packed) // 2])


def test_a_gzip_bomb_is_refused_before_it_is_read():
    """What grows to more than 200 times its size is no honest table."""
    bomb = gzip.compress(b"a,b\n" + b"0" * 40_000_000)

    with pytest.raises(PayloadUnreadable, match="bomb"):
        read(bomb, parse_options={"format": "csv"})


def test_a_file_larger_than_memory_pieces_is_streamed_whole():
    """Beyond the in-memory size the same rows come out, quoted line breaks included."""
    row = b'1,"a\nb"\n'
    count = IN_MEMORY // len(row) + 10

    batch = read(b"n,t\n" + row * count)

    assert batch.rows == count
    assert set(batch.table["t"].unique().to_pylist()) == {"a\nb"}


@pytest.mark.parametrize("shift", range(4), ids=lambda shift: f"{shift} bytes before the cut")
def test_a_letter_that_is_cut_by_the_end_of_a_chunk_stays_whole(shift):
    """Chunks of plain ASCII pass as they are; a byte order mark and longer letters are minded all the same."""
    mark, head, letters = codecs.BOM_UTF8, b"t\n", "\U0001f600é€"
    plain = b"x" * 999 + b"\n"
    before = plain * (CHUNK // len(plain) + 1)
    before = before[len(mark + head) + shift + (len(before) - CHUNK) :]
    assert len(mark + head + before) == CHUNK - shift
    data = mark + head + before + letters.encode() + b"\n" + plain * (IN_MEMORY // len(plain) + 10)

    found = read(data, parse_options={"format": "csv"}).table["t"].to_pylist()

    assert found == data.decode("utf-8-sig").split("\n")[1:-1]


@pytest.mark.parametrize("before", [b"1,2\n" * 10, b"1,2\n" * 2_000_000], ids=["in memory", "streamed"])
def test_a_row_longer_than_a_block_is_read_and_no_row_twice(before):
    """A polygon of some megabytes in one cell is a value like any other."""
    batch = read(b"a,b\n" + before + b'3,"' + b"x" * (2 * BLOCK) + b'"\n5,6\n')

    assert batch.rows == len(before) // 4 + 2
    assert [part.num_rows for part in batch.batches() if part.num_rows == 0] == []
    last = batch.table.slice(batch.rows - 2).to_pylist()
    assert [row["a"] for row in last] == [3, 5]
    assert len(last[0]["b"]) == 2 * BLOCK


def test_a_download_cut_off_inside_quotes_is_told():
    """The last cell would look whole otherwise; quotes inside cells are text."""
    with pytest.raises(PayloadUnreadable, match="the last quote is never closed"):
        read(b'a,b\n1,"one"\n2,"tw')
    assert rows(b'a,b\n1,5" pipe\n') == [{"a": 1, "b": '5" pipe'}]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=("Cs",)), max_size=12)


@settings(max_examples=few(80), deadline=None)
@given(st.lists(st.tuples(cells, cells, st.integers()), min_size=1, max_size=8))
def test_what_csv_writes_is_read_back(table):
    """Any text and any integer survive; an empty cell is null."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([("s", "t", "n"), *table])

    result = rows(
        text.getvalue().encode(),
        parse_options={"format": "csv", "delimiter": ","},
        columns={"s": "string", "t": "string", "n": "integer"},
    )

    assert [(row["s"] or "", row["t"] or "") for row in result] == [(s, t) for s, t, _ in table]
    exact = [n for *_, n in table if abs(n) < 10**38]
    assert [int(row["n"]) for row in result if row["n"] is not None] == exact


@settings(max_examples=few(80), deadline=None)
@given(
    st.lists(st.lists(st.text("ab1. \r\n;,", max_size=6), min_size=2, max_size=3), min_size=1, max_size=6),
    st.sampled_from(["\n", "\r\n"]),
)
def test_the_small_reader_and_arrows_reader_agree(table, end):
    """Text is the same table whether it is split here or by Arrow, errors included."""
    text = ("x,y" + end + end.join(",".join(row) for row in table)).encode()

    def outcome(quote):
        options = {"format": "csv", "delimiter": ",", "header_row": 1, "quote": quote}
        try:
            return rows(text + (b"" if quote == '"' else b"\n" * (SMALL + 1)), parse_options=options)
        except PayloadUnreadable:
            return "unreadable"

    assert outcome('"') == outcome("'")


def test_naive_times_take_the_zone_of_the_dataset():
    """Berlin's noon is eleven in UTC."""
    batch = read(b"t\n2024-01-15 12:00:00\n", zone="Europe/Berlin", data_time="t")

    assert batch.table.to_pylist() == [{"t": datetime(2024, 1, 15, 11, tzinfo=UTC)}]
    assert batch.provenance.data_time == datetime(2024, 1, 15, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "hint"),
    [({}, "name the encoding in `parse.encoding`"), ({"encoding": "utf-8"}, "`auto` detects it")],
    ids=["detection gave up", "the declared one is wrong"],
)
def test_bytes_of_no_known_encoding_are_told_with_the_way_out_that_is_left(options: dict[str, str], hint: str):
    """Who let the encoding be detected is not sent back to detection."""
    with pytest.raises(PayloadUnreadable, match="not in utf-8: byte 0x81 at offset 6") as caught:
        read(b"a,b\n1,\x81\x8d\xff\n", parse_options=options)

    assert hint in caught.value.hint


UNREAD = """
import io
import threading
import time
from data_pipeline.dataset import Payload, Collected, Provenance
from data_pipeline.errors import PayloadUnreadable
from data_pipeline.parse import csv
from data_pipeline.parse.parse import parse
from datetime import UTC, datetime

csv.LONGEST_ROW = 2 * csv.BLOCK

class Late(threading.Condition):
    def __exit__(self, *raised):
        super().__exit__(*raised)
        if threading.get_ident() != threading.main_thread().ident:
            time.sleep(0.1)

threading.Condition = Late

class Endless(io.RawIOBase):
    sent = 0
    def readable(self): return True
    def readinto(self, buffer):
        piece = (b"a,b\\n1," if not self.sent else b"x" * len(buffer))[: len(buffer)] if self.sent < 2**30 else b""
        buffer[: len(piece)] = piece
        self.sent += len(piece)
        return len(piece)

payload = Payload(lambda: io.BufferedReader(Endless(), 2**20), 2**30, "0" * 64, name="x.csv")
collected = Collected(Provenance("x", datetime(2026, 1, 1, tzinfo=UTC)), (payload,))
try:
    batch = parse(collected, dataset="x")
    for piece in batch: pass
except PayloadUnreadable as error:
    print(error)
"""


def test_nobody_reads_on_after_a_failure():
    """A thread that still reads when the program ends would take it down, after its work was done.

    Nor is it enough that it gave back what it read from: here it takes its time to come out of Python after that.
    """
    done = subprocess.run([sys.executable, "-c", UNREAD], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "a row is longer than" in done.stdout
