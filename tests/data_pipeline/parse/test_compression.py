"""Compressed payloads: told by their content, undone whatever the format, bounded, and damage told in words."""

import bz2
import gzip
import io
import tracemalloc
from collections.abc import Callable

import pytest

from data_pipeline.errors import PayloadUnreadable
from tests.data_pipeline.parse.reading import read, rows
from utils.arrow import pa


def zstd(data: bytes) -> bytes:
    kept: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return kept


CODECS = {"gzip": gzip.compress, "zstd": zstd, "bzip2": bz2.compress}
each = pytest.mark.parametrize("pack", CODECS.values(), ids=CODECS)

TABLE = b"id,name\n" + b"".join(b"%d,n%d\n" % (row, row * 37 % 1009) for row in range(20_000))


@each
def test_what_is_compressed_is_undone_whatever_its_name(pack: Callable[[bytes], bytes]) -> None:
    """CSV of several megabytes and JSON lines; two pieces one after the other are one file."""
    assert rows(pack(b"id\n1\n"), names=("a.csv",)) == [{"id": 1}]
    assert read(pack(TABLE * 1)).table.num_rows == 20_000
    assert rows(pack(b'{"a": 1}\n{"a": 2}\n'), names=("a.jsonl.zst",)) == [{"a": 1}, {"a": 2}]
    assert rows(pack(b"id\n1\n") + pack(b"2\n")) == [{"id": 1}, {"id": 2}]


@each
def test_parquet_may_be_compressed_as_a_whole(pack: Callable[[bytes], bytes]) -> None:
    """Needless, yet it is sent."""
    from pyarrow import parquet

    kept = io.BytesIO()
    parquet.write_table(pa.table({"id": [1, 2]}), kept)
    assert rows(pack(kept.getvalue())) == [{"id": 1}, {"id": 2}]


@each
def test_a_cut_one_is_told(pack: Callable[[bytes], bytes]) -> None:
    """At any place, with the way it was compressed."""
    packed = pack(TABLE)
    for end in (len(packed) - 3, len(packed) // 2, 20):
        with pytest.raises(PayloadUnreadable, match="data is damaged or cut off"):
            read(packed[:end], names=("a.csv",))


@each
def test_a_damaged_one_is_told(pack: Callable[[bytes], bytes]) -> None:
    """Bytes overwritten in the middle never pass as rows."""
    packed = bytearray(pack(TABLE))
    packed[len(packed) // 2 : len(packed) // 2 + 8] = b"\xff" * 8
    with pytest.raises(PayloadUnreadable):
        read(bytes(packed))


@each
def test_a_bomb_is_refused_before_it_is_read(pack: Callable[[bytes], bytes]) -> None:
    """It grows to more than 200 times its size; memory stays small."""
    bomb = pack(b"a,b\n" + b"0" * 40_000_000)
    tracemalloc.start()
    with pytest.raises(PayloadUnreadable, match="refused as a bomb"):
        read(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000


def test_text_that_only_begins_like_bzip2_is_text() -> None:
    """A heading `BZhours` is a heading."""
    assert rows(b"BZh1,x\n1,2\n") == [{"BZh1": 1, "x": 2}]
