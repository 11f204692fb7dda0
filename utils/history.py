"""Named numbers over time, many of one subject at once, kept in small chunks that append in place.

All metrics of one subject that are measured together (a dataset run's rows, nulls, score, ...) share one time and one
chunk of up to 64 points: a matrix of little-endian float64, one row a point, its first column the time. So appending is
one statement and reading 200 points of ten metrics is four rows, where a row a value took 350 microseconds a dataset.

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

SCHEMA = """
CREATE TABLE history (
    subject TEXT NOT NULL, metrics TEXT NOT NULL, chunk INTEGER NOT NULL, finish REAL NOT NULL, points INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE UNIQUE INDEX history_by_subject ON history (subject, metrics, chunk)
"""

_APPEND = f"""
INSERT INTO history (subject, metrics, chunk, finish, points, data)
VALUES (?1, ?2, coalesce((SELECT chunk + (points >= {POINTS_IN_A_CHUNK}) FROM history
    WHERE subject = ?1 AND metrics = ?2 ORDER BY chunk DESC LIMIT 1), 0), ?3, 1, ?4)
ON CONFLICT (subject, metrics, chunk) DO UPDATE SET
    finish = max(finish, excluded.finish), points = points + 1, data = CAST(data || excluded.data AS BLOB)
"""  # noqa: S608 - the only inserted text is our own constant

# One statement for many subjects: for each, its sets of metrics by skipping through the index, and of each set the
# newest chunks, found from its last one. A statement a subject costs about as much as its own data.
_NEWEST = """
WITH RECURSIVE sets(position, subject, metrics) AS (
    SELECT key, value, (SELECT min(metrics) FROM history WHERE subject = value) FROM json_each(?1)
    UNION ALL
    SELECT position, subject, (SELECT min(h.metrics) FROM history h
        WHERE h.subject = sets.subject AND h.metrics > sets.metrics) FROM sets WHERE metrics IS NOT NULL)
SELECT s.position, h.metrics, h.chunk, h.data FROM sets s CROSS JOIN history h
WHERE h.subject = s.subject AND h.metrics = s.metrics
    AND h.chunk > (SELECT max(chunk) FROM history WHERE subject = s.subject AND metrics = s.metrics) - ?2
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
        return [subject for (subject,) in self._database.query("SELECT DISTINCT subject FROM history ORDER BY subject")]

    def prune(self, before: float) -> int:
        """Drop chunks whose newest point is older than `before` (epoch seconds); gives the number of points dropped."""
        with self._database.transaction() as connection:
            (points,) = connection.execute(
                "SELECT coalesce(sum(points), 0) FROM history WHERE finish < ?", (before,)
            ).fetchone()
            connection.execute("DELETE FROM history WHERE finish < ?", (before,))
        return int(points)


def _block(subject: str, metrics: str, chunks: Sequence[bytes], last: int) -> Block:
    import numpy as np

    names = tuple(metrics.split(","))
    matrix = np.frombuffer(b"".join(chunks), dtype="<f8").reshape(-1, len(names) + 1)[-last:]
    return Block(subject, names, matrix[:, 0], matrix[:, 1:])
