"""Distances to the nearest of some reference rows: what kNN and LOF are made of."""

import numpy as np
from numpy.typing import NDArray

from data_pipeline.detect.robust import Floats, Ints

Singles = NDArray[np.float32]

_ROWS = 1024  # judged at a time: their distances stay in the processor's cache
_SELF = 1e-5  # squared distances below this share of the squared lengths are those of a row to itself


def nearest(rows: Floats, references: Singles, many: int) -> tuple[Floats, Ints]:
    """(distances, positions) of the `many` nearest `references` of each row, nearest first; shapes (n, many).

    A row that is among the references is not its own neighbour: of several at no distance one is passed
    over. Fewer references than `many` + 1 give fewer columns, at least one.
    """
    many = max(1, min(many, len(references) - 1))
    lengths = np.einsum("ij,ij->i", references, references)
    distances = np.empty((len(rows), many))
    positions = np.empty((len(rows), many), np.intp)
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS].astype(np.float32)
        own = np.einsum("ij,ij->i", part, part)
        squared = part @ references.T
        squared *= -2.0
        squared += own[:, None]
        squared += lengths
        first = squared.argmin(axis=1)
        at = np.arange(len(part))
        itself = squared[at, first] <= _SELF * (own + lengths[first]) + 1e-9
        if len(references) > many:
            squared[at[itself], first[itself]] = np.inf
        found = np.argpartition(squared, many - 1, axis=1)[:, :many] if many < len(references) else np.argsort(squared)
        far = np.take_along_axis(squared, found, axis=1)
        order = np.argsort(far, axis=1)
        stop = start + len(part)
        positions[start:stop] = np.take_along_axis(found, order, axis=1)
        distances[start:stop] = np.sqrt(np.maximum(np.take_along_axis(far, order, axis=1), 0.0))
    return distances, positions
