"""A copy of all that an installation keeps, in one file, while it works; proven by being read back."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from integrated_system import IntegratedSystem
from operations.actor import Actor, UsageError, operation
from operations.housekeeping import Busy, turn
from operations.kept import MIGRATIONS
from operations.restore import Found, proven
from operations.retention import RETENTION
from utils.backup_file import FORMAT, About, BackupWriter
from utils.database import Database, StateError
from utils.events import NewEvent, rfc3339
from utils.events.rows import HEAD
from utils.release import release
from utils.shared_tables import copy_shared
from utils.sqlite import SqliteDatabase, explain
from utils.storage import BlobNotFound
from utils.table_copy import copy_tables, figures

__all__ = ["Backup", "backup", "verify_backup"]


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made, or looked at. `size` in bytes."""

    path: Path
    size: int
    found: Found

    def to_json(self) -> dict[str, Any]:
        return {"path": str(self.path), "size_bytes": self.size, **self.found.to_json()}


@operation("admin")
def backup(system: IntegratedSystem, actor: Actor, to: Path) -> Backup:
    """Write a backup into a new file, or into a folder under a name of the moment; then read it back and prove it.

    Runs go on meanwhile. Nothing that the copy of the log names is removed until its file was copied.

    Raises:
        UsageError: the file exists, or its folder does not.
        Busy: maintenance, another backup, or somebody who decides over versions is at work.
        StateError: it cannot be written, or is not as it should be; nothing is left of it.
    """
    moment = system.clock.now()
    path = to / f"orchestrator-{moment:%Y%m%dT%H%M%SZ}.tar.gz" if to.is_dir() else to
    if path.exists():
        raise UsageError(f"{path}: exists already", hint="name a new file, or a folder")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent}: there is no such folder", hint="make it first")
    unfinished = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        with _folder(system) as folder:
            _write(system, unfinished, folder, rfc3339(moment))
            found = proven(system, unfinished, folder / "proof")
        os.link(unfinished, path)  # unlike a renaming it never takes the place of another file
    except OSError as error:
        raise explain(error, path) from error
    finally:
        unfinished.unlink(missing_ok=True)
    done = Backup(path, path.stat().st_size, found)
    data = {"actor": actor.name, **done.to_json()}
    system.events.append([NewEvent("backup.made", "backup", data, source="operations")])
    return done


def verify_backup(system: IntegratedSystem, path: Path) -> Backup:
    """Unpack a backup aside and prove all of it, as `restore` does; nothing is left of that.

    Raises:
        StateError: it is damaged, or a newer release's; or there is no room to unpack it.
    """
    with _folder(system) as folder:
        found = proven(system, path, folder / "proof")
    return Backup(path, path.stat().st_size, found)


@contextmanager
def _folder(system: IntegratedSystem) -> Iterator[Path]:
    """A folder for copies; `maintain` removes what a kill leaves of it."""
    above = system.state_dir / "tmp"
    above.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="backup-", dir=above))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(system: IntegratedSystem, path: Path, folder: Path, made_at: str) -> None:
    """The databases first, then all that the copy of the log may name: files are only added meanwhile."""
    log, coordination = folder / "orchestrator.db", folder / "coordination.db"
    with _nothing_goes(system):
        if isinstance(system.database, SqliteDatabase):
            _copied(system.database, log)
        else:
            _rows_copied(system.database, log)
        _copied(system.coordination, coordination)
        with closing(sqlite3.connect(coordination, isolation_level=None)) as copy:
            if system.shared is not system.coordination:
                with system.shared.read() as there:
                    copy_shared(there, copy)
            copy.execute("UPDATE leases SET owner = NULL, run = NULL")  # nobody works in the copy
        with closing(sqlite3.connect(log)) as copy:
            seq, head = copy.execute(HEAD).fetchone() or (0, "")
        about = About(FORMAT, release(), made_at, len(MIGRATIONS), f"{seq}:{head}")
        with _new(path) as file:
            with BackupWriter(file, about) as writer:
                for copied in (log, coordination):
                    with copied.open("rb") as database:
                        writer.add(copied.name, database)
                    copied.unlink()
                for blob in system.storage.list():
                    try:
                        content = system.storage.passing(blob.path)
                    except BlobNotFound:
                        continue  # quarantined rows were replayed or dropped; a version that is gone is found later
                    with content:
                        writer.add(f"storage/{blob.path}", content)
                writer.finish()
            file.flush()
            os.fsync(file.fileno())


def _new(path: Path) -> IO[bytes]:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


@contextmanager
def _nothing_goes(system: IntegratedSystem) -> Iterator[None]:
    """Nobody removes a version, seals events or moves a held batch as long as this lasts."""
    with turn(system):
        if not (lease := system.leases.acquire([RETENTION])):
            raise Busy("somebody decides over versions just now", hint="try again in a moment")
        try:
            yield
        finally:
            system.leases.release(lease)


def _copied(database: SqliteDatabase, to: Path) -> None:
    """A copy as of one moment: one read transaction, beside which others write on."""
    _new(to).close()
    try:
        with database.read() as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        raise StateError(f"{database.name}: cannot be copied ({error})", hint="see `maintain`") from error


def _rows_copied(database: Database, to: Path) -> None:
    """The same of a PostgreSQL: its rows as of one moment, in a SQLite of the same schema."""
    from utils.postgres import PostgresDatabase

    assert isinstance(database, PostgresDatabase)
    with (
        closing(SqliteDatabase(to, migrations=MIGRATIONS)) as copy,
        database.snapshot() as there,
        copy.transaction() as here,
    ):
        copied = copy_tables(there, here, like=here)
        if copied != figures(here, like=here):
            raise StateError(f"{database.name}: what was copied came out different", hint="report it")
