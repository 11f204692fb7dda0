"""A real SFTP server: a nightly archive with its marker, logins, host keys, and faults in words."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from data_pipeline.collect.files import remote as remote_module
from data_pipeline.collect.files.object_store import ObjectStoreCollector, Options
from data_pipeline.dataset import Collected
from data_pipeline.errors import CollectError, ProviderRefused, ProviderUnavailable
from tests.data_pipeline.collect.requests import Calls, make_request
from tests.data_pipeline.collect.zips import zipped
from tests.servers.sftp import PASSWORD, USER, SftpServer

OLD = 1_700_000_000
Fetch = Callable[..., Collected]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own known hosts and keys must not matter."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def folder(sftp_server: SftpServer) -> Path:
    """A folder of the server, of this test alone."""
    folder = sftp_server.root / uuid4().hex[:8]
    folder.mkdir()
    return folder


@pytest.fixture
def fetch(sftp_server: SftpServer, folder: Path, tmp_path: Path) -> Iterator[Fetch]:
    """Collect a path below the test's folder."""
    collector = ObjectStoreCollector()

    def run(path: str, *, request: dict[str, Any] | None = None, **keys: Any) -> Collected:
        given = {"url": sftp_server.url(f"{folder.name}/{path}"), "options": sftp_server.options, **keys}
        options = Options(**given)
        more = {"provider": collector.provider_of(options, "rates"), **(request or {})}
        return collector.collect(make_request(options, tmp_path / "spool", **more))

    yield run
    collector.close()


def contents(collected: Collected) -> dict[str, bytes]:
    found = {}
    for payload in collected.payloads:
        with payload.open() as stream:
            found[payload.name] = stream.read()
    return found


def test_a_nightly_zipped_csv_with_a_ready_marker(fetch: Fetch, folder: Path) -> None:
    """Before the marker: wait. Then the members; the next run brings only the next night's archive."""
    keys = {"ready": "*.done"}
    path = "out/nightly_*.zip!*.csv"
    ledger: dict[str, Any] = {}
    request = {"only_new": True, "ledger": lambda: ledger}

    def run() -> Collected:
        collected = fetch(path, request=request, **keys)
        ledger.update({seen.path: seen for seen in collected.provenance.files})
        return collected

    (folder / "out").mkdir()
    (folder / "out/nightly_01.zip").write_bytes(zipped({"rates.csv": b"id\n1\n", "readme.txt": b"?"}))
    with pytest.raises(ProviderUnavailable, match=r"waits for marker `\*.done`: nightly_01.zip"):
        run()
    (folder / "out/nightly_01.zip.done").touch()
    assert contents(run()) == {"rates.csv": b"id\n1\n"}
    assert run().not_modified
    (folder / "out/nightly_02.zip").write_bytes(zipped({"rates.csv": b"id\n2\n"}))
    (folder / "out/nightly_02.done").touch()
    assert contents(run()) == {"rates.csv": b"id\n2\n"}


def test_files_come_with_provider_time_and_source(fetch: Fetch, folder: Path, sftp_server: SftpServer) -> None:
    """Host and port name the provider; neither user nor password stands anywhere."""
    (folder / "a.csv").write_bytes(b"x" * 100_000)
    os.utime(folder / "a.csv", (OLD, OLD))
    login = f"{USER}:{PASSWORD.replace('@', '%40').replace('/', '%2F')}"
    url = f"sftp://{login}@127.0.0.1:{sftp_server.port}/{folder.name}/a.csv"
    collected = fetch("", url=url, options={})
    (seen,) = collected.provenance.files
    assert contents(collected) == {"a.csv": b"x" * 100_000}
    assert collected.provenance.provider == f"127.0.0.1:{sftp_server.port}"
    assert collected.provenance.source == seen.path == f"sftp://127.0.0.1:{sftp_server.port}/{folder.name}/a.csv"
    assert seen.modified == OLD
    assert not any(secret in repr(collected.provenance) for secret in (USER, PASSWORD))


