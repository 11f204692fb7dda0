"""The storage in a bucket, over the real S3 protocol: the store has the truth, copies on disk serve its readers."""

import hashlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data_pipeline.collect.files import uploads
from data_pipeline.store import bucket as bucket_module
from data_pipeline.store.bucket import Bucket
from tests.servers.s3 import Bucket as Made
from tests.servers.s3 import OwnServer
from utils.clock import SYSTEM_CLOCK, ManualClock
from utils.storage import BlobNameInvalid, BlobNotFound, Storage, StorageError
from utils.storage.object_storage import ObjectStorage, Settled

SMALL = 16_384
BIG = bytes(range(256)) * 400

Opened = Callable[..., ObjectStorage]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Opens a storage in a bucket; `at` names the machine whose disk has the copies."""
    monkeypatch.setattr(bucket_module, "TRIES", 0)
    storages: list[ObjectStorage] = []

    def open_storage(bucket: Made, at: str = "here", prefix: str = "/ours", secret: str = "s") -> ObjectStorage:
        store = Bucket(f"s3://{bucket.name}{prefix}", bucket.options, SYSTEM_CLOCK, lambda: secret)
        storages.append(ObjectStorage(tmp_path / at, store, pack_below=SMALL))
        return storages[-1]

    yield open_storage
    for storage in storages:
        storage.close()


def keys(bucket: Made) -> list[str]:
    found = [entry["Key"] for entry in bucket.client.list_objects_v2(Bucket=bucket.name).get("Contents", [])]
    return [key for key in found if not key.endswith(".installation")]


def written(storage: Storage, path: str, content: bytes) -> None:
    with storage.writer(path) as file:
        file.write(content)


@pytest.mark.parametrize("prefix", ["", "/ours", "/deep/er/"], ids=["the whole bucket", "a prefix", "a deep one"])
def test_what_was_written_on_one_machine_is_read_on_another(opened: Opened, bucket: Made, prefix: str) -> None:
    """Small and large, put and written: the same content, size, hash and list; names and contents as on disk."""
    here, there = opened(bucket, "here", prefix), opened(bucket, "there", prefix)
    contents = {"held/a/1.parquet": b"small", "datasets/a/1.parquet": BIG, "datasets/a/2.json": b""}
    here.put_bytes("held/a/1.parquet", b"small", later=True)
    written(here, "datasets/a/1.parquet", BIG)
    here.put_bytes("datasets/a/2.json", b"")

    for storage in (here, there):
        assert [blob.path for blob in storage.list()] == sorted(contents)
        assert [blob.path for blob in storage.list("datasets/a/1")] == ["datasets/a/1.parquet"]
        for path, content in contents.items():
            assert storage.exists(path)
            assert storage.size(path) == len(content)
            assert storage.read_bytes(path) == content
            assert storage.verify(path, hashlib.sha256(content).hexdigest())
            assert storage.identity(path)[0] == len(content)
            with storage.open(path) as file, storage.passing(path) as passed:
                assert file.read() == passed.read() == content
    about = bucket.client.head_object(Bucket=bucket.name, Key=f"{prefix}/datasets/a/1.parquet".replace("//", "/")[1:])
    assert about["Metadata"] == {"sha256": hashlib.sha256(BIG).hexdigest()}


def test_what_is_not_there_is_not_there(opened: Opened, bucket: Made) -> None:
    """Nothing is made by looking, on either side; a bad name is refused before anybody is asked."""
    storage = opened(bucket)
    for ask in (storage.open, storage.read_bytes, storage.size, storage.identity, storage.passing):
        with pytest.raises(BlobNotFound, match="there is no 'a/b'"):
            ask("a/b")
    assert not storage.exists("a/b")
    assert not storage.delete("a/b")
    assert list(storage.list()) == []
    with pytest.raises(BlobNameInvalid):
        storage.put_bytes("../a", b"")
    assert keys(bucket) == []
    assert not (storage.local_path("a").parent / "a").exists()


def test_what_is_deleted_is_gone_from_both_sides(opened: Opened, bucket: Made) -> None:
    """Also when only the store had it."""
    here, there = opened(bucket), opened(bucket, "there")
    here.put_bytes("a/1", b"x")
    written(here, "a/2", BIG)
    assert here.delete("a/1")
    assert there.delete("a/2")
    assert keys(bucket) == []
    assert not there.exists("a/2")
    assert not here.exists("a/1")


def test_a_writer_that_breaks_off_leaves_nothing(opened: Opened, bucket: Made) -> None:
    """Neither an object nor an upload nor a copy."""
    storage = opened(bucket)

    def breaking() -> None:
        with storage.writer("a/1") as file:
            file.write(BIG)
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        breaking()
    assert keys(bucket) == []
    assert not storage.exists("a/1")
    assert bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []) == []


def test_a_large_blob_goes_in_parts_none_of_which_is_held(
    opened: Opened, bucket: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read of the file at once stays far below a part, and comes together in order."""
    monkeypatch.setattr(uploads, "PIECE", 5 * 2**20)
    read: list[int] = []
    original = uploads._Window.readinto

    def counted(self: uploads._Window, buffer: bytearray) -> int:
        read.append(len(memoryview(buffer)))
        return original(self, buffer)

    monkeypatch.setattr(uploads._Window, "readinto", counted)
    content = b"".join(number.to_bytes(4, "big") * 256 for number in range(11 * 1024))
    written(opened(bucket), "a/1", content)
    assert opened(bucket, "there").read_bytes("a/1") == content
    assert bucket.client.head_object(Bucket=bucket.name, Key="ours/a/1")["ETag"].endswith('-3"')
    assert max(read) <= 2**20


