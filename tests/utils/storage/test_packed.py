"""A storage that keeps its small blobs together: one name holds one blob, whatever its size."""

import hashlib
from pathlib import Path

import pytest

from utils.storage import Storage, Stored


@pytest.fixture
def packed(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "packed", pack_below=1000)


def test_small_blobs_share_one_file_and_read_like_any_other(packed: Storage, tmp_path: Path) -> None:
    """Whether a blob is a file or a row is nobody's business but the storage's."""
    small, large = b"s" * 999, b"L" * 1000

    stored = packed.put_bytes("a/small", small)
    packed.put_bytes("a/large", large)

    assert stored == Stored("a/small", 999, hashlib.sha256(small).hexdigest())
    assert packed.read_bytes("a/small") == small
    assert packed.open("a/small").read() == small
    assert packed.exists("a/small")
    assert packed.size("a/small") == 999
    assert packed.verify("a/small", stored.sha256)
    assert [blob.path for blob in packed.list()] == ["a/large", "a/small"]
    assert [path.name for path in (tmp_path / "packed" / "a").iterdir()] == ["large"]


@pytest.mark.parametrize("sizes", [(10, 2000), (2000, 10)], ids=["grows", "shrinks"])
def test_a_name_holds_one_blob_whatever_its_size(packed: Storage, sizes: tuple[int, int]) -> None:
    """A small blob replaces a large one of its name, and the other way round."""
    for size in sizes:
        packed.put_bytes("x", b"x" * size)

    assert packed.read_bytes("x") == b"x" * sizes[1]
    assert [blob.size for blob in packed.list()] == [sizes[1]]
    assert packed.delete("x")
    assert not packed.exists("x")
    assert not packed.delete("x")


def test_a_writer_replaces_a_small_blob(packed: Storage) -> None:
    """What is streamed is a file, also when a small blob had its name."""
    packed.put_bytes("x", b"old")

    with packed.writer("x") as file:
        file.write(b"new")

    assert packed.read_bytes("x") == b"new"
    assert [blob.size for blob in packed.list()] == [3]


def test_small_blobs_are_there_for_the_next_process(packed: Storage, tmp_path: Path) -> None:
    """A put is committed when it returns."""
    packed.put_bytes("a/b", b"kept")

    assert Storage(tmp_path / "packed", pack_below=1000).read_bytes("a/b") == b"kept"


def test_looking_for_small_blobs_makes_no_file(packed: Storage, tmp_path: Path) -> None:
    """Only writing makes anything on disk."""
    assert not packed.exists("a")
    assert list(packed.list()) == []
    assert not (tmp_path / "packed").exists()
