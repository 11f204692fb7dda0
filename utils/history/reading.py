"""Any range of a series, from the levels that fit: the coarsest that is fine enough, else the finest that is left.

What was not rolled up yet is summed up while it is read, so every point counts exactly once, whatever maintenance has
done. A roll-up that reaches into the range counts whole; one of an hour counts to the day in which it begins.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from utils.database import Database
from utils.history.cells import Cells, Floats, decoded, joined, of_points, regrouped
from utils.history.rollups import HOUR, MINUTE, SPANS, by_level, matrix_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Buckets", "Period", "aggregates", "range_of"]

Period = Literal["hour", "day", "month"]

RAW = 0
_EVER = 1e300
_OPEN = 2**63 - 1

_SETS = """
SELECT o.metrics, coalesce(s.raw_after, -1e300) FROM history_open o
LEFT JOIN history_series s ON s.subject = o.subject AND s.metrics = o.metrics WHERE o.subject = ? ORDER BY o.metrics
"""
_LEVELS = "SELECT level, whole_from FROM history_levels"

# One statement, so that all of it is of one moment: no point is missed or met twice while somebody closes a chunk,
# rolls up or drops. Kinds: 0 and 1 what the choice of levels rests on, 2 raw points, 3 those that are not rolled up,
# 4 roll-ups. Placeholders: set, raw from, raw until, and of each level from and until (a level not wanted is empty).
_PARTS = f"""
SELECT 0 AS kind, 0 AS level, 0 AS place, raw_after AS number, CAST('' AS BLOB) AS data
    FROM history_series WHERE subject = ?1 AND metrics = ?2
UNION ALL SELECT 1, level, 0, whole_from, CAST('' AS BLOB) FROM history_levels
UNION ALL SELECT 2, 0, chunk, 0, data FROM history
    WHERE subject = ?1 AND metrics = ?2 AND finish >= ?3 AND start < ?4
UNION ALL SELECT 3, 0, chunk, rolled, data FROM history WHERE subject = ?1 AND metrics = ?2 AND rolled < points
UNION ALL SELECT 3, 0, {_OPEN}, 0, data FROM history_open WHERE subject = ?1 AND metrics = ?2
UNION ALL SELECT 4, level, start, 0, data FROM history_rollups
    WHERE subject = ?1 AND metrics = ?2 AND level = 60 AND start > ?5 AND start < ?6
UNION ALL SELECT 4, level, start, 0, data FROM history_rollups
    WHERE subject = ?1 AND metrics = ?2 AND level = 3600 AND start > ?7 AND start < ?8
