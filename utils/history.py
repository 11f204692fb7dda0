"""Named numbers over time, many of one subject at once, kept in small chunks.

All metrics of one subject that are measured together (a dataset run's rows, nulls, score, ...) share one time and one
chunk of up to 64 points: a matrix of little-endian float64, one row a point, its first column the time. So reading 200
points of ten metrics is four rows, where a row a value took 350 microseconds a dataset. The newest points, up to
eight, wait in a row of their own, many of which share a page: rewriting a chunk for each point cost a third of a whole
dataset run once there was some history.

Points stay in the order in which they came, whatever the clock did meanwhile.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from utils.database import Database, Statement

if TYPE_CHECKING:
    import numpy as np

POINTS_IN_A_CHUNK = 64
POINTS_OPEN = 8

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

_APPEND = """
INSERT INTO history_open VALUES (?1, ?2, ?3, 1, ?4) ON CONFLICT (subject, metrics) DO UPDATE SET
    finish = max(finish, excluded.finish), points = points + 1, data = CAST(data || excluded.data AS BLOB)
"""

# One statement for many subjects: of each set of metrics the newest chunks, found from its last one, and the open
# points behind them. A statement a subject costs about as much as its own data.
_NEWEST = """
SELECT j.key, o.metrics, h.chunk, h.data FROM json_each(?1) j
    CROSS JOIN history_open o ON o.subject = j.value
    CROSS JOIN history h ON h.subject = o.subject AND h.metrics = o.metrics
        AND h.chunk > (SELECT max(chunk) FROM history WHERE subject = o.subject AND metrics = o.metrics) - ?2
UNION ALL
SELECT j.key, o.metrics, 9223372036854775807, o.data FROM json_each(?1) j
    CROSS JOIN history_open o ON o.subject = j.value
"""


@dataclass(frozen=True, slots=True)
class Block:
    """All points of one subject's metrics: `times` (n,) in epoch seconds, `values` (n, k) with NaN for no value.

    Both are views of what was read and cannot be written to.
    """

    subject: str
    metrics: tuple[str, ...]
    times: "np.ndarray[Any, Any]"
    values: "np.ndarray[Any, Any]"

    def series(self, metric: str) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
        """Times and values of one metric, points without a value left out."""
        import numpy as np

        column = self.values[:, self.metrics.index(metric)]
        there = ~np.isnan(column)
        return self.times[there], column[there]


def point(subject: str, time: float, values: Mapping[str, float | None]) -> Statement:
    """The statement that appends one point; hand it to the writer together with the events it belongs to.

    `None` and NaN both mean that there is no value.

    Raises:
        ValueError: no values, or a metric's name that holds a comma.
    """
    metrics = ",".join(values)
    if not metrics or metrics.count(",") != len(values) - 1:
        raise ValueError(f"{subject}: metrics need names without commas, got {list(values)}")
    numbers = [float("nan") if value is None else value for value in values.values()]
    return _APPEND, (subject, metrics, time, struct.pack(f"<{len(numbers) + 1}d", time, *numbers))


class History:
    """Reads what `point` appended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def blocks(self, subjects: Iterable[str], *, last: int = 256) -> list[Block]:
        """The newest `last` points of each subject, one block for each set of metrics measured together.

        In the order of `subjects`; one that has no points has no block.
        """
        names = list(dict.fromkeys(subjects))
        chunks = 1 + -(-(last - 1) // POINTS_IN_A_CHUNK)  # the newest may hold a single point
        together: dict[tuple[int, str], list[tuple[int, bytes]]] = {}
        for position, metrics, chunk, data in self._database.query(_NEWEST, (orjson.dumps(names).decode(), chunks)):
            together.setdefault((position, metrics), []).append((chunk, data))
        return [
            _block(names[position], metrics, [data for _, data in sorted(found)], last)
            for (position, metrics), found in sorted(together.items())
        ]

    def subjects(self) -> list[str]:
        found = self._database.query("SELECT DISTINCT subject FROM history_open ORDER BY subject")
        return [subject for (subject,) in found]

    def prune(self, before: float) -> int:
        """Drop chunks whose newest point is older than `before` (epoch seconds); gives the number of points dropped."""
        points = 0
        with self._database.transaction() as connection:
            # A set's open row keeps the time of its newest point, so it goes after the last of its chunks.
            for table in ("history", "history_open"):
                sql = f"SELECT coalesce(sum(points), 0) FROM {table} WHERE finish < ?"  # noqa: S608 - our own names
                points += connection.execute(sql, (before,)).fetchone()[0]
                connection.execute(f"DELETE FROM {table} WHERE finish < ?", (before,))  # noqa: S608
        return points


def _block(subject: str, metrics: str, chunks: Sequence[bytes], last: int) -> Block:
    import numpy as np

    names = tuple(metrics.split(","))
    matrix = np.frombuffer(b"".join(chunks), dtype="<f8").reshape(-1, len(names) + 1)[-last:]
    return Block(subject, names, matrix[:, 0], matrix[:, 1:])
