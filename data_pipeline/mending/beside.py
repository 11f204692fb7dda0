"""Rows among those that they came with, each at the place that it had in the batch."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from data_pipeline.store.widening import fitted, unified
from utils.arrow import pa

__all__ = ["Beside", "places"]

Numbers = np.ndarray[Any, np.dtype[np.int64]]

Open = Callable[[], Iterator[Any]]


def places(numbers: Any, missing: Any) -> Numbers:
    """How many of the other rows stand before each of these.

    Args:
        numbers: Of the rows in their batch, from 1.
        missing: Of all rows of the batch that the others are without, these among them.

    >>> places([2, 5], [2, 3, 5]).tolist()
    [1, 2]
    """
    wanted, gone = np.asarray(numbers, np.int64), np.sort(np.asarray(missing, np.int64))
    return wanted - 1 - np.searchsorted(gone, wanted)


class Beside:
    """Others' rows with ours among them, as a stream that can be read again. Memory: one batch, and ours.

    Args:
        others: Opens the rows that ours are put among.
        schema: Of the others.
        ours: Our rows, ascending by place.
        at: Their places: how many of the others stand before each.
    """

    def __init__(self, others: Open, schema: "pa.Schema", ours: "pa.Table", at: Any) -> None:
        self.schema = unified(schema, ours.schema)
        self._others = others
        self._ours = pa.Table.from_batches(
            [fitted(batch, self.schema) for batch in ours.combine_chunks().to_batches()], schema=self.schema
        )
        self._at = np.asarray(at, np.int64)

    @property
    def positions(self) -> Numbers:
        """Where ours stand in the whole, from 0."""
        return self._at + np.arange(len(self._at))

    def batches(self) -> "Iterator[pa.RecordBatch]":
        seen = taken = 0
        for batch in self._others():
            if not batch.num_rows:
                continue
            seen += batch.num_rows
            end = int(np.searchsorted(self._at, seen))
            yield self._together(fitted(batch, self.schema), seen - batch.num_rows, taken, end)
            taken = end
        if taken < len(self._at):
            yield from self._ours.slice(taken).to_batches()

    def _together(self, batch: "pa.RecordBatch", start: int, first: int, last: int) -> "pa.RecordBatch":
        if first == last:
            return batch
        mine = self._ours.slice(first, last - first).combine_chunks().to_batches()[0]
        # Each of ours stands right before the row of the others that has its place.
        order = np.concatenate([np.arange(batch.num_rows) + 0.5, self._at[first:last] - start])
        positions = np.argsort(order, kind="stable")
        whole = pa.Table.from_batches([batch, mine]).take(pa.array(positions)).combine_chunks()
        return whole.to_batches()[0]
