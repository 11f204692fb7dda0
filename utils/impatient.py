"""A database for those who cannot wait for it: what is shared around a request, and can be done without for a while."""

import contextlib
import sqlite3
from collections.abc import Iterator

from utils.sqlite import BUSY_TIMEOUT_MS, SqliteDatabase, roll_back

__all__ = ["PATIENCE_MS", "Impatient"]

# A transaction takes 50 microseconds. A database that stays locked for so long is being copied, or its user hangs.
PATIENCE_MS = 500


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
