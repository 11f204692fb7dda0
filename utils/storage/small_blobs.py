"""Many small blobs in one SQLite file: making a file costs 100 to 600 microseconds of a kernel, a row costs 20."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from utils.clock import SYSTEM_CLOCK
from utils.damage import SetAside, set_aside_before
from utils.replaceable import ReplaceableDatabase

T = TypeVar("T")

SCHEMA = """
CREATE TABLE blobs (
    name TEXT PRIMARY KEY, data BLOB NOT NULL, size INTEGER NOT NULL, modified REAL NOT NULL)
"""

_PUT = "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?)"
# A size or a time may be anything once a bit was flipped: one that no clock shows counts as the beginning of time.
_LIST = """
SELECT CAST(name AS TEXT), coalesce(CAST(size AS INTEGER), 0),
    CASE WHEN typeof(modified) IN ('real', 'integer') AND modified BETWEEN 0 AND 32503680000 THEN modified ELSE 0 END
FROM blobs WHERE substr(name, 1, ?) = ? ORDER BY name
"""


class SmallBlobs:
    """Names and bytes; each write is a transaction of its own, so it survives any kill. Safe for threads, processes.

    A damaged file is set aside, and a new one begun with what could be read of it: whoever asks for a blob that is lost
    is told that there is none, and whoever keeps checksums elsewhere finds one that is not as it was written. Such a
    file may be large, so it is not examined before a statement stumbles over the damage.

    Args:
        on_set_aside: Told after each replacement by this process.
        now: When that was.

    Raises (all methods):
        StateError: the disk is full, or the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_set_aside: Callable[[SetAside], None] = lambda _: None,
        now: Callable[[], datetime] = SYSTEM_CLOCK.now,
    ) -> None:
        self._path = path
        self._on_set_aside = on_set_aside
        self._now = now
        self._guard = threading.Lock()
        self._waiting: dict[str, tuple[str, bytes | memoryview, int, float]] = {}

    @cached_property
    def _database(self) -> ReplaceableDatabase:
        return ReplaceableDatabase(
            self._path, migrations=[SCHEMA], on_set_aside=self._on_set_aside, now=self._now, examine=False
        )

    def put(self, name: str, data: bytes | memoryview, modified: float) -> None:
        row = (name, data, len(data), modified)
        # Threads queue here: SQLite would make them sleep and look again.
        with self._guard:
            self._change(lambda connection: connection.execute(_PUT, row))

    def put_later(self, name: str, data: bytes | memoryview, modified: float) -> None:
        """Write with the next `flush`: many blobs in one transaction, for who flushes before a blob is spoken of."""
        with self._guard:
            self._waiting[name] = (name, data, len(data), modified)

    def flush(self) -> None:
        """Write what waits. Whoever reads here sees it before: a full disk must keep nobody from reading."""
        if not self._waiting:
            return
        with self._guard:
            self._change(lambda connection: connection.executemany(_PUT, self._waiting.values()))
            self._waiting.clear()

    def get(self, name: str) -> bytes | None:
        if (row := self._waiting.get(name)) is not None:
            return bytes(row[1])
        if not self._exists():
            return None
        # A flipped bit may make a text of a blob, or a number of a size.
        rows = self._database.query("SELECT CAST(data AS BLOB) FROM blobs WHERE name = ?", (name,))
        return bytes(rows[0][0] or b"") if rows else None

    def size(self, name: str) -> int | None:
        if (row := self._waiting.get(name)) is not None:
            return row[2]
        if not self._exists():
            return None
        rows = self._database.query("SELECT CAST(size AS INTEGER) FROM blobs WHERE name = ?", (name,))
        return int(rows[0][0] or 0) if rows else None

    def delete(self, name: str) -> bool:
        delete = "DELETE FROM blobs WHERE name = ?"
        with self._guard:
            waited = self._waiting.pop(name, None) is not None
            if not self._exists():
                return waited
            return self._change(lambda connection: connection.execute(delete, (name,)).rowcount > 0) or waited

    def list(self, prefix: str) -> Iterator[tuple[str, int, float]]:
        """Name, size in bytes and time of change (epoch seconds) of the blobs below a prefix, by name."""
        found = list(self._database.query(_LIST, (len(prefix), prefix))) if self._exists() else []
        with self._guard:
            waiting = {name: (name, row[2], row[3]) for name, row in self._waiting.items() if name.startswith(prefix)}
        yield from sorted([*(row for row in found if row[0] not in waiting), *waiting.values()]) if waiting else found

    def set_aside(self) -> tuple[Path, ...]:
        """The damaged files that were set aside, oldest first."""
        return tuple(set_aside_before(self._path)) if self._path.parent.is_dir() else ()

    def close(self) -> None:
        database = self.__dict__.pop("_database", None)
        if database is not None:
            database.close()

    def _exists(self) -> bool:
        """Whether there is anything to read: looking must not make a file."""
        return os.path.exists(self._path)  # noqa: PTH110 - asked for every blob; `Path.exists` takes three times as long

    def _change(self, step: Callable[[sqlite3.Connection], T]) -> T:
        if not os.path.exists(self._path):  # noqa: PTH110 - as above
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._database.change(step)
