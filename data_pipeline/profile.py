"""What a batch looks like in figures for the history: rows, columns, share of empty cells. Mergeable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from data_pipeline.dataset import UNPARSED
from utils.arrow import compute, pa

if TYPE_CHECKING:
    from data_pipeline.batch import Batch

__all__ = ["Profile", "profile"]

_is_nan = compute.get_function("is_nan")


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts of one batch or of several parts together.

    Attributes:
        rows: Rows, quarantined ones included.
        nulls: Column -> cells without a value (NaN is none), for every column.
        cells: All cells; with parts that differ in their columns, no product of rows and columns.
    """

    rows: int = 0
    nulls: Mapping[str, int] = field(default_factory=dict)
    cells: int = 0

    def merge(self, other: "Profile") -> "Profile":
        """The profile of both parts together; the order does not matter."""
        names = sorted({*self.nulls, *other.nulls}) if self.nulls.keys() != other.nulls.keys() else self.nulls
        nulls = {name: self.nulls.get(name, 0) + other.nulls.get(name, 0) for name in names}
        return Profile(self.rows + other.rows, nulls, self.cells + other.cells)

    def metrics(self) -> dict[str, float | None]:
        """The points for the history: `rows`, `columns`, `nulls` (share of empty cells 0..1, None without cells)."""
        empty = sum(self.nulls.values())
        return {
            "rows": self.rows,
            "columns": len(self.nulls),
            "nulls": empty / self.cells if self.cells else None,
        }


def profile(batch: "Batch") -> Profile:
    """Count a batch in one pass. The hidden column for unparsed cells is not part of the data."""
    schema = batch.schema
    names = schema.names
    floating = [pa.types.is_floating(type_) for type_ in schema.types]
    counts = [0] * len(names)
    rows = 0
    for part in batch.batches():
        rows += part.num_rows
        for at, column in enumerate(part.columns):
            empty = column.null_count
            if floating[at]:
                empty += _is_nan.call([column]).true_count
            counts[at] += empty
    nulls = dict(zip(names, counts, strict=True))
    nulls.pop(UNPARSED, None)
    return Profile(rows, nulls, rows * len(nulls))
