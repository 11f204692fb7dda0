"""The cells of quarantined rows with their types again: as sent where they did not parse, as they were kept else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from config.datasets import DatasetSettings
from data_pipeline.dataset import UNPARSED
from data_pipeline.errors import PipelineError
from data_pipeline.parse.declared import DeclaredColumn, kind_of
from data_pipeline.parse.native import as_text
from data_pipeline.parse.numbers import NumberStyle
from data_pipeline.parse.options import ColumnOptions
from data_pipeline.parse.times import Zone
from data_pipeline.store.widening import as_type, widened
from data_pipeline.validate.quarantine import OWN, RAW, ROW
from utils.arrow import compute, pa

__all__ = ["named_again", "typed"]

Mask = np.ndarray[Any, np.dtype[np.bool_]]


def named_again(rows: "pa.Table") -> "pa.Table":
    """The columns of the data alone, by the names that they had before ours stood beside them."""
    data = [name for name in rows.schema.names if name not in OWN]
    return rows.select(data).rename_columns([name[:-1] if name.removesuffix("_") in OWN else name for name in data])


def typed(
    rows: "pa.Table", dataset: DatasetSettings, schema: "pa.Schema", mended: "Mapping[str, pa.Array]"
) -> "pa.Table":
    """The rows as a batch of the dataset has them; cells that do not parse (yet) stand in the hidden column.

    Args:
        rows: As they were set aside.
        schema: Of the dataset's table: the types of columns that nobody declared.
        mended: By column the texts of cells that somebody wrote anew; null where nobody did, "" for no value.

    Raises:
        PipelineError: a mended cell of a column without a declared type is no value of it.
    """
    numbers = rows.column(ROW).to_pylist()
    texts = rows.column(RAW).to_pylist() if RAW in rows.schema.names else [None] * len(numbers)
    raw = [orjson.loads(text) if text else {} for text in texts]
    columns: dict[str, Any] = {}
    unparsed: list[dict[str, str]] = [{} for _ in numbers]
    for name, column in zip(*_columns_of(named_again(rows)), strict=True):
        sent = pa.array([cells.get(name) for cells in raw], pa.string())
        column_of = _Column(name, dataset, schema, numbers)
        columns[name], failed = column_of.read(column, sent, mended.get(name))
        for at, text in failed.items():
            unparsed[at][name] = text
    if any(unparsed):
        hidden = [orjson.dumps(cells).decode() if cells else None for cells in unparsed]
        columns[UNPARSED] = pa.array(hidden, pa.string())
    return pa.table(columns)


def _columns_of(rows: "pa.Table") -> tuple[list[str], list[Any]]:
    return rows.schema.names, [column.combine_chunks() for column in rows.columns]


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: how its cells are read, by where they come from."""

    name: str
    dataset: DatasetSettings
    schema: "pa.Schema"
    numbers: list[int]

    def read(self, kept: Any, sent: Any, mended: Any | None) -> tuple[Any, dict[int, str]]:
        """The typed cells, and the texts of those that do not parse, by position."""
        if isinstance(kept, pa.ChunkedArray):
            kept = kept.chunk(0) if kept.num_chunks else pa.nulls(0, kept.type)
        options = self.dataset.columns.get(self.name)
        if options is not None and options.type is not None:
            return self._declared(options, kept, sent, mended)
        wanted = self.schema.field(self.name).type if self.name in self.schema.names else kept.type
        if mended is None or mended.null_count == len(mended):
            return self._kept(kept, wanted), {}
        return self._mended(kept, wanted if not pa.types.is_null(wanted) else kept.type, mended), {}

    def _declared(self, options: ColumnOptions, kept: Any, sent: Any, mended: Any | None) -> tuple[Any, dict[int, str]]:
        """Cells as sent by the declared way; kept and mended ones in their plain form first, for they were read once.

        Files of earlier releases do not say which cells are as sent: those that have no plain form are.
        """
        plain, as_sent = _shown(options), self._as_sent(options)
        own = compute.if_else(sent.is_valid(), pa.scalar(None, kept.type), kept)
        found, wrong = _first_of((plain, as_sent), own)
        texts = _texts(wrong, own)
        for cells, ways in ((sent, (as_sent,)), (mended, (plain, as_sent))):
            if cells is not None and cells.null_count < len(cells):
                value, wrong = _first_of(ways, _blank(cells))
                there = _mask(cells.is_valid())
                found = _put(found, value, there)
                texts = {at: text for at, text in texts.items() if not there[at]} | _texts(wrong, cells)
        return found, texts

    def _as_sent(self, options: ColumnOptions) -> DeclaredColumn:
        parse, dataset = self.dataset.parse, self.dataset
        zone = Zone(dataset.zone or "UTC", dataset.ambiguous, dataset.nonexistent)
        style = NumberStyle(parse.decimal, parse.thousands)
        return DeclaredColumn(options, na_values=parse.na_values, style=style, zone=zone)

    def _kept(self, kept: Any, wanted: "pa.DataType") -> Any:
        """What was kept as text because some cell did not fit the table: typed if all cells fit by now."""
        if not pa.types.is_string(kept.type) or pa.types.is_string(wanted) or kind_of(wanted) in {"other", "null"}:
            return kept
        found, failed = _read(_shown(ColumnOptions(type=kind_of(wanted))), kept)
        return kept if failed.any() else found

    def _mended(self, kept: Any, wanted: "pa.DataType", mended: Any) -> Any:
        word = kind_of(wanted)
        if word in {"other", "null"}:
            raise PipelineError(
                f"column `{self.name}` holds {wanted}: such values cannot be mended in a file",
                hint="leave its cells as they were exported",
            )
        found, wrong = _read(_shown(ColumnOptions(type=word)), _blank(mended))
        if wrong.any():
            at = int(np.argmax(wrong))
            raise PipelineError(
                f"row {self.numbers[at]}, column `{self.name}`: {mended[at].as_py()!r} is no {word}",
                hint="write it as `quarantine show` does, or declare the column's type in `columns`",
            )
        return _put(self._kept(kept, wanted), found, _mask(mended.is_valid()))


