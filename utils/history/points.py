"""The tables of the history, and the statements that append to it, the same for SQLite and PostgreSQL.

All metrics of one subject that are measured together (a dataset run's rows, nulls, score, …) share one time and one
chunk: a matrix of little-endian float64, one row a point, its first column the time. So reading 200 points of ten
metrics is four rows, where a row a value took 350 microseconds a dataset. The newest points wait in an open row of
their own, many of which share a page: rewriting a chunk for each point cost a third of a whole dataset run once there
was some history. `CLOSE` moves what waits in open rows of eight points and more to the end of their chunks; whoever
appends many hands it to the writer once, behind them, so a point costs one statement.

Points stay in the order in which they came, whatever the clock did meanwhile. A chunk's `start` is its earliest time;
its `finish` is the latest of all points up to its end, so it never sinks from one chunk to the next.
"""

import math
import struct
from collections.abc import Mapping
from functools import lru_cache

from utils.database import Statement, upsert
from utils.history.series import Series, checked

__all__ = [
    "APPEND",
    "CLOSE",
    "LATEST",
    "LEVELS_SCHEMA",
    "POINTS_IN_A_CHUNK",
    "POINTS_OPEN",
    "SCHEMA",
    "closing",
    "point",
    "recording",
]

POINTS_IN_A_CHUNK = 64
POINTS_OPEN = 8
LATEST = 1e15
"""Seconds: no time is farther from 1970, so that its minute is a whole number for every database."""

SCHEMA = f"""
CREATE TABLE history (
    subject TEXT NOT NULL, metrics TEXT NOT NULL, chunk INTEGER NOT NULL, finish REAL NOT NULL, points INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE UNIQUE INDEX history_by_subject ON history (subject, metrics, chunk);
CREATE TABLE history_open (
    subject TEXT NOT NULL, metrics TEXT NOT NULL, finish REAL NOT NULL, points INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (subject, metrics)) WITHOUT ROWID;
CREATE TRIGGER history_close AFTER UPDATE ON history_open WHEN new.points >= {POINTS_OPEN} BEGIN
    INSERT INTO history (subject, metrics, chunk, finish, points, data)
    VALUES (new.subject, new.metrics, coalesce((SELECT chunk + (points >= {POINTS_IN_A_CHUNK}) FROM history
        WHERE subject = new.subject AND metrics = new.metrics ORDER BY chunk DESC LIMIT 1), 0),
        new.finish, new.points, new.data)
    ON CONFLICT (subject, metrics, chunk) DO UPDATE SET finish = max(finish, excluded.finish),
        points = points + excluded.points, data = CAST(data || excluded.data AS BLOB);
    UPDATE history_open SET points = 0, data = x'' WHERE subject = new.subject AND metrics = new.metrics;
END
"""  # noqa: S608 - the only inserted text are our own constants

# Where an open row's points go is kept with it (`chunk`, which holds `filled` points already): no look at the chunks.
# `rolled`: how many points of a chunk are in the roll-ups. `raw_after` and `whole_from`: of what is older, something
# was dropped from the raw points, or from a level of roll-ups.
LEVELS_SCHEMA = f"""
DROP TRIGGER history_close;
ALTER TABLE history_open ADD COLUMN start REAL NOT NULL DEFAULT -1e300;
ALTER TABLE history_open ADD COLUMN chunk INTEGER NOT NULL DEFAULT 0;
ALTER TABLE history_open ADD COLUMN filled INTEGER NOT NULL DEFAULT 0;
UPDATE history_open SET chunk = coalesce((SELECT max(h.chunk) FROM history h
    WHERE h.subject = history_open.subject AND h.metrics = history_open.metrics), 0);
UPDATE history_open SET filled = coalesce((SELECT h.points FROM history h WHERE h.subject = history_open.subject
    AND h.metrics = history_open.metrics AND h.chunk = history_open.chunk), 0);
CREATE INDEX history_to_close ON history_open (subject, metrics) WHERE points >= {POINTS_OPEN};
ALTER TABLE history ADD COLUMN start REAL NOT NULL DEFAULT -1e300;
ALTER TABLE history ADD COLUMN rolled INTEGER NOT NULL DEFAULT 0;
CREATE INDEX history_to_roll ON history (subject, metrics, chunk) WHERE rolled < points;
CREATE INDEX history_by_time ON history (subject, metrics, finish, start);
CREATE TABLE history_rollups (
    subject TEXT NOT NULL, metrics TEXT NOT NULL, level INTEGER NOT NULL, start INTEGER NOT NULL, data BLOB NOT NULL);
CREATE UNIQUE INDEX history_rollups_by_subject ON history_rollups (subject, metrics, level, start);
CREATE INDEX history_rollups_by_time ON history_rollups (level, start);
CREATE TABLE history_series (
    subject TEXT NOT NULL, metrics TEXT NOT NULL, unit TEXT NOT NULL DEFAULT '', raw_after REAL NOT NULL DEFAULT -1e300,
    PRIMARY KEY (subject, metrics)) WITHOUT ROWID;
CREATE TABLE history_levels (level INTEGER PRIMARY KEY, whole_from REAL NOT NULL)
"""  # noqa: S608 - the only inserted number is ours

