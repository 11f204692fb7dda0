"""The history of an installation: appends batches, gives the newest points and any range, rolls up and drops."""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from utils.database import Database
from utils.history.points import LATEST, POINTS_IN_A_CHUNK
from utils.history.series import Series, labels_of, subject_of

if TYPE_CHECKING:
    import numpy as np

    from utils.history.batches import Batch
    from utils.history.reading import Buckets, Period
    from utils.history.rollups import Kept

__all__ = ["Block", "Figures", "History"]

_OPEN = 2**63 - 1
_AT_ONCE = 64
_LONGEST_RANGE = 1e11

# One statement for many subjects: of each set of metrics the newest chunks, found from its open row, and the open
# points behind them. A statement a subject costs about as much as its own data.
_NEWEST = """
WITH wanted AS (SELECT ? AS place, ? AS subject {more})
SELECT w.place, o.metrics, h.chunk, h.data FROM wanted w
    JOIN history_open o ON o.subject = w.subject
    JOIN history h ON h.subject = o.subject AND h.metrics = o.metrics AND h.chunk > o.chunk - ?
UNION ALL
SELECT w.place, o.metrics, {end}, o.data FROM wanted w
    JOIN history_open o ON o.subject = w.subject
"""
_SERIES = """
SELECT o.subject, o.metrics, o.finish, coalesce(s.unit, '') FROM history_open o
LEFT JOIN history_series s ON s.subject = o.subject AND s.metrics = o.metrics ORDER BY o.subject, o.metrics
"""
# The newest point of a row that was just emptied is the last one of the chunk that took its points.
_ALONE = """
SELECT o.subject, o.metrics, o.finish, coalesce(s.unit, ''), coalesce(h.data, o.data) FROM history_open o
LEFT JOIN history_series s ON s.subject = o.subject AND s.metrics = o.metrics
LEFT JOIN history h ON o.points = 0 AND h.subject = o.subject AND h.metrics = o.metrics
    AND h.chunk = o.chunk - CASE WHEN o.filled = 0 THEN 1 ELSE 0 END
WHERE o.metrics NOT LIKE ? ORDER BY o.subject, o.metrics
"""
_TOGETHER = "%,%"
_VALUE = struct.Struct("<d")


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


@dataclass(frozen=True, slots=True)
class Figures:
    """How many series there are, and how many points that wait for their roll-up."""

    series: int
    waiting: int


