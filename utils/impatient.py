"""A database for those who cannot wait for it: what is shared around a request, and can be done without for a while."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator

from utils.database import Connection, Database, StateError
from utils.sqlite import BUSY_TIMEOUT_MS, SqliteDatabase, roll_back

__all__ = ["PATIENCE_MS", "Impatient", "ImpatientAfar"]

# A transaction takes 50 microseconds. A database that stays locked for so long is being copied, or its user hangs.
PATIENCE_MS = 500

SHUT_S = 1.0
"""For how long a server that did not answer is not asked again; ten times as long as it took, if that is longer."""
_SHUT_TIMES = 10.0
_LONGEST_SHUT_S = 30.0


class Impatient:
    """Waits for a lock only shortly; after a failure not at all, until the database is back.

    So a request is held up once, however long the database is away. Raises whatever comes.
    """

    def __init__(self, database: SqliteDatabase, *, patience_ms: int = PATIENCE_MS) -> None:
        self._database = database
        self._patience = self._at_first = patience_ms

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Borrow a connection."""
        try:
            with self._database.read() as connection:
                connection.execute(f"PRAGMA busy_timeout = {self._patience}")
                try:
                    yield connection
                finally:
                    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        except BaseException:
            self._patience = 0
            raise
        self._patience = self._at_first

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction; rolled back when the block raises."""
        with self.read() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                roll_back(connection)
                raise


class ImpatientAfar:
    """The same for a database on a server: one that did not answer is left alone for a while. Raises `StateError`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shut_until = 0.0

    def read(self) -> contextlib.AbstractContextManager[Connection]:
        """Borrow a connection."""
        return self._asked(self._database.read())

    def transaction(self) -> contextlib.AbstractContextManager[Connection]:
        """A write transaction; rolled back when the block raises."""
        return self._asked(self._database.transaction())

    @contextlib.contextmanager
    def _asked(self, block: contextlib.AbstractContextManager[Connection]) -> Iterator[Connection]:
        began = time.monotonic()
        if began < self._shut_until:
            raise StateError(f"{self._database.name}: did not answer a moment ago", transient=True)
        try:
            with block as connection:
                yield connection
        except StateError:
            now = time.monotonic()
            self._shut_until = now + min(max(SHUT_S, _SHUT_TIMES * (now - began)), _LONGEST_SHUT_S)
            raise
