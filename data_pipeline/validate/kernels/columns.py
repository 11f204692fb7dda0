"""One record batch as the kernels see it: plain columns, NaN made null, and the cells that did not parse."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from data_pipeline.dataset import UNPARSED
from utils.arrow import compute, has_nan, pa

if TYPE_CHECKING:
    from data_pipeline.validate.surroundings import Surroundings

__all__ = [
    "CannotJudge",
    "Check",
    "Chunk",
    "column_type",
    "loader_of",
    "unparsed_cells",
    "unparsed_masks",
    "where_true",
]


class CannotJudge(Exception):
    """A rule does not fit its column (missing, or of a type that it cannot compare). `str()` says it in words."""


class Chunk:
    """A record batch while it is judged.

    Attributes:
        arrays: By column index; only the columns that some rule needs, NaN made null.
        unparsed: Column name -> true where the cell holds text that does not parse as its type.
        now_us: The run's moment in microseconds since 1970 UTC.
        around: What is known beside the batch.
        kept: What kernels keep for the chunks that follow, each under a key of its own: one for all chunks of a pass.
        memory: Bytes that a rule may gather before it has to put them into a file.
    """

    __slots__ = ("around", "arrays", "kept", "memory", "now_us", "rows", "unparsed")

    def __init__(
        self,
        arrays: list[Any],
        rows: int,
        unparsed: "dict[str, pa.BooleanArray]",
        now_us: int,
        around: "Surroundings",
        kept: "dict[Any, Any] | None" = None,
        memory: int = 2**28,
    ) -> None:
        self.arrays = arrays
        self.rows = rows
        self.unparsed = unparsed
        self.now_us = now_us
        self.around = around
        self.kept: dict[Any, Any] = {} if kept is None else kept
        self.memory = memory


Check = Callable[[Chunk], "tuple[int, pa.BooleanArray | None]"]
"""Judges one rule on one chunk: how many rows were judged, and where they fail (null and None mean nowhere)."""


def column_type(type_: "pa.DataType") -> "pa.DataType":
    """The type a column has once its loader went over it."""
    if pa.types.is_dictionary(type_):
        return column_type(type_.value_type)
    if type_ == pa.string_view():
        return pa.string()
    return pa.float64() if pa.types.is_float16(type_) else type_


def loader_of(type_: "pa.DataType") -> "Callable[[pa.Array], pa.Array] | None":
    """What makes a column ready for the kernels; None when it is ready as it comes."""
    plain = column_type(type_)
    floating = pa.types.is_floating(plain)
    if plain == type_:
        return without_nan if floating else None

    def load(array: "pa.Array") -> "pa.Array":
        dense = array.cast(plain)
        return without_nan(dense) if floating else dense

    return load


def without_nan(array: "pa.Array") -> "pa.Array":
    """The same floats with null where there was NaN: one word for "no value" (there is no other on the way out)."""
    return compute.if_else(compute.is_nan(array), pa.scalar(None, array.type), array) if has_nan(array) else array


def where_true(mask: "pa.BooleanArray") -> "pa.BooleanArray":
    """The same mask, false for null, in one bit a row: kernels may leave a second one that says that all are valid."""
    if mask.null_count:
        mask = compute.fill_null(mask, False)
    valid, bits = mask.buffers()
    return mask if valid is None else pa.Array.from_buffers(pa.bool_(), len(mask), [None, bits], 0, mask.offset)


def unparsed_cells(batch: "pa.RecordBatch") -> "dict[int, dict[str, str]]":
    """Row (from 0) -> column -> text as sent, for the rows that hold cells which do not parse."""
    at = batch.schema.get_field_index(UNPARSED)
    if at < 0:
        return {}
    column = batch.column(at)
    if column.null_count == len(column):
        return {}
    return {row: json.loads(text) for row, text in enumerate(column.to_pylist()) if text}


def unparsed_masks(batch: "pa.RecordBatch") -> "dict[str, pa.BooleanArray]":
    """Column -> true where its cell does not parse."""
    rows: dict[str, list[bool]] = {}
    for row, cells in unparsed_cells(batch).items():
        for name in cells:
            rows.setdefault(name, [False] * batch.num_rows)[row] = True
    return {name: pa.array(mask, pa.bool_()) for name, mask in rows.items()}
