"""The object store sink over the real S3 protocol: whole objects, checked, resumed, taken back."""

import csv
import gzip
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from data_pipeline.collect.files import uploads
from data_pipeline.errors import PublishError
from data_pipeline.publish import object_store
from data_pipeline.publish.object_store import ObjectStoreSink, Options
from data_pipeline.publish.sink import PublishRequest, Rows
from tests.data_pipeline.publish.test_file import MOMENT, TABLE
from tests.data_pipeline.publish.test_publish import House, sql, sqlite_rows
from tests.faulty_server import FaultyServer, status
from tests.servers.s3 import Bucket
from utils.arrow import pa


@pytest.fixture
def sink() -> Iterator[ObjectStoreSink]:
    sink = ObjectStoreSink()
    yield sink
    sink.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, str(tmp_path / "orchestrator.db"))
    yield house
    house.close()


def to(bucket: Bucket, key: str) -> dict[str, Any]:
    return {"kind": "object_store", "url": f"s3://{bucket.name}/{key}", "options": bucket.options}


def request(options: dict[str, Any], table: "pa.Table" = TABLE, *, version: str = "v1") -> PublishRequest:
    rows = Rows(table.schema, lambda: iter(table.to_batches()))
    return PublishRequest("orders", version, MOMENT, MOMENT, Options(**options), rows, rows)


def keys(bucket: Bucket) -> list[str]:
    return [found["Key"] for found in bucket.client.list_objects_v2(Bucket=bucket.name).get("Contents", [])]


def content(bucket: Bucket, key: str) -> bytes:
    found: bytes = bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
    return found


def ids(bucket: Bucket, key: str = "out/t.csv") -> list[str]:
    return [row[0] for row in csv.reader(content(bucket, key).decode().splitlines())][1:]


def test_the_suffix_says_the_format_and_placeholders_the_key(sink: ObjectStoreSink, bucket: Bucket) -> None:
    """Read back by independent readers; nothing else is left; what the object says of itself is true."""
    for name in ("t.parquet", "t.csv.gz"):
        published = sink.publish(request(to(bucket, f"{{run_date:%Y}}/{{dataset}}-{{version}}/{name}")))
        assert (published.rows, published.repeated) == (2, False)

    whole, packed = "2026/orders-v1/t.parquet", "2026/orders-v1/t.csv.gz"
    assert pq.read_table(pa.BufferReader(content(bucket, whole))).to_pylist() == TABLE.to_pylist()
    assert len(list(csv.reader(gzip.decompress(content(bucket, packed)).decode().splitlines()))) == 3
    assert keys(bucket) == [packed, whole]
    about = bucket.client.head_object(Bucket=bucket.name, Key=whole)["Metadata"]
    sha256 = hashlib.sha256(content(bucket, whole)).hexdigest()
    assert about == {"dataset": "orders", "version": "v1", "sha256": sha256}


