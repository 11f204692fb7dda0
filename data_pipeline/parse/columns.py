"""Columns as sent to columns as declared: new names, types, and the text of cells that do not fit."""

from dataclasses import dataclass
from typing import Protocol

import orjson

from data_pipeline.dataset import UNPARSED
from data_pipeline.parse.declared import DeclaredColumn, declared_type
from data_pipeline.parse.infer import TextColumn
from data_pipeline.parse.native import NativeColumn, as_text, plain
from data_pipeline.parse.numbers import NumberStyle
from data_pipeline.parse.options import ColumnOptions, ParseOptions
from data_pipeline.parse.times import Result, Zone
from utils.arrow import pa


class LateFailure(Exception):
    """A cell that fitted its own batch does not fit the settled type, though nothing failed before."""


class CannotWiden(Exception):
    """A typed batch does not tell what the settled type needs; only the batch as sent does."""


class _Reader(Protocol):
    """Learns one column batch by batch.

    `widen` makes the settled type of what `read` gave, or None when only the column as sent can tell.
    """

    def read(self, array: "pa.Array", /) -> Result: ...
    def settle(self) -> "pa.DataType": ...
    def widen(self, typed: "pa.Array", /) -> "pa.Array | None": ...
    def convert(self, array: "pa.Array", /) -> Result: ...


@dataclass(slots=True)
class _Layout:
    """Where the columns of one set of names go."""

    names: list[str]
    readers: list[_Reader]
    by_name: dict[str, int]


class Columns:
    """All batches of a dataset are read once (`read`), then `settle` says the schema. What `read` gave is brought to
    it by `widen`, and where that cannot be, the batches as sent are read again by `convert`.

    A declared column that was never sent is null, with a note.
    """

    def __init__(self, declared: dict[str, ColumnOptions], options: ParseOptions, zone: Zone) -> None:
        melt = options.melt
        # Of a table that is melted, the two new columns are not looked for; the wide ones take the value's type.
        self._declared = {
            name: column for name, column in declared.items() if melt is None or name not in {melt.name, melt.value}
        }
        self._wide = None if melt is None else declared.get(melt.value)
        self._ids = () if melt is None else melt.id
        self._options = options
        self._zone = zone
        self._style = NumberStyle(options.decimal, options.thousands)
        self._readers: dict[str, _Reader] = {}
        self._layouts: dict[tuple[str, ...], _Layout] = {}
        self._schema: pa.Schema | None = None
        self.failed = False
        self.notes: list[str] = []

    @property
    def may_need_sent(self) -> bool:
        """Whether batches with types of their own may have to be read again; text always may."""
        return any(options.type is not None for options in (*self._declared.values(), self._wide) if options)

    def read(self, batch: "pa.RecordBatch", *, text: bool) -> "pa.RecordBatch":
        """The batch in the types known so far, with the column `UNPARSED` if a cell did not fit."""
        layout = self._layout(batch, text)
        arrays, failures = [], []
        for index, reader in enumerate(layout.readers):
            array, failed = reader.read(batch.column(index))
            arrays.append(array)
            if failed is not None:
                failures.append((layout.names[index], failed, batch.column(index)))
        if not failures:
            return pa.RecordBatch.from_arrays(arrays, layout.names)
        self.failed = True
        return pa.RecordBatch.from_arrays([*arrays, _unparsed(failures)], [*layout.names, UNPARSED])

    def settle(self) -> "pa.Schema":
        """The schema of the dataset, without `UNPARSED`. Sent columns in order of appearance, missing ones last."""
        fields = [pa.field(name, reader.settle()) for name, reader in self._readers.items()]
        for name, options in self._declared.items():
            if name not in self._readers:
                fields.append(pa.field(name, declared_type(options)))
                sent = options.source or name
                looked = ", ".join(f"`{other}`" for other in (sent, *options.aliases))
                self.notes.append(f"column `{name}` is missing in what was sent (looked for {looked})")
        for name, reader in self._readers.items():
            if isinstance(reader, _Text) and reader.note:
                self.notes.append(f"column `{name}` {reader.note}")
        self._schema = pa.schema(fields)
        return self._schema

    def widen(self, typed: "pa.RecordBatch") -> "pa.RecordBatch":
        """What `read` gave, in the settled schema, with `UNPARSED` at the end if any batch has it.

        Raises:
            CannotWiden: the columns as sent are needed (`convert`).
        """
        assert self._schema is not None, "settle first"
        places = {name: index for index, name in enumerate(typed.schema.names)}
        arrays = []
        for field in self._schema:
            index = places.get(field.name)
            array = None if index is None else self._readers[field.name].widen(typed.column(index))
            if index is None:
                array = pa.nulls(typed.num_rows, field.type)
            elif array is None:
                raise CannotWiden
            arrays.append(array)
        if not self.failed:
            return pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        at = places.get(UNPARSED)
        cells = pa.nulls(typed.num_rows, pa.string()) if at is None else typed.column(at)
        return pa.RecordBatch.from_arrays([*arrays, cells], [*self._schema.names, UNPARSED])

    def convert(self, batch: "pa.RecordBatch") -> "pa.RecordBatch":
        """The batch in the settled schema, with `UNPARSED` at the end if a cell did not fit.

        Raises:
            LateFailure: the first cell of all that does not fit; read again with `failed` set.
        """
        assert self._schema is not None, "settle first"
        layout = self._layouts[tuple(batch.schema.names)]
        arrays, failures = [], []
        for field in self._schema:
            index = layout.by_name.get(field.name)
            if index is None:
                arrays.append(pa.nulls(batch.num_rows, field.type))
                continue
            sent = batch.column(index)
            array, failed = layout.readers[index].convert(sent)
            arrays.append(array)
            if failed is not None:
                failures.append((field.name, failed, sent))
        if failures and not self.failed:
            raise LateFailure
        names = self._schema.names
        if not self.failed:
            return pa.RecordBatch.from_arrays(arrays, names)
        text = _unparsed(failures) if failures else pa.nulls(batch.num_rows, pa.string())
        return pa.RecordBatch.from_arrays([*arrays, text], [*names, UNPARSED])

    def _layout(self, batch: "pa.RecordBatch", text: bool) -> _Layout:
        sent = tuple(batch.schema.names)
        known = self._layouts.get(sent)
        if known is not None:
            return known
        new_names = self._new_names(sent)
        readers = []
        for name in new_names:
            if name not in self._readers:
                self._readers[name] = self._reader(name, text)
            readers.append(self._readers[name])
        layout = _Layout(new_names, readers, {name: index for index, name in enumerate(new_names)})
        self._layouts[sent] = layout
        return layout

    def _new_names(self, sent: tuple[str, ...]) -> list[str]:
        if not self._declared:
            return list(sent)
        present = set(sent)
        claimed: dict[str, str] = {}
        # `from` first for all of them, so that two columns can swap names.
        for new, options in self._declared.items():
            if (options.source or new) in present and (options.source or new) not in claimed:
                claimed[options.source or new] = new
        served = set(claimed.values())
        for new, options in self._declared.items():
            if new in served:
                continue
            for other in (*options.aliases, new):
                if other in present and other not in claimed:
                    claimed[other] = new
                    break
        taken = {*self._declared, *(name for name in sent if name not in claimed)}
        result = []
        for name in sent:
            new = claimed.get(name, name)
            if name not in claimed and name in self._declared:
                number = 2
                while f"{name}_{number}" in taken:
                    number += 1
                new = f"{name}_{number}"
                taken.add(new)
                self._note(f"column `{name}` as sent is called `{new}`, because `{name}` is declared otherwise")
            result.append(new)
        return result

    def _reader(self, name: str, text: bool) -> _Reader:
        options = self._declared.get(name) or (None if name in self._ids else self._wide)
        if options is not None and options.type is not None:
            na_values = self._options.na_values
            return DeclaredColumn(options, na_values=na_values, style=self._style, zone=self._zone)
        return _Text(self._style, self._zone) if text else NativeColumn(self._zone)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


