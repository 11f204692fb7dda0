"""Append many points at once: whole chunks, without the way over the open row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from utils.database import Connection, upsert
from utils.history.points import APPEND, LATEST, POINTS_IN_A_CHUNK, POINTS_OPEN, closing
from utils.history.series import checked, subject_of

__all__ = ["Batch", "write"]

_Matrix = NDArray[np.float64]

POINTS_AT_ONCE = 1024
"""Of a chunk that is written whole: few rows for a million points, and little to read for the newest ones."""

_CLOSE = closing("subject = ? AND metrics = ? AND points >= ?")
_END = "SELECT chunk, filled, finish FROM history_open WHERE subject = ? AND metrics = ?"
_CHUNK = "INSERT INTO history (subject, metrics, chunk, start, finish, points, data) VALUES (?, ?, ?, ?, ?, ?, ?)"
_MOVED = "UPDATE history_open SET chunk = ?, filled = 0, finish = ? WHERE subject = ? AND metrics = ?"
_UNIT = upsert("history_series", "subject, metrics, unit", key="subject, metrics")


@dataclass(frozen=True, slots=True)
class Batch:
    """Points of one series in the order in which they came. `times` in epoch seconds; NaN among `values`: no value.

    Raises:
        SeriesNameError: name or labels cannot be kept.
        ValueError: not as many values as times, or a time that is none.
    """

    name: str
    times: "Sequence[float] | NDArray[Any]"
    values: "Sequence[float] | NDArray[Any]"
    labels: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""

    def __post_init__(self) -> None:
        checked(self.name, self.labels)
        if len(self.times) != len(self.values):
            raise ValueError(f"{self.name}: {len(self.times)} times, but {len(self.values)} values")


def write(connection: Connection, batches: Sequence[Batch]) -> int:
    """Append the batches in a transaction of the caller's; gives the number of points."""
    points = 0
    for batch in batches:
        key = (subject_of(batch.labels), batch.name)
        if batch.unit:
            connection.execute(_UNIT, (*key, batch.unit))
        matrix = np.column_stack([np.asarray(batch.times, "<f8"), np.asarray(batch.values, "<f8")])
        if not (np.abs(matrix[:, 0]) <= LATEST).all():
            raise ValueError(f"{batch.name}: a time is no number of epoch seconds")
        if len(matrix) >= POINTS_IN_A_CHUNK:
            matrix = _whole_chunks(connection, key, matrix)
        _few(connection, key, matrix)
        points += len(batch.times)
    return points


def _whole_chunks(connection: Connection, key: tuple[str, str], matrix: _Matrix) -> _Matrix:
    """Write what fills whole chunks; gives the rest. Each chunk but the last has 64 points or more."""
    _few(connection, key, matrix[:0], least=1)
    found = connection.execute(_END, key).fetchall()
    if found and found[0][1]:
        head = POINTS_IN_A_CHUNK - found[0][1]
        _few(connection, key, matrix[:head], least=1)
        matrix = matrix[head:]
        found = connection.execute(_END, key).fetchall()
    rows = []
    while len(matrix) >= POINTS_IN_A_CHUNK:
        if not found:
            connection.execute(APPEND, (*key, matrix[0, 0].item(), matrix[0, 0].item(), 0, b""))
            found = [(0, 0, -LATEST)]
        part, matrix = matrix[:POINTS_AT_ONCE], matrix[POINTS_AT_ONCE:]
        ((chunk, _, finish),) = found
        finish = max(finish, part[:, 0].max().item())
        rows.append((*key, chunk, part[:, 0].min().item(), finish, len(part), part.tobytes()))
        found = [(chunk + 1, 0, finish)]
    if rows:
        connection.executemany(_CHUNK, rows)
        connection.execute(_MOVED, (found[0][0], found[0][2], *key))
    return matrix


def _few(connection: Connection, key: tuple[str, str], matrix: _Matrix, *, least: int = POINTS_OPEN) -> None:
    """Append to the open row; close it when it then holds `least` points or more."""
    if len(matrix):
        times = matrix[:, 0]
        connection.execute(APPEND, (*key, times.min().item(), times.max().item(), len(matrix), matrix.tobytes()))
    for sql in _CLOSE:
        connection.execute(sql, (*key, least))
