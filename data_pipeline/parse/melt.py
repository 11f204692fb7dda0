"""Wide to long: a column for every currency, day or country becomes rows of two columns, its name and its value."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import orjson

from data_pipeline.batch import ROWS_PER_BATCH, Batch
from data_pipeline.dataset import UNPARSED
from data_pipeline.errors import PayloadUnreadable
from data_pipeline.parse.declared import DeclaredColumn
from data_pipeline.parse.infer import TextColumn
from data_pipeline.parse.native import NativeColumn, to_type
from data_pipeline.parse.numbers import NumberStyle
from data_pipeline.parse.options import ColumnOptions, Melt
from data_pipeline.parse.times import Zone
from data_pipeline.parse.unreadable import printable
from utils.arrow import pa


def melted(
    batch: Batch, melt: Melt, columns: dict[str, ColumnOptions], *, dataset: str, style: NumberStyle, zone: Zone
) -> Batch:
    """Each row becomes as many as it has columns beside those of `id`, in their order; rows without a value stay.

    Names are typed as declared under `columns:`, or inferred from all of them as text cells are (headings that are
    dates become dates). Values of different types take the narrowest one that loses nothing.

    Raises:
        PayloadUnreadable: a column of `id` is missing, or no other column is left.
    """
    wide = [name for name in batch.schema.names if name not in {*melt.id, UNPARSED}]
    for name in melt.id:
        if name not in batch.schema.names:
            there = ", ".join(f"`{other}`" for other in wide[:12]) or "no columns"
            raise PayloadUnreadable(
                printable(f"{dataset}: melt: there is no column `{name}`; there are {there}"),
                hint="check `parse.melt.id`",
            )
    if not wide:
        raise PayloadUnreadable(
            f"{dataset}: melt: every column is an `id`, so none is left to become rows", hint="check `parse.melt.id`"
        )
    names, unread = _names(wide, columns.get(melt.name), style, zone)
    kind = _common_type(batch, wide, zone)
    fields = [batch.schema.field(name) for name in melt.id]
    fields += [pa.field(melt.name, names.type), pa.field(melt.value, kind)]
    if UNPARSED in batch.schema.names or unread:
        fields.append(pa.field(UNPARSED, pa.string()))
    long = _Long(melt, wide, names, unread, pa.schema(fields), zone)
    return Batch.from_batches(
        long.batches(batch), schema=long.schema, provenance=batch.provenance, memory_limit=batch.memory_limit
    )


def _names(
    wide: list[str], options: ColumnOptions | None, style: NumberStyle, zone: Zone
) -> "tuple[pa.Array, dict[int, str]]":
    """The names in their type, and those that do not fit it, by position."""
    sent = pa.array(wide, pa.string())
    if options is None or options.type is None:
        return TextColumn(style, zone).read(sent), {}
    typed, failed = DeclaredColumn(options, style=style, zone=zone).read(sent)
    bad = [] if failed is None else failed.to_pylist()
    return typed, {position: wide[position] for position, is_bad in enumerate(bad) if is_bad}


def _common_type(batch: Batch, wide: list[str], zone: Zone) -> "pa.DataType":
    kinds = {batch.schema.field(name).type for name in wide} - {pa.null()}
    if len(kinds) < 2:
        return kinds.pop() if kinds else pa.null()
    column = NativeColumn(zone)  # looks at the values: an integer beyond 2^53 beside floats makes text
    for part in batch.batches():
        for name in wide:
            column.read(part.column(name))
    return column.settle()


@dataclass(frozen=True, slots=True)
class _Long:
    """The long table. `unread`: names by position that do not fit their declared type."""

    melt: Melt
    wide: list[str]
    names: "pa.Array"
    unread: dict[int, str]
    schema: "pa.Schema"
    zone: Zone

    def batches(self, batch: Batch) -> "Iterator[pa.RecordBatch]":
        step = max(1, ROWS_PER_BATCH // len(self.wide))
        for part in batch.batches():
            for start in range(0, part.num_rows, step):
                yield self._long(part.slice(start, step))

    def _long(self, part: "pa.RecordBatch") -> "pa.RecordBatch":
        rows, width = part.num_rows, len(self.wide)
        kind = self.schema.field(self.melt.value).type
        values = pa.concat_arrays([to_type(part.column(name), kind, self.zone) for name in self.wide])
        of_row = pa.array(np.repeat(np.arange(rows), width))
        by_row = pa.array(np.arange(rows * width).reshape(width, rows).T.ravel())
        arrays = [part.column(name).take(of_row) for name in self.melt.id]
        arrays += [self.names.take(pa.array(np.tile(np.arange(width), rows))), values.take(by_row)]
        if UNPARSED in self.schema.names:
            arrays.append(self._unparsed(part))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _unparsed(self, part: "pa.RecordBatch") -> "pa.Array":
        """The texts that did not fit, each in the row where its cell is now; of an id, in every row it is in."""
        width = len(self.wide)
        result: list[str | None] = []
        sent = part.column(UNPARSED).to_pylist() if UNPARSED in part.schema.names else [None] * part.num_rows
        for text in sent:
            if text is None and not self.unread:
                result += [None] * width
                continue
            cells = json.loads(text) if text else {}
            of_id = {name: cells[name] for name in self.melt.id if name in cells}
            for position, name in enumerate(self.wide):
                here = dict(of_id)
                if position in self.unread:
                    here[self.melt.name] = self.unread[position]
                if name in cells:
                    here[self.melt.value] = cells[name]
                result.append(orjson.dumps(here).decode() if here else None)
        return pa.array(result, pa.string())