def test_while_the_store_is_away_copies_are_read_and_nothing_counts_as_written(
    opened: Opened, own_bucket: Made, own_s3: OwnServer
) -> None:
    """The error says what to look at and may pass; when the store is back all goes on."""
    storage = opened(own_bucket)
    written(storage, "a/1", BIG)
    storage.put_bytes("a/2", b"small")
    own_s3.stop()

    assert storage.read_bytes("a/1") == BIG
    assert storage.read_bytes("a/2") == b"small"
    for path, content in (("b/1", BIG), ("b/2", b"small")):
        with pytest.raises(StorageError, match="the connection failed") as told:
            storage.put_bytes(path, content)
        assert told.value.transient
        assert "the-secret" not in str(told.value)
    with pytest.raises(StorageError, match="the connection failed"):
        written(storage, "b/3", BIG)
    with pytest.raises(StorageError):
        storage.reachable()
    assert not [blob.path for blob in Storage.list(storage, "b/")]

    own_s3.start()
    storage.reachable()
    assert [blob.path for blob in storage.list()] == ["a/1", "a/2"]
    storage.put_bytes("b/1", BIG)
    assert opened(own_bucket, "there").read_bytes("b/1") == BIG


def test_a_store_that_does_not_answer_is_left_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request waits; those after it are told at once, until it has rested."""
    monkeypatch.setattr(bucket_module, "READ_TIMEOUT_S", 0.2)
    monkeypatch.setattr(bucket_module, "TRIES", 0)
    clock = ManualClock()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(120)
        asked: list[socket.socket] = []
        options = {"key": "k", "secret": "the-secret", "endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        storage = ObjectStorage(tmp_path, Bucket("s3://b/p", options, clock, str))
        for _ in range(3):
            with pytest.raises(StorageError, match="no answer in time"):
                storage.put_bytes("a", b"x")
        asked.append(silent.accept()[0])
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()
        clock.advance(6)
        with pytest.raises(StorageError, match="no answer in time"):
            storage.put_bytes("a", b"x")
        asked.append(silent.accept()[0])
        storage.close()
        for connection in asked:
            connection.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"endpoint_url": "http://127.0.0.1:9"}, "the connection failed"),
        ({}, "not there"),
    ],
    ids=["nobody listens", "no such bucket"],
)
def test_a_store_that_cannot_be_used_says_what_to_look_at(
    tmp_path: Path, bucket: Made, options: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For health, and for who writes."""
    monkeypatch.setattr(bucket_module, "TRIES", 0)
    store = Bucket("s3://no-such-bucket/p", {**bucket.options, **options}, SYSTEM_CLOCK, str)
    storage = ObjectStorage(tmp_path, store)
    for ask in (
        storage.reachable,
        lambda: storage.put_bytes("a", b"x"),
        lambda: list(storage.list()),
        lambda: storage.exists("a"),
    ):
        with pytest.raises(StorageError, match=said) as told:
            ask()
        assert not isinstance(told.value, BlobNotFound)
    storage.close()


