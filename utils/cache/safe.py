"""diskcache without its dangers: nothing is unpickled, no file outside the cache is touched, no setting is believed.

diskcache 5.6.3 unpickles whatever its directory holds (CVE-2025-69872; its own JSONDisk does so for keys and for rows
marked as pickles). `SafeDisk` overrides every place where it turns bytes into values or names into files; `SafeCache`
takes no setting from the database, where a planted row would redirect it.

Imported on the first use of a `DiskCache` only: diskcache costs about 50 ms.
"""

import os
import re
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from errno import ELOOP
from typing import Any, Final

import diskcache
from diskcache.core import ENOVAL, METADATA, MODE_BINARY, MODE_RAW, UNKNOWN

from utils.cache.codec import HEADER_SIZE, MAGIC, Payload, ValueDamaged, moment_bytes

INLINE_BELOW: Final = 32 << 10  # bytes; larger values get a file of their own

_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{30}\.val", re.ASCII)
_READ = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)

_SETTINGS: Final[dict[str, Any]] = {
    "statistics": 0,  # counted by DiskCache: here every lookup would become a write (36 us instead of 7)
    "tag_index": 0,
    "eviction_policy": "least-recently-stored",  # for its index; DiskCache evicts, see there
    "size_limit": 1 << 62,
    "cull_limit": 0,
    "sqlite_auto_vacuum": 1,
    "sqlite_cache_size": 1 << 13,
    "sqlite_journal_mode": "wal",
    "sqlite_mmap_size": 0,  # reading a mapped file that somebody cut short kills the process
    "sqlite_synchronous": 1,
    "disk_min_file_size": INLINE_BELOW,
    "disk_pickle_protocol": 0,  # diskcache wants to see it; nothing here pickles
}

# In SQL bytes count from 1: the header keeps `kept_until` at 5, `expires` at 13.
_OLDEST = (
    "SELECT rowid, key, size + ifnull(length(value), 0), filename FROM Cache"
    " ORDER BY substr(value, 13, 8) <= ? DESC, store_time, rowid"
)
_LOOKUP = "SELECT mode, filename, value FROM Cache WHERE key = ? AND raw = 1"

Sealed = tuple[bytes, Payload]
"""A header of the codec and its payload: the only value that goes in or comes out."""


class StoreDamaged(Exception):
    """The database is not one of ours (any more); the directory has to be set aside."""


class SafeDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Keys are str; values are `Sealed`, in the row when small, else the payload in a file of its own."""

    max_size = 1 << 40  # bytes read from one file at most

    def put(self, key: Any) -> tuple[str, bool]:
        if type(key) is not str:
            raise TypeError(f"cache keys are str, got {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: Any) -> str:
        if raw != 1 or type(key) is not str:
            raise ValueDamaged("a key that is not a plain string")
        return key

    def store(self, value: Sealed, read: bool, key: Any = UNKNOWN) -> tuple[int, int, str | None, bytes]:
        header, payload = value
        if len(payload) < INLINE_BELOW:
            return 0, MODE_RAW, None, header + payload
        return len(payload), MODE_BINARY, self._write_file(payload), header

    def fetch(self, mode: Any, filename: Any, value: Any, read: Any) -> Sealed:
        """Raises `ValueDamaged` for anything but our own two kinds of rows, `OSError` when the file is gone."""
        if read or type(value) is not bytes:
            raise ValueDamaged("not a value of ours")
        if mode == MODE_RAW and filename is None:
            return value[:HEADER_SIZE], value[HEADER_SIZE:]
        if mode == MODE_BINARY and type(filename) is str and _NAME.fullmatch(filename):
            return value, self._read_file(filename)
        raise ValueDamaged(f"mode {mode!r} with file {filename!r} is refused")

    def remove(self, file_path: Any) -> None:
        """Delete a value's file; a name that is not one of ours is left alone, wherever it points."""
        if type(file_path) is str and _NAME.fullmatch(file_path):
            with suppress(OSError):  # another process was quicker, or it is not a file: purge looks again
                os.remove(f"{self._directory}/{file_path}")  # noqa: PTH107 - names are strings here

    def _write_file(self, payload: Payload) -> str:
        name = os.urandom(16).hex()
        name = f"{name[:2]}/{name[2:]}.val"
        path = f"{self._directory}/{name}"
        # No temporary name: the file is fresh, and no reader knows it before its row is committed.
        try:
            fd = os.open(path, _WRITE, 0o600)
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.mkdir(os.path.dirname(path), 0o700)  # noqa: PTH102, PTH120 - not makedirs: see below
            fd = os.open(path, _WRITE, 0o600)  # a cache deleted as a whole fails here and is opened anew
        try:
            with os.fdopen(fd, "wb", buffering=0) as file:
                rest = memoryview(payload)
                while rest:
                    rest = rest[file.write(rest) :]
        except BaseException:
            self.remove(name)
            raise
        return name

    def _read_file(self, name: str) -> bytes:
        try:
            fd = os.open(f"{self._directory}/{name}", _READ)
        except OSError as error:
            if error.errno == ELOOP:
                raise ValueDamaged("its file is a link") from None
            raise
        try:
            about = os.fstat(fd)
            if not stat.S_ISREG(about.st_mode) or about.st_size > self.max_size:
                raise ValueDamaged("its file is no regular file of a sane size")
            with os.fdopen(fd, "rb", buffering=0, closefd=False) as file:
                return file.readall()
        finally:
            os.close(fd)


