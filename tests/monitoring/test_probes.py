"""What the kinds of configured checks look at, each against the real thing."""

import base64
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from monitoring import probes
from monitoring.probes import Unwell
from tests import faulty_server as fault
from tests.faulty_server import FaultyServer


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize(("status", "well"), [(200, True), (204, True), (404, False), (500, False), (503, False)])
def test_an_address_is_well_below_400(status: int, well: bool) -> None:
    """The status is told either way."""
    with FaultyServer(fault.status(status)) as server:
        look = probes.http(server.url, 5.0)
        if well:
            assert look() == f"status {status}"
        else:
            with pytest.raises(Unwell, match=f"status {status}"):
                look()


def test_the_user_part_of_an_address_is_sent_as_credentials_and_never_told() -> None:
    """As Basic; percent-encoded signs are decoded."""
    seen: list[dict[str, str]] = []

    def answer(request: fault.Request) -> fault.Answer:
        seen.append(dict(request.headers))
        return fault.ok(b"")

    with FaultyServer(answer) as server:
        told = probes.http(server.url.replace("http://", "http://me:p%40ss@"), 5.0)()

    assert told == "status 200"
    assert base64.b64decode(seen[0]["authorization"].removeprefix("Basic ")) == b"me:p@ss"


def test_a_redirect_takes_no_credentials_to_another_server() -> None:
    """On the same one they go along; what is not HTTP is not followed."""
    with FaultyServer(fault.ok(b"")) as other:
        answers = [fault.redirect("/there"), fault.redirect(f"{other.url}/x"), fault.redirect("ftp://127.0.0.1/x")]
        with FaultyServer(answers) as server:
            look = probes.http(server.url.replace("http://", "http://me:secret@"), 5.0)
            assert look() == "status 200"
            with pytest.raises(Unwell, match="a redirect to what is not HTTP"):
                look()
            shown = ["authorization" in request.headers for request in server.requests]
        strangers = [dict(request.headers) for request in other.requests]

    assert shown == [True, True, True]
    assert [headers for headers in strangers if "authorization" in headers] == []
    assert len(strangers) == 1


def test_a_server_that_is_not_there_is_told() -> None:
    """Over HTTP and TCP, in the system's words."""
    port = _free_port()
    for look in (probes.http(f"http://127.0.0.1:{port}/", 1.0), probes.tcp("127.0.0.1", port, 1.0)):
        with pytest.raises(Unwell, match="Connection refused"):
            look()


def test_a_server_that_takes_connections_is_well() -> None:
    """Nothing is said to it."""
    with FaultyServer(fault.ok(b"")) as server:
        port = urlsplit(server.url).port or 0
        assert probes.tcp("127.0.0.1", port, 1.0)() == f"127.0.0.1:{port} takes connections"


def test_a_sqlite_file_is_asked_and_never_made(tmp_path: Path) -> None:
    """One that is there answers; a missing one and one that is none do not, and stay as they are."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE a (b)")
    (tmp_path / "other").write_text("no database at all, but long enough to be read as its header" * 20)

    assert probes.database(f"sqlite:///{path}", 1.0)() == "answers"
    with pytest.raises(Unwell, match="unable to open"):
        probes.database(f"sqlite:///{tmp_path / 'none.db'}", 1.0)()
    with pytest.raises(Unwell, match="not a database"):
        probes.database(f"sqlite:///{tmp_path / 'other'}", 1.0)()
    assert not (tmp_path / "none.db").exists()


def test_a_postgresql_server_is_asked(postgres: str) -> None:
    """One that is there answers; at a port where nobody is, the reason is told without the password."""
    assert probes.database(postgres, 5.0)() == "answers"
    with pytest.raises(Unwell) as told:
        probes.database(f"postgresql+psycopg://me:hunter2@127.0.0.1:{_free_port()}/shop", 1.0)()
    assert "refused" in str(told.value)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("used", "told"),
    [(50, "50 % of the disk"), (85, "above 80 %, it fills"), (96, None)],
    ids=["has room", "fills", "is full"],
)
def test_a_disk_is_ill_from_its_critical_limit_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, used: int, told: str | None
) -> None:
    """Below it the words say that it fills."""
    figures: Any = shutil._ntuple_diskusage(100, used, 100 - used)  # type: ignore[attr-defined]  # a named tuple of it
    monkeypatch.setattr(shutil, "disk_usage", lambda path: figures)
    look = probes.disk(tmp_path, (80.0, 95.0))

    if told is not None:
        assert told in look()
    else:
        with pytest.raises(Unwell, match="95 % is the limit"):
            look()


def test_a_disk_that_is_not_there_is_ill(tmp_path: Path) -> None:
    """The path is named."""
    with pytest.raises(Unwell, match="gone"):
        probes.disk(tmp_path / "gone", (80.0, 95.0))()


@pytest.mark.parametrize(
    ("beat", "now", "told"),
    [
        (None, 0.0, "never came"),
        (1_000.0, 1_035.0, None),
        (1_000.0, 1_036.0, r"36 s ago, at 1970-01-01 00:16:40Z; 35 s are allowed"),
        (1_000.0, 900.0, None),
    ],
    ids=["never", "in time", "late", "the clock was set back"],
)
def test_a_heartbeat_is_well_while_it_comes_in_time(beat: float | None, now: float, told: str | None) -> None:
    """To the second that is allowed; a beat from the future is in time."""
    look = probes.heartbeat("backup", lambda name: beat, 35.0, lambda: now)

    if told is None:
        assert "heartbeat `backup` came" in look()
    else:
        with pytest.raises(Unwell, match=told):
            look()
