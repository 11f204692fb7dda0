"""Named numbers over time, many of one subject at once, kept in small chunks that append in place.

All metrics of one subject that are measured together (a dataset run's rows, nulls, score, ...) share one time and one
chunk of up to 64 points: a matrix of little-endian float64, one row a point, its first column the time. So appending is
one statement and reading 200 points of ten metrics is four rows, where a row a value took 350 microseconds a dataset.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from utils.database import Database, Statement

if TYPE_CHECKING:
    import numpy as np

POINTS_IN_A_CHUNK = 64

SCHEMA = """
CREATE TABLE history (
    subject TEXT NOT NULL, metrics TEXT NOT NULL, start REAL NOT NULL, finish REAL NOT NULL, points INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE UNIQUE INDEX history_by_subject ON history (subject, metrics, start)
"""

_APPEND = f"""
INSERT INTO history (subject, metrics, start, finish, points, data)
VALUES (?1, ?2, coalesce((SELECT CASE WHEN points < {POINTS_IN_A_CHUNK} THEN start END FROM history
    WHERE subject = ?1 AND metrics = ?2 ORDER BY start DESC LIMIT 1), ?3), ?3, 1, ?4)
ON CONFLICT (subject, metrics, start) DO UPDATE SET
    finish = excluded.finish, points = points + 1, data = CAST(data || excluded.data AS BLOB)
"""  # noqa: S608 - the only inserted text is our own constant


@dataclass(frozen=True, slots=True)
class Block:
    """All points of one subject's metrics: `times` (n,) in epoch seconds, `values` (n, k) with NaN for no value."""

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
    """The statement that appends one point; hand it to the writer together with the events it belongs to."""
    numbers = [float("nan") if value is None else float(value) for value in values.values()]
    return _APPEND, (subject, ",".join(values), time, struct.pack(f"<{len(numbers) + 1}d", time, *numbers))


class History:
    """Reads what `point` appended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def blocks(self, subjects: Iterable[str], *, last: int = 256) -> list[Block]:
        """The newest `last` points of each subject, one block for each set of metrics measured together."""
        chunks = -(-last // POINTS_IN_A_CHUNK) + 1
        sql = "SELECT metrics, data FROM history WHERE subject = ? ORDER BY start DESC LIMIT ?"
        found = []
        for subject in subjects:
            together: dict[str, list[bytes]] = {}
            for metrics, data in self._database.query(sql, (subject, chunks)):
                together.setdefault(metrics, []).append(data)
            found += [_block(subject, metrics, data[::-1], last) for metrics, data in together.items()]
        return found

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
