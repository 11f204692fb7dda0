"""Content encodings are undone whole, whatever the chunks, and never more than a piece at a time."""

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.collect.http.decoding import PIECE, BrokenEncoding, CutOff, UnknownEncoding, decoded
from tests.counts import few


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS = {"gzip": gzip.compress, "deflate": zlib.compress, "deflate ": raw_deflate, "identity": bytes}


@given(data=st.binary(max_size=2000), size=st.integers(1, 50), name=st.sampled_from(sorted(PACKERS)))
@settings(max_examples=few(80))
def test_any_chunking_gives_the_same_bytes(data: bytes, size: int, name: str) -> None:
    """Where the network cuts makes no difference."""
    assert b"".join(decoded(cut(PACKERS[name](data), size), name)) == data


@given(parts=st.lists(st.binary(max_size=300), max_size=4), size=st.integers(1, 80))
@settings(max_examples=few(50))
def test_gzip_members_follow_each_other(parts: list[bytes], size: int) -> None:
    """A gzip file may hold several members (RFC 1952, 2.2); padding after them is nothing."""
    packed = b"".join(gzip.compress(part) for part in parts) + b"\0" * 7
    if parts:
        assert b"".join(decoded(cut(packed, size), "gzip")) == b"".join(parts)


def test_encodings_are_undone_from_the_last_to_the_first() -> None:
    """`Content-Encoding: deflate, gzip` was deflated first."""
    assert b"".join(decoded([gzip.compress(zlib.compress(b"data"))], "deflate, gzip")) == b"data"


def test_a_bomb_comes_in_small_pieces() -> None:
    """No piece is larger than the bound, and all of it comes out."""
    sizes = [len(piece) for piece in decoded([gzip.compress(bytes(20 * 2**20))], "gzip")]
    assert (max(sizes) <= PIECE, sum(sizes)) == (True, 20 * 2**20)


@given(data=st.binary(min_size=1, max_size=500), keep=st.floats(0.05, 0.95))
@settings(max_examples=few(50))
def test_a_cut_stream_is_noticed(data: bytes, keep: float) -> None:
    """The end of a compressed stream is marked: without it the answer is not whole."""
    packed = gzip.compress(data)
    with pytest.raises(CutOff):
        list(decoded([packed[: max(1, int(len(packed) * keep))]], "gzip"))


@pytest.mark.parametrize(
    ("names", "error"),
    [
        ("br", UnknownEncoding),
        ("gzip, zstd", UnknownEncoding),
        ("gzip," * 9, UnknownEncoding),
        ("gzip", BrokenEncoding),
    ],
)
def test_what_cannot_be_undone_is_said(names: str, error: type[Exception]) -> None:
    """Unknown names, towers of encodings, and bytes that are something else."""
    with pytest.raises(error):
        list(decoded([b"<html>"], names))


def test_an_empty_body_is_empty_under_any_encoding() -> None:
    """Servers send `Content-Encoding: gzip` with nothing behind it."""
    assert list(decoded([], "gzip")) == []
