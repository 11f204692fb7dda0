"""Any range of a series, from the levels that fit: the coarsest that is fine enough, else the finest that is left.

What was not rolled up yet is read beside the roll-ups, so every point counts exactly once, whatever maintenance has
done. A roll-up that reaches into the range counts whole; one of an hour counts to the day in which it begins.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from utils.database import Database
from utils.history.cells import Cells, Floats, decoded, joined, of_points, regrouped
from utils.history.rollups import HOUR, MINUTE, SPANS, matrix_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Buckets", "Period", "aggregates", "range_of"]

Period = Literal["hour", "day", "month"]

Keys = NDArray[np.int64]

RAW = 0
_AT_ONCE = 16_384
"""Points summed up together."""
_EVER = 1e300
_OPEN = 2**63 - 1

_SETS = """
SELECT o.metrics, coalesce(s.raw_after, -1e300) FROM history_open o
LEFT JOIN history_series s ON s.subject = o.subject AND s.metrics = o.metrics WHERE o.subject = ? ORDER BY o.metrics
"""
_LEVELS = "SELECT level, whole_from FROM history_levels"

# One statement, so that all of it is of one moment: no point is missed or met twice while somebody closes a chunk,
# rolls up or drops. Kinds: 0 and 1 what the choice of levels rests on, 2 raw points, 3 those that are not rolled up,
# 4 roll-ups. Placeholders: set; of points and of each level from and until (one not wanted is empty); until when of
# those that wait.
_PARTS = f"""
SELECT 0 AS kind, 0 AS level, 0 AS place, raw_after AS number, CAST('' AS BLOB) AS data
    FROM history_series WHERE subject = ?1 AND metrics = ?2
UNION ALL SELECT 1, level, 0, whole_from, CAST('' AS BLOB) FROM history_levels
UNION ALL SELECT 2, 0, chunk, 0, data FROM history
    WHERE subject = ?1 AND metrics = ?2 AND finish >= ?3 AND start < ?4
UNION ALL SELECT 3, 0, chunk, rolled, data FROM history WHERE subject = ?1 AND metrics = ?2
    AND rolled < points AND start < ?9
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
class _Wanted:
    """What is asked for: a range, the coarsest level that is fine enough, and into which place a cell goes."""

    since: float
    until: float
    level: int
    place: Callable[[Floats], Keys]


@dataclass(frozen=True, slots=True)
class _Section:
    """A stretch of time (epoch seconds, the end not in it) and the level it is read from."""

    level: int
    since: float
    until: float


def range_of(database: Database, subject: str, metric: str, since: float, until: float, points: int) -> Buckets:
    """At most `points` buckets of equal width."""
    width = (until - since) / points

    def place(start: Floats) -> Keys:
        return np.clip(np.floor((start - since) / width), 0, points - 1).astype(np.int64)

    cells, _ = _read_all(database, subject, metric, _Wanted(since, until, _level_for(width), place))
    return _buckets(cells, cells.start)


def aggregates(
    database: Database, subject: str, metric: str, since: float, until: float, by: Period, zone: str
) -> Buckets:
    """One bucket for each hour, day or month of a zone that has values."""
    edges = np.array(list(_edges(since, until, by, ZoneInfo(zone))))
    wanted = HOUR if not np.any(edges % HOUR) else MINUTE if not np.any(edges % MINUTE) else RAW

    def place(start: Floats) -> Keys:
        return np.searchsorted(edges, start, side="right") - 1

    asked = _Wanted(float(edges[0]), float(edges[-1]), wanted, place)
    cells, found = _read_all(database, subject, metric, asked)
    begun = found >= 0  # an hour before the first period reached into it
    return _buckets(cells.rows(begun), edges[found[begun]])


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


def _read_all(database: Database, subject: str, metric: str, wanted: _Wanted) -> tuple[Cells, Keys]:
    """A cell for each place, over all sets of metrics that the metric was measured in; and the places."""
    whole_from = dict(database.query(_LEVELS))
    parts: list[Cells] = []
    places: list[Keys] = []
    for metrics, raw_after in database.query(_SETS, (subject,)):
        names = metrics.split(",")
        if metric not in names:
            continue
        chosen_by, found_by = None, (raw_after, whole_from)
        while chosen_by != found_by:  # once more when something was dropped since the choice was made
            chosen_by = found_by
            sections = list(_sections(*chosen_by, wanted))
            found, found_by = _read(database, subject, names, metric, sections)
        for section, cells in found:
            grouped, keys = regrouped(here := _within(cells, section), wanted.place(here.start))
            parts.append(grouped)
            places.append(keys)
    return regrouped(joined(parts, 1), np.concatenate(places) if places else np.empty(0, np.int64))