class SafeCache(diskcache.Cache):  # type: ignore[misc]  # diskcache has no types
    """A diskcache with our settings only, and with the bulk deletions that `DiskCache` needs."""

    def __init__(self, directory: str, *, timeout: float, max_size: int) -> None:
        _check_tables(f"{directory}/cache.db")
        super().__init__(directory, timeout=timeout, disk=SafeDisk, **_SETTINGS)
        self.disk.max_size = max_size

    def reset(self, key: str, value: Any = ENOVAL, update: bool = True) -> Any:
        """diskcache reads every setting through here; only its own counters are taken from the database."""
        if key in METADATA:
            if type(count := super().reset(key, value, update)) is not int:
                raise StoreDamaged(f"the counter {key!r} is {count!r}")
            return count
        if key not in _SETTINGS:
            raise StoreDamaged(f"the setting {key!r} is not ours")
        if value is ENOVAL:
            return _SETTINGS[key]
        return super().reset(key, _SETTINGS[key], update)

    def lookup(self, key: str) -> Sealed | None:
        """What `get` gives, without its detours: no other time than that of our header, no statistics, one SELECT.

        Raises as `SafeDisk.fetch`, which stays the guard; a file that is gone is a value that is gone.
        """
        row = self._con.execute(_LOOKUP, (key,)).fetchone()
        if row is None:
            return None
        mode, filename, value = row
        try:
            return self._disk.fetch(mode, filename, value, False)  # type: ignore[no-any-return]  # diskcache has no types
        except OSError:
            return None

    def check(self) -> None:
        """Raises `StoreDamaged` when an index disagrees with its rows: SQLite would say nothing, and not find them."""
        (found,) = self._sql("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise StoreDamaged(found)

    def drop_expired(self, moment: float) -> tuple[int, int]:
        """Delete what is kept no longer at `moment` and every row that is not ours. (rows, bytes)."""
        return self._drop_where(
            "substr(value, 5, 8) <= ? OR typeof(value) <> 'blob' OR substr(value, 1, 4) <> ?"
            " OR raw IS NOT 1 OR typeof(key) <> 'text'",
            (moment_bytes(moment), MAGIC),
        )

    def drop_oldest(self, size: int, spare: str, moment: float) -> int:
        """Delete at least `size` bytes: what is stale at `moment`, then the longest stored; never `spare`. How many."""
        rows: list[tuple[int, str | None]] = []
        for rowid, key, length, filename in self._sql(_OLDEST, (moment_bytes(moment),)):
            if size <= 0:
                break
            if key != spare:
                rows.append((rowid, filename))
                size -= length
        self._drop_rows(rows)
        return len(rows)

    def files(self) -> set[str]:
        """The file names that rows refer to."""
        return {name for (name,) in self._sql("SELECT filename FROM Cache WHERE filename IS NOT NULL")}

    def _drop_where(self, condition: str, parameters: tuple[Any, ...]) -> tuple[int, int]:
        found = self._sql(
            f"SELECT rowid, filename, size + ifnull(length(value), 0) FROM Cache WHERE {condition}",  # noqa: S608 - ours
            parameters,
        ).fetchall()
        self._drop_rows((rowid, filename) for rowid, filename, _ in found)
        return len(found), sum(size for *_, size in found)

    def _drop_rows(self, rows: Iterable[tuple[int, str | None]]) -> None:
        rows = list(rows)
        if rows:
            with self._transact() as (sql, cleanup):
                for rowid, filename in rows:
                    # Together with its file, or not at all: a row replaced meanwhile keeps its new value.
                    if sql("DELETE FROM Cache WHERE rowid = ? AND filename IS ?", (rowid, filename)).rowcount:
                        cleanup(filename)


def _check_tables(database: str) -> None:
    """diskcache would mend a database that lost a table, with counters that no longer fit: rather start anew."""
    connection = sqlite3.connect(database, timeout=1.0)
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        connection.close()
    if tables not in (set(), {"Settings", "Cache"}):
        raise StoreDamaged(f"the database has the tables {sorted(map(str, tables))}")


_PASSING = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip

FAILURES: Final = (
    sqlite3.Error, diskcache.Timeout, OSError, StoreDamaged,
    ValueError, TypeError, AttributeError, KeyError, AssertionError,  # what diskcache raises over rows it did not write
)  # fmt: skip


def reason_of(error: BaseException, database: str) -> str | None:
    """Why `error` means that the directory is damaged, in words; `None` when it is only a bad moment.

    Locked, full, read-only, interrupted and the like pass, or are somebody else's to mend. But a `database` that SQLite
    takes for read-only though it may be written has a damaged header (its format's version).
    """
    chain = list(_chain(error))
    for cause in chain:  # diskcache.Timeout hides the error it had, and so does a ROLLBACK after SQLite did its own
        if isinstance(cause, OSError):
            return None
        code = getattr(cause, "sqlite_errorcode", 0) if isinstance(cause, sqlite3.Error) else 0
        if code & 0xFF in _PASSING and not (code == sqlite3.SQLITE_READONLY and os.access(database, os.W_OK)):
            return None
    return f"{type(chain[-1]).__name__}: {chain[-1]}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__context__
