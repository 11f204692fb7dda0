"""A database whose content can be had again: damage sets the file aside, and a new one takes its place."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from utils import damage
from utils.clock import SYSTEM_CLOCK
from utils.damage import SetAside
from utils.database import StateError
from utils.file_lock import FileLock
from utils.sqlite import BUSY_TIMEOUT_MS, DamagedError, SqliteDatabase, explain

__all__ = ["ReplaceableDatabase"]


class ReplaceableDatabase(SqliteDatabase):
    """`Database`, but damage is no error: what lies at the path is examined, and replaced when it is damaged.

    The damaged file is renamed to `<name>.corrupt-<time>` (the newest two are kept), and the new one begins with every
    row that could still be read. That happens at the opening and, when a statement finds damage in use, at the next
    one: a `transaction` that found it fails, `query` and `change` try once more. A process that has the file open when
    another one replaces it (or when somebody deletes it) goes over to the new file. Locks, rights, a full disk and a
    disk that fails are errors, as before.

    Args:
        examine: Read every page at each opening. Else only once a statement found damage: for a file that is large,
            and whose rows have checksums elsewhere.
        on_set_aside: Told after each replacement by this process.
        now: When that was.
    """

    def __init__(
        self,
        path: Path,
        *,
        migrations: Sequence[str],
        on_set_aside: Callable[[SetAside], None],
        now: Callable[[], datetime] = SYSTEM_CLOCK.now,
        examine: bool = True,
    ) -> None:
        self._check = "quick_check" if examine else ""
        self._on_set_aside = on_set_aside
        self._now = now
        self._opening = threading.Lock()
        self._identity: tuple[int, int] | None = None
        self._doubtful = False
        self._times_opened = 0
        super().__init__(path, migrations=migrations)

    def connect(self) -> sqlite3.Connection:
        connection = super().connect()
        # A flipped bit may leave a text that is no UTF-8: one value is wrong then, not every statement that meets it.
        connection.text_factory = _lenient
        return connection

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        self._follow()
        try:
            with super().read() as connection:
                yield connection
        except sqlite3.Error as error:
            self._explained(error)  # notes the doubt, also for those who read SQLite's errors themselves
            raise

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self._follow()
        try:
            return super().query(sql, parameters)
        except DamagedError:
            self._follow()
            return super().query(sql, parameters)

    def changes(self) -> int:
        self._follow()
        return super().changes() + (self._times_opened << 40)  # SQLite's own number begins anew in a new file

    def _open_file(self) -> None:
        try:
            with FileLock(self.path.with_suffix(".lock"), within=BUSY_TIMEOUT_MS / 1000):
                news = self._begin_or_replace()
                self._identity, self._doubtful = self._at_path(), False
        except (sqlite3.Error, OSError) as error:
            raise explain(error, self.path) from error
        self._times_opened += 1
        if news is not None:
            self._on_set_aside(news)

    def _begin_or_replace(self) -> SetAside | None:
        # The connections of the file before stay open for whoever uses one right now, and are closed with the database.
        self._idle, self._look = [], None
        reason = damage.at_path(self.path)
        if reason is None:
            try:
                reason = self._flaw()
                if reason is None:
                    self._begin()
                    return None
            except sqlite3.Error as error:
                if not damage.is_damage(error):
                    raise
                reason = str(error)
        with self._guard:
            for connection in self._idle:
                self._open.remove(connection)
                connection.close()
            self._idle = []
        saved = damage.salvage(self.path, self._migrations)
        moved_to = damage.move_aside(self.path, self._now())
        self._begin()
        with self._lent() as connection:
            counts = damage.put_back(connection, saved)
        incomplete = tuple(part.table for part in saved if not part.whole or counts[part.table] < len(part.rows))
        return SetAside(self.path, moved_to, reason, counts, incomplete)

    def _flaw(self) -> str | None:
        if not self.path.exists():
            return None
        with self._lent() as connection:
            # What a statement stumbled over may be an index that does not fit its table.
            check = "integrity_check" if self._doubtful else self._check
            return damage.flaw(connection, self._migrations, check=check)

    def _follow(self) -> None:
        """Go over to the file that stands at the path now, when it is another one, or this one is in doubt."""
        if not self._is_gone():
            return
        with self._opening:
            if self._is_gone():  # else another thread was quicker
                if self._closed:
                    raise StateError(f"{self.path}: was closed")
                self._open_file()

    def _is_gone(self) -> bool:
        return self._doubtful or self._at_path() != self._identity

    def _at_path(self) -> tuple[int, int] | None:
        try:
            about = os.stat(self.path)  # asked with every permit; `Path.stat` takes three times as long
        except OSError:
            return None
        return about.st_dev, about.st_ino

    def _explained(self, error: sqlite3.Error) -> StateError:
        told = super()._explained(error)
        self._doubtful |= isinstance(told, DamagedError)
        return told


def _lenient(text: bytes) -> str:
    return text.decode(errors="replace")
