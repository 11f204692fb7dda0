"""Points summed up: count, sum, least, greatest and last value of a stretch of time, mergeable with each other.

A point by itself is such a cell, so points and roll-ups of all levels go through one function. Quantiles are not
kept: those of two stretches do not give those of both.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells", "decoded", "encoded", "joined", "of_points", "regrouped"]

Floats = NDArray[np.float64]

_FIELDS = 6


@dataclass(frozen=True, slots=True)
class Cells:
    """`n` stretches of `k` metrics each; all arrays are (n, k) but `start`, which is (n,), in epoch seconds.

    A metric without a value in a stretch has count 0, sum 0, and NaN for the rest.

    Attributes:
        count: How many values there were (not those that are no number).
        last: The value with the latest time, among equal times the one that came last; that time is `last_time`.
    """

    start: Floats
    count: Floats
    total: Floats
    low: Floats
    high: Floats
    last: Floats
    last_time: Floats

    def rows(self, chosen: Any) -> "Cells":
        """Some of the stretches, by a mask, a slice or positions."""
        return Cells(self.start[chosen], *(part[chosen] for part in self._matrices()))

    def metric(self, column: int) -> "Cells":
        """One of the metrics alone."""
        return Cells(self.start, *(part[:, column : column + 1] for part in self._matrices()))

    def _matrices(self) -> tuple[Floats, ...]:
        return self.count, self.total, self.low, self.high, self.last, self.last_time


def of_points(times: Floats, values: Floats) -> Cells:
    """Each point as a cell; `values` is (n, k), NaN for no value."""
    there = ~np.isnan(values)
    if there.all():
        moments = np.broadcast_to(times[:, None], values.shape)
        return Cells(times, np.ones(values.shape), values, values, values, values, moments)
    moments = np.where(there, times[:, None], np.nan)
    return Cells(times, there.astype(np.float64), np.where(there, values, 0.0), values, values, values, moments)


def joined(parts: Sequence[Cells], metrics: int) -> Cells:
    """Cells after each other, in the order in which they came."""
    if not parts:
        return of_points(np.empty(0), np.empty((0, metrics)))
    if len(parts) == 1:
        return parts[0]
    matrices = (np.concatenate(same) for same in zip(*(part._matrices() for part in parts), strict=True))
    return Cells(np.concatenate([part.start for part in parts]), *matrices)


def regrouped(cells: Cells, keys: NDArray[Any]) -> tuple[Cells, NDArray[Any]]:
    """One cell for each different key, in order of the keys; and those keys. `start` is the earliest in a group."""
    if not len(keys):
        return cells, keys
    if (keys[1:] < keys[:-1]).any():
        order = np.argsort(keys, kind="stable")
        cells, keys = cells.rows(order), keys[order]
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    if len(first) == len(keys):
        return cells, keys
    sizes = np.diff(np.append(first, len(keys)))
    with np.errstate(invalid="ignore", over="ignore"):  # values may be infinite, and so may what comes of them
        total = np.add.reduceat(cells.total, first)
    moments = np.where(cells.count > 0, cells.last_time, -np.inf)
    newest = np.maximum.reduceat(moments, first)
    # Where the newest value of each group stands: among those of that time the one that came last.
    holds = (moments == np.repeat(newest, sizes, axis=0)) & (cells.count > 0)
    position = np.maximum.reduceat(np.where(holds, np.arange(len(keys))[:, None], -1), first)
    found = np.take_along_axis(cells.last, np.maximum(position, 0), axis=0)
    grouped = Cells(
        start=np.minimum.reduceat(cells.start, first),
        count=np.add.reduceat(cells.count, first),
        total=total,
        low=np.fmin.reduceat(cells.low, first),
        high=np.fmax.reduceat(cells.high, first),
        last=np.where(position >= 0, found, np.nan),
        last_time=np.where(position >= 0, newest, np.nan),
    )
    return grouped, keys[first]


def encoded(cells: Cells) -> bytes:
    """As bytes: column by column, the bytes of equal rank together, compressed. Most of them are alike."""
    matrix = np.column_stack([cells.start, *cells._matrices()])
    columns = np.ascontiguousarray(matrix.T, dtype="<f8")
    return zlib.compress(columns.reshape(-1, 1).view(np.uint8).T.tobytes(), 1)


def decoded(data: bytes, metrics: int) -> Cells:
    """The way back."""
    ranks = np.frombuffer(zlib.decompress(data), np.uint8).reshape(8, -1)
    columns = np.ascontiguousarray(ranks.T).view("<f8").reshape(1 + _FIELDS * metrics, -1)
    return Cells(columns[0], *(columns[1 + n * metrics : 1 + (n + 1) * metrics].T for n in range(_FIELDS)))
