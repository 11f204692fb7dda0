"""The least that could do the log's work: a loop of inserts into the same table, without chain, versions or views."""

import sqlite3
import threading
from pathlib import Path

import orjson

from benchmarks.events_workload import SOURCES, SUBJECTS, TYPES, data, kind, source, subject
from utils.events import SCHEMA
from utils.events.rows import INSERT, PUT_NAME, PUT_NAMES_OF_ONE

_SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}


class BareTable:
    """The log's tables in a file of their own. What the links lead to is known beforehand."""

    def __init__(self, path: Path, durability: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
        self._connection.execute("PRAGMA wal_autocheckpoint = 4000")
        self._connection.executescript(SCHEMA)
        self._lock = threading.Lock()

    def append(self, number: int) -> None:
        """One event, committed."""
        row = _row(number)
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(INSERT, row)
        self._connection.execute(PUT_NAMES_OF_ONE, (row[0], *row[8:11], row[4]))
        self._connection.execute("COMMIT")

    def append_locked(self, number: int) -> None:
        """The same from any thread, one after the other."""
        with self._lock:
            self.append(number)

    def thousand(self, number: int) -> None:
        """The `number`-th thousand of events in one commit."""
        end = number * 1000 + 1000
        names = [(what, f"{what}-{one}", end, 0) for what, many in _NAMES for one in range(many)]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(INSERT, map(_row, range(end - 1000, end)))
        self._connection.executemany(PUT_NAME, names)
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


_NAMES = (("log", 1), ("source", SOURCES), ("subject", SUBJECTS), ("type", len(TYPES)))


def _row(number: int) -> tuple[object, ...]:
    seq = number + 1
    links = (max(0, seq - SOURCES), max(0, seq - len(TYPES)), max(0, seq - SUBJECTS), number // SUBJECTS, 0)
    names = (source(number), kind(number), subject(number))
    about = (f"01940000-0000-7000-8000-{number:012x}", "2026-01-01T00:00:00.000000Z", *names)
    return (seq, *links, *about, "0" * 64, "1" * 64, orjson.dumps(data(number)).decode())
