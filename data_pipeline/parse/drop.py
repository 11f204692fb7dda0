"""Rows that the user does not want: those for which an expression holds (the grammar of `compare` rules)."""

from collections.abc import Iterator
from typing import Any

from data_pipeline.batch import Batch
from data_pipeline.dataset import UNPARSED
from data_pipeline.errors import PayloadUnreadable
from data_pipeline.parse.unreadable import printable
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk, column_type, loader_of
from data_pipeline.validate.kernels.compare import compare
from data_pipeline.validate.rules import Rule
from data_pipeline.validate.surroundings import NOTHING_AROUND
from utils.arrow import compute, pa
from utils.expression.grammar import columns_of, parse_expression


def dropped(batch: Batch, expression: str, *, dataset: str) -> tuple[Batch, int]:
    """The batch without the rows for which the expression is true, and how many they were; unknown keeps the row.

    Raises:
        PayloadUnreadable: the expression names a column that is not there, or does not fit the columns' types.
    """
    schema = batch.schema
    names = columns_of(parse_expression(expression))
    missing = next((name for name in names if name not in schema.names), None)
    if missing is not None:
        there = ", ".join(f"`{name}`" for name in schema.names if name != UNPARSED) or "no columns"
        raise _wrong(dataset, f"there is no column `{missing}`; there are {there}")
    # A rule fails where its expression is false; a row goes where the expression is true.
    rule = Rule("drop_where", "compare", params={"expr": f"not ({expression})"})
    places = {name: (at, column_type(schema.field(name).type)) for at, name in enumerate(names)}
    try:
        check = compare(rule, places)
    except CannotJudge as error:
        raise _wrong(dataset, str(error)) from error
    left = _Left(batch, names, check, dataset)
    result = Batch.from_batches(left, schema=schema, provenance=batch.provenance, memory_limit=batch.memory_limit)
    return result, batch.rows - result.rows


class _Left:
    """The rows that stay, batch by batch."""

    def __init__(self, batch: Batch, names: tuple[str, ...], check: Check, dataset: str) -> None:
        self._batch, self._names, self._check, self._dataset = batch, names, check, dataset

    def __iter__(self) -> "Iterator[pa.RecordBatch]":
        loaders = [loader_of(self._batch.schema.field(name).type) for name in self._names]
        for part in self._batch.batches():
            arrays: list[Any] = [part.column(name) for name in self._names]
            arrays = [array if load is None else load(array) for load, array in zip(loaders, arrays, strict=True)]
            try:
                _, gone = self._check(Chunk(arrays, part.num_rows, {}, 0, NOTHING_AROUND))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise _wrong(self._dataset, f"cannot be judged: {error}") from error
            yield part if gone is None else part.filter(compute.invert(compute.fill_null(gone, False)))


def _wrong(dataset: str, what: str) -> PayloadUnreadable:
    return PayloadUnreadable(printable(f"{dataset}: drop_where: {what}"), hint="check `parse.drop_where`")
