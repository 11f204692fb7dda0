"""Blobs on disk: whole or not there, private, named safely."""

import errno
import hashlib
import os
import resource
import stat
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from utils.clock import ManualClock
from utils.storage import BlobNameInvalid, BlobNotFound, Storage, StorageError, Stored


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "storage")


def files(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def test_nothing_is_made_before_the_first_write(storage: Storage, tmp_path: Path) -> None:
    """Asking an empty storage answers, and leaves no trace."""
    assert list(storage.list()) == []
    assert storage.exists("a") is False
    assert storage.delete("a") is False
    assert storage.sweep(0) == 0
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=few(60), deadline=None)
@given(data=st.binary(max_size=5000))
def test_what_was_put_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Any bytes come back, with their size and SHA-256."""
    storage = Storage(tmp_path_factory.mktemp("storage"))

    stored = storage.put_bytes("a/b/c", data)

    assert stored == Stored("a/b/c", len(data), hashlib.sha256(data).hexdigest())
    assert storage.read_bytes("a/b/c") == data
    assert storage.size("a/b/c") == len(data)
    assert storage.verify("a/b/c", stored.sha256)


@pytest.mark.parametrize("durable", [False, True])
def test_a_put_replaces(storage: Storage, durable: bool) -> None:
    """The last write holds, and only one file is there."""
    storage.put_bytes("a/b", b"old and longer", durable=durable)
    storage.put_bytes("a/b", b"new", durable=durable)

    assert storage.read_bytes("a/b") == b"new"
    assert [blob.path for blob in storage.list()] == ["a/b"]


@pytest.mark.parametrize("durable", [False, True])
def test_a_writer_publishes_at_the_end_of_its_block(storage: Storage, durable: bool) -> None:
    """Inside the block readers see the old blob, afterwards the new one; size and digest are those of the whole."""
    storage.put_bytes("x/y", b"old")

    with storage.writer("x/y", durable=durable) as file:
        file.write(b"hello ")
        file.flush()
        assert storage.read_bytes("x/y") == b"old"
        file.write(memoryview(b"world"))
        assert file.tell() == 11

    assert storage.read_bytes("x/y") == b"hello world"
    assert file.stored == Stored("x/y", 11, hashlib.sha256(b"hello world").hexdigest())


def test_a_failed_writer_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    """An exception in the block keeps the old blob and no temporary file."""
    storage.put_bytes("x", b"old")

    def write_half() -> None:
        with storage.writer("x") as file:
            file.write(b"half")
            raise RuntimeError("parser")

    with pytest.raises(RuntimeError, match="parser"):
        write_half()

    assert storage.read_bytes("x") == b"old"
    assert files(tmp_path / "storage") == ["x"]


def test_trouble_of_the_block_is_not_blamed_on_the_storage(storage: Storage) -> None:
    """An OSError of something else passes through as it is."""
    with pytest.raises(PermissionError), storage.writer("x"):
        raise PermissionError(errno.EACCES, "another file")


def test_arrow_and_parquet_write_into_a_writer(storage: Storage) -> None:
    """The writer is file enough for pyarrow, also when pyarrow closes it."""
    from utils.arrow import pa

    table = pa.table({"a": list(range(1000))})
    with storage.writer("t.arrow") as file, pa.ipc.new_file(file, table.schema) as sink:
        sink.write_table(table)
    with storage.writer("closed") as closed:
        closed.write(b"x")
        closed.close()

    with storage.open("t.arrow") as source:
        assert pa.ipc.open_file(source).read_all().equals(table)
    assert pa.ipc.open_file(pa.memory_map(str(storage.local_path("t.arrow")))).read_all().equals(table)
    assert closed.stored is not None
    assert storage.read_bytes("closed") == b"x"


def test_an_open_blob_reads_on_when_it_is_replaced(storage: Storage) -> None:
    """A reader keeps the version it opened."""
    storage.put_bytes("a", b"first")

    with storage.open("a") as file:
        storage.put_bytes("a", b"second")
        storage.delete("a")

        assert file.read() == b"first"
        file.seek(1)
        assert file.read(2) == b"ir"


def test_verify_finds_damage(storage: Storage) -> None:
    """A changed byte is found; a missing blob is an error, not `False`."""
    stored = storage.put_bytes("a", b"data")
    storage.local_path("a").write_bytes(b"dat4")

    assert storage.verify("a", stored.sha256) is False
    assert storage.verify("a", hashlib.sha256(b"dat4").hexdigest().upper()) is True
    with pytest.raises(BlobNotFound):
        storage.verify("b", stored.sha256)


@pytest.mark.parametrize(
    "path",
    [
        ".tmp-1",
        "a/.tmp-1/b",
        "",
        "/",
        "/etc",
        "..",
        "../x",
        "a/../b",
        "a/..",
        ".",
        "./a",
        "a/.",
        "a//b",
        "a/",
        "a\\b",
        "a\0b",
        "a\nb",
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused(storage: Storage, tmp_path: Path, path: str) -> None:
    """Every method refuses it, with the name in the message, before touching the disk."""
    for action in (storage.read_bytes, storage.open, storage.exists, storage.size, storage.delete, storage.local_path):
        with pytest.raises(BlobNameInvalid) as refused:
            action(path)
        assert repr(path) in str(refused.value)
        assert refused.value.transient is False
    with pytest.raises(ValueError, match="relative path"):
        storage.put_bytes(path, b"x")
    with pytest.raises(BlobNameInvalid), storage.writer(path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["a", "..a", "a..b/c...", ".hidden/x", "with space", "ü/ğ.parquet", "a" * 255])
def test_ordinary_names_are_taken(storage: Storage, path: str) -> None:
    """Dots inside names, spaces and letters of all languages are fine."""
    storage.put_bytes(path, b"x")

    assert [blob.path for blob in storage.list()] == [path]


def test_a_missing_blob_says_so(storage: Storage) -> None:
    """It is a FileNotFoundError as well, and names the blob."""
    with pytest.raises(FileNotFoundError, match="'a/b'") as missing:
        storage.read_bytes("a/b")

    assert isinstance(missing.value, BlobNotFound)
    assert missing.value.path == "a/b"
    for action in (storage.open, storage.size):
        with pytest.raises(BlobNotFound):
            action("a/b")


def test_everything_is_private(storage: Storage, tmp_path: Path) -> None:
    """Folders 0700, files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        storage.put_bytes("a/b/c", b"x")
        with storage.writer("d/e") as file:
            file.write(b"x")
    finally:
        os.umask(before)

    modes = [(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / "storage").rglob("*")]
    assert set(modes) == {(True, 0o700), (False, 0o600)}
    assert stat.S_IMODE((tmp_path / "storage").stat().st_mode) == 0o700