def _shown(options: ColumnOptions) -> DeclaredColumn:
    """Reads what we wrote ourselves: no format, no scale, a dot for the decimals, times with their offset."""
    return DeclaredColumn(ColumnOptions(type=options.type), style=NumberStyle(), zone=Zone("UTC"))


def _read(reader: DeclaredColumn, cells: Any) -> tuple[Any, Mask]:
    result, failed = reader.read(cells)
    wrong = np.zeros(len(cells), np.bool_) if failed is None else _mask(compute.fill_null(failed, False))
    return result, wrong


def _first_of(ways: tuple[DeclaredColumn, ...], cells: Any) -> tuple[Any, Mask]:
    """Each cell by the first way that it can be read."""
    found, wrong = _read(ways[0], cells)
    for way in ways[1:]:
        if wrong.any():
            more, still = _read(way, compute.if_else(pa.array(wrong), cells, pa.scalar(None, cells.type)))
            found, wrong = _put(found, more, wrong), still
    return found, wrong


def _blank(cells: Any) -> Any:
    """An empty cell is no value."""
    return compute.if_else(compute.equal(cells, ""), pa.scalar(None, pa.string()), cells)


def _put(cells: Any, others: Any, where: Mask) -> Any:
    """Some cells in the place of others, in a type that holds both."""
    kind = widened(cells.type, others.type)
    return compute.if_else(pa.array(where), as_type(others, kind), as_type(cells, kind))


def _texts(wrong: Mask, cells: Any) -> dict[int, str]:
    if not wrong.any():
        return {}
    text = as_text(cells)
    return {at: text[at].as_py() for at in np.nonzero(wrong)[0].tolist()}


def _mask(found: Any) -> Mask:
    return np.asarray(found.to_numpy(zero_copy_only=False)).astype(np.bool_)
