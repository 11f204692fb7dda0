"""Judge the new points of a whole run at once: a cheap look at every series, a close one at the few that stick out."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_pipeline.detect.blocks import together
from data_pipeline.detect.close import Close
from data_pipeline.detect.detector import Anomaly, Directions, Series
from data_pipeline.detect.median import MedianDetector
from data_pipeline.detect.opinion import Opinion
from data_pipeline.detect.robust import MINIMUM_POINTS, Floats, Ints, baseline, core_limit
from data_pipeline.detect.traits import (
    LARGEST,
    direction_of,
    figure_of,
    floors,
    is_log,
    of_a_column,
)
from data_pipeline.detect.wall import UTC_WALL, Wall
from utils.database import Statement
from utils.history import Block
from utils.point_order import in_order

_LANES = 512  # series looked at together: their windows stay in the processor's cache
_SEASON_POINTS = 48  # a series this long may have a season that hides a new extreme from the cheap look
_BEYOND = 0.15  # sigmas by which a point must pass all points before it to be such an extreme


@dataclass(frozen=True, slots=True)
class Detection:
    """What one run's new points said.

    Attributes:
        learning: "learning: 8 of 12 points" by (subject, metric), for series too short to judge; figures of columns,
            which are as far as their dataset is, are left out.
        judged: Number of points that got a verdict.
        looks: Statements that keep how far the ensemble has looked; to be committed with what is told.
    """

    anomalies: list[Anomaly] = field(default_factory=list)
    learning: dict[tuple[str, str], str] = field(default_factory=dict)
    judged: int = 0
    looks: tuple[Statement, ...] = ()


def detect(
    series: Iterable[Series | Block],
    *,
    new_since: float | None = None,
    new_points: int = 1,
    rate: float = 0.5,
    direction: Directions = "both",
    ignore_below: float = 0.0,
    exclude: Collection[str] = (),
    opinion: Opinion | None = None,
    wall: Wall = UTC_WALL,
) -> Detection:
    """Judge each new point by the points before it.

    A point is an anomaly when it sticks out plainly (by median and MAD of the window, or beyond all
    earlier points), `MedianDetector` agrees, which knows seasons and tails but costs a hundred times more, and the
    ensemble does, which costs ten times as much again.

    Args:
        series: Histories with their new points; blocks of one subject with different metrics are put together.
        new_since: Points at this time (epoch seconds) or later are new. Takes the place of
        new_points: so many points at the end of each series are new.
        rate: Expected false episodes per 1,000 points; lower is quieter.
        direction: `both`: as the metric's own direction says (a lower latency is never wrong).
        ignore_below: Changes below this share of the expected value are never anomalies (0.05: five per cent).
        exclude: Metrics that are not judged.
        opinion: Of the ensemble, about what sticks out; it may reject it.
        wall: Whose days and weeks are a season.

    Raises:
        ValueError: A setting is out of range, or arrays do not fit together; says which.
    """
    detector = MedianDetector(rate=rate, direction=direction, wall=wall)
    if new_points < 0 or ignore_below < 0.0:
        raise ValueError(f"new_points ({new_points}) and ignore_below ({ignore_below}) must not be negative")
    anomalies: list[Anomaly] = []
    learning: dict[tuple[str, str], str] = {}
    judged = 0
    opinion = opinion or Opinion()
    for chunk in _chunks(together(series), new_since, new_points):
        judged += _judge(chunk, detector, ignore_below, frozenset(exclude), opinion, anomalies, learning)
    return Detection(anomalies, learning, judged)


class _Lanes(NamedTuple):
    """One block in a chunk, and how many of its points are new."""

    block: Block
    new: int


@dataclass(frozen=True, slots=True)
class _Traits:
    """What is known about each metric of a block, as columns for the array operations."""

    up: NDArray[np.bool_]  # may be too high
    down: NDArray[np.bool_]
    log: NDArray[np.bool_]
    floor: Floats
    relative: Floats
    judged: NDArray[np.bool_]
    told: NDArray[np.bool_]  # what it learns is told; that of a column is as far as its dataset is
    rate: Floats  # expected false episodes per 1,000 points


def _judge(
    chunk: Sequence[_Lanes],
    detector: MedianDetector,
    ignore_below: float,
    exclude: frozenset[str],
    opinion: Opinion,
    anomalies: list[Anomaly],
    learning: dict[tuple[str, str], str],
) -> int:
    """Judge the new points of one chunk, oldest first; returns the number of verdicts."""
    most_new = max(lanes.new for lanes in chunk)
    longest = max(len(lanes.block.times) for lanes in chunk)
    width = min(detector.window, longest - 1)
    names = [(lanes.block.subject, metric) for lanes in chunk for metric in lanes.block.metrics]
    columns = [_traits(lanes.block.metrics, detector.direction, exclude, detector.rate) for lanes in chunk]
    known = _Traits(*(np.concatenate([getattr(c, name) for c in columns]) for name in _Traits.__slots__))
    sizes = [len(lanes.block.metrics) for lanes in chunk]
    first = np.cumsum([0, *sizes[:-1]])
    new = np.repeat([lanes.new for lanes in chunk], sizes)
    matrix = _matrix(chunk, len(names), width + most_new)
    if known.log.any():
        matrix[known.log] = np.log1p(np.maximum(matrix[known.log], 0.0))
    verdicts = 0
    for back in range(most_new - 1, -1, -1):
        column = matrix.shape[1] - 1 - back
        point = matrix[:, column]
        there = known.judged & (new > back) & ~np.isnan(point)
        windows = matrix[:, max(0, column - width) : column]
        count, strange, extreme = _gate(windows, point, known)
        ready = count >= MINIMUM_POINTS - 1
        verdicts += int(np.count_nonzero(there & ready))
        for lane in np.flatnonzero(there & ~ready & known.told).tolist():
            learning[names[lane]] = f"learning: {int(count[lane]) + 1} of {MINIMUM_POINTS} points"
        for lane in np.flatnonzero(there & ready & (strange | extreme)).tolist():
            owner = int(np.searchsorted(first, lane, side="right")) - 1
            block, metric = chunk[owner].block, lane - int(first[owner])
            mine = replace(detector, rate=float(known.rate[lane]))
            found = _look_closely(block, metric, back, mine, ignore_below, opinion, only_by_season=not strange[lane])
            if found is not None:
                anomalies.append(found)
    return verdicts


def _gate(windows: Floats, point: Floats, known: _Traits) -> tuple[Ints, NDArray[np.bool_], NDArray[np.bool_]]:
    """(points in the baseline, point is plainly strange, point is a new extreme), one entry a lane."""
    if windows.shape[1] == 0:
        nothing = np.zeros(len(point), bool)
        return np.zeros(len(point), np.intp), nothing, nothing
    base = baseline(windows, floor=known.floor, relative_floor=known.relative)
    away = point - base.centre
    reach = core_limit(base.points, known.rate) * base.spread
    strange = ((away > reach) & known.up) | ((away < -reach) & known.down)
    # A strong season makes the plain spread so wide that a drop to zero is inside; it is outside what was seen.
    margin = _BEYOND * base.spread
    extreme = ((point > base.highest + margin) & known.up) | ((point < base.lowest - margin) & known.down)
    return base.points, strange, extreme & (base.points >= _SEASON_POINTS)


def _look_closely(
    block: Block,
    column: int,
    back: int,
    detector: MedianDetector,
    ignore_below: float,
    opinion: Opinion,
    *,
    only_by_season: bool,
) -> Anomaly | None:
    """What is strange about one point, `back` points before the end of its series; `None`: nothing."""
    stop = len(block.times) - back
    times, raw = in_order(block.times[:stop], block.values[:stop, column])
    close = Close.at(Series(block.metrics[column], block.subject, times, raw), detector)
    if close.season is None and only_by_season:
        return None
    return close.strange(ignore_below, opinion)


def _matrix(chunk: Sequence[_Lanes], lanes: int, width: int) -> Floats:
    """Newest values at the right, one row a series, NaN where a series is shorter."""
    matrix = np.full((lanes, width), np.nan)
    row = 0
    for block, _ in chunk:
        values = block.values[-width:].T
        matrix[row : row + len(values), width - values.shape[1] :] = values
        row += len(values)
    huge = np.abs(matrix) > LARGEST
    if huge.any():
        matrix[huge] = np.where(np.isinf(matrix[huge]), np.nan, np.copysign(LARGEST, matrix[huge]))
    return matrix


@lru_cache(maxsize=256)
def _traits(metrics: tuple[str, ...], direction: Directions, exclude: frozenset[str], rate: float) -> _Traits:
    wrong = [direction_of(metric, direction) for metric in metrics]
    of_columns = [of_a_column(metric) for metric in metrics]
    floor, relative = np.array([floors(metric) for metric in metrics]).T
    return _Traits(
        up=np.array([way != "down" for way in wrong]),
        down=np.array([way != "up" for way in wrong]),
        log=np.array([is_log(metric) for metric in metrics]),
        floor=floor,
        relative=relative,
        judged=np.array([exclude.isdisjoint((metric, figure_of(metric))) for metric in metrics]),
        told=~np.array(of_columns),
        # A dataset of twenty columns has a hundred figures of them: all together cry wolf as often as one of its own.
        rate=np.where(of_columns, rate / max(sum(of_columns), 1), rate),
    )


def _chunks(blocks: Iterable[Block], new_since: float | None, new_points: int) -> Iterator[list[_Lanes]]:
    chunk: list[_Lanes] = []
    lanes = 0
    for block in blocks:
        n = len(block.times)
        new = min(new_points, n) if new_since is None else n - int(block.times.searchsorted(new_since))
        if not new or not block.metrics:
            continue
        chunk.append(_Lanes(block, new))
        lanes += len(block.metrics)
        if lanes >= _LANES:
            yield chunk
            chunk, lanes = [], 0
    if chunk:
        yield chunk