def test_an_object_that_is_not_what_was_sent_is_not_taken(opened: Opened, bucket: Made) -> None:
    """Somebody else wrote there: told, and no copy of it is kept."""
    opened(bucket).put_bytes("a/1", BIG)
    sha256 = hashlib.sha256(BIG).hexdigest()
    bucket.client.put_object(Bucket=bucket.name, Key="ours/a/1", Body=b"x" * len(BIG), Metadata={"sha256": sha256})
    other = opened(bucket, "there")
    with pytest.raises(StorageError, match="what came is not what was sent") as told:
        other.read_bytes("a/1")
    assert "one installation" in told.value.hint
    assert not Storage.exists(other, "a/1")


def test_a_copy_that_came_out_wrong_is_read_anew(opened: Opened, bucket: Made) -> None:
    """The store has it whole; what the store lacks is kept, however it looks."""
    storage = opened(bucket)
    written(storage, "a/1", BIG)
    storage.local_path("a/1").write_bytes(b"spoilt")
    assert storage.renew("a/1")
    assert storage.read_bytes("a/1") == BIG
    bucket.delete("ours/a/1")
    assert not storage.renew("a/1")
    assert storage.read_bytes("a/1") == BIG


def test_a_storage_that_was_a_folder_is_sent_and_copies_go_beyond_their_limit(
    opened: Opened, bucket: Made, tmp_path: Path
) -> None:
    """The oldest first, never what is to stay, never what the store lacks; what went is read from the store again."""
    folder = Storage(tmp_path / "here", pack_below=SMALL)
    for number in range(4):
        written(folder, f"a/{number}", BIG)
    folder.put_bytes("a/small", b"small")
    folder.close()
    storage = opened(bucket)
    assert len(list(storage.list())) == 5

    turns = iter([True, True, False])
    assert storage.settle(most=10**9, dry_run=True) == Settled(left=5)
    assert storage.settle(most=0, go_on=lambda: next(turns)) == Settled(sent=2, left=3)
    done = storage.settle(most=len(BIG) + 10, keep={"a/0"})

    assert (done.sent, done.dropped, done.freed) == (3, 3, 3 * len(BIG))
    assert [blob.path for blob in Storage.list(storage)] == ["a/0", "a/small"]
    assert len(keys(bucket)) == 5
    assert [storage.read_bytes(f"a/{number}") for number in range(4)] == [BIG] * 4
    bucket.delete("ours/a/3")
    assert storage.settle(most=10**9).sent == 1
    assert opened(bucket, "there").read_bytes("a/3") == BIG


def test_a_place_belongs_to_one_installation(opened: Opened, bucket: Made) -> None:
    """Another one would remove what its log does not name: it is refused, and a prefix of its own is not."""
    ours, other = opened(bucket), opened(bucket, "other", secret="another")
    ours.put_bytes("a/1", b"ours")
    for ask in (lambda: other.read_bytes("a/1"), lambda: list(other.list()), lambda: other.put_bytes("a/2", b"x")):
        with pytest.raises(StorageError, match=r"s3://b-[0-9a-f]*/ours/ belongs to another installation") as told:
            ask()
        assert not told.value.transient
        assert "`.installation`" in told.value.hint
    beside = opened(bucket, "beside", "/theirs", secret="another")
    beside.put_bytes("a/1", b"theirs")
    assert [blob.path for blob in ours.list()] == ["a/1"]
    bucket.delete("ours/.installation")
    assert other.read_bytes("a/1") == b"ours"
