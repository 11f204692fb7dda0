"""Which rows are good, and the others with the reasons: pure, storing them is somebody else's work."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from data_pipeline.dataset import UNPARSED
from data_pipeline.validate.kernels.columns import unparsed_cells
from data_pipeline.validate.rules import Rule
from utils.arrow import compute, pa

__all__ = [
    "BATCH",
    "FILE",
    "FILE_ROW",
    "OWN",
    "PARTITION",
    "RAW",
    "ROW",
    "RULES",
    "Marks",
    "Origins",
    "bad_schema",
    "sampled",
    "split",
]

RULES, BATCH, ROW, RAW = "_rules", "_batch", "_row", "_raw"
"""Columns that quarantined rows get: the ids of the rules that each broke, the run that brought it, its number in that
batch from 1; and, where a cell did not parse, the row's cells as sent (a JSON object by column)."""

FILE, FILE_ROW, PARTITION = "_file", "_file_row", "_partition"
"""Where it is known: which of several files a row came from, its number in that file from 1; its piece of the table."""

OWN = frozenset({RULES, BATCH, ROW, RAW, FILE, FILE_ROW, PARTITION})


class Origins(NamedTuple):
    """Where the rows of a batch came from.

    Attributes:
        run: The run that brought the batch.
        files: Name and rows of each of several files, in their order; (): there is one, or it is not known.
        pieces: Key and rows of each piece of a table in pieces, in the order of the rows.
    """

    run: str
    files: tuple[tuple[str, int], ...] = ()
    pieces: tuple[tuple[str, int], ...] = ()

    def told(self, bad: "pa.RecordBatch") -> "pa.RecordBatch":
        """Quarantined rows, and where each came from."""
        import numpy as np

        bad = bad.append_column(BATCH, pa.repeat(pa.scalar(self.run), bad.num_rows))
        at = bad.column(ROW).to_numpy() - 1
        for names, starts in ((FILE, self.files), (PARTITION, self.pieces)):
            if not starts:
                continue
            ends = np.cumsum([rows for _, rows in starts])
            which = np.searchsorted(ends, at, side="right")
            bad = bad.append_column(names, pa.array([name for name, _ in starts], pa.string()).take(pa.array(which)))
            if names == FILE:
                bad = bad.append_column(FILE_ROW, pa.array(at - np.concatenate([[0], ends])[which] + 1, pa.int64()))
        return bad


class Marks(NamedTuple):
    """Which rows of one record batch are bad: for each reason where it holds, and all reasons together."""

    rows: int
    reasons: "tuple[tuple[str, pa.BooleanArray], ...]"
    bad: "pa.BooleanArray | None"
    unparsed: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, rows: int, rules: Sequence[Rule], masks: "Mapping[int, pa.BooleanArray]", unparsed: frozenset[str]
    ) -> "Marks":
        bad = None
        for mask in masks.values():
            bad = mask if bad is None else compute.or_(bad, mask)
        reasons = tuple((rules[index].id, masks[index]) for index in sorted(masks))
        return cls(rows, reasons, bad, unparsed)


def split(
    schema: "pa.Schema",
    batches: "Iterable[pa.RecordBatch]",
    marks: Sequence[Marks],
    without: frozenset[str] = frozenset(),
) -> "Iterator[tuple[pa.RecordBatch, pa.RecordBatch | None]]":
    """Pairs of good and bad rows, one a record batch; bad is None where all rows are good.

    Good rows have the batch's columns without the hidden one for unparsed cells and those in `without`. Bad rows have
    all but the hidden one, as text where any cell of the column did not parse, and `_rules`, `_row`, `_raw`; their
    schema is `bad_schema`, the same in all pairs.

    Raises:
        ValueError: the marks belong to another batch.
    """
    unparsed: frozenset[str] = frozenset().union(*[mark.unparsed for mark in marks])
    hidden = schema.get_field_index(UNPARSED)
    wanted = bad_schema(schema, unparsed) if any(mark.bad is not None for mark in marks) else None
    start, number = 0, 0
    for number, batch in enumerate(batches, start=1):
        if number > len(marks) or marks[number - 1].rows != batch.num_rows:
            raise ValueError("this is not the batch that was validated: its parts have other numbers of rows")
        mark = marks[number - 1]
        bare = batch if hidden < 0 else batch.select([at for at in range(batch.num_columns) if at != hidden])
        good = bare.drop_columns([name for name in bare.schema.names if name in without]) if without else bare
        if mark.bad is None or wanted is None:
            yield good, None
        else:
            yield good.filter(compute.invert(mark.bad)), _bad_rows(batch, bare, mark, start, wanted)
        start += batch.num_rows
    if number < len(marks):
        raise ValueError("this is not the batch that was validated: it has fewer parts")