class History:
    """All series of a database. What single points cost, and how they are appended, says `points.py`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(
        self,
        name: str,
        times: "Sequence[float] | np.ndarray[Any, Any]",
        values: "Sequence[float] | np.ndarray[Any, Any]",
        labels: Mapping[str, str] = {},
        *,
        unit: str = "",
    ) -> int:
        """Append points of one series; committed when it returns how many. Raises as `Batch` does."""
        from utils.history.batches import Batch

        return self.write([Batch(name, times, values, labels, unit)])

    def write(self, batches: "Sequence[Batch]") -> int:
        """Append batches of any number of series in one transaction; gives the number of points."""
        from utils.history.batches import write

        with self._database.transaction() as connection:
            return write(connection, batches)

    def blocks(self, subjects: Iterable[str], *, last: int = 256) -> list[Block]:
        """The newest `last` points of each subject, one block for each set of metrics measured together.

        In the order of `subjects`; one that has no points has no block.
        """
        names = list(dict.fromkeys(subjects))
        chunks = 1 + -(-last // POINTS_IN_A_CHUNK)  # the newest may hold none yet
        together: dict[tuple[int, str], list[tuple[int, bytes]]] = {}
        for start in range(0, len(names), _AT_ONCE):
            for place, metrics, chunk, data in self._newest(names[start : start + _AT_ONCE], chunks):
                together.setdefault((start + int(place), metrics), []).append((chunk, data))
        return [
            _block(names[position], metrics, [data for _, data in sorted(found)], last)
            for (position, metrics), found in sorted(together.items())
        ]

    def subjects(self) -> list[str]:
        found = self._database.query("SELECT DISTINCT subject FROM history_open ORDER BY subject")
        return [subject for (subject,) in found]

    def series(self, name: str | None = None) -> list[Series]:
        """All series there are, or those of a name, by labels and name."""
        newest: dict[tuple[str, str], tuple[float, str]] = {}
        for subject, metrics, finish, unit in self._database.query(_SERIES):
            for metric in metrics.split(","):
                if name in (None, metric) and ((subject, metric) not in newest or newest[subject, metric][0] <= finish):
                    newest[subject, metric] = finish, unit
        return [
            Series(metric, labels_of(subject), unit, finish)
            for (subject, metric), (finish, unit) in sorted(newest.items())
        ]

    def recorded(self) -> list[tuple[Series, float]]:
        """Each series that is not measured together with others, with its newest value; by labels and name."""
        return [
            (Series(metric, labels_of(subject), unit, finish), _VALUE.unpack_from(data, len(data) - _VALUE.size)[0])
            for subject, metric, finish, unit, data in self._database.query(_ALONE, (_TOGETHER,))
            if data
        ]

    def figures(self) -> Figures:
        """How much is kept."""
        ((waiting,),) = self._database.query("SELECT sum(points - rolled) FROM history WHERE rolled < points")
        names: dict[str, str] = {}
        for subject, metrics in self._database.query("SELECT subject, metrics FROM history_open"):
            names[subject] = f"{names[subject]},{metrics}" if subject in names else metrics
        return Figures(sum(len(set(told.split(","))) for told in names.values()), int(waiting or 0))

    def range(
        self, name: str, labels: Mapping[str, str] = {}, *, since: float, until: float, points: int = 1200
    ) -> "Buckets":
        """The points from `since` up to `until` (epoch seconds), summed up in at most `points` buckets of equal width.

        Each bucket has the least and the greatest value beside the mean, so that a chart shows every spike. They come
        from the roll-ups when a bucket is wider than a minute or an hour, and where the points themselves were dropped.

        Raises:
            ValueError: the range is empty, or no range of time; or no point is asked for.
        """
        from utils.history.reading import range_of

        _check_range(since, until)
        if points < 1:
            raise ValueError(f"{points} points are too few for a range")
        return range_of(self._database, subject_of(labels), name, since, until, points)

    def aggregates(
        self, name: str, labels: Mapping[str, str] = {}, *, since: float, until: float, by: "Period", zone: str = "UTC"
    ) -> "Buckets":
        """One bucket for each hour, day or month of a zone's clock that has values, whole ones at both ends.

        Where only hours are left, an hour counts to the day in which it begins: that is exact in zones whose offset
        is whole hours.

        Raises:
            ValueError: the range is empty, or no range of time; an unknown period or zone.
        """
        from utils.history.reading import aggregates

        _check_range(since, until)
        if by not in {"hour", "day", "month"}:
            raise ValueError(f"{by!r} is no period: hour, day, month")
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{zone!r} is no time zone") from error
        return aggregates(self._database, subject_of(labels), name, since, until, by, zone)

    def roll_up(self) -> int:
        """Roll up some of the points that wait, in one short transaction; how many. 0: none waits any more."""
        from utils.history.rollups import roll_up

        return roll_up(self._database)

    def retain(self, now: float, kept: "Kept") -> int:
        """Drop what is past its time (`now` in epoch seconds); gives the number of points dropped.

        Points leave only after they were rolled up, and the newest 256 of each set of metrics stay as long as its
        last point is younger than the longest of the times.
        """
        from utils.history.rollups import retain

        return retain(self._database, now, kept)

    def _newest(self, names: Sequence[str], chunks: int) -> Iterator[tuple[int, str, int, bytes]]:
        size = next(size for size in (1, 8, _AT_ONCE) if size >= len(names))
        # The last is repeated under another number: few statements, each prepared once.
        wanted = [*names, *[names[-1]] * (size - len(names))]
        sql = _NEWEST.format(more="UNION ALL SELECT ?, ? " * (size - 1), end=_OPEN)
        for row in self._database.query(sql, [*(v for pair in enumerate(wanted) for v in pair), chunks]):
            if row[0] < len(names):
                yield row


def _block(subject: str, metrics: str, chunks: Sequence[bytes], last: int) -> Block:
    import numpy as np

    names = tuple(metrics.split(","))
    matrix = np.frombuffer(b"".join(chunks), dtype="<f8").reshape(-1, len(names) + 1)[-last:]
    return Block(subject, names, matrix[:, 0], matrix[:, 1:])


def _check_range(since: float, until: float) -> None:
    if not (since < until and abs(since) <= min(_LONGEST_RANGE, LATEST) and abs(until) <= _LONGEST_RANGE):
        raise ValueError(f"from {since!r} to {until!r} (epoch seconds) is no range of time")
