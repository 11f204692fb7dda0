"""What all rows of a payload have in common and may not say themselves: which station, customer, day was asked for."""

from collections.abc import Mapping
from typing import Any

from data_pipeline.parse.options import ColumnOptions
from utils.arrow import pa


def with_extra(
    batch: "pa.RecordBatch", extra: tuple[tuple[str, Any], ...], columns: Mapping[str, ColumnOptions], *, text: bool
) -> "pa.RecordBatch":
    """The batch with a column for each name that its rows lack, as sent or under a name they are given.

    Args:
        text: All cells are text, whose types are found later.
    """
    for name, value in extra:
        if name in batch.schema.names or _is_filled(columns.get(name), batch.schema.names):
            continue
        cell = _cell(value, text=text)
        arrays = [*batch.columns, pa.repeat(cell, batch.num_rows)]
        batch = pa.RecordBatch.from_arrays(arrays, [*batch.schema.names, name])
    return batch


def _is_filled(column: ColumnOptions | None, names: list[str]) -> bool:
    """Whether another column as sent takes the name."""
    return column is not None and any(other in names for other in (column.source, *column.aliases))


def _cell(value: Any, *, text: bool) -> "pa.Scalar":
    if not text:
        try:
            return pa.scalar(value)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, OverflowError):
            pass
    return pa.scalar(None if value is None else str(value), pa.string())
