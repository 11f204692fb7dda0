"""The file of small blobs damaged in every way: set aside, begun anew with what could be read; the rest is gone."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.utils import children
from utils.clock import ManualClock
from utils.damage import SetAside
from utils.storage import Storage, StorageError
from utils.storage.small_blobs import SmallBlobs

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# More than a page, less than a page, and in an order that is not that of their names.
BLOBS = {f"datasets/d{number * 37 % 200:03d}/v1": b"%03d " % number * (200 + number * 15) for number in range(200)}


class Told(list[SetAside]):
    """What the storage said about its file of small blobs."""


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A storage with two hundred small blobs, closed."""
    storage = Storage(tmp_path, pack_below=16_384)
    for name, data in BLOBS.items():
        storage.put_bytes(name, data)
    storage.close()
    return tmp_path


@pytest.fixture
def storage(root: Path, told: Told) -> Iterator[Storage]:
    storage = Storage(root, clock=ManualClock(TIME), pack_below=16_384, on_set_aside=told.append)
    yield storage
    storage.close()


def read(storage: Storage) -> dict[str, bytes]:
    """What is there, and is as it was written."""
    found = {blob.path: storage.read_bytes(blob.path) for blob in storage.list()}
    return {name: data for name, data in found.items() if BLOBS.get(name) == data}


