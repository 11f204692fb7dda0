"""A real FTP server: files, patterns, logins."""

import os
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.collect.files.object_store import ObjectStoreCollector, Options
from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderRefused, ProviderUnavailable
from tests.data_pipeline.collect.requests import make_request
from tests.servers.ftp import PASSWORD, USER, FtpServer

OLD = 1_700_000_000


def fetch(server: FtpServer, path: str, folder: Path, **keys: Any) -> Collected:
    collector = ObjectStoreCollector()
    given = {"url": f"ftp://127.0.0.1:{server.port}/{path}", "options": {"username": USER, "password": PASSWORD}}
    options = Options(**{**given, **keys})
    provider = collector.provider_of(options, "rates")
    return collector.collect(make_request(options, folder / "spool", provider=provider))


def contents(collected: Collected) -> dict[str, bytes]:
    return {payload.name: payload.open().read() for payload in collected.payloads}


def test_files_of_folders_come_whole_and_with_their_times(ftp_server: FtpServer, tmp_path: Path) -> None:
    """Bytes as they lie there, line ends included; half a megabyte too."""
    big = os.urandom(500_000)
    for name, content in (("a.csv", b"id\r\n1\n"), ("b.csv", big), ("c.txt", b"?")):
        path = ftp_server.root / "out/2026" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (OLD, OLD))
    collected = fetch(ftp_server, "out/*/*.csv", tmp_path)
    assert contents(collected) == {"a.csv": b"id\r\n1\n", "b.csv": big}
    assert [seen.modified for seen in collected.provenance.files] == [OLD, OLD]
    assert contents(fetch(ftp_server, "out/2026/a.csv", tmp_path)) == {"a.csv": b"id\r\n1\n"}


def test_what_is_wrong_is_told(ftp_server: FtpServer, tmp_path: Path) -> None:
    """Not there, not let in, nobody at home; no password in any of it."""
    (ftp_server.root / "rates.csv").write_bytes(b"x")
    for path, words in (("rates.cvs", "there is no file"), ("*.xml", "no file matches"), ("no/*.csv", "not there")):
        with pytest.raises(ProviderRefused, match=words):
            fetch(ftp_server, path, tmp_path)
    with pytest.raises(ProviderRefused, match="not let in") as caught:
        fetch(ftp_server, "*.csv", tmp_path, options={"username": USER, "password": "wrong-secret"})
    assert "wrong-secret" not in str(caught.value)
    login = f"{USER}:wrong-secret@127.0.0.1:{ftp_server.port}"
    with pytest.raises(ProviderRefused, match="not let in") as caught:
        fetch(ftp_server, "", tmp_path, url=f"ftp://{login}/*.csv", options={})
    assert "wrong-secret" not in str(caught.value) + caught.value.hint


def test_a_host_that_is_not_there_may_come_back(tmp_path: Path) -> None:
    """Worth another try."""
    with pytest.raises(ProviderUnavailable, match="connection failed"):
        fetch(FtpServer(1, tmp_path), "a.csv", tmp_path)