APPEND = """
INSERT INTO history_open (subject, metrics, start, finish, points, data) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (subject, metrics) DO UPDATE SET
    start = CASE WHEN history_open.points = 0 OR excluded.start < history_open.start
        THEN excluded.start ELSE history_open.start END,
    finish = CASE WHEN excluded.finish > history_open.finish THEN excluded.finish ELSE history_open.finish END,
    points = history_open.points + excluded.points, data = CAST(history_open.data || excluded.data AS BLOB)
"""


def closing(condition: str) -> tuple[str, str]:
    """The two statements that move open points to the end of their chunks, for the open rows of a condition."""
    move = f"""
INSERT INTO history (subject, metrics, chunk, start, finish, points, data)
SELECT subject, metrics, chunk, start, finish, points, data FROM history_open WHERE {condition}
ON CONFLICT (subject, metrics, chunk) DO UPDATE SET
    start = CASE WHEN excluded.start < history.start THEN excluded.start ELSE history.start END,
    finish = excluded.finish, points = history.points + excluded.points,
    data = CAST(history.data || excluded.data AS BLOB)
"""  # noqa: S608 - the condition is ours
    empty = f"""
UPDATE history_open SET chunk = chunk + CASE WHEN filled + points >= {POINTS_IN_A_CHUNK} THEN 1 ELSE 0 END,
    filled = CASE WHEN filled + points >= {POINTS_IN_A_CHUNK} THEN 0 ELSE filled + points END,
    points = 0, data = CAST('' AS BLOB)
WHERE {condition}
"""  # noqa: S608 - the condition is ours
    return move, empty


CLOSE: tuple[Statement, ...] = tuple((sql, ()) for sql in closing(f"points >= {POINTS_OPEN}"))
"""To be handed to the writer behind appended points; it costs next to nothing when no open row is full."""


def point(subject: str, time: float, values: Mapping[str, float | None]) -> Statement:
    """The statement that appends one point; hand it to the writer together with the events it belongs to.

    `None` and NaN both mean that there is no value.

    Raises:
        ValueError: no values, a metric's name that holds a comma, or a time that is none.
    """
    metrics, row = _row(tuple(values))
    if not metrics:
        raise ValueError(f"{subject}: metrics need names without commas, got {list(values)}")
    if not abs(time) <= LATEST:
        raise ValueError(f"{subject}: {time!r} is no time in epoch seconds")
    numbers = [math.nan if value is None else value for value in values.values()]
    return APPEND, (subject, metrics, time, time, 1, row.pack(time, *numbers))


@lru_cache(maxsize=4096)
def _row(metrics: tuple[str, ...]) -> tuple[str, struct.Struct]:
    """Metrics under one name ("": that cannot be), and the row of a point; kept, because points are alike."""
    name = ",".join(metrics)
    return name if name.count(",") == len(metrics) - 1 else "", struct.Struct(f"<{len(metrics) + 1}d")


_UNIT = upsert("history_series", "subject, metrics, unit", key="subject, metrics")


def recording(series: Series, time: float, value: float) -> tuple[Statement, ...]:
    """The statements that append one point of one series, and keep its unit when it has one.

    Raises:
        SeriesNameError: its name or a label cannot be kept.
    """
    checked(series.name, series.labels)
    unit = ((_UNIT, (series.subject, series.name, series.unit)),) if series.unit else ()
    return (*unit, point(series.subject, time, {series.name: value}), *CLOSE)
