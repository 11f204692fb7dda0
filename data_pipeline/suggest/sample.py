"""A bounded part of a table, always the same one: rows to learn from, and rows that are not looked at meanwhile."""

from collections.abc import Iterable
from typing import NamedTuple

from data_pipeline.hashing import mixed
from data_pipeline.validate.kernels.columns import column_type
from utils.arrow import pa

__all__ = ["MOST_CELLS", "Sample", "sample_of"]

MOST_CELLS = 2_000_000
"""Cells that are held; of ten columns 200,000 rows."""

_UNSEEN = 4
"""One row of so many is kept from those who learn."""


class Sample(NamedTuple):
    """Rows of a table.

    Attributes:
        learn: What candidates are made from.
        unseen: What they are tried on.
        rows: Rows of the whole table.
    """

    learn: "pa.Table"
    unseen: "pa.Table"
    rows: int

    @property
    def taken(self) -> int:
        return int(self.learn.num_rows + self.unseen.num_rows)


def sample_of(
    batches: "Iterable[pa.RecordBatch]", schema: "pa.Schema", rows: int, *, most_cells: int = MOST_CELLS
) -> Sample:
    """Read a table once and keep a part of it. A hash of the row's number decides: the same table, the same sample.

    Args:
        rows: Rows of the table, as far as it is known beforehand.
    """
    import numpy as np

    most = max(1_000, most_cells // max(1, len(schema)))
    below = np.uint64(min(2**64 - 1, int(2**64 * (most / rows)))) if rows > most else None
    start = 0
    learn: list[pa.RecordBatch] = []
    unseen: list[pa.RecordBatch] = []
    for batch in batches:
        drawn = mixed(np.arange(start, start + batch.num_rows, dtype=np.uint64))
        start += batch.num_rows
        taken = np.full(batch.num_rows, True) if below is None else drawn < below
        aside = mixed(drawn) % np.uint64(_UNSEEN) == 0  # drawn once more: which rows were taken says nothing of it
        for rows_of, chosen in ((unseen, taken & aside), (learn, taken & ~aside)):
            if chosen.any():
                rows_of.append(batch.filter(pa.array(chosen)))
    # Categories come as what they are categories of.
    plain = pa.schema([field.with_type(column_type(field.type)) for field in schema])
    seen, held_out = (pa.Table.from_batches(side, schema=schema).cast(plain) for side in (learn, unseen))
    return Sample(seen, held_out, start)