def sampled(marks: Sequence[Marks]) -> dict[str, tuple[int, ...]]:
    """For each reason some of the rows that it set aside, by their numbers in the batch from 1 (see `samples.py`)."""
    from data_pipeline.validate.samples import chosen, together

    found: dict[str, list[tuple[int, ...]]] = {}
    start = 1
    for mark in marks:
        for reason, mask in mark.reasons:
            numbers = compute.indices_nonzero(mask).to_numpy().astype("int64") + start
            found.setdefault(reason, []).append(chosen(numbers))
        start += mark.rows
    return {reason: together(parts) for reason, parts in found.items()}


def bad_schema(schema: "pa.Schema", unparsed: Iterable[str]) -> "pa.Schema":
    """The schema of quarantined rows. A column of the data that is called like one of ours gets a `_` at its end."""
    unparsed = frozenset(unparsed)
    fields = [
        pa.field(f"{field.name}_" if field.name in OWN else field.name, _kept_type(field, unparsed))
        for field in schema
        if field.name != UNPARSED
    ]
    own = [pa.field(RULES, pa.list_(pa.string())), pa.field(ROW, pa.int64())]
    return pa.schema([*fields, *own, *([pa.field(RAW, pa.string())] if unparsed else [])])


def _kept_type(field: "pa.Field", unparsed: frozenset[str]) -> "pa.DataType":
    return pa.string() if field.name in unparsed else field.type


def _bad_rows(
    batch: "pa.RecordBatch", bare: "pa.RecordBatch", mark: Marks, start: int, wanted: "pa.Schema"
) -> "pa.RecordBatch":
    at = compute.indices_nonzero(mark.bad)
    rows = bare.take(at)
    cells = unparsed_cells(batch) if mark.unparsed else {}
    columns = []
    for place, field in enumerate(bare.schema):
        column, kept = rows.column(place), wanted.field(place).type
        if kept != field.type:
            column = column.cast(kept)
            column = _with_text(column, [cells.get(row, {}).get(field.name) for row in at.to_pylist()])
        columns.append(column)
    numbers = compute.add(at.cast(pa.int64()), pa.scalar(start + 1, pa.int64()))
    raw = []
    if RAW in wanted.names:
        hidden = batch.schema.get_field_index(UNPARSED)
        raw = [batch.column(hidden).take(at) if hidden >= 0 else pa.nulls(len(at), pa.string())]
    return pa.RecordBatch.from_arrays([*columns, _reasons(mark, at), numbers, *raw], schema=wanted)


def _with_text(column: "pa.Array", sent: list[str | None]) -> "pa.Array":
    return compute.coalesce(pa.array(sent, pa.string()), column)


def _reasons(mark: Marks, at: "pa.Array") -> "pa.Array":
    """For each bad row the ids of the rules it broke, in the order of the rules."""
    import numpy as np

    held: np.ndarray[Any, Any] = np.stack(
        [mask.take(at).to_numpy(zero_copy_only=False).astype(bool) for _, mask in mark.reasons]
    )
    offsets = np.concatenate([[0], np.cumsum(held.sum(axis=0))]).astype(np.int32)
    names = pa.array([name for name, _ in mark.reasons], pa.string())
    return pa.ListArray.from_arrays(pa.array(offsets), names.take(pa.array(np.nonzero(held.T)[1])))
