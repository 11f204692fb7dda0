"""The rows of a dataset for a program: some of the columns, so many of the rows, opened part by part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from integrated_system import IntegratedSystem
from operations.actor import UsageError
from operations.show import delivered, of_version
from utils.events import rfc3339

if TYPE_CHECKING:
    from data_pipeline.batch import Batch
    from utils.arrow import pa

__all__ = ["Extract", "current_version", "extract", "limited"]


@dataclass(frozen=True, slots=True)
class Extract:
    """Rows that are read as they are asked for.

    Attributes:
        version: That they are of; "": of a shipped snapshot, or of a batch.
        rows: How many the table has; with a limit fewer come.
        collected_at: RFC 3339.
    """

    version: str
    schema: "pa.Schema"
    batches: "Iterator[pa.RecordBatch]"
    rows: int
    collected_at: str
    notes: tuple[str, ...] = ()


def current_version(system: IntegratedSystem, dataset: str) -> str:
    """The version whose rows readers get now; "": none.

    Raises:
        ConfigError: no such dataset.
    """
    system.settings.dataset(dataset)
    version = system.results.last_good(system.views.current_of(dataset))
    return "" if version is None else version.version


def extract(
    system: IntegratedSystem,
    dataset: str,
    *,
    columns: Sequence[str] = (),
    after: int = 0,
    limit: int | None = None,
    last_batch: bool = False,
    version: str = "",
) -> Extract:
    """What readers of a dataset get now, or with `last_batch` the batch collected last; other columns are not read.

    Args:
        columns: In this order; none: all.
        after: So many rows are passed over.
        version: In their place the rows of this version, whatever its state.

    Raises:
        ConfigError: no such dataset.
        UsageError: there is no such column, or one is named twice; or both a batch and a version are asked for.
        PipelineError: nothing was ever delivered; or there is no such version.
        StoreError: no version is whole.
    """
    if version and last_batch:
        raise UsageError("version: the batch collected last is asked for as well", hint="leave one of them out")
    batch = of_version(system, dataset, version) if version else delivered(system, dataset, last_batch=last_batch)
    names = list(columns)
    schema = batch.schema if not names else _chosen(dataset, batch.schema, names)
    return Extract(
        version="" if last_batch else version or current_version(system, dataset),
        schema=schema,
        batches=limited(_read(batch, names, after), limit),
        rows=batch.rows,
        collected_at=rfc3339(batch.provenance.collected_at),
        notes=batch.provenance.notes,
    )


def limited(batches: "Iterator[pa.RecordBatch]", limit: int | None) -> "Iterator[pa.RecordBatch]":
    """The first so many rows; what comes after is not read."""
    left = limit
    while left is None or left > 0:
        batch = next(batches, None)
        if batch is None:
            return
        if left is not None:
            batch = batch.slice(0, left)
            left -= batch.num_rows
        yield batch
        del batch  # else it would lie beside the next one while that is read


def _read(batch: "Batch", names: list[str], after: int) -> "Iterator[pa.RecordBatch]":
    for part in batch.batches(names or None, after=after):
        yield part.select(names) if names else part
        del part


def _chosen(dataset: str, schema: "pa.Schema", names: list[str]) -> "pa.Schema":
    from utils.arrow import pa

    for name in names:
        if name not in schema.names:
            near = get_close_matches(name, schema.names, n=1)
            meant = f"; did you mean `{near[0]}`?" if near else ""
            there = ", ".join(schema.names[:20]) + (", …" if len(schema.names) > 20 else "")
            raise UsageError(f"columns: {dataset} has no column `{name}`{meant}", hint=f"it has {there}", missing=True)
        if names.count(name) > 1:
            raise UsageError(f"columns: `{name}` is there twice", hint="name each column once")
    return pa.schema([schema.field(name) for name in names])