def test_list_gives_names_in_order_below_a_prefix(storage: Storage) -> None:
    """As an object store would: a prefix of the name, not a folder; names, sizes, aware moments."""
    names = ["eq/1", "eq/10", "eq/2/x", "eq-usgs/1", "eq_b/1", "fx/1", "eq.json"]
    for name in names:
        storage.put_bytes(name, name.encode())

    assert [blob.path for blob in storage.list()] == sorted(names)
    assert [blob.path for blob in storage.list("eq/")] == ["eq/1", "eq/10", "eq/2/x"]
    assert [blob.path for blob in storage.list("eq/1")] == ["eq/1", "eq/10"]
    assert [blob.path for blob in storage.list("eq")] == sorted(name for name in names if name.startswith("eq"))
    assert list(storage.list("nothing/here")) == []
    blob = next(storage.list("fx"))
    assert blob.size == 4
    assert abs((blob.modified - datetime.now(UTC)).total_seconds()) < 60


def test_delete_takes_empty_folders_along(storage: Storage, tmp_path: Path) -> None:
    """Folders go with their last blob, the root stays."""
    storage.put_bytes("a/b/c", b"1")
    storage.put_bytes("a/d", b"2")

    assert storage.delete("a/b/c") is True
    assert not (tmp_path / "storage/a/b").exists()
    assert storage.delete("a/d") is True
    assert list((tmp_path / "storage").iterdir()) == []
    assert storage.delete("a/d") is False