def _sections(raw_after: float, whole_from: dict[int, float], wanted: _Wanted) -> Iterator[_Section]:
    since, until, most = wanted.since, wanted.until, wanted.level
    # Up to a whole hour, so that no minute or hour is counted in two levels.
    raw_from = (math.floor(raw_after / HOUR) + 1) * HOUR if raw_after > -_EVER else -_EVER
    starts = {RAW: raw_from, MINUTE: whole_from.get(MINUTE, -_EVER), HOUR: whole_from.get(HOUR, -_EVER)}
    order = [*(n for n in (HOUR, MINUTE, RAW) if n <= most), *(n for n in (MINUTE, HOUR) if n > most)]
    edges = sorted({since, until, *(edge for edge in starts.values() if since < edge < until)})
    for a, b in pairwise(edges):
        level = next((level for level in order if starts[level] <= a), None)
        if level is not None:
            yield _Section(level, a, b)


def _read(
    database: Database, subject: str, names: list[str], metric: str, sections: list[_Section]
) -> tuple[list[tuple[_Section, Cells]], tuple[float, dict[int, float]]]:
    """Cells for the sections, in parts that fit into the processor's cache; and what `_sections` rests on, as it was
    at that moment."""
    width, column = len(names), names.index(metric)
    bounds = [bound for level in (RAW, MINUTE, HOUR) for bound in _bounds(sections, level)]
    waiting_until = max((section.until for section in sections if section.level), default=-2 * _EVER)
    raw: list[tuple[int, Any]] = []
    tail: list[tuple[int, Any]] = []
    blocks: dict[int, list[tuple[int, bytes]]] = {MINUTE: [], HOUR: []}
    raw_after, whole_from = -_EVER, dict[int, float]()
    rows = database.query(_PARTS, (subject, ",".join(names), *bounds, waiting_until))
    for kind, level, place, number, data in rows:
        if kind == 0:
            raw_after = number
        elif kind == 1:
            whole_from[level] = number
        elif kind == 2:
            raw.append((place, matrix_of(data, width)))
        elif kind == 3:
            tail.append((place, matrix_of(data, width)[int(number) :]))
        else:
            blocks[level].append((place, data))
    raw += [part for part in tail if part[0] == _OPEN]
    found: list[tuple[_Section, Cells]] = []
    for section in sections:
        points = raw if section.level == RAW else tail
        rolled = blocks.get(section.level, [])
        found += [(section, decoded(data, width).metric(column)) for _, data in sorted(rolled)]
        found += [(replace(section, level=RAW), cells) for cells in _in_parts(points, column)]
    return found, (raw_after, whole_from)


def _bounds(sections: list[_Section], level: int) -> tuple[float, float]:
    """What to read of a level; of one that is not wanted nothing."""
    here = [section for section in sections if section.level == level]
    if not here:
        return (_EVER, -_EVER) if level == RAW else (0, 0)
    first, last = min(section.since for section in here), max(section.until for section in here)
    # A block begins up to its span before what is wanted of it.
    return (first, last) if level == RAW else (math.floor(first) - SPANS[level], math.ceil(last))


def _in_parts(chunks: list[tuple[int, Any]], column: int) -> Iterator[Cells]:
    """The points of one metric in the order in which they came."""
    some: list[Any] = []
    rows = 0
    for _, matrix in sorted(chunks, key=lambda chunk: chunk[0]):
        some.append(matrix[:, [0, column + 1]])
        rows += len(matrix)
        if rows >= _AT_ONCE:
            yield _points(some)
            some, rows = [], 0
    if rows:
        yield _points(some)


def _points(matrices: list[Any]) -> Cells:
    matrix = np.concatenate(matrices)
    return of_points(matrix[:, 0], matrix[:, 1:])


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
