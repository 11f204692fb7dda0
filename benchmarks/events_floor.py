"""The least that could do the log's work: a loop of inserts into the same table, without chain, versions or views."""

import sqlite3
import threading
from pathlib import Path

import orjson

from benchmarks.events_workload import SUBJECTS, data, kind, source, subject
from utils.events import SCHEMA
from utils.events.rows import INSERT

_SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}


class BareTable:
    """The log's table and indexes in a file of its own."""

    def __init__(self, path: Path, durability: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
        self._connection.execute("PRAGMA wal_autocheckpoint = 4000")
        self._connection.executescript(SCHEMA)
        self._lock = threading.Lock()

    def append(self, number: int) -> None:
        """One event, committed."""
        self._connection.execute(INSERT, _row(number))

    def append_locked(self, number: int) -> None:
        """The same from any thread, one after the other."""
        row = _row(number)
        with self._lock:
            self._connection.execute(INSERT, row)

    def thousand(self, number: int) -> None:
        """The `number`-th thousand of events in one commit."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(INSERT, map(_row, range(number * 1000, number * 1000 + 1000)))
        self._connection.execute("COMMIT")

    def replay(self) -> int:
        """All events in order, their data decoded; gives how many."""
        count = 0
        for row in self._connection.execute("SELECT * FROM events ORDER BY seq"):
            orjson.loads(row[6])
            count += 1
        return count

    def close(self) -> None:
        self._connection.close()


def _row(number: int) -> tuple[object, ...]:
    identity = f"01940000-0000-7000-8000-{number:012x}"
    start = (number + 1, identity, "2026-01-01T00:00:00.000000Z", source(number), kind(number), subject(number))
    return (*start, orjson.dumps(data(number)).decode(), number // SUBJECTS, "0" * 64, "1" * 64)