class _Text:
    """An undeclared text column in the shape of the other readers."""

    def __init__(self, style: NumberStyle, zone: Zone) -> None:
        self._column = TextColumn(style, zone)
        self._zone = zone.of_a_column()

    @property
    def note(self) -> str:
        return self._column.note

    def read(self, array: "pa.Array") -> Result:
        return self._column.read(self._as_text(array)), None

    def settle(self) -> "pa.DataType":
        return self._column.settle()

    def widen(self, typed: "pa.Array") -> "pa.Array | None":
        return self._column.widen(typed)

    def convert(self, array: "pa.Array") -> Result:
        return self._column.convert(self._as_text(array)), None

    def _as_text(self, array: "pa.Array") -> "pa.Array":
        return array if pa.types.is_string(array.type) else as_text(plain(array, self._zone)[0])


def _unparsed(failures: "list[tuple[str, pa.Array, pa.Array]]") -> "pa.Array":
    """One JSON object a row where something failed: column -> text as sent."""
    rows: dict[int, dict[str, str]] = {}
    length = 0
    for name, failed, sent in failures:
        length = len(failed)
        where = pa.array(range(length), pa.int64()).filter(failed)
        texts = as_text(sent.filter(failed)).to_pylist()
        for index, text in zip(where.to_pylist(), texts, strict=True):
            rows.setdefault(index, {})[name] = text
    return pa.array(
        [orjson.dumps(rows[index]).decode() if index in rows else None for index in range(length)], pa.string()
    )