"""  # noqa: S608 - the only inserted number is ours


@dataclass(frozen=True, slots=True)
class Buckets:
    """A range of a series, summed up; arrays of one length, without stretches that hold nothing.

    Attributes:
        times: Epoch seconds: of the first point (or roll-up) in a bucket; of aggregates, where the period begins.
        mean, low, high, last: Of the values in a bucket. `low` and `high` keep what a mean hides.
        count: How many values there were.
        total: Their sum.
    """

    times: Floats
    count: Floats
    total: Floats
    mean: Floats
    low: Floats
    high: Floats
    last: Floats

    def table(self) -> "pa.Table":
        """As an Arrow table; `time` is a timestamp in UTC."""
        from utils.arrow import pa

        micros = np.round(self.times * 1e6).astype(np.int64)
        columns = {
            "time": pa.array(micros, pa.timestamp("us", tz="UTC")),
            "count": pa.array(self.count.astype(np.int64)),
        }
        for name in ("mean", "low", "high", "last", "total"):
            columns[name] = pa.array(getattr(self, name))
        return pa.table(columns)


@dataclass(frozen=True, slots=True)
class _Section:
    """A stretch of time (epoch seconds, the end not in it) and the level it is read from."""

    level: int
    since: float
    until: float


def range_of(database: Database, subject: str, metric: str, since: float, until: float, points: int) -> Buckets:
    """At most `points` buckets of equal width."""
    width = (until - since) / points
    cells = _cells(database, subject, metric, since, until, wanted=_level_for(width))
    keys = np.clip(np.floor((cells.start - since) / width), 0, points - 1).astype(np.int64)
    grouped, _ = regrouped(cells, keys)
    return _buckets(grouped, grouped.start)


def aggregates(
    database: Database, subject: str, metric: str, since: float, until: float, by: Period, zone: str
) -> Buckets:
    """One bucket for each hour, day or month of a zone that has values."""
    edges = np.array(list(_edges(since, until, by, ZoneInfo(zone))))
    wanted = HOUR if not np.any(edges % HOUR) else MINUTE if not np.any(edges % MINUTE) else RAW
    cells = _cells(database, subject, metric, float(edges[0]), float(edges[-1]), wanted=wanted)
    cells = cells.rows(cells.start >= edges[0])
    keys = np.searchsorted(edges, cells.start, side="right") - 1
    grouped, found = regrouped(cells, keys)
    return _buckets(grouped, edges[found])


def _buckets(cells: Cells, times: Floats) -> Buckets:
    there = cells.count[:, 0] > 0
    count, total, low, high, last = (
        part[there, 0] for part in (cells.count, cells.total, cells.low, cells.high, cells.last)
    )
    with np.errstate(invalid="ignore"):
        mean = total / count
    return Buckets(times[there], count, total, mean, low, high, last)


def _level_for(width: float) -> int:
    return HOUR if width >= HOUR else MINUTE if width >= MINUTE else RAW


def _cells(database: Database, subject: str, metric: str, since: float, until: float, *, wanted: int) -> Cells:
    """All cells of one metric that begin in the range, over all sets of metrics that it was measured in."""
    whole_from = dict(database.query(_LEVELS))
    parts = []
    for metrics, raw_after in database.query(_SETS, (subject,)):
        names = metrics.split(",")
        if metric not in names:
            continue
        chosen_by, found_by = None, (raw_after, whole_from)
        while chosen_by != found_by:  # once more when something was dropped since the choice was made
            chosen_by = found_by
            sections = list(_sections(*chosen_by, since, until, wanted))
            found, found_by = _read(database, subject, names, metric, sections)
        parts += found
    return joined(parts, 1)


def _sections(
    raw_after: float, whole_from: dict[int, float], since: float, until: float, wanted: int
) -> Iterator[_Section]:
    # Up to a whole hour, so that no minute or hour is counted in two levels.
    raw_from = (math.floor(raw_after / HOUR) + 1) * HOUR if raw_after > -_EVER else -_EVER
    starts = {RAW: raw_from, MINUTE: whole_from.get(MINUTE, -_EVER), HOUR: whole_from.get(HOUR, -_EVER)}
    order = [*(n for n in (HOUR, MINUTE, RAW) if n <= wanted), *(n for n in (MINUTE, HOUR) if n > wanted)]
    edges = sorted({since, until, *(edge for edge in starts.values() if since < edge < until)})
    for a, b in pairwise(edges):
        level = next((level for level in order if starts[level] <= a), None)
        if level is not None:
            yield _Section(level, a, b)


def _read(
    database: Database, subject: str, names: list[str], metric: str, sections: list[_Section]
) -> tuple[list[Cells], tuple[float, dict[int, float]]]:
    """The cells of the sections; and what `_sections` rests on, as it was at that moment."""
    width, column = len(names), names.index(metric)
    bounds = [bound for level in (RAW, MINUTE, HOUR) for bound in _bounds(sections, level)]
    raw: list[tuple[int, bytes]] = []
    tail: list[tuple[int, Any]] = []
    blocks: dict[int, list[tuple[int, bytes]]] = {MINUTE: [], HOUR: []}
    raw_after, whole_from = -_EVER, dict[int, float]()
    for kind, level, place, number, data in database.query(_PARTS, (subject, ",".join(names), *bounds)):
        if kind == 0:
            raw_after = number
        elif kind == 1:
            whole_from[level] = number
        elif kind == 2:
            raw.append((place, data))
        elif kind == 3:
            tail.append((place, matrix_of(data, width)[int(number) :]))
        else:
            blocks[level].append((place, data))
    waiting = [matrix for _, matrix in sorted(tail, key=lambda part: part[0])]
    opened = [matrix for place, matrix in tail if place == _OPEN]
    found = []
    for section in sections:
        if section.level == RAW:
            closed = [matrix_of(b"".join(data for _, data in sorted(raw)), width)] if raw else []
            found.append(_within(_of_matrices([*closed, *opened], column), section))
            continue
        rolled = [decoded(data, width).metric(column) for _, data in sorted(blocks[section.level])]
        fresh = by_level(_of_matrices(waiting, column), section.level)
        together = joined([*(_within(part, section) for part in rolled), _within(fresh, section)], 1)
        found.append(regrouped(together, together.start)[0])
    return found, (raw_after, whole_from)


def _bounds(sections: list[_Section], level: int) -> tuple[float, float]:
    """What to read of a level; of one that is not wanted nothing."""
    here = [section for section in sections if section.level == level]
    if not here:
        return (_EVER, -_EVER) if level == RAW else (0, 0)
    first, last = min(section.since for section in here), max(section.until for section in here)
    # A block begins up to its span before what is wanted of it.
    return (first, last) if level == RAW else (math.floor(first) - SPANS[level], math.ceil(last))


def _of_matrices(matrices: list[Any], column: int) -> Cells:
    if not matrices:
        return joined([], 1)
    matrix = matrices[0] if len(matrices) == 1 else np.concatenate(matrices)
    return of_points(matrix[:, 0], matrix[:, column + 1 : column + 2])


def _within(cells: Cells, section: _Section) -> Cells:
    """What lies in the section, or reaches into it."""
    begun = cells.start > section.since - section.level if section.level else cells.start >= section.since
    there = begun & (cells.start < section.until)
    return cells if there.all() else cells.rows(there)


def _edges(since: float, until: float, by: Period, zone: ZoneInfo) -> Iterator[float]:
    """Where the periods begin, from the one that holds `since` to the first at or after `until`."""
    if by == "hour":
        edge = since - _past_the_hour(since, zone)
        while edge < until:
            yield edge
            edge += HOUR - _past_the_hour(edge, zone)  # not a whole hour: the clock was changed by half of one
        yield edge
        return
    begin = datetime.fromtimestamp(since, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if by == "month":
        begin = begin.replace(day=1)
    while True:
        edge = begin.astimezone(UTC).timestamp()
        yield edge
        if edge >= until:
            return
        begin += timedelta(days=32 if by == "month" else 1)
        if by == "month":
            begin = begin.replace(day=1)


def _past_the_hour(moment: float, zone: ZoneInfo) -> float:
    local = datetime.fromtimestamp(moment, zone)
    return local.minute * 60 + local.second + local.microsecond / 1e6
