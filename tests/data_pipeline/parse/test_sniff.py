"""The content tells what a payload is; the name only breaks ties."""

import io
import zipfile

import pytest

from data_pipeline.errors import PayloadUnreadable
from data_pipeline.parse.sniff import detect_format, sniff_delimiter
from tests.data_pipeline.parse.reading import PAYLOADS, read, rows
from utils.arrow import pa


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"PAR1\x15\x04", "x.csv", "parquet"),
        (b"ARROW1\x00\x00", "", "arrow"),
        (b"PK\x03\x04" + bytes(26) + b"xl/workbook.xml", "", "excel"),
        (b"PK\x03\x04" + bytes(26) + b"rates.csv", "", "zip"),
        (b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "", "excel"),
        (b"PK\x03\x04" + bytes(26) + b"docProps/core.xml", "a.xlsx", "excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "", "excel"),
        (b'\xef\xbb\xbf {"a": 1}', "x.csv", "json"),
        (b'{"a": 1}\n{"a": 2}\n', "", "jsonl"),
        (b'{"a": 1}', "x.jsonl", "jsonl"),
        (b'{"a": 1,\n"b": 2}', "", "json"),
        (b"[1,\n2]", "", "json"),
        (b"\n<!DOCTYPE html>", "", "html"),
        (b'<?xml version="1.0"?><a></a>', "", "xml"),
        (b"# HELP up x\n", "", "prometheus"),
        (b'up{job="a"} 1\n', "", "prometheus"),
        (b"up 1\ngo_threads 12 1395066363000\n", "", "prometheus"),
        (b"# made by hand\n# TYPE up gauge\nup 1\n", "", "prometheus"),
        (b"name 1\nvalue\n", "", "csv"),
        (b"# a comment\na,b\n1,2\n", "", "csv"),
        (b"a;b\n1;2\n", "x.json", "csv"),
        (b"", "x.json", "json"),
        (b"\x00\x01", "x.csv", "binary"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_the_content_decides(head, name, kind):
    """A wrong name does not mislead."""
    assert detect_format(head, name) == kind


def test_prose_with_commas_does_not_beat_regular_semicolons():
    """What matters is that lines have the same number of cells."""
    assert sniff_delimiter(["a;b", "one, two, three;1", "four;2"]) == ";"
    assert sniff_delimiter(["alone", "word"]) == ","


def test_a_plain_zip_archive_is_told_how_to_be_read():
    """A zip is no workbook, and which member is meant only the user knows."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("rates.csv", "a,b\n1,2\n")

    with pytest.raises(PayloadUnreadable, match="zip archive") as caught:
        read(target.getvalue())
    assert "a.zip!" in caught.value.hint


def test_a_parquet_file_that_was_cut_off_is_told():
    """The footer is missing, so nothing can be read."""
    data = (PAYLOADS / "alltypes_tiny_pages.parquet").read_bytes()

    with pytest.raises(PayloadUnreadable, match="damaged or cut off"):
        read(data[: len(data) // 2])
    with pytest.raises(PayloadUnreadable, match="expected Parquet, got HTML"):
        read(b"<html></html>", parse_options={"format": "parquet"})


@pytest.mark.parametrize("writer", [pa.ipc.new_file, pa.ipc.new_stream], ids=["file", "stream"])
def test_arrow_files_and_streams_are_read(writer):
    """Both IPC forms, recognised by their first bytes."""
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    sink = io.BytesIO()
    with writer(sink, table.schema) as target:
        target.write_table(table)

    assert rows(sink.getvalue()) == table.to_pylist()
