"""The rate of each provider, kept together by all processes of a state directory."""

import sqlite3
from dataclasses import replace

from utils.clock import SYSTEM_CLOCK, Clock
from utils.impatient import Impatient
from utils.leases import this_process
from utils.resilience.shared_rates import NEW, Claim, Lease, SharedRate, decide
from utils.sqlite import SqliteDatabase

__all__ = ["SCHEMA", "LeasedRates"]

SCHEMA = """
CREATE TABLE rates (
    name TEXT PRIMARY KEY, boot TEXT NOT NULL, written REAL NOT NULL, arrival REAL NOT NULL,
    paused_until REAL NOT NULL) WITHOUT ROWID
"""

_READ = "SELECT boot, written, arrival, paused_until FROM rates WHERE name = ?"
_WRITE = "INSERT OR REPLACE INTO rates (name, boot, written, arrival, paused_until) VALUES (?, ?, ?, ?, ?)"


class LeasedRates:
    """`SharedRates` over SQLite: a row a limiter, of which blocks of slots are leased.

    The clock is read inside the transaction: a moment from before the wait for the lock would make a slot look earlier
    than its call.
    """

    def __init__(self, database: SqliteDatabase, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._database = Impatient(database)
        self._monotonic = clock.monotonic
        self._boot = this_process().boot

    def lease(self, name: str, claim: Claim) -> Lease:
        with self._database.transaction() as connection:
            now = self._monotonic()
            before = self._row(connection, name, now)
            lease, after = decide(before, claim, now)
            if after != before:
                self._write(connection, name, now, after)
        return lease

    def look(self, name: str) -> SharedRate:
        with self._database.read() as connection:
            return self._row(connection, name, self._monotonic())

    def pause(self, name: str, until: float) -> None:
        with self._database.transaction() as connection:
            now = self._monotonic()
            row = self._row(connection, name, now)
            if until > row.paused_until:
                self._write(connection, name, now, replace(row, paused_until=until))

    def _row(self, connection: sqlite3.Connection, name: str, now: float) -> SharedRate:
        row = connection.execute(_READ, (name,)).fetchone()
        if row is None:
            return NEW
        boot, written, arrival, paused_until = row
        damaged = {type(written), type(arrival), type(paused_until)} != {float}
        # `written`: not every system tells its boots apart by name.
        if damaged or boot != self._boot or written > now:
            return SharedRate(paused_until=now)
        return SharedRate(arrival, paused_until)

    def _write(self, connection: sqlite3.Connection, name: str, now: float, rate: SharedRate) -> None:
        connection.execute(_WRITE, (name, self._boot, now, rate.arrival, rate.paused_until))
