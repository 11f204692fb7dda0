"""SQLite (WAL) as the database: where it may live, connections, migrations, and its failures in words."""

import contextlib
import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from utils.database import Connection, Durability, News, StateError, Statement, StatementRefused
from utils.file_lock import FileLock
from utils.file_systems import MOUNTS, network_file_system
from utils.release import release
from utils.schema_version import TABLE, newer

T = TypeVar("T")

BUSY_TIMEOUT_MS = 30_000

_STATEMENT_AT_FAULT = {
    *(0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG),
    *(sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE),
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_ACCESS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR}
_CHECKPOINT_PAGES = 4000
_SYNCHRONOUS = {"process": "PRAGMA synchronous = NORMAL", "power": "PRAGMA synchronous = FULL"}


class DamagedError(StateError):
    """The content of a database is not what SQLite wrote."""


def damaged(error: UnicodeDecodeError) -> sqlite3.DatabaseError:
    """What SQLite says of a damaged database may quote bytes of it that are no text: then Python cannot read it out."""
    told = sqlite3.DatabaseError(f"database disk image is malformed: {error.object!r}")
    told.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return told


def explain(error: sqlite3.Error | OSError, path: Path) -> StateError:
    """The same failure in words a person can act on."""
    code = result_code(error)
    number = error.errno if isinstance(error, OSError) else None
    if code == sqlite3.SQLITE_FULL or number in _NO_ROOM or (code == sqlite3.SQLITE_IOERR and not _room(path)):
        return StateError(
            f"{path}: the disk is full",
            hint="free space (`maintain` purges what may go), then run again",
            transient=True,
        )
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN} or number in _NO_ACCESS:
        return StateError(
            f"{path}: cannot be written ({error})", hint="give this user write access, or choose another --state-dir"
        )
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return DamagedError(
            f"{path}: the database is damaged ({error})",
            hint="restore it from a backup, or move it away to start afresh",
        )
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or number == errno.ETIMEDOUT:
        return StateError(
            f"{path}: another process kept it locked for {BUSY_TIMEOUT_MS // 1000} s",
            hint="try again; one that was stopped (`ps` shows T) has to go on (`kill -CONT`) or to end",
            transient=True,
        )
    if code not in _STATEMENT_AT_FAULT or isinstance(error, OSError):
        hint = "check the disk's health, its quota, and the limit to the size of files (`ulimit -f`)"
        return StateError(f"{path}: {error}", hint=hint if code == sqlite3.SQLITE_IOERR else "")
    return StatementRefused(f"{path}: {error}")


