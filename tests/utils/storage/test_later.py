"""Small blobs that wait to be written together."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from utils.storage import BlobNotFound, Storage


def test_a_blob_that_waits_is_read_back_by_who_wrote_it(tmp_path: Path) -> None:
    """Every way to look at a blob sees it, flushed or not."""
    storage = Storage(tmp_path, pack_below=100)

    storage.put_bytes("a/1", b"one", later=True)
    storage.put_bytes("a/2", b"two", later=True)

    assert [blob.path for blob in storage.list("a/")] == ["a/1", "a/2"]
    assert storage.read_bytes("a/2") == b"two"
    assert storage.delete("a/1")
    storage.close()


def test_a_blob_reaches_the_disk_with_the_flush(tmp_path: Path) -> None:
    """Another process sees nothing before the flush, all of it after."""
    storage, other = Storage(tmp_path, pack_below=100), Storage(tmp_path, pack_below=100)
    storage.put_bytes("a/1", b"one", later=True)
    with pytest.raises(BlobNotFound):
        other.read_bytes("a/1")

    storage.flush()

    assert other.read_bytes("a/1") == b"one"
    storage.close()
    other.close()


def test_what_still_waits_at_the_close_was_never_there(tmp_path: Path) -> None:
    """As after a kill: nobody was told of it."""
    storage = Storage(tmp_path, pack_below=100)
    storage.put_bytes("a/1", b"one", later=True)

    storage.close()

    with pytest.raises(BlobNotFound):
        Storage(tmp_path, pack_below=100).read_bytes("a/1")


def test_who_reads_writes_nothing(tmp_path: Path) -> None:
    """What waits because the disk is full, or another process writes, keeps nobody from reading."""
    storage = Storage(tmp_path, pack_below=100)
    storage.put_bytes("a/1", b"one")
    storage.put_bytes("a/2", b"two", later=True)
    with closing(sqlite3.connect(tmp_path / ".small.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")  # whoever tried to write now would wait, and fail

        assert storage.read_bytes("a/1") == b"one"
        assert storage.read_bytes("a/2") == b"two"
        assert [(blob.path, blob.size) for blob in storage.list("a/")] == [("a/1", 3), ("a/2", 3)]
    storage.close()
