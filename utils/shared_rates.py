"""The rate of each provider, kept together by all processes of a state directory."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import BUSY_TIMEOUT_MS, Database, result_code, roll_back
from utils.leases import this_process
from utils.resilience.shared_rates import NEW, Claim, Lease, SharedRate, decide

__all__ = ["PATIENCE_MS", "SCHEMA", "LeasedRates"]

SCHEMA = """
CREATE TABLE rates (
    name TEXT PRIMARY KEY, boot TEXT NOT NULL, written REAL NOT NULL, arrival REAL NOT NULL,
    paused_until REAL NOT NULL) WITHOUT ROWID
"""

# A transaction takes 50 microseconds. Who finds the database locked for as long as this goes on by itself: a request
# must not wait for a backup or a process that hangs.
PATIENCE_MS = 500

_READ = "SELECT boot, written, arrival, paused_until FROM rates WHERE name = ?"
_WRITE = "INSERT OR REPLACE INTO rates (name, boot, written, arrival, paused_until) VALUES (?, ?, ?, ?, ?)"


class LeasedRates:
    """`SharedRates` over SQLite: a row a limiter, of which blocks of slots are leased.

    The clock is read inside the transaction: a moment from before the wait for the lock would make a slot look earlier
    than its call.
    """

    def __init__(self, database: Database, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._database = database
        self._monotonic = clock.monotonic
        self._boot = this_process().boot
        self._patience = PATIENCE_MS

    def lease(self, name: str, claim: Claim) -> Lease:
        with self._transaction() as connection:
            now = self._monotonic()
            before = self._row(connection, name, now)
            lease, after = decide(before, claim, now)
            if after != before:
                self._write(connection, name, now, after)
        return lease

    def look(self, name: str) -> SharedRate:
        with self._hurried() as connection:
            return self._row(connection, name, self._monotonic())

    def pause(self, name: str, until: float) -> None:
        with self._transaction() as connection:
            now = self._monotonic()
            row = self._row(connection, name, now)
            if until > row.paused_until:
                self._write(connection, name, now, replace(row, paused_until=until))

    def _row(self, connection: sqlite3.Connection, name: str, now: float) -> SharedRate:
        row = connection.execute(_READ, (name,)).fetchone()
        if row is None:
            return NEW
        boot, written, arrival, paused_until = row
        if boot != self._boot or written > now:  # of another boot; not every system tells them apart by name
            return SharedRate(paused_until=now)
        return SharedRate(float(arrival), float(paused_until))

    def _write(self, connection: sqlite3.Connection, name: str, now: float, rate: SharedRate) -> None:
        connection.execute(_WRITE, (name, self._boot, now, rate.arrival, rate.paused_until))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._hurried() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                roll_back(connection)
                raise

    @contextlib.contextmanager
    def _hurried(self) -> Iterator[sqlite3.Connection]:
        """A connection that waits for a lock only shortly; after a failure not at all, until it is back."""
        try:
            with self._database.read() as connection:
                connection.execute(f"PRAGMA busy_timeout = {self._patience}")
                try:
                    yield connection
                finally:
                    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        except BaseException as error:
            self._patience = 0
            if result_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                # Told to the database in its own words: one that can be replaced does so at the next use.
                self._database.query(_READ, ("",))
            raise
        self._patience = PATIENCE_MS