def test_links_are_followed_and_the_home_folder_has_a_name(fetch: Fetch, folder: Path, sftp_server: SftpServer) -> None:
    """A link to a file is the file, a broken one is nothing; `/~/` is where the server puts the user."""
    (folder / "a.csv").write_bytes(b"a")
    (folder / "b.csv").symlink_to("a.csv")
    (folder / "c.csv").symlink_to("nowhere")
    assert contents(fetch("*.csv")) == {"a.csv": b"a", "b.csv": b"a"}
    home = f"sftp://127.0.0.1:{sftp_server.port}/~/{folder.name}/"
    assert contents(fetch("", url=home + "a.*")) == {"a.csv": b"a"}
    assert contents(fetch("", url=home + "b.csv")) == {"b.csv": b"a"}


def test_a_key_lets_in_as_well(fetch: Fetch, folder: Path, sftp_server: SftpServer) -> None:
    """`key_filename` instead of a password."""
    (folder / "a.csv").write_bytes(b"a")
    options = {"username": USER, "key_filename": str(sftp_server.key_file)}
    assert contents(fetch("a.csv", options=options)) == {"a.csv": b"a"}


def test_a_wrong_password_is_told_without_it(fetch: Fetch, sftp_server: SftpServer) -> None:
    """No retry helps; the message names the options to look at."""
    with pytest.raises(ProviderRefused, match="not let in") as caught:
        fetch("*.csv", options={"username": USER, "password": "wrong-secret"})
    assert "password" in caught.value.hint
    assert "wrong-secret" not in str(caught.value)


def test_an_unknown_host_is_taken_with_a_note_that_pins_it(fetch: Fetch, folder: Path, sftp_server: SftpServer) -> None:
    """The note's own words, put into the options, are accepted; another key is refused before any password goes out."""
    (folder / "a.csv").write_bytes(b"a")
    (note,) = fetch("a.csv").provenance.notes
    assert "was not checked" in note
    fingerprint = note.partition("'")[2].partition("'")[0]
    for right in (fingerprint, sftp_server.host_key):
        assert fetch("a.csv", options={**sftp_server.options, "host_key": right}).provenance.notes == ()
    with pytest.raises(ProviderRefused, match=r"^rates: 127.* not the one in `options\.host_key`"):
        fetch("a.csv", options={**sftp_server.options, "host_key": "SHA256:" + "A" * 43})


def test_known_hosts_are_held_to_their_keys(
    fetch: Fetch, folder: Path, sftp_server: SftpServer, tmp_path: Path
) -> None:
    """The right key passes silently; a changed one, or a host missing from the named file, is refused."""
    import asyncssh

    (folder / "a.csv").write_bytes(b"a")
    host = f"[127.0.0.1]:{sftp_server.port}"
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    own = tmp_path / "home/.ssh/known_hosts"
    own.parent.mkdir(parents=True)
    own.write_text(f"{host} {sftp_server.host_key}\n")
    assert fetch("a.csv").provenance.notes == ()
    own.write_text(f"{host} {other}\n")
    with pytest.raises(ProviderRefused, match="key is not the one in the file of known hosts"):
        fetch("a.csv")
    named = tmp_path / "hosts"
    options = {**sftp_server.options, "known_hosts": str(named)}
    with pytest.raises(ProviderRefused, match="does not exist"):
        fetch("a.csv", options=options)
    named.write_text(f"elsewhere {other}\n")
    with pytest.raises(ProviderRefused, match=r"not in the file of `options\.known_hosts`"):
        fetch("a.csv", options=options)


def test_what_is_not_there_is_told(fetch: Fetch, folder: Path) -> None:
    """A missing folder, a missing file with the nearest name, a pattern without match, a folder."""
    (folder / "rates.csv").write_bytes(b"1")
    for path, words, hint in (
        ("none/*.csv", "not there", "folder does not exist"),
        ("none/a.csv", "not there", "folder does not exist"),
        ("rates.cvs", "there is no file", "did you mean rates.csv"),
        ("*.xml", "no file matches", "check `url`"),
        ("../" + folder.name, "is a folder", "pattern such as"),
    ):
        with pytest.raises(ProviderRefused, match=words) as caught:
            fetch(path)
        assert hint in caught.value.hint, path


