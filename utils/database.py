"""SQLite (WAL): connections, migrations, and the one writer of a process."""

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

Durability = Literal["process", "power"]
Statement = tuple[str, tuple[Any, ...]]

BUSY_TIMEOUT_MS = 30_000
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "9p", "gfs2", "glusterfs"}
NETWORK_FUSE = ("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.ceph")


class StateError(Exception):
    """The state on disk cannot be used as it is. `hint` says what to do; `transient`: worth another try."""

    def __init__(self, message: str, *, hint: str = "", transient: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.transient = transient


def explain(error: sqlite3.Error | OSError, path: Path) -> StateError:
    """The same failure in words a person can act on."""
    text = str(error)
    if "full" in text or getattr(error, "errno", None) == 28:
        return StateError(
            f"{path}: the disk is full",
            hint="free space (`maintain` purges what may go), then run again",
            transient=True,
        )
    if "readonly" in text or "unable to open" in text or isinstance(error, PermissionError):
        return StateError(
            f"{path}: cannot be written ({text})", hint="give this user write access, or choose another --state-dir"
        )
    if "malformed" in text or "not a database" in text:
        return StateError(f"{path}: the database is damaged ({text})", hint="restore it from a backup")
    if "locked" in text:
        return StateError(f"{path}: another process kept it locked for 30 s", hint="try again", transient=True)
    return StateError(f"{path}: {text}")


def prepare_directory(path: Path, *, mounts: str = "/proc/self/mountinfo") -> None:
    """Make a state directory (0700); refuse one that cannot be written or lies on a network file system.

    SQLite's locks and shared memory are not reliable over a network, so a shared folder would lose data silently.

    Raises:
        StateError: what is wrong with the directory and what to do.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StateError(f"{path}: is not a directory", hint="choose another --state-dir") from error
    except OSError as error:
        raise explain(error, path) from error
    kind = file_system_of(path, mounts)
    if kind in NETWORK_FILE_SYSTEMS or kind.startswith(NETWORK_FUSE):
        raise StateError(
            f"{path}: lies on a network file system ({kind}), where SQLite loses data",
            hint="put the state on a local disk with --state-dir",
        )
    if not os.access(path, os.W_OK | os.X_OK):
        raise StateError(
            f"{path}: cannot be written by this user", hint="give this user write access, or choose another --state-dir"
        )


def file_system_of(path: Path, mounts: str = "/proc/self/mountinfo") -> str:
    """The type of the file system that holds `path` ("" where the system does not tell)."""
    try:
        lines = Path(mounts).read_text().splitlines()
    except OSError:
        return ""
    target, best, kind = str(path.resolve()), "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        mount = before.split()[4].encode().decode("unicode_escape")
        inside = target == mount or target.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, after.split()[0]
    return kind


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file for the duration of the block."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Database:
    """One SQLite file: read connections a thread, one writing connection for the writer.

    Args:
        migrations: The script of each schema version in order; a newer file is refused with the version it has.
        durability: `process` survives any kill of ours (synchronous NORMAL), `power` also a power cut (FULL).

    Raises:
        StateError: the file cannot be opened, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path, *, migrations: Sequence[str], durability: Durability = "process") -> None:
        self.path = path
        self._migrations = migrations
        self._durability = durability
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        try:
            # Three of 96 simultaneous first opens failed with "locked" at the switch to WAL; under a lock none did.
            with file_lock(path.with_suffix(".lock")):
                connection = self.connect()
                connection.execute("PRAGMA journal_mode = WAL")
                path.chmod(0o600)
                self._migrate(connection)
        except (sqlite3.Error, OSError) as error:
            raise explain(error, path) from error

    def connect(self) -> sqlite3.Connection:
        """A new connection in autocommit mode, usable from any thread; closed with the database."""
        connection = sqlite3.connect(
            self.path,
            timeout=BUSY_TIMEOUT_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durability == 'power' else 'NORMAL'}")
        with self._guard:
            self._open.append(connection)
        return connection

    def read(self) -> sqlite3.Connection:
        """This thread's reading connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self.connect()
        return connection

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a reading statement."""
        try:
            return self.read().execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction on this thread's connection; rolled back when the block raises."""
        connection = self.read()
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    def close(self) -> None:
        with self._guard:
            for connection in self._open:
                connection.close()
            self._open.clear()
        self._local = threading.local()

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(self._migrations):
            raise StateError(
                f"{self.path}: has schema version {version}, this program knows {len(self._migrations)}",
                hint="it was written by a newer release: use that one",
            )
        for number, script in enumerate(self._migrations[version:], start=version + 1):
            connection.executescript(f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;")


class Writer:
    """The one thread of a process that writes; it takes what is waiting, and commits it as one.

    Many callers share one commit, and nobody sees "database is locked" from a neighbour in the same process. A caller
    is told "done" (its future resolves) only after the commit.

    Args:
        commit: Called with the writing connection, inside a transaction, and the waiting items; gives their results
            (an exception among them is told to that caller alone).
        committed: Called after each commit.
    """

    MOST_AT_ONCE = 256

    def __init__(
        self,
        database: Database,
        commit: Callable[[sqlite3.Connection, list[Any]], list[Any]],
        *,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._commit = commit
        self._committed = committed
        self._queue: SimpleQueue[tuple[Any, Future[Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()

    def submit(self, item: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        if self._thread is None:
            self._start()
        self._queue.put((item, future))
        return future

    def close(self) -> None:
        """Write what waits, then stop."""
        thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join()
            self._thread = None

    def _start(self) -> None:
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        connection = self._database.connect()
        stopping = False
        while not stopping:
            waiting = [self._queue.get()]
            while len(waiting) < self.MOST_AT_ONCE and not self._queue.empty():
                waiting.append(self._queue.get())
            stopping = None in waiting
            work = [entry for entry in waiting if entry is not None]
            if work:
                self._write(connection, work)

    def _write(self, connection: sqlite3.Connection, work: list[tuple[Any, "Future[Any]"]]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            results = self._commit(connection, [item for item, _ in work])
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it was, the callers must hear of it
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            told = explain(error, self._database.path) if isinstance(error, sqlite3.Error | OSError) else error
            for _, future in work:
                future.set_exception(told)
            return
        self._committed()
        for (_, future), result in zip(work, results, strict=True):
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