def test_a_large_table_goes_in_parts_and_comes_whole(
    sink: ObjectStoreSink, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than two parts of the smallest size that S3 takes."""
    monkeypatch.setattr(uploads, "PIECE", 5 * 2**20)
    table = pa.table({"text": [f"{number:0>1000}" for number in range(11_000)]})
    assert sink.publish(request(to(bucket, "t.csv"), table)).rows == 11_000
    stored = content(bucket, "t.csv")
    assert stored.decode().split()[1:] == table["text"].to_pylist()
    assert bucket.client.head_object(Bucket=bucket.name, Key="t.csv")["ETag"].endswith('-3"')


def test_rows_that_break_off_leave_the_object_as_it_was(
    sink: ObjectStoreSink, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And neither an upload nor a temporary file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sink.publish(request(to(bucket, "t.csv")))
    before = content(bucket, "t.csv")

    def breaking() -> Iterator[Any]:
        yield from TABLE.to_batches()
        raise RuntimeError("killed")

    rows = Rows(TABLE.schema, breaking)
    with pytest.raises(RuntimeError):
        sink.publish(PublishRequest("orders", "v2", MOMENT, MOMENT, Options(**to(bucket, "t.csv")), rows, rows))
    assert content(bucket, "t.csv") == before
    assert bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []) == []
    assert list(tmp_path.iterdir()) == []


def test_an_object_that_is_not_what_was_sent_is_told(
    sink: ObjectStoreSink, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes the same key in the same moment: the version waits, and goes there again."""
    told = request(to(bucket, "t.csv"))

    def overwritten(content: bytes) -> Any:
        def sent(*args: Any) -> None:
            uploads.upload(*args)
            bucket.put("t.csv", content)

        return sent

    sink.publish(told)
    length = len(content(bucket, "t.csv"))
    for other, words in ((b"other", "5 of"), (b"x" * length, "another object is there")):
        monkeypatch.setattr(object_store, "upload", overwritten(other))
        with pytest.raises(PublishError, match=words) as caught:
            sink.publish(told)
        assert caught.value.transient


@pytest.mark.parametrize(
    ("answer", "words", "transient"),
    [
        (status(503), "answered 503", True),
        (status(403, b"<Error><Code>AccessDenied</Code><Message>No</Message></Error>"), "access denied", False),
    ],
    ids=["a fault that may pass", "no rights"],
)
def test_what_the_store_refuses_is_told_without_credentials(
    sink: ObjectStoreSink, answer: Any, words: str, transient: bool
) -> None:
    """In the words of collections from buckets; S3 is asked no more than once where it is told so."""
    with FaultyServer(answer) as server:
        server_of = {"endpoint_url": f"http://{server.host}", "config_kwargs": {"retries": {"max_attempts": 0}}}
        options = {"key": "the-key", "secret": "s3cret-word", **server_of}
        told = request({"url": "s3://shelf/out/t.csv", "options": options})
        with pytest.raises(PublishError, match=words) as caught:
            sink.publish(told)
    assert caught.value.transient is transient
    assert str(caught.value).startswith("s3://shelf/out/t.csv: ")
    assert "s3cret-word" not in str(caught.value) + caught.value.hint
    assert sink.name_of(told.options) == "s3://shelf/out/t.csv at 127.0.0.1"


def test_a_store_that_is_away_is_asked_once_and_gets_the_newest_when_it_is_back(house: House, bucket: Bucket) -> None:
    """Two datasets wait for one attempt to connect; no credential is in the log."""
    away = {**bucket.options, "endpoint_url": "http://127.0.0.1:1", "config_kwargs": {"retries": {"max_attempts": 0}}}
    url = f"s3://{bucket.name}/{{dataset}}.csv"
    datasets = [house.dataset({"kind": "object_store", "url": url, "options": away}, name=name) for name in "ab"]
    for name in "ab":
        house.accept([1], name=name)
    first, second = house.outbox.publish(datasets)
    assert first.error is not None
    assert (first.error, first.transient) == (second.error, True)
    assert "the-secret" not in "".join(str(event) for event in house.events.read())

    house.accept([2], name="a")
    there = house.dataset({"kind": "object_store", "url": url, "options": bucket.options}, name="a")
    (done,) = house.outbox.publish([there])
    assert (done.error, ids(bucket, "a.csv")) == (None, ["2"])


def test_together_with_a_table_it_is_there_or_as_it_was(
    house: House, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that fails at the last moment gives readers of the bucket the former object, or none; nothing is left."""
    from data_pipeline.publish.sql import SqlSink

    dataset = house.dataset(to(bucket, "out/t.csv"), sql("append")).model_copy(update={"publish_together": True})
    house.accept([1])
    seen = []

    def fail(sink: SqlSink, request: Any) -> None:
        seen.append(ids(bucket))
        raise PublishError("the server went away just now", transient=True)

    with monkeypatch.context() as patch:
        patch.setattr(SqlSink, "put", fail)
        assert all(one.error is not None for one in house.outbox.publish([dataset]))
        assert keys(bucket) == []
        bucket.put("out/t.csv", b"somebody's")
        house.outbox.publish([dataset])
        assert (content(bucket, "out/t.csv"), keys(bucket)) == (b"somebody's", ["out/t.csv"])
    assert all(one.error is None for one in house.outbox.publish([dataset]))
    assert (ids(bucket), keys(bucket)) == (["1"], ["out/t.csv"])
    assert seen == [["1"], ["1"]]
    assert sqlite_rows(house.folder / "warehouse/shop.db") == [1]


class Killed(BaseException):
    """kill -9, as far as the code can tell."""


@pytest.mark.parametrize("point", ["put", "take_back"])
def test_killed_after_it_was_done_it_goes_on(
    house: House, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Each call is as good twice as once, also when it was done and nobody heard of it."""
    dataset = house.dataset(to(bucket, "out/t.csv"), sql("append")).model_copy(update={"publish_together": True})
    bucket.put("out/t.csv", b"somebody's")
    house.accept([1])
    done = getattr(ObjectStoreSink, point)
    seen = []

    def die(sink: ObjectStoreSink, request: Any) -> None:
        done(sink, request)
        seen.append(content(bucket, "out/t.csv"))
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStoreSink, point, die)
        if point == "take_back":
            patch.setattr("data_pipeline.publish.sql.SqlSink.put", lambda *_: 1 / 0)
        with pytest.raises(Killed):
            house.outbox.publish([dataset])
    house.outbox.publish([dataset])
    assert (seen == [b"somebody's"]) is (point == "take_back")
    assert (ids(bucket), keys(bucket)) == (["1"], ["out/t.csv"])
    assert sqlite_rows(house.folder / "warehouse/shop.db") == [1]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("out/t.csv", "a full address"),
        ("sftp://host/t.csv", "no store of buckets"),
        ("file:///t.csv", "no store of buckets"),
        ("s3://shelf/out/", "names a folder"),
        ("s3://shelf/t.xls", "names no format"),
        ("s3://shelf/{cursor}.csv", "has no meaning here"),
        ("s3://{dataset}/t.csv", "decides who the provider is"),
    ],
)
def test_addresses_that_cannot_work_are_refused_at_once(url: str, words: str) -> None:
    """When the configuration is read, not when the first version should go out."""
    with pytest.raises(ValidationError, match=words):
        Options(url=url)
