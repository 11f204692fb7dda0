"""A backup holds all that an installation keeps, is proven, and becomes an installation that works on."""

import gzip
import io
import json
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor, NotAllowedError, UsageError
from operations.backup import backup, verify_backup
from operations.housekeeping import Busy, turn
from operations.kept import MIGRATIONS
from operations.restore import restore
from tests.integration.installation import ROOT as ROOT_FOLDER
from tests.integration.installation import Installation
from utils.backup_file import FORMAT, About, BackupDamaged, BackupWriter
from utils.database import StateError
from utils.storage import Storage

ROOT = Actor("root", "admin")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Installation, Path]:
    """An installation with a small, a large and a growing dataset, and its backup; only to be looked at."""
    installation = Installation(tmp_path_factory.mktemp("installation"))
    installation.configure(
        {"name": "small", "collect": {"kind": "simulated", "rows": 3}},
        {"name": "large", "collect": {"kind": "simulated", "rows": 5000}},
        {"name": "grows", "collect": {"kind": "simulated", "rows": 4}, "write": "append"},
    )
    installation.run()
    installation.run(fresh=True)
    path = installation.folder / "backup.tar.gz"
    with installation.system() as system:
        done = backup(system, ROOT, path)
        assert done.found.events == system.events.head()[0] - 1  # the event that tells of it came later
    return installation, path


def _names(path: Path) -> list[str]:
    with tarfile.open(path) as tar:
        return tar.getnames()


def test_a_backup_is_one_private_file_with_the_databases_and_all_blobs(made: tuple[Installation, Path]) -> None:
    """Cache, locks, logs and temporary files are not in it; what it is stands first, the hashes last."""
    installation, path = made
    with installation.system() as system:
        blobs = {f"storage/{blob.path}" for blob in system.storage.list()}
        (told,) = system.events.read(type="backup.made")

    names = _names(path)

    assert (names[0], names[-1]) == ("about.json", "manifest.json")
    assert set(names[1:-1]) == {"orchestrator.db", "coordination.db", *blobs}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (told.data["actor"], told.data["size_bytes"], told.data["damaged"]) == ("root", path.stat().st_size, [])
    assert not list((installation.state / "tmp").glob("backup-*"))


def test_a_restored_installation_has_the_rows_and_goes_on(made: tuple[Installation, Path], tmp_path: Path) -> None:
    """Elsewhere: the same rows, the same chain with the restoration as its next event, and runs that are recorded."""
    installation, path = made
    elsewhere = Installation(tmp_path)
    elsewhere.config, elsewhere.state = installation.config, tmp_path / "state"

    with IntegratedSystem(installation.config, environ={}) as lends:
        done = restore(lends, ROOT, path, elsewhere.state)

    for name in ("small", "large", "grows"):
        assert elsewhere.rows(name) == installation.rows(name)
    with elsewhere.system() as system:
        (told,) = system.events.read(type="state.restored")
        seq = int(done.found.about.head.partition(":")[0])
        assert (told.seq, told.data["head"], told.data["actor"]) == (seq + 1, done.found.about.head, "root")
        assert system.events.verify(done.found.about.head).fault is None
    went_on = elsewhere.run(fresh=True)
    assert (went_on.status, {one.unchanged for one in went_on.datasets}) == ("succeeded", {True})
    assert stat.S_IMODE(elsewhere.state.stat().st_mode) == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_backup_while_datasets_run_is_whole_and_named_by_its_head(tmp_path: Path) -> None:
    """Versions that are accepted while the files are copied are not named by the log's copy; leases are nobody's."""
    installation = Installation(tmp_path)
    installation.configure({"name": "one", "collect": {"kind": "simulated", "rows": 50}})
    installation.run()
    with installation.system() as system:
        before, listed, ran = system.events.head(), system.storage.list, []

        def run_between(prefix: str = "") -> Any:
            ran.append(installation.run(fresh=True).status)
            return listed(prefix)

        system.storage.list = run_between  # type: ignore[method-assign]  # the moment between log and files
        held = system.leases.acquire(["dataset:one"])
        system.leases.release(held)
        system.leases.acquire(["somebody"])
        done = backup(system, ROOT, tmp_path)
        assert (done.found.about.head, done.found.damaged) == (f"{before[0]}:{before[1]}", ())

        restore(system, ROOT, done.path, tmp_path / "again")

    assert ran == ["succeeded"]
    with closing(sqlite3.connect(tmp_path / "again" / "coordination.db")) as copy:
        assert copy.execute("SELECT count(*) FROM leases WHERE owner IS NOT NULL").fetchone() == (0,)


