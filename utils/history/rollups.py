"""Roll-ups by minute and by hour, made from the points in the order in which they came, each exactly once.

They lie in blocks of some hours or days. A point that comes late, or after the clock was set back, is merged into the
block of its own time. Raw points are dropped only once they are rolled up, and never the newest 256 of a series: a
dataset that runs once a day would have nothing left for the detectors.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from utils.database import Connection, Database, upsert
from utils.history.cells import Cells, decoded, encoded, joined, of_points, regrouped

__all__ = ["HOUR", "MINUTE", "SPANS", "Kept", "by_level", "matrix_of", "retain", "roll_up"]

MINUTE, HOUR = 60, 3600
SPANS = {MINUTE: 4 * 3600, HOUR: 4 * 86_400}
"""Seconds that a level's block covers: about a hundred or two hundred cells."""

CHUNKS_AT_ONCE = 256
"""Of a transaction: a writer who waits behind it waits some tenths of a second at most."""

POINTS_KEPT = 256
"""What the detectors look back at."""

_WAITING = """
SELECT subject, metrics, chunk, points, rolled, data FROM history
WHERE rolled < points ORDER BY subject, metrics, chunk LIMIT ?
"""
_ROLLED = "UPDATE history SET rolled = ? WHERE subject = ? AND metrics = ? AND chunk = ?"
_BLOCK = "SELECT data FROM history_rollups WHERE subject = ? AND metrics = ? AND level = ? AND start = ?"
_KEEP_BLOCK = upsert("history_rollups", "subject, metrics, level, start, data", key="subject, metrics, level, start")
_WHOLE_FROM = """
INSERT INTO history_levels (level, whole_from) VALUES (?, ?) ON CONFLICT (level) DO UPDATE SET whole_from = CASE
    WHEN excluded.whole_from > history_levels.whole_from THEN excluded.whole_from ELSE history_levels.whole_from END
"""
_CHUNKS = """
SELECT subject, metrics, chunk, points, rolled, finish FROM history ORDER BY subject, metrics, chunk DESC
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """How long each level is kept. Seconds."""

    raw: float
    minute: float
    hour: float


def roll_up(database: Database) -> int:
    """Roll up some of the closed points that wait, in one transaction; how many. 0: none waits any more."""
    with database.transaction() as connection:
        waiting = connection.execute(_WAITING, (CHUNKS_AT_ONCE,)).fetchall()
        points = 0
        for (subject, metrics), chunks in groupby(waiting, key=lambda row: (row[0], row[1])):
            rows = list(chunks)
            width = metrics.count(",") + 1
            matrix = np.concatenate([matrix_of(data, width)[rolled:] for *_, rolled, data in rows])
            cells = of_points(matrix[:, 0], matrix[:, 1:])
            for level, span in SPANS.items():
                _merge(connection, (subject, metrics, level), by_level(cells, level), span, width)
            connection.executemany(_ROLLED, [(size, subject, metrics, chunk) for _, _, chunk, size, *_ in rows])
            points += len(matrix)
    return points


def retain(database: Database, now: float, kept: Kept) -> int:
    """Drop what is past its time; gives the number of raw points. `now` in epoch seconds."""
    with database.transaction() as connection:
        # A clock that was ahead gave times of the future, and all that came later stands behind them.
        for table in ("history", "history_open"):
            connection.execute(f"UPDATE {table} SET finish = ?1 WHERE finish > ?1", (now,))  # noqa: S608 - our names
        points = _drop_series(connection, now - max(kept.raw, kept.minute, kept.hour))
        points += _drop_raw(connection, now - kept.raw)
        for level, seconds in ((MINUTE, kept.minute), (HOUR, kept.hour)):
            span = SPANS[level]
            first = math.floor((now - seconds) / span) * span  # the first block that stays
            gone = connection.execute("DELETE FROM history_rollups WHERE level = ? AND start < ?", (level, first))
            if gone.rowcount:
                connection.execute(_WHOLE_FROM, (level, float(first)))
    return points


def by_level(cells: Cells, level: int) -> Cells:
    """Cells of a whole number of minutes or hours, from finer ones."""
    keys = np.floor(cells.start / level).astype(np.int64)
    grouped, found = regrouped(cells, keys)
    return replace(grouped, start=found * float(level))


def matrix_of(data: bytes, metrics: int) -> "np.ndarray[Any, Any]":
    """The points in the bytes of one or more chunks: time and values, a row each."""
    return np.frombuffer(data, "<f8").reshape(-1, metrics + 1)


def _merge(connection: Connection, key: tuple[str, str, int], cells: Cells, span: int, metrics: int) -> None:
    blocks = np.floor(cells.start / span).astype(np.int64)
    rows = []
    for block in np.unique(blocks).tolist():
        fresh = cells.rows(blocks == block)
        before = [decoded(data, metrics) for (data,) in connection.execute(_BLOCK, (*key, block * span)).fetchall()]
        together = joined([*before, fresh], metrics)
        merged, _ = regrouped(together, together.start)
        rows.append((*key, block * span, encoded(merged)))
    connection.executemany(_KEEP_BLOCK, rows)


def _drop_series(connection: Connection, before: float) -> int:
    """Series of which nothing came since `before`."""
    dead = connection.execute("SELECT subject, metrics FROM history_open WHERE finish < ?", (before,)).fetchall()
    points = 0
    for key in dead:
        for table in ("history", "history_open"):
            sql = f"SELECT coalesce(sum(points), 0) FROM {table} WHERE subject = ? AND metrics = ?"  # noqa: S608 - ours
            points += int(connection.execute(sql, key).fetchone()[0])
        for table in ("history", "history_open", "history_rollups", "history_series"):
            connection.execute(f"DELETE FROM {table} WHERE subject = ? AND metrics = ?", key)  # noqa: S608 - our names
    return points


def _drop_raw(connection: Connection, before: float) -> int:
    points = 0
    for subject, metrics, chunk, finish, size in list(_past(connection.execute(_CHUNKS), before)):
        points += size
        sql = "DELETE FROM history WHERE subject = ? AND metrics = ? AND chunk <= ?"
        connection.execute(sql, (subject, metrics, chunk))
        connection.execute(_RAW_AFTER, (subject, metrics, finish))
    return points


_RAW_AFTER = upsert("history_series", "subject, metrics, raw_after", key="subject, metrics")


def _past(rows: Iterable[Any], before: float) -> Iterator[tuple[str, str, int, float, int]]:
    """Of each series the newest chunk that may go with all before it: its number, its finish, the points that go."""
    for (subject, metrics), chunks in groupby(rows, key=lambda row: (row[0], row[1])):
        newer = gone = 0
        last: tuple[int, float] | None = None
        for _, _, chunk, points, rolled, finish in chunks:
            if last is None and newer >= POINTS_KEPT and finish < before and rolled == points:
                last = chunk, finish
            newer += points
            gone += points if last is not None else 0
        if last is not None:
            yield subject, metrics, *last, gone