def test_sweep_removes_old_leftovers_only(tmp_path: Path) -> None:
    """What a killed writer left goes after the given age; blobs and writers at work stay."""
    clock = ManualClock()
    storage = Storage(tmp_path, clock=clock)
    storage.put_bytes("a/blob", b"x")
    for name, age in [("a/.tmp-old", 7200), ("b/.tmp-alone", 7200), ("a/.tmp-young", 10)]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (clock.time() - age,) * 2)
    os.utime(tmp_path / "a/blob", (0, 0))

    assert [blob.path for blob in storage.list()] == ["a/blob"]
    assert storage.sweep(older_than=3600) == 2
    assert files(tmp_path) == ["a/.tmp-young", "a/blob"]
    assert not (tmp_path / "b").exists()


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    """With a real limit on file sizes: put and writer raise, say where and what to do, and clean up."""
    storage.put_bytes("a", b"old")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(StorageError) as put:
            storage.put_bytes("a", b"x" * 200_000)
        with pytest.raises(StorageError) as written, storage.writer("a") as file:
            file.writelines([b"y" * 10_000] * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    for error in (put.value, written.value):
        assert error.path == "a"
        assert str(tmp_path / "storage" / "a") in error.message
        assert "larger than allowed" in error.message
        assert error.hint in str(error)
    assert storage.read_bytes("a") == b"old"
    assert files(tmp_path / "storage") == ["a"]


@pytest.mark.parametrize(
    ("code", "words", "transient"),
    [
        (errno.ENOSPC, "the disk is full", True),
        (errno.EDQUOT, "quota", True),
        (errno.EROFS, "read-only", False),
        (errno.EACCES, "no permission", False),
        (errno.EIO, "input/output", True),
        (errno.EXDEV, "cross-device", False),
    ],
)
def test_what_the_disk_refuses_is_explained(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str, transient: bool
) -> None:
    """The path, the reason in words, a hint, whether it may pass; nothing is left behind."""

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr("utils.storage.folder.os.replace", refuse)
        with pytest.raises(StorageError) as put:
            storage.put_bytes("dir/name", b"x")
        with pytest.raises(StorageError) as written, storage.writer("dir/other") as file:
            file.write(b"x")

    for error, name in ((put.value, "dir/name"), (written.value, "dir/other")):
        assert words in error.message.lower()
        assert error.path == name
        assert str(tmp_path / "storage" / name) in error.message
        assert error.transient is transient
        assert error.hint
        assert isinstance(error.__cause__, OSError)
    assert files(tmp_path) == []


def test_a_file_in_the_way_of_a_folder_is_explained(storage: Storage) -> None:
    """A blob `a` and a blob `a/b` cannot both be; the error says why."""
    storage.put_bytes("a", b"x")

    with pytest.raises(StorageError, match="a part of the path is a file"):
        storage.put_bytes("a/b", b"y")
    storage.put_bytes("c/d", b"x")
    with pytest.raises(StorageError, match="it is a folder"):
        storage.put_bytes("c", b"y")


def test_a_small_put_costs_little_more_than_the_disk(storage: Storage, tmp_path: Path) -> None:
    """1.5 KB: at most thrice the processor time of bare create, write, rename (some 60 us against 35)."""
    data = b"x" * 1500
    ratios = []
    for turn in range(8):
        started = time.process_time()
        for i in range(200):
            fd = os.open(tmp_path / "bare.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(fd, data)
            os.close(fd)
            (tmp_path / "bare.tmp").rename(tmp_path / f"bare{i}")
        middle = time.process_time()
        for i in range(200):
            storage.put_bytes(f"versions/{i}/{turn % 2}", data)
        ratios.append((time.process_time() - middle) / (middle - started))

    assert min(ratios) < 3


def test_a_broken_link_in_the_way_is_explained(tmp_path: Path) -> None:
    """A root that is a link to nowhere is an error that names the folder."""
    (tmp_path / "storage").symlink_to(tmp_path / "nowhere")

    with pytest.raises(StorageError, match=r"storage cannot be made.*link"):
        Storage(tmp_path / "storage").put_bytes("a", b"x")


def test_threads_may_write_and_delete_in_the_same_folder(storage: Storage, tmp_path: Path) -> None:
    """A folder that one tidies away while another writes into it comes back; every read is whole."""
    broken: list[bytes] = []

    def work(number: int) -> None:
        for i in range(150):
            storage.put_bytes(f"common/{number % 2}/x", bytes([i]) * 2000)
            try:
                data = storage.read_bytes(f"common/{number % 2}/x")
            except BlobNotFound:
                continue
            if len(data) != 2000 or len(set(data)) != 1:
                broken.append(data)
            storage.delete(f"common/{number % 2}/x")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert broken == []
    assert files(tmp_path / "storage") == []