def test_a_file_that_changes_while_it_is_read_is_tried_again(
    fetch: Fetch, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-written files are not taken; the next try, when it is still, is."""
    path = folder / "a.csv"
    path.write_bytes(b"1,")
    real, grown = remote_module.first_byte_arrived, []

    def growing_once() -> None:
        real()
        if not grown:
            grown.append(True)
            path.write_bytes(b"1,2\n")

    monkeypatch.setattr(remote_module, "first_byte_arrived", growing_once)
    with pytest.raises(ProviderUnavailable, match="changed while it was read"):
        fetch("a.csv")
    grown.clear()
    path.write_bytes(b"1,")
    assert contents(fetch("a.csv", request={"call": Calls(tries=2)})) == {"a.csv": b"1,2\n"}


def test_a_file_without_permission_is_refused(fetch: Fetch, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server says no; the others come."""
    import asyncssh

    real = asyncssh.SFTPServer.open

    def guarded(self: Any, path: bytes, *args: Any) -> Any:
        if path.endswith(b"b.csv"):
            raise asyncssh.SFTPPermissionDenied("not yours")
        return real(self, path, *args)

    monkeypatch.setattr(asyncssh.SFTPServer, "open", guarded)
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(name)
    collected = fetch("*.csv")
    assert (contents(collected), collected.provenance.partial) == ({"a.csv": b"a.csv"}, True)
    assert any("access denied" in note for note in collected.provenance.notes)
    with pytest.raises(ProviderRefused, match="access denied"):
        fetch("b.csv")


def test_a_server_that_stalls_is_left_in_time(fetch: Fetch, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection stands, but no byte of the file comes: `timeout.read` ends the wait; the next try is a new one."""
    import asyncssh

    real, stalled = asyncssh.SFTPServer.read, []

    async def stalling_once(self: Any, handle: Any, offset: int, size: int) -> Any:
        if not stalled:
            stalled.append(True)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                handle.close()  # the server itself forgets it when its client hangs up
        return real(self, handle, offset, size)

    monkeypatch.setattr(asyncssh.SFTPServer, "read", stalling_once)
    (folder / "a.csv").write_bytes(b"a")
    bounds = {"read_timeout": 2.0}
    with pytest.raises(ProviderUnavailable, match="no answer in time"):
        fetch("a.csv", request=bounds)
    stalled.clear()
    assert contents(fetch("a.csv", request={**bounds, "call": Calls(tries=2)})) == {"a.csv": b"a"}


def test_a_large_file_waits_on_disk(fetch: Fetch, folder: Path, tmp_path: Path) -> None:
    """Twelve megabytes arrive whole, and are not held in memory."""
    content = os.urandom(2**20) * 12
    (folder / "big.bin").write_bytes(content)
    collected = fetch("big.bin")
    assert len(list((tmp_path / "spool").iterdir())) == 1
    assert contents(collected)["big.bin"] == content
    collected.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_hosts_that_are_not_there_or_silent_are_told_in_time(fetch: Fetch) -> None:
    """A closed port, a server that says nothing, one that is no SSH server, a name that nobody knows."""
    began = time.monotonic()
    bounds = {"connect_timeout": 2.0}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        with pytest.raises(ProviderUnavailable, match="connection failed"):
            fetch("", url=f"sftp://127.0.0.1:{probe.getsockname()[1]}/a.csv", request=bounds)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ProviderUnavailable):
        fetch("", url=f"sftp://127.0.0.1:{silent.getsockname()[1]}/a.csv", request=bounds)
    with pytest.raises(ProviderUnavailable, match="cannot be resolved"):
        fetch("", url="sftp://no-such-host.invalid/a.csv", request=bounds)
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            connection, _ = web.accept()
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(CollectError) as caught:
            fetch("", url=f"sftp://127.0.0.1:{web.getsockname()[1]}/a.csv", request=bounds)
        thread.join(120)
        assert caught.value.transient
    assert time.monotonic() - began < 60