def one_page(file: Path) -> None:
    content = bytearray(file.read_bytes())
    leaf_of_a_table = 0x0D
    pages = [at for at in range(4096, len(content), 4096) if content[at] == leaf_of_a_table]
    middle = pages[len(pages) // 2]
    content[middle : middle + 4096] = b"\xff" * 4096
    file.write_bytes(content)


def a_page_of_the_index(file: Path) -> None:
    content = bytearray(file.read_bytes())
    leaf_of_an_index = 0x0A
    at = next(at for at in range(4096, len(content), 4096) if content[at] == leaf_of_an_index)
    content[at : at + 4096] = b"\xff" * 4096
    file.write_bytes(content)


def the_header(file: Path) -> None:
    file.write_bytes(b"\xa5" * 100 + file.read_bytes()[100:])


def the_second_half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def all_but_the_first_page(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def everything(file: Path) -> None:
    file.write_bytes(b"this is no database at all " * 1000)


@pytest.mark.parametrize(
    ("damage", "least"),
    [
        (one_page, 190),
        (a_page_of_the_index, 200),
        (the_header, 200),
        (the_second_half, 60),
        (all_but_the_first_page, 0),
        (everything, 0),
    ],
    ids=["a page", "a page of the index", "the header", "the second half", "all but the first page", "everything"],
)
@pytest.mark.parametrize("when", ["at rest", "in use"])
def test_damage_costs_no_more_than_the_blobs_it_hit(
    root: Path, storage: Storage, told: Told, damage, least, when
) -> None:
    """Every blob elsewhere is read as it was written, new ones are kept, and it is told once what was saved."""
    if when == "in use":
        storage.put_bytes("new/first", b"first")
        storage.delete("new/first")
        assert len(list(storage.list())) == 200
        sqlite3.connect(root / ".small.db").execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    damage(root / ".small.db")

    storage.put_bytes("new/blob", b"new")
    for name in BLOBS:
        if storage.exists(name):
            storage.read_bytes(name)
    saved = read(storage)

    assert len(saved) >= least
    assert storage.read_bytes("new/blob") == b"new"
    assert [news.moved_to.name for news in told] == [".small.db.corrupt-20260102T030405Z"]
    assert [file.name for file in storage.set_aside()] == [".small.db.corrupt-20260102T030405Z"]
    assert told[0].saved["blobs"] >= len(saved)
    storage.close()
    later = Storage(root, pack_below=16_384, on_set_aside=told.append)
    assert read(later) == saved
    assert {blob.path for blob in later.list()} >= {"new/blob"}
    later.close()
    assert len(told) == 1


def test_a_storage_whose_file_is_deleted_in_use_begins_anew(root: Path, storage: Storage, told: Told) -> None:
    """What was in it is gone, what comes is kept, and nothing is set aside."""
    assert storage.exists(next(iter(BLOBS)))
    for file in root.glob(".small.*"):
        file.unlink()

    assert list(storage.list()) == []
    storage.put_bytes("new/blob", b"new")

    assert storage.read_bytes("new/blob") == b"new"
    assert not told


def test_a_storage_whose_folder_is_deleted_in_use_begins_anew(tmp_path: Path) -> None:
    """Small blobs come back like large ones do."""
    storage = Storage(tmp_path / "storage", pack_below=100)
    storage.put_bytes("a", b"first")
    for file in (tmp_path / "storage").iterdir():
        file.unlink()
    (tmp_path / "storage").rmdir()

    assert not storage.exists("a")
    storage.put_bytes("a", b"second")

    assert storage.read_bytes("a") == b"second"
    storage.close()


def test_two_processes_go_over_to_the_same_new_file(root: Path, storage: Storage, told: Told) -> None:
    """One sets it aside while the other has it open; both see what both write afterwards."""
    storage.put_bytes("by/parent", b"1")
    other = children.start("keep-small-blobs", root)
    assert other.stdout is not None
    assert other.stdout.readline().strip() == "ready"
    the_header(root / ".small.db")
    storage.close()

    after = Storage(root, clock=ManualClock(TIME), pack_below=16_384, on_set_aside=told.append)
    after.put_bytes("by/parent", b"2")
    assert other.stdin is not None
    other.stdin.write("\n")
    other.stdin.flush()
    set_aside, seen = children.finish(other)

    assert (set_aside, seen) == ("0", "2")
    assert after.read_bytes("by/child") == b"child"
    assert len(read(after)) == 200
    assert len(told) == 1
    after.close()


def test_what_waits_for_the_flush_outlives_the_damage(root: Path, storage: Storage, told: Told) -> None:
    """The transaction that finds the damage is made once more on the new file."""
    storage.put_bytes("later/1", b"one", later=True)
    all_but_the_first_page(root / ".small.db")

    storage.flush()

    assert storage.read_bytes("later/1") == b"one"
    assert len(told) == 1


@pytest.mark.parametrize(
    "change",
    [
        "data = 'a text'",
        "size = 'many'",
        "modified = 9e99",
        "modified = 'x'",
        "name = CAST(x'ff2f' AS TEXT)",
        "name = '../../etc/passwd'",
        "name = x'646174'",
    ],
)
def test_a_row_that_is_none_of_ours_stops_nobody(root: Path, storage: Storage, change: str) -> None:
    """A flipped bit may make a text of a blob, or of a name no name: the others are listed and read."""
    with sqlite3.connect(root / ".small.db") as database:
        database.execute(f"UPDATE blobs SET {change} WHERE name = 'datasets/d000/v1'")
    database.close()

    names = [blob.path for blob in storage.list()]
    for name in names:
        storage.exists(name)
        storage.size(name)
        storage.read_bytes(name)

    assert set(names) >= set(BLOBS) - {"datasets/d000/v1"}
    assert len(read(storage)) >= 199


def test_a_sound_file_is_not_read_at_the_start(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be large: only a doubt is worth reading all of it."""
    asked: list[str] = []
    connect = sqlite3.connect

    def traced(*arguments: object, **options: object) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(asked.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    blobs = SmallBlobs(root / ".small.db")
    assert blobs.get("datasets/d000/v1") == BLOBS["datasets/d000/v1"]
    blobs.close()

    assert asked
    assert not [sql for sql in asked if "_check" in sql]


def test_what_cannot_be_read_is_an_error_of_the_storage(root: Path, storage: Storage) -> None:
    """Whatever is asked, its caller catches one kind of error."""
    (root / ".small.lock").unlink(missing_ok=True)
    (root / ".small.lock").mkdir()

    for ask in (storage.exists, storage.size, storage.identity, storage.read_bytes, lambda _: list(storage.list())):
        with pytest.raises(StorageError, match=r"small"):
            ask("datasets/d000/v1")
