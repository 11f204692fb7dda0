"""Zip archives: members by pattern, and every dishonest archive refused in words."""

import io
import os
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_pipeline.collect.files import archives
from data_pipeline.collect.files.file import FileCollector, Options
from data_pipeline.collect.files.wildcards import Pattern, escaped
from data_pipeline.dataset import Collected
from data_pipeline.errors import CollectError, PayloadUnreadable
from data_pipeline.parse.parse import parse
from tests.counts import few
from tests.data_pipeline.collect.requests import make_request
from tests.data_pipeline.collect.zips import zipped


def collect(path: str, base: Path, **more: Any) -> Collected:
    return FileCollector().collect(make_request(Options(path=path), base / "spool", base=base, provider="file", **more))


def contents(collected: Collected) -> dict[str, bytes]:
    found = {}
    for payload in collected.payloads:
        with payload.open() as stream:
            found[payload.name] = stream.read()
    return found


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.csv", ["a.csv", "b.csv"]),
        ("a.csv", ["a.csv"]),
        ("data/*.csv", ["c.csv"]),
        ("**/*.csv", ["a.csv", "b.csv", "c.csv", "d.csv"]),
        ("[ab].*", ["a.csv", "b.csv"]),
        ("rates_{now:%Y%m%d}.txt", ["rates_20260301.txt"]),
    ],
)
def test_members_are_chosen_by_pattern(tmp_path: Path, pattern: str, names: list[str]) -> None:
    """By name; `*` stays in a folder, `**` does not; placeholders work there too."""
    members = ["b.csv", "a.csv", "data/c.csv", "data/deep/d.csv", "rates_20260301.txt", "data/"]
    (tmp_path / "x.zip").write_bytes(zipped({name: name.encode() for name in members}))
    assert list(contents(collect(f"x.zip!{pattern}", tmp_path))) == names


def test_a_pattern_over_archives_reads_the_members_of_each(tmp_path: Path) -> None:
    """Archive by archive; the ledger remembers archives."""
    for night in ("01", "02"):
        (tmp_path / f"n{night}.ZIP").write_bytes(zipped({"x.csv": night.encode()}))
    collected = collect("n*.ZIP!*.csv", tmp_path)
    assert [payload.open().read() for payload in collected.payloads] == [b"01", b"02"]
    assert [Path(seen.path).name for seen in collected.provenance.files] == ["n01.ZIP", "n02.ZIP"]


def test_an_archive_without_a_pattern_gives_all_its_files(tmp_path: Path) -> None:
    """But not what systems leave in it; the same content packed anew is the same news."""
    junk = {"__MACOSX/._a.csv": b"x", ".DS_Store": b"x", "folder/": b""}
    (tmp_path / "a.zip").write_bytes(zipped({"b.csv": b"id\n2\n", "a.csv": b"id\n1\n", **junk}))
    (tmp_path / "b.zip").write_bytes(zipped({"a.csv": b"id\n1\n", "b.csv": b"id\n2\n"}, zipfile.ZIP_STORED))
    first, second = collect("a.zip", tmp_path), collect("b.zip", tmp_path)
    assert parse(first, dataset="rates").table.column("id").to_pylist() == [1, 2]
    assert first.provenance.content_sha256 == second.provenance.content_sha256


def test_a_workbook_named_zip_is_left_as_it_is(tmp_path: Path) -> None:
    """It is a zip archive too, but one payload."""
    book = zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"})
    (tmp_path / "book.zip").write_bytes(book)
    assert contents(collect("book.zip", tmp_path)) == {"book.zip": book}


