"""Many small blobs in one SQLite file: making a file costs 100 to 600 microseconds of a kernel, a row costs 20."""

import sqlite3
import threading
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from utils.sqlite import SqliteDatabase, explain, roll_back

SCHEMA = """
CREATE TABLE blobs (
    name TEXT PRIMARY KEY, data BLOB NOT NULL, size INTEGER NOT NULL, modified REAL NOT NULL)
"""


class SmallBlobs:
    """Names and bytes; each write is a transaction of its own, so it survives any kill. Safe for threads, processes.

    Raises (all methods):
        StateError: the disk is full, the file cannot be written, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._waiting: dict[str, tuple[str, bytes | memoryview, int, float]] = {}

    @cached_property
    def _database(self) -> SqliteDatabase:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SqliteDatabase(self._path, migrations=[SCHEMA])

    @cached_property
    def _writing(self) -> sqlite3.Connection:
        return self._database.connect()

    def put(self, name: str, data: bytes | memoryview, modified: float) -> None:
        row = (name, data, len(data), modified)
        try:
            # Threads queue here: SQLite would make them sleep and look again.
            with self._guard:
                self._writing.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    def put_later(self, name: str, data: bytes | memoryview, modified: float) -> None:
        """Write with the next `flush`: many blobs in one transaction, for who flushes before a blob is spoken of."""
        with self._guard:
            self._waiting[name] = (name, data, len(data), modified)

    def flush(self) -> None:
        """Write what waits; whatever reads here does it by itself."""
        if not self._waiting:
            return
        try:
            with self._guard:
                self._writing.execute("BEGIN IMMEDIATE")
                try:
                    self._writing.executemany(
                        "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?)", self._waiting.values()
                    )
                    self._writing.execute("COMMIT")
                except BaseException:
                    roll_back(self._writing)
                    raise
                self._waiting.clear()
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    def get(self, name: str) -> bytes | None:
        if not self._exists():
            return None
        rows = self._database.query("SELECT data FROM blobs WHERE name = ?", (name,))
        return bytes(rows[0][0]) if rows else None

    def size(self, name: str) -> int | None:
        if not self._exists():
            return None
        rows = self._database.query("SELECT size FROM blobs WHERE name = ?", (name,))
        return int(rows[0][0]) if rows else None

    def delete(self, name: str) -> bool:
        if not self._exists():
            return False
        try:
            with self._guard:
                return self._writing.execute("DELETE FROM blobs WHERE name = ?", (name,)).rowcount > 0
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    def list(self, prefix: str) -> Iterator[tuple[str, int, float]]:
        """Name, size in bytes and time of change (epoch seconds) of the blobs below a prefix, by name."""
        if self._exists():
            sql = "SELECT name, size, modified FROM blobs WHERE substr(name, 1, ?) = ? ORDER BY name"
            yield from self._database.query(sql, (len(prefix), prefix))

    def close(self) -> None:
        for name in ("_writing", "_database"):
            part = self.__dict__.pop(name, None)
            if part is not None:
                part.close()

    def _exists(self) -> bool:
        """Whether there is anything to read: looking must not make a file."""
        self.flush()
        return "_database" in self.__dict__ or self._path.exists()