def prepare_directory(path: Path, *, mounts: str = MOUNTS) -> None:
    """Make a state directory (0700); refuse one that cannot be written or lies on a network file system.

    SQLite's locks and shared memory are not reliable over a network, so a shared folder would lose data silently.

    Raises:
        StateError: what is wrong with the directory and what to do.
    """
    if kind := network_file_system(path, mounts):
        raise StateError(
            f"{path}: lies on a network file system ({kind}), where SQLite loses data",
            hint="put the state on a local disk with --state-dir",
        )
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StateError(f"{path}: is not a directory", hint="choose another --state-dir") from error
    except OSError as error:
        told = explain(error, path)
        raise StateError(str(told), hint=told.hint or "choose another --state-dir", transient=told.transient) from error
    if not os.access(path, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise StateError(
            f"{path}: cannot be written by this user", hint="give this user write access, or choose another --state-dir"
        )


class SqliteDatabase:
    """One SQLite file: connections that are lent to whoever reads, one of its own for the writer.

    Args:
        migrations: The script of each schema version in order; a newer file is refused with the version it has.
        durability: `process` survives any kill of ours (synchronous NORMAL), `power` also a power cut (FULL).

    Raises:
        StateError: the file cannot be opened, is damaged, or was written by a newer version.
    """

    batches = False

    def __init__(self, path: Path, *, migrations: Sequence[str], durability: Durability = "process") -> None:
        self.path = path
        self.name = str(path)
        self._migrations = migrations
        self._durability = durability
        self._open: list[sqlite3.Connection] = []
        self._idle: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        self._looking = threading.Lock()
        self._look: sqlite3.Connection | None = None
        try:
            self._open_file()
        except BaseException:
            self.close()
            raise

    def _open_file(self) -> None:
        try:
            # Three of 96 simultaneous first opens failed with "locked" at the switch to WAL; under a lock none did.
            with FileLock(self.path.with_suffix(".lock"), within=BUSY_TIMEOUT_MS / 1000):
                self._begin()
        except (sqlite3.Error, OSError) as error:
            raise explain(error, self.path) from error

    def _begin(self) -> None:
        """Make the file, or bring it up to date. The lock is held."""
        # Made here, for ours alone; SQLite gives the files beside it the same mode. One that exists is
        # not opened: closing any descriptor of a file drops all of this process's locks on it, those of
        # another `Database` included, and then the next process to leave deletes the log under us.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        if self.path.is_dir():
            raise StateError(
                f"{self.path}: is a directory, where a database should be",
                hint="restore the database from a backup, or move the directory away to start afresh",
            )
        with self._lent() as connection:
            self._use_wal(connection)
            self._migrate(connection)

    def connect(self) -> sqlite3.Connection:
        """A new connection in autocommit mode, usable from any thread; closed with the database."""
        with self._guard:
            if self._closed:
                raise StateError(f"{self.path}: was closed")
            connection = sqlite3.connect(
                self.path,
                timeout=BUSY_TIMEOUT_MS / 1000,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            self._open.append(connection)
        try:
            connection.execute(_SYNCHRONOUS[self._durability])  # the first that reads the schema
        except UnicodeDecodeError as error:
            raise damaged(error) from error
        # Hot pages (the ends of the indexes) are copied back once for many commits, with a fourth of the flushes.
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        return connection

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Borrow a connection. Threads come and go with every run, so connections are lent, not kept by a thread."""
        with self._lent() as connection:
            yield connection

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a reading statement."""
        try:
            with self._lent() as connection:
                return connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._explained(error) from error

    @contextlib.contextmanager
    def transaction(self, *, durability: Durability | None = None) -> Iterator[sqlite3.Connection]:
        """A write transaction on a borrowed connection; rolled back when the block raises.

        `durability` is that of this one transaction, when it is not the database's own.
        """
        try:
            with self.read() as connection:
                if durability is not None:
                    connection.execute(_SYNCHRONOUS[durability])
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    try:
                        yield connection
                        connection.execute("COMMIT")
                    except BaseException:
                        roll_back(connection)
                        raise
                finally:
                    if durability is not None:
                        connection.execute(_SYNCHRONOUS[self._durability])
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def change(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """What `step` gives, in a write transaction; done once more when damage was found that can be mended."""
        try:
            with self.transaction() as connection:
                return step(connection)
        except DamagedError:
            with self.transaction() as connection:
                return step(connection)

    def changes(self) -> int:
        """A number that differs once another connection changed something; cheap enough to be asked often."""
        try:
            with self._looking:
                # `data_version` counts what OTHER connections changed, so all looks go through the same one.
                if self._look is None:
                    self._look = self.connect()
                (version,) = self._look.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise self._explained(error) from error
        return int(version)

    def transaction_reading(self, reads: Sequence[Statement], *, together: bool = False) -> "_Transaction":
        return _Transaction(self, self._idle, reads)

    def explain(self, error: BaseException) -> StateError | None:
        return self._explained(error) if isinstance(error, sqlite3.Error) else None

    def news(self) -> News:
        from utils.sqlite_news import SqliteNews

        return SqliteNews(self.changes, self.path)

    def announce(self, connection: Connection) -> None:
        """Nothing to do: whoever waits looks at the file's own counter."""

    def tidy(self) -> int:
        wal = self.path.with_name(f"{self.path.name}-wal")
        before = wal.stat().st_size if wal.exists() else 0
        self.query("PRAGMA optimize")
        self.query("PRAGMA wal_checkpoint(TRUNCATE)")
        return max(0, before - (wal.stat().st_size if wal.exists() else 0))

    def damage(self) -> str:
        (found,) = self.query("PRAGMA quick_check(1)")[0]
        return "" if found == "ok" else str(found)

    def server_time(self, connection: Connection | None = None) -> None:
        """None: the file lies on a disk of this machine."""

    def identity(self) -> tuple[object, ...]:
        try:
            about = self.path.stat()
        except OSError:
            return ()
        return about.st_dev, about.st_ino

    def close(self) -> None:
        with self._guard:
            self._closed = True
            for connection in self._open:
                connection.close()
            self._open.clear()
            self._idle.clear()

    @contextlib.contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        idle = self._idle  # where it goes back to: the list is another one once the file was replaced
        try:
            connection = idle.pop()
        except IndexError:
            connection = self.connect()
        try:
            yield connection
        finally:
            idle.append(connection)

    def _explained(self, error: sqlite3.Error) -> StateError:
        return explain(error, self.path)

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StateError(
                f"{self.path}: this file system does not let processes share memory (journal mode {mode!r})",
                hint="put the state on a local disk with --state-dir",
            )

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(self._migrations):
            raise newer(str(self.path), version, len(self._migrations), _release_of(connection, version))
        if not version and connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
            raise StateError(
                f"{self.path}: holds tables, but not ours: the database of another program, or a damaged one",
                hint="restore it from a backup, or move it away to start afresh",
            )
        for number, script in enumerate(self._migrations[version:], start=version + 1):
            by = f"CREATE TABLE IF NOT EXISTS {TABLE} (version INTEGER NOT NULL, release TEXT NOT NULL);"
            by += f"INSERT INTO {TABLE} VALUES ({number}, '{release()}')"  # noqa: S608 - our own
            connection.executescript(f"BEGIN; {script}; {by}; PRAGMA user_version = {number}; COMMIT;")


def _release_of(connection: sqlite3.Connection, version: int) -> str | None:
    """The release that made it so, if that was written down."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (TABLE,)).fetchone():
        return None
    found = connection.execute(f"SELECT release FROM {TABLE} WHERE version = ?", (version,)).fetchone()  # noqa: S608 - our own
    return str(found[0]) if found else None


class _Transaction:
    """Every append goes through one of these: as a generator it took a tenth longer, with `transaction` a fifth."""

    __slots__ = ("_connection", "_database", "_idle", "_reads")

    def __init__(self, database: SqliteDatabase, idle: list[sqlite3.Connection], reads: Sequence[Statement]) -> None:
        self._database = database
        self._idle = idle
        self._reads = reads

    def __enter__(self) -> tuple[sqlite3.Connection, list[list[Any]]]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._database.connect()
        self._connection = connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            return connection, [connection.execute(sql, values).fetchall() for sql, values in self._reads]
        except BaseException as error:
            self._undo(error)
            raise

    def __exit__(self, kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None:
            self._undo(error)
            return
        try:
            self._connection.execute("COMMIT")
        except BaseException as failure:
            self._undo(failure)
            raise
        self._idle.append(self._connection)

    def _undo(self, error: BaseException) -> None:
        """Raises the database's own failures in words; for others the caller raises what it has."""
        roll_back(self._connection)
        self._idle.append(self._connection)
        if (told := self._database.explain(error)) is not None:
            raise told from error


def roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back already; the first error is the news
        connection.execute("ROLLBACK")


def result_code(error: BaseException) -> int:
    """SQLite's primary result code; 0 for what did not come from SQLite."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _room(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free > 2**20
    except OSError:
        return True
