"""Buckets over the real S3 protocol: listings, patterns, markers, ledger, faults; and what an address may be."""

import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from data_pipeline.collect.files import remote as remote_module
from data_pipeline.collect.files.object_store import ObjectStoreCollector, Options
from data_pipeline.collect.files.stores import parse_address
from data_pipeline.dataset import Collected, FileSeen
from data_pipeline.errors import CollectError, ProviderRefused, ProviderUnavailable
from tests.data_pipeline.collect.requests import Calls, make_request
from tests.data_pipeline.collect.zips import zipped
from tests.servers.s3 import Bucket

Fetch = Callable[..., Collected]


@pytest.fixture(scope="module")
def collector() -> Iterator[ObjectStoreCollector]:
    """One for all, as in a run."""
    collector = ObjectStoreCollector()
    yield collector
    collector.close()


@pytest.fixture
def fetch(collector: ObjectStoreCollector, bucket: Bucket, tmp_path: Path) -> Fetch:
    """Collect a key or pattern of the bucket; keys of `collect` by name, fields of the request in `request`."""

    def run(key: str, *, request: dict[str, Any] | None = None, **keys: Any) -> Collected:
        options = Options(**{"url": f"s3://{bucket.name}/{key}", "options": bucket.options, **keys})
        given = {"provider": collector.provider_of(options, "rates"), **(request or {})}
        return collector.collect(make_request(options, tmp_path / "spool", **given))

    return run


def contents(collected: Collected) -> dict[str, bytes]:
    found = {}
    for payload in collected.payloads:
        with payload.open() as stream:
            found[payload.name] = stream.read()
    return found


def test_a_key_comes_with_its_figures(fetch: Fetch, bucket: Bucket) -> None:
    """Content, provider, source, and what the ledger remembers."""
    bucket.put("in/a.csv", b"id\n1\n")
    calls = Calls()
    collected = fetch("in/a.csv", request={"call": calls})
    (seen,) = collected.provenance.files
    assert contents(collected) == {"a.csv": b"id\n1\n"}
    assert set(calls.providers) == {bucket.name}
    assert collected.provenance.source == seen.path == f"s3://{bucket.name}/in/a.csv"
    assert (seen.size, seen.sha256) == (5, collected.provenance.content_sha256)
    assert collected.provenance.last_modified is not None
    collected.close()


def test_patterns_go_over_folders(fetch: Fetch, bucket: Bucket) -> None:
    """`*` stays in a folder, `**` does not; the order is that of the names; folder objects are no files."""
    for key in ("dt=1/b.csv", "dt=1/a.csv", "dt=2/deep/c.csv", "dt=2/d.txt", "dt=1/"):
        bucket.put(key, key.encode())
    assert list(contents(fetch("dt=*/*.csv"))) == ["a.csv", "b.csv"]
    assert list(contents(fetch("**/*.csv"))) == ["a.csv", "b.csv", "c.csv"]
    assert list(contents(fetch("dt=[2-9]/**"))) == ["d.txt", "c.csv"]
    assert list(contents(fetch("dt=1/?.csv"))) == ["a.csv", "b.csv"]


def test_a_daily_prefix_with_its_marker(fetch: Fetch, bucket: Bucket) -> None:
    """`dt=…/` is read once `_SUCCESS` is there; the next day brings only its own files."""
    keys = {"ready": "_SUCCESS"}
    ledger: dict[str, FileSeen] = {}

    def run(day: int) -> Collected:
        now = datetime(2026, 3, day, 7, tzinfo=UTC)
        request = {"now": now, "only_new": True, "ledger": lambda: ledger}
        collected = fetch("daily/dt={now:%Y-%m-%d}/part-*.csv", request=request, **keys)
        ledger.update({seen.path: seen for seen in collected.provenance.files})
        return collected

    with pytest.raises(ProviderUnavailable, match="waiting for its marker `_SUCCESS`"):
        run(1)
    bucket.put("daily/dt=2026-03-01/part-0.csv", b"a")
    bucket.put("daily/dt=2026-03-01/part-1.csv", b"b")
    with pytest.raises(ProviderUnavailable, match="2 files wait for marker `_SUCCESS`"):
        run(1)
    bucket.put("daily/dt=2026-03-01/_SUCCESS", b"")
    assert contents(run(1)) == {"part-0.csv": b"a", "part-1.csv": b"b"}
    assert run(1).not_modified
    bucket.put("daily/dt=2026-03-02/part-0.csv", b"c")
    assert run(2).not_modified
    bucket.put("daily/dt=2026-03-02/_SUCCESS", b"")
    assert contents(run(2)) == {"part-0.csv": b"c"}