@pytest.mark.parametrize("where", [0.1, 0.4, 0.7, 0.98], ids=["early", "before the middle", "after it", "late"])
@pytest.mark.parametrize("harm", ["garbled", "cut"])
def test_damage_anywhere_is_found_and_nothing_is_put_in_place(
    made: tuple[Installation, Path], tmp_path: Path, where: float, harm: str
) -> None:
    """Some bytes that are garbled, or an end that is missing."""
    installation, path = made
    content = bytearray(path.read_bytes())
    at = int(len(content) * where)
    # One bit may be harmless: among zeros, gzip may copy from any other place.
    content[at : at + 64] = bytes(one ^ 0xFF for one in content[at : at + 64])
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(content[:at] if harm == "cut" else content)

    with installation.system() as system:
        with pytest.raises(BackupDamaged):
            verify_backup(system, bad)
        with pytest.raises(BackupDamaged):
            restore(system, ROOT, bad, tmp_path / "state")

    assert [path.name for path in tmp_path.iterdir()] == ["bad.tar.gz"]


def _again(path: Path, to: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A backup whose files were changed by somebody who packs it anew, with the manifest as it was."""
    with tarfile.open(path) as old, tarfile.open(to, "w:gz", compresslevel=1) as new:
        for entry in old:
            source = old.extractfile(entry)
            assert source is not None
            if (content := change(entry.name, source.read())) is not None:
                entry.size = len(content)
                new.addfile(entry, io.BytesIO(content))
    return to


@pytest.mark.parametrize("change", ["other content", "missing", "climbs out", "no manifest"])
def test_a_backup_that_was_packed_anew_is_found_out(
    made: tuple[Installation, Path], tmp_path: Path, change: str
) -> None:
    """Every file of it has its SHA-256; nothing is written outside."""
    installation, path = made
    victim = next(name for name in _names(path) if name.startswith("storage/"))

    def changed(name: str, content: bytes) -> bytes | None:
        if change == "no manifest":
            return None if name == "manifest.json" else content
        if name != victim or change == "climbs out":
            return content
        return None if change == "missing" else content[:-1] + bytes([content[-1] ^ 1])

    bad = _again(path, tmp_path / "bad.tar.gz", changed)
    if change == "climbs out":
        with bad.open("wb") as file, BackupWriter(file, About(FORMAT, "1.0.0", "", 1, "0:")) as writer:
            writer.add("storage/../../out", io.BytesIO(b"x"))
            writer.finish()

    with installation.system() as system, pytest.raises(BackupDamaged):
        verify_backup(system, bad)
    assert not list(tmp_path.rglob("out"))


@pytest.mark.parametrize("newer", ["format", "schema"])
def test_what_a_newer_release_made_is_refused_with_that_release(
    made: tuple[Installation, Path], tmp_path: Path, newer: str
) -> None:
    """The message names the release to use."""
    installation, _ = made
    about = About(FORMAT, "9.9.0", "2030-01-01T00:00:00Z", len(MIGRATIONS), "0:")
    about = replace(about, **{newer: 1 + getattr(about, newer)})
    path = tmp_path / "newer.tar.gz"
    with path.open("wb") as file, BackupWriter(file, about) as writer:
        writer.finish()

    with installation.system() as system, pytest.raises(StateError, match=newer) as refused:
        restore(system, ROOT, path, tmp_path / "state")

    assert "9.9.0" in refused.value.hint


def test_a_version_that_was_damaged_before_is_named(tmp_path: Path) -> None:
    """The backup is kept, for the rest of it is whole; it does not call the damaged version whole."""
    installation = Installation(tmp_path)
    installation.configure({"name": "one", "collect": {"kind": "simulated", "rows": 2}})
    installation.run()
    with installation.system() as system:
        (version,) = system.views.versions()
        system.storage.put_bytes(version.path, b"something else")

        done = backup(system, ROOT, tmp_path)

    assert done.found.damaged == (f"one {version.version}",)


def test_nothing_is_ever_replaced(made: tuple[Installation, Path], tmp_path: Path) -> None:
    """Neither an existing file by a backup, nor a state that holds something by a restoration."""
    installation, path = made
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "mine").write_text("kept")
    with installation.system() as system:
        with pytest.raises(UsageError, match="exists already"):
            backup(system, ROOT, path)
        with pytest.raises(UsageError, match="not empty"):
            restore(system, ROOT, path, tmp_path / "state")
        with pytest.raises(UsageError, match="no such folder"):
            backup(system, ROOT, tmp_path / "none" / "b.tar.gz")
        with pytest.raises(UsageError, match="no such file"):
            verify_backup(system, tmp_path / "none.tar.gz")


def test_only_an_admin_makes_one_and_not_while_something_is_removed(
    made: tuple[Installation, Path], tmp_path: Path
) -> None:
    """A backup holds everything; and what it names must stay until it was copied."""
    installation, _ = made
    with installation.system() as system:
        with pytest.raises(NotAllowedError):
            backup(system, Actor("anna"), tmp_path)
        with turn(system), pytest.raises(Busy):
            backup(system, ROOT, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failure_in_the_middle_leaves_nothing(
    made: tuple[Installation, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills while files are copied: no file in the folder, no copy in the state, and the next one works."""
    installation, _ = made

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with installation.system() as system:
        with monkeypatch.context() as patched:
            patched.setattr(Storage, "open", full)
            with pytest.raises(StateError, match="disk is full"):
                backup(system, ROOT, tmp_path)
        assert not list(tmp_path.iterdir())
        assert not list((installation.state / "tmp").glob("backup-*"))
        assert backup(system, ROOT, tmp_path).path.is_file()


def test_the_commands_make_prove_and_restore(
    made: tuple[Installation, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`backup`, `backup --verify`, `restore`: as JSON and in words, with the exit codes of the contract."""
    installation, path = made

    assert installation.typed("backup", str(tmp_path), "--json") == 0
    written = json.loads(capsys.readouterr().out)
    assert installation.typed("backup", "--verify", written["path"]) == 0
    assert f"head {written['head']}" in capsys.readouterr().out
    assert installation.typed("restore", written["path"], "--into", str(tmp_path / "new")) == 0
    assert "restored as of" in capsys.readouterr().out
    with gzip.open(path) as packed, (tmp_path / "bad.tar.gz").open("wb") as bad:
        bad.write(packed.read(1000))
    assert installation.typed("backup", "--verify", str(tmp_path / "bad.tar.gz")) == 1
    assert installation.typed("backup") == 2
    assert (tmp_path / "new" / "orchestrator.db").is_file()


_KILLED = """
import sys
from pathlib import Path
import operations.backup, operations.restore
from integrated_system import IntegratedSystem
from operations.actor import Actor
from utils.storage import Storage

def stand_still(*_, **__):
    print("in the middle", flush=True)
    sys.stdin.read()

what, config, state, path, into = sys.argv[1:]
if what == "backup":
    Storage.list = stand_still
else:
    operations.restore.Results.damage = stand_still
with IntegratedSystem(Path(config), state_dir=Path(state)) as system:
    if what == "backup":
        operations.backup.backup(system, Actor("root", "admin"), Path(into))
    else:
        operations.restore.restore(system, Actor("root", "admin"), Path(path), Path(into))
"""


@pytest.mark.parametrize("what", ["backup", "restore"])
def test_a_kill_in_the_middle_leaves_nothing_half(made: tuple[Installation, Path], tmp_path: Path, what: str) -> None:
    """SIGKILL while files are copied, or proven: what was asked for is not there, and asked again it is whole."""
    installation, path = made
    into = tmp_path / ("b.tar.gz" if what == "backup" else "state")
    places = [str(place) for place in (installation.config, installation.state, path, into)]
    child = subprocess.Popen(
        [sys.executable, "-c", _KILLED, what, *places], cwd=ROOT_FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"in the middle\n"
        child.kill()

    assert not into.exists()
    with installation.system() as system:
        if what == "backup":
            assert verify_backup(system, backup(system, ROOT, into).path).found.damaged == ()
        else:
            assert restore(system, ROOT, path, into).found.damaged == ()
