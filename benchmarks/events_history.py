"""Our history of metrics: a million points go in in batches, and come back as the 1,200 that a chart shows.

The floor is a table of a row a point in the same kind of file, and SQL that sums it up. Both survive a kill.
"""

import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.loops import Table
from utils.history import LEVELS_SCHEMA, SCHEMA, History
from utils.sqlite import SqliteDatabase

POINTS, AT_ONCE, SHOWN = 1_000_000, 10_000, 1200
BEGAN = 1.7e9
"""A point a second from then on."""
READS = 5

_CREATE = "CREATE TABLE points (series INTEGER, time REAL, value REAL, PRIMARY KEY (series, time)) WITHOUT ROWID"
_SUM_UP = """
SELECT cast((time - ?) / ? AS INTEGER), min(value), max(value), avg(value), count(*) FROM points
WHERE series = 1 AND time >= ? AND time < ? GROUP BY 1
"""


def points(folder: Path, seconds: float) -> Table:
    """Points a second in batches of 10,000; milliseconds to read all of them, before they are rolled up and after."""
    count = POINTS if seconds >= 1 else POINTS // 10
    batches = _batches(count)
    with TemporaryDirectory(dir=folder) as place:
        told = _of_rows(Path(place) / "rows.db", batches, count)
        with closing(SqliteDatabase(Path(place) / "ours.db", migrations=[SCHEMA, LEVELS_SCHEMA])) as database:
            history = History(database)
            began = time.perf_counter()
            for times, values in batches:
                history.append("orders", times, values, {"shop": "berlin"})
            told["history_insert_per_s"]["ours"] = count / (time.perf_counter() - began)

            def read() -> int:
                shown = history.range("orders", {"shop": "berlin"}, since=BEGAN, until=BEGAN + count, points=SHOWN)
                return int(np.sum(shown.count))

            told["history_read_raw_ms"] = {"ours": _milliseconds(read, count)}
            began = time.perf_counter()
            while history.roll_up():
                pass
            told["history_roll_up_per_s"] = {"ours": count / (time.perf_counter() - began)}
            told["history_read_1m_ms"]["ours"] = _milliseconds(read, count)
    return told


def _of_rows(path: Path, batches: "list[tuple[np.ndarray, np.ndarray]]", count: int) -> Table:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_CREATE)
        began = time.perf_counter()
        for times, values in batches:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO points VALUES (1, ?, ?)", zip(times.tolist(), values.tolist(), strict=True)
            )
            connection.execute("COMMIT")
        inserted = count / (time.perf_counter() - began)

        def read() -> int:
            found = connection.execute(_SUM_UP, (BEGAN, count / SHOWN, BEGAN, BEGAN + count)).fetchall()
            return sum(row[4] for row in found)

        return {
            "history_insert_per_s": {"floor": inserted},
            "history_read_1m_ms": {"floor": _milliseconds(read, count)},
        }


def _batches(count: int) -> "list[tuple[np.ndarray, np.ndarray]]":
    random = np.random.default_rng(1)
    return [
        (BEGAN + np.arange(first, first + AT_ONCE, dtype=float), random.normal(size=AT_ONCE))
        for first in range(0, count, AT_ONCE)
    ]


def _milliseconds(read: Callable[[], int], count: int) -> float:
    times = []
    for _ in range(READS):
        began = time.perf_counter()
        if read() != count:
            raise RuntimeError("points are missing from the chart")
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000