def test_an_unchanged_bucket_is_not_read_again(fetch: Fetch, bucket: Bucket) -> None:
    """The same listing is no news, not even for a table that is replaced; an overwritten object is."""
    bucket.put("a.csv", b"1")
    first = fetch("*.csv")
    known = {"validators": dict(first.provenance.validators)}
    calls = Calls()
    assert fetch("*.csv", request={**known, "call": calls}).not_modified
    assert len(calls.providers) == 1, "one listing, nothing else"
    bucket.put("a.csv", b"2")
    assert contents(fetch("*.csv", request=known)) == {"a.csv": b"2"}


def test_a_large_object_comes_in_pieces_and_waits_on_disk(
    fetch: Fetch,
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every byte arrives; what is spooled goes away with `close`."""
    monkeypatch.setattr(remote_module, "_PIECE", 70_000)
    monkeypatch.setattr(remote_module, "MEMORY", 1_000)
    content = bytes(range(256)) * 1_000
    bucket.put("big.bin", content)
    collected = fetch("big.bin")
    assert contents(collected) == {"big.bin": content}
    assert len(list((tmp_path / "spool").iterdir())) == 1
    collected.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_members_of_archives_in_a_bucket(fetch: Fetch, bucket: Bucket) -> None:
    """Pattern over archives, and over what is in them."""
    bucket.put("in/1.zip", zipped({"a.csv": b"a", "x/b.csv": b"b", "readme.txt": b"?"}))
    bucket.put("in/2.zip", zipped({"a.csv": b"c"}))
    collected = fetch("in/*.zip!**/*.csv")
    assert [payload.open().read() for payload in collected.payloads] == [b"a", b"b", b"c"]
    assert [seen.path.rpartition("/")[2] for seen in collected.provenance.files] == ["1.zip", "2.zip"]


def test_what_is_not_there_is_told(fetch: Fetch, bucket: Bucket) -> None:
    """A missing key with the nearest name, a pattern without match, a folder, a missing bucket: no retry helps."""
    bucket.put("in/rates.csv", b"1")
    for key, words, hint in (
        ("in/rates.cvs", "there is no file s3://", "did you mean rates.csv"),
        ("in/*.xml", "no file matches", "check `url`"),
        ("nowhere/*.xml", "no file matches", "check `url`"),
        ("in", "is a folder", r"in/\*.csv"),
    ):
        with pytest.raises(ProviderRefused, match=words) as caught:
            fetch(key)
        assert caught.match(bucket.name)
        assert hint.replace("\\", "") in caught.value.hint
    for key in ("a.csv", "*.csv"):
        with pytest.raises(ProviderRefused, match="not there") as caught:
            fetch(key, url=f"s3://no-such-bucket-of-ours/{key}")
        assert "bucket" in caught.value.hint


def test_a_file_that_goes_away_costs_only_itself(fetch: Fetch, bucket: Bucket) -> None:
    """Between listing and reading an object is deleted: the others come, partial."""

    class Deleting(Calls):
        def __call__(self, provider: str, request: Callable[[], Any], /) -> Any:
            found = super().__call__(provider, request)
            bucket.delete("b.csv")
            return found

    for key in ("a.csv", "b.csv", "c.csv"):
        bucket.put(key, key.encode())
    collected = fetch("*.csv", request={"call": Deleting()})
    assert list(contents(collected)) == ["a.csv", "c.csv"]
    assert collected.provenance.partial
    assert any("b.csv: went away while it was read" in note for note in collected.provenance.notes)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_host_that_does_not_answer_is_told_in_time(fetch: Fetch, bucket: Bucket) -> None:
    """Nobody listens, or nobody answers: one try each, bounded by the time-outs, and worth a retry."""
    began = time.monotonic()
    dead = {**bucket.options, "endpoint_url": f"http://127.0.0.1:{closed_port()}"}
    with pytest.raises(ProviderUnavailable, match="the connection failed"):
        fetch("*.csv", options=dead)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = {**bucket.options, "endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        with pytest.raises(ProviderUnavailable, match="no answer in time"):
            fetch("*.csv", options=mute, request={"read_timeout": 0.3})
    assert time.monotonic() - began < 60  # left alone, botocore would take minutes


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (403, "AccessDenied", ProviderRefused, "access denied"),
        (403, "InvalidAccessKeyId", ProviderRefused, "access denied"),
        (503, "SlowDown", ProviderUnavailable, "answered 503"),
        (500, "InternalError", ProviderUnavailable, "answered 500"),
    ],
)
def test_what_the_server_says_decides_whether_to_try_again(
    fetch: Fetch,
    bucket: Bucket,
    status: int,
    code: str,
    kind: type[CollectError],
    words: str,
) -> None:
    """One request, its answer translated; neither key nor secret is told."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    asked = []

    class Saying(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = f"<Error><Code>{code}</Code><Message>no: the-key the-secret</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Saying) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        options = {**bucket.options, "endpoint_url": f"http://127.0.0.1:{server.server_port}"}
        with pytest.raises(kind, match=words) as caught:
            fetch("*.csv", options=options)
        server.shutdown()
        thread.join(120)
    assert len(asked) == 1
    assert "the-secret" not in str(caught.value) + caught.value.hint
    assert "the-key" not in str(caught.value)


@pytest.mark.parametrize("size", [1_000, 9 * 2**20], ids=["small", "in pieces"])
def test_an_object_that_is_cut_off_is_tried_again(fetch: Fetch, bucket: Bucket, size: int) -> None:
    """The server promises more than it sends: never half a file, and worth a retry."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class CuttingOff(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.send_header("ETag", '"x"')
            self.send_header("Last-Modified", "Sun, 01 Mar 2026 07:00:00 GMT")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(b"id")
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), CuttingOff) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        options = {**bucket.options, "endpoint_url": f"http://127.0.0.1:{server.server_port}"}
        with pytest.raises(ProviderUnavailable):
            fetch("a.csv", options=options)
        server.shutdown()
        thread.join(120)


def test_wrong_names_in_options_are_told(fetch: Fetch, bucket: Bucket) -> None:
    """The library's own words about the option, without its value."""
    with pytest.raises(ProviderRefused, match="cannot be asked like this") as caught:
        fetch("*.csv", options={**bucket.options, "scret": "hush-hush"})
    assert "options" in caught.value.hint
    assert "hush-hush" not in str(caught.value)


def test_a_missing_library_is_named_with_its_line(tmp_path: Path) -> None:
    """`gs://` and `az://` need libraries that are not installed by default."""
    collector = ObjectStoreCollector()
    for url, library in (("gs://bucket/a.csv", "gcsfs"), ("az://box/a.csv", "adlfs")):
        with pytest.raises(ProviderRefused, match=library) as caught:
            collector.collect(make_request(Options(url=url), tmp_path, provider="bucket"))
        assert caught.value.hint == f"install it: pip install {library}"
    collector.close()


def test_a_file_address_reads_this_machine(tmp_path: Path) -> None:
    """`file://` behaves as kind file does."""
    (tmp_path / "a.csv").write_bytes(b"x")
    options = Options(url=f"file://{tmp_path}/*.csv")
    collector = ObjectStoreCollector()
    assert contents(collector.collect(make_request(options, tmp_path, provider="file"))) == {"a.csv": b"x"}
    with pytest.raises(ProviderRefused, match="no file matches") as caught:
        collector.collect(make_request(Options(url=f"file://{tmp_path}/*.txt"), tmp_path, provider="file"))
    assert "check `url`" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://example.org/a.csv", "kind http"),
        ("memory://a/b", "no store that can be read"),
        ("in/a.csv", "a full address"),
        ("s3://bucket", "names no file"),
        ("s3:///key", "names no bucket"),
        ("sftp://host:port/a", "a port that is no number"),
        ("s3://data-{now:%Y}/a.csv", "not possible"),
        ("s3://data-*/a.csv", "not possible"),
        ("s3://bucket/{today}.csv", "unknown placeholder"),
        ("s3://bucket/a.zip!", "name the members"),
    ],
)
def test_addresses_that_cannot_be_read_are_refused_early(url: str, words: str) -> None:
    """When the configuration is read, with what to write instead."""
    with pytest.raises(ValidationError, match=words):
        Options(url=url)


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("s3://bucket/key", "bucket"),
        ("s3a://key:secret@bucket/x", "bucket"),
        ("az://box/blob", "box"),
        ("abfss://box@account.dfs.core.windows.net/blob", "box"),
        ("sftp://user:pw@Files.Example.org/in/a.csv", "files.example.org"),
        ("sftp://files.example.org:22/in/a.csv", "files.example.org"),
        ("sftp://u@files.example.org:2222/in/a.csv", "files.example.org:2222"),
        ("ftp://[::1]:2121/a", "::1:2121"),
    ],
)
def test_the_provider_is_the_bucket_or_the_host(url: str, provider: str) -> None:
    """Without user and password, and without the scheme's own port."""
    assert ObjectStoreCollector().provider_of(Options(url=url), "rates") == provider
    assert "pw" not in parse_address(url).shown
    assert "secret" not in parse_address(url).shown
    assert "secret" not in repr(Options(url=url))
