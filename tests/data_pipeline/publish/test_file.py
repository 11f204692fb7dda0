"""The file sink: formats by suffix, and never half a file."""

import csv
import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from data_pipeline.errors import PublishError
from data_pipeline.publish.file import FileSink, Options
from data_pipeline.publish.sink import Published, PublishRequest, Rows
from utils.arrow import pa

MOMENT = datetime(2026, 3, 1, 7, 5, 30, tzinfo=UTC)
TABLE = pa.table(
    {
        "id": [1, 2],
        "amount": pa.array([Decimal("0.10"), None], pa.decimal128(10, 2)),
        "at": pa.array([MOMENT, None], pa.timestamp("us", "UTC")),
        "name": ["a,b", ""],
    }
)


def publish(folder: Path, path: str, table: "pa.Table" = TABLE, *, version: str = "v1") -> Published:
    rows = Rows(table.schema, lambda: iter(table.to_batches()))
    options = Options(path=path)
    return FileSink().publish(PublishRequest("orders", version, MOMENT, MOMENT, options, rows, rows, ("id",), folder))


def _lines(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.splitlines()]


def _csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(content.decode().splitlines()))


AS_JSON = [
    {"id": 1, "amount": "0.10", "at": "2026-03-01T07:05:30Z", "name": "a,b"},
    {"id": 2, "amount": None, "at": None, "name": ""},
]
AS_CSV = [
    ["id", "amount", "at", "name"],
    ["1", "0.10", "2026-03-01T07:05:30Z", "a,b"],
    ["2", "", "", ""],
]


@pytest.mark.parametrize(
    ("name", "read", "expected"),
    [
        ("t.parquet", lambda content: pq.read_table(pa.BufferReader(content)).to_pylist(), TABLE.to_pylist()),
        ("t.arrow", lambda content: pa.ipc.open_file(content).read_all().to_pylist(), TABLE.to_pylist()),
        ("t.json", json.loads, AS_JSON),
        ("t.jsonl", _lines, AS_JSON),
        ("T.CSV", _csv, AS_CSV),
        ("t.csv.gz", lambda content: _csv(gzip.decompress(content)), AS_CSV),
        ("t.jsonl.gz", lambda content: _lines(gzip.decompress(content)), AS_JSON),
    ],
    ids=["parquet", "arrow", "json", "jsonl", "csv-in-capitals", "packed-csv", "packed-jsonl"],
)
def test_the_suffix_says_the_format(tmp_path: Path, name: str, read: Any, expected: Any) -> None:
    """Read back by an independent reader; the count is told; nothing else lies beside it."""
    assert publish(tmp_path, f"out/deep/{name}") == Published(2)
    assert read((tmp_path / "out/deep" / name).read_bytes()) == expected
    assert [file.name for file in (tmp_path / "out" / "deep").iterdir()] == [name]


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.json", "t.jsonl", "t.csv", "t.csv.gz"])
def test_equal_rows_are_equal_bytes(tmp_path: Path, name: str) -> None:
    """A version that goes out twice leaves the file as it was; so does one without rows."""
    for table in (TABLE, TABLE.slice(0, 0)):
        publish(tmp_path, name, table)
        first = (tmp_path / name).read_bytes()
        publish(tmp_path, name, table, version="v2")
        assert (tmp_path / name).read_bytes() == first


def test_placeholders_name_the_file(tmp_path: Path) -> None:
    """The moment is that of the version, so that a later try goes to the same place."""
    publish(tmp_path, "{run_date:%Y}/{dataset}-{version}.csv")
    assert (tmp_path / "2026" / "orders-v1.csv").exists()


def test_an_absolute_path_needs_no_base(tmp_path: Path) -> None:
    """And a relative one starts at the configuration's folder."""
    publish(Path("/nowhere"), f"{tmp_path}/t.csv")
    assert (tmp_path / "t.csv").exists()


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """While rows are written the old file stands; when they break off, it still does, and nothing is left over."""
    publish(tmp_path, "t.csv")
    before = (tmp_path / "t.csv").read_bytes()
    seen = []

    def rows(fail: bool) -> Iterator[Any]:
        yield from TABLE.to_batches()
        seen.append((tmp_path / "t.csv").read_bytes())
        if fail:
            raise RuntimeError("killed")
        yield from TABLE.to_batches()

    for fail in (True, False):
        made = Rows(TABLE.schema, lambda fail=fail: rows(fail))
        request = PublishRequest("orders", "v2", MOMENT, MOMENT, Options(path="t.csv"), made, made, (), tmp_path)
        if fail:
            with pytest.raises(RuntimeError):
                FileSink().publish(request)
            assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]
        else:
            assert FileSink().publish(request).rows == 4
    assert seen == [before, before]
    assert len((tmp_path / "t.csv").read_bytes().splitlines()) == 5


def test_the_file_has_the_mode_that_the_umask_gives(tmp_path: Path) -> None:
    """Others may read what was published, unless the umask says no."""
    before = os.umask(0o027)
    try:
        publish(tmp_path, "t.csv")
    finally:
        os.umask(before)
    assert (tmp_path / "t.csv").stat().st_mode & 0o777 == 0o640


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the path and the reason; a folder in the way does not go away by waiting."""
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(PublishError, match=r"t\.csv cannot be written") as caught:
        publish(tmp_path, "t.csv")
    assert not caught.value.transient
    (tmp_path / "file").write_text("")
    with pytest.raises(PublishError, match="cannot be written"):
        publish(tmp_path, "file/t.csv")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("t.xls", "names no format"),
        ("t", "names no format"),
        ("t.parquet.gz", "packed inside already"),
        ("{cursor}.csv", "no meaning here"),
        ("{dataste}.csv", "unknown placeholder"),
        ("s3://bucket/t.csv", "got an address"),
        ("a\0.csv", "null character"),
    ],
    ids=["unknown-suffix", "no-suffix", "packed-twice", "cursor", "misspelt", "address", "null"],
)
def test_paths_that_make_no_sense_are_refused(path: str, words: str) -> None:
    """While the configuration is read."""
    with pytest.raises(ValueError, match=words):
        Options(path=path)


@pytest.mark.parametrize(
    ("path", "every"),
    [("{dataset}.csv", False), ("{version}.csv", True), ("{run_date}.csv", True), ("{now:%H}.csv", True)],
    ids=["one-file", "a-version", "a-day", "an-hour"],
)
def test_a_path_with_a_version_or_a_day_wants_every_version(path: str, every: bool) -> None:
    """Each is a file of its own; else the newest is enough."""
    assert FileSink().wants_every(Options(path=path)) is every