def test_a_large_member_is_decompressed_again_when_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not held in memory, yet complete, seekable, and closed with its reader."""
    monkeypatch.setattr(archives, "MEMORY", 100)
    content = b"id,x\n" + b"".join(b"%d,%d\n" % (row, row * 7) for row in range(5_000))
    (tmp_path / "a.zip").write_bytes(zipped({"a.csv": content}))
    collected = collect("a.zip!a.csv", tmp_path)
    with collected.payloads[0].open() as stream:
        assert stream.read(2) == b"id"
        stream.seek(0)
        assert stream.read() == content
    assert parse(collected, dataset="rates").table.num_rows == 5_000


def _encrypted(archive: bytes) -> bytes:
    """The flag of encryption set in both headers."""
    data = bytearray(archive)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        spot = data.index(magic)
        data[spot + offset] |= 1
    return bytes(data)


def _linked() -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w") as archive:
        info = zipfile.ZipInfo("a.csv")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return kept.getvalue()


def _of_unknown_compression(archive: bytes) -> bytes:
    data = bytearray(archive)
    for magic, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", data, data.index(magic) + offset, 9)  # Deflate64
    return bytes(data)


def _with_wrong_checksum(archive: bytes) -> bytes:
    data = bytearray(archive)
    for magic, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        data[data.index(magic) + offset] ^= 0xFF
    return bytes(data)


HONEST = zipped({"a.csv": b"id\n" + os.urandom(3_000)})


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (lambda: zipped({"a.csv": b"x", "../../evil.csv": b"x"}), r"`../../evil.csv` leads out of the archive"),
        (lambda: zipped({"/etc/a.csv": b"x"}), "leads out of the archive"),
        (lambda: zipped({"..\\evil.csv": b"x"}), "leads out of the archive"),
        (lambda: zipped({"C:\\a.csv": b"x"}), "leads out of the archive"),
        (_linked, "`a.csv` is a symbolic link"),
        (lambda: _encrypted(HONEST), "`a.csv` is encrypted"),
        (lambda: _of_unknown_compression(HONEST), "compression method"),
        (lambda: _with_wrong_checksum(HONEST), "damaged or cut off"),
        (lambda: HONEST[:-30], "damaged or cut off"),
        (lambda: HONEST[: len(HONEST) // 2], "damaged or cut off"),
        (lambda: b"", "damaged or cut off"),
        (lambda: b"id,x\n1,2\n", "damaged or cut off"),
        (lambda: zipped({"b.txt": b"x"}), r"no member matches `\*.csv`"),
        (lambda: zipped({}), r"no member matches `\*.csv`"),
    ],
    ids=[
        "out of the folder", "absolute", "backslashes", "a drive", "link", "password", "unknown compression",
        "wrong checksum", "end missing", "half", "empty", "no archive", "other names", "no members",
    ],
)  # fmt: skip
def test_archives_that_cannot_be_trusted_are_refused(tmp_path: Path, archive: Callable[[], bytes], words: str) -> None:
    """The archive and what is wrong with it; another try would not help; nothing is written anywhere."""
    (tmp_path / "a.zip").write_bytes(archive())
    with pytest.raises(PayloadUnreadable, match=words) as caught:
        collect("a.zip!*.csv", tmp_path)
    assert caught.match(r"rates \(a.zip\)")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_bomb_is_stopped_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By ratio, over all members together, and by size."""
    zeros = bytes(12 * 2**20)
    (tmp_path / "a.zip").write_bytes(zipped({"a.csv": zeros, "b.csv": zeros}))
    assert contents(collect("a.zip!a.csv", tmp_path)) == {"a.csv": zeros}
    with pytest.raises(PayloadUnreadable, match="refused as a bomb"):
        collect("a.zip!*.csv", tmp_path)
    monkeypatch.setattr(archives, "MAX_SIZE", 2**20)
    with pytest.raises(PayloadUnreadable, match="larger than 1,048,576 bytes"):
        collect("a.zip!a.csv", tmp_path)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 1)
    with pytest.raises(PayloadUnreadable, match="2 members, more than 1"):
        collect("a.zip!a.csv", tmp_path)


def test_the_hint_knows_a_pattern_that_would_match(tmp_path: Path) -> None:
    """What the archive holds, and `**/` for names in folders."""
    (tmp_path / "a.zip").write_bytes(zipped({"data/a.csv": b"x"}))
    with pytest.raises(PayloadUnreadable) as caught:
        collect("a.zip!*.csv", tmp_path)
    assert caught.value.hint == "the archive holds data/a.csv; write `**/*.csv`"


def test_one_damaged_archive_of_many_costs_only_itself(tmp_path: Path) -> None:
    """The others are kept, partial; it does not enter the ledger, so it is tried again."""
    (tmp_path / "a.zip").write_bytes(HONEST[:-30])
    (tmp_path / "b.zip").write_bytes(zipped({"b.csv": b"x"}))
    collected = collect("*.zip!*.csv", tmp_path)
    assert (contents(collected), collected.provenance.partial) == ({"b.csv": b"x"}, True)
    assert [Path(seen.path).name for seen in collected.provenance.files] == ["b.zip"]
    assert any("a.zip was not read" in note for note in collected.provenance.notes)


def test_a_compressed_member_is_decompressed_by_its_reader(tmp_path: Path) -> None:
    """`.gz` inside `.zip`."""
    import gzip

    (tmp_path / "a.zip").write_bytes(zipped({"a.csv.gz": gzip.compress(b"id\n7\n")}))
    batch = parse(collect("a.zip!*.gz", tmp_path), dataset="rates")
    assert batch.table.column("id").to_pylist() == [7]


@settings(max_examples=few(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_of_an_archive_ends_in_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes changed anywhere: the members come, or an error of the family."""
    damaged = bytearray(zipped({"a.csv": b"id\n1\n" * 40, "b/c.csv": b"id\n2\n" * 40}))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    shutil.rmtree(tmp_path / "spool", ignore_errors=True)
    (tmp_path / "a.zip").write_bytes(damaged)
    for path in ("a.zip", "a.zip!**/*.csv"):
        try:
            told = collect(path, tmp_path).provenance.source
        except CollectError as error:
            told = str(error)
        assert "a.zip" in told


NAMES = st.text("ab.*?[]!", min_size=1, max_size=6)


@given(NAMES, NAMES)
def test_an_escaped_name_matches_itself_and_nothing_else(one: str, other: str) -> None:
    """Wildcards in a value are no wildcards in a pattern."""
    assert Pattern(escaped(one)).matches(one)
    assert Pattern(escaped(one)).matches(other) == (one == other)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "x/y/a.csv", True),
        ("x/**", "x/y/a.csv", True),
        ("x/**/a.csv", "x/a.csv", True),
        ("*.csv", "x/a.csv", False),
        ("*", ".hidden", False),
        (".*", ".hidden", True),
        ("**/*.csv", ".git/a.csv", False),
        ("[!a].csv", "b.csv", True),
        ("[!a].csv", "a.csv", False),
        ("**/**/**/**/**/b", "a/" * 40 + "a", False),
    ],
)
def test_patterns_match_as_in_a_shell(pattern: str, path: str, matches: bool) -> None:
    """`*` within a folder, `**` over folders, dots only when asked for; and never slowly."""
    assert Pattern(pattern).matches(path) is matches
