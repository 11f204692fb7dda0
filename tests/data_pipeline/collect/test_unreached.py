"""Which failures name the host that gave no answer: only those can be our own network's fault."""

import errno
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.collect.files.store_errors import told
from data_pipeline.collect.files.stores import host_of, parse_address
from data_pipeline.collect.sql.sql import Options, SqlCollector
from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderUnavailable
from data_pipeline.sql_database import host_of as host_of_database
from tests import faulty_server as fault
from tests.data_pipeline.collect.requests import make_request
from tests.faulty_server import Answer, FaultyServer

Fetch = Callable[..., Collected]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as server:
        yield server


@pytest.mark.parametrize(
    ("answer", "host"),
    [
        (fault.reset(), "127.0.0.1"),
        (fault.reset_in_body(b"id,value\n"), "127.0.0.1"),
        (fault.hang(), "127.0.0.1"),
        (fault.hang_in_body(b"id,value\n"), "127.0.0.1"),
        (fault.status(503), ""),
        (fault.too_many("30"), ""),
    ],
    ids=["reset", "reset in the body", "silent", "silent in the body", "503", "429"],
)
def test_http_names_the_host_when_no_whole_answer_came(
    fetch: Fetch, server: FaultyServer, answer: Answer, host: str
) -> None:
    """An answer that came, came over a network that is there."""
    server.answer = answer
    quick = {"read_timeout": 0.2} if answer.fault.startswith("hang") else {}
    with pytest.raises(ProviderUnavailable) as caught:
        fetch(server.url, request=quick)
    assert caught.value.unreached == host


def test_http_names_the_host_that_a_redirect_led_to(fetch: Fetch, server: FaultyServer) -> None:
    """It is the one that did not answer; the port is nobody's matter."""
    server.answer = fault.redirect("http://localhost:1/data.csv")
    with pytest.raises(ProviderUnavailable) as caught:
        fetch(server.url)
    assert caught.value.unreached == "localhost"


@pytest.mark.parametrize(
    ("error", "host"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "files.example.org"),
        (TimeoutError("timed out"), "files.example.org"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "files.example.org"),
        (EOFError(), "files.example.org"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "files.example.org"),
        (OSError(errno.EIO, "Input/output error"), ""),
        (OSError(errno.EBUSY, "changed"), ""),
    ],
    ids=["no name", "late", "reset", "hung up", "no network", "broken disk there", "changed"],
)
def test_a_store_names_its_host_when_the_way_failed(error: Exception, host: str) -> None:
    """What the server itself told is no matter of the network."""
    found = told(error, "orders", scheme="sftp", provider="partner", options={}, listing=True, host="files.example.org")
    assert isinstance(found, ProviderUnavailable)
    assert found.unreached == host


@pytest.mark.parametrize(
    ("url", "options", "host"),
    [
        ("sftp://bob@files.example.org:2222/a.csv", {}, "files.example.org"),
        ("ftp://files.example.org/a.csv", {}, "files.example.org"),
        ("s3://bucket/a.csv", {}, "s3.amazonaws.com"),
        ("s3://bucket/a.csv", {"endpoint_url": "http://minio:9000"}, "minio"),
        ("s3://bucket/a.csv", {"client_kwargs": {"endpoint_url": "http://127.0.0.1:9000"}}, "127.0.0.1"),
        ("gs://bucket/a.csv", {"endpoint_url": "http://localhost:4443"}, "localhost"),
        ("az://container/a.csv", {}, "blob.core.windows.net"),
        ("az://container/a.csv", {"connection_string": "BlobEndpoint=http://127.0.0.1:10000/x"}, ""),
        ("abfs://container@account.dfs.core.windows.net/a.csv", {}, "blob.core.windows.net"),
    ],
)
def test_the_host_of_a_store(url: str, options: dict[str, Any], host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket is no host; whoever has a store of his own names it in the options."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    assert host_of(parse_address(url), options) == host


def test_the_host_of_a_store_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the library reads it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio.local:9000")
    assert host_of(parse_address("s3://bucket/a.csv"), {}) == "minio.local"


def test_a_database_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Nobody listens on port 1 of this machine."""
    collector = SqlCollector()
    options = Options(kind="sql", url="postgresql://bob@127.0.0.1:1/shop", query="SELECT 1")
    with pytest.raises(ProviderUnavailable) as caught:
        collector.collect(make_request(options, tmp_path, provider="shop"))
    collector.close()
    assert caught.value.unreached == "127.0.0.1"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql://DB.example.org:5433/shop", "db.example.org"),
        ("postgresql:///shop?host=/run/postgresql", ""),
        ("postgresql://one.example.org,two.example.org/shop", ""),
        ("sqlite:///shop.db", ""),
    ],
    ids=["a host", "a socket", "two hosts", "a file"],
)
def test_the_host_of_a_database(url: str, host: str) -> None:
    """What is not reached over the network, or over which way nobody knows, has none."""
    assert host_of_database(url) == host
