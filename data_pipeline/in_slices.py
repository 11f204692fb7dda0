"""A stored table judged slice by slice, by whoever has its files: the report is the one of a single pass.

Every rule is a state that merges (`validate/states.py`), so slices can be observed by other processes, and judged here
once all are merged, in their order. Only states travel: counts, sums, and for `unique` some bytes a row.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from data_pipeline.batch import Batch
from data_pipeline.dataset import Provenance
from data_pipeline.store.results import Results
from data_pipeline.validate.engine import judge, observe
from data_pipeline.validate.report import Report
from data_pipeline.validate.rules import Rule
from data_pipeline.validate.state_bytes import states_from_bytes, states_to_bytes
from data_pipeline.validate.surroundings import Surroundings
from utils.resilience.cancellation import check_cancelled

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = [
    "LEAST_ROWS",
    "LEAST_WORKERS",
    "SLICE_ROWS",
    "Slice",
    "TableWork",
    "judged_in_slices",
    "observed",
    "slices_of",
]

SLICE_ROWS = 2**20
"""Rows of a slice: seconds of work, so that giving it away costs nothing beside."""

LEAST_ROWS = 32 * SLICE_ROWS
LEAST_WORKERS = 4
"""A table and a cluster that are worth it: one pass takes 0.3 s of CPU a million rows; two thirds can be shared."""

LOOK_S = 0.2
"""Until it is looked again whether the run is to stop."""


@dataclass(frozen=True, slots=True)
class TableWork:
    """A version of a dataset, with the batch in it that is judged just now; and what stands around it.

    Attributes:
        path: Of the version in storage.
        before: The version that readers see; "": none.
        content: SHA-256 of what the provider sent; `pieces`: keys of the pieces in the batch.
    """

    dataset: str
    path: str
    rows: int
    now: datetime
    before: str = ""
    content: str = ""
    pieces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows of a table: `rows` of them, after the first `start`."""

    work: TableWork
    start: int
    rows: int

    @property
    def name(self) -> str:
        return f"{self.start}+{self.rows}"


def slices_of(work: TableWork, rows: int) -> list[Slice]:
    """A table in slices of so many rows."""
    return [Slice(work, start, min(rows, work.rows - start)) for start in range(0, work.rows, rows)]


def observed(part: Slice, results: Results, rules: Sequence[Rule], around: Surroundings, *, memory_limit: int) -> bytes:
    """What is known after a slice.

    Raises:
        StoreError: its files are missing or damaged.
    """
    batch = _batch(part, results, memory_limit)
    return states_to_bytes(observe(batch, rules, now=part.work.now, surroundings=around, part=part.name))


def judged_in_slices(
    work: TableWork,
    submit: "Callable[[Slice], Future[bytes]]",
    results: Results,
    rules: Sequence[Rule],
    *,
    memory_limit: int,
    rows: int,
) -> Report:
    """Have all slices observed, and judge the whole. Rows whose keys occur again are looked at once more here.

    Args:
        submit: Has a slice observed elsewhere.

    Raises:
        StoreError: files of the table are missing or damaged.
        Cancelled: the run is to stop.
    """
    results.flush()  # others read what is on the disk
    slices = slices_of(work, rows)
    futures = [submit(part) for part in slices]
    states = []
    try:
        for part, future in zip(slices, futures, strict=True):
            batches = {part.name: _batch(part, results, memory_limit)}
            states.append(states_from_bytes(_waited(future), rules, batches=batches))
    finally:
        for future in futures:
            future.cancel()  # those that are not done: nobody needs them any more
    return judge(states)


def _waited(future: "Future[bytes]") -> bytes:
    while True:
        check_cancelled()
        try:
            return future.result(LOOK_S)
        except NotYet:
            if future.done():
                raise  # what was run raised it


def _batch(part: Slice, results: Results, memory_limit: int) -> Batch:
    """The rows of a slice; the same chunks whenever and wherever they are read."""
    nowhere = Provenance(provider="", collected_at=part.work.now)
    whole = results.batch(part.work.path, nowhere, memory_limit=memory_limit)

    def opened(columns: Sequence[str] | None, after: int) -> "Iterator[pa.RecordBatch]":
        left = part.rows - after
        for batch in whole.batches(columns, after=part.start + after):
            if left <= 0:
                return
            yield batch.slice(0, left)
            left -= batch.num_rows

    share = part.rows / max(1, whole.rows)
    return Batch(
        whole.schema,
        lambda: opened(None, 0),
        rows=part.rows,
        nbytes=round(whole.nbytes * share),
        provenance=nowhere,
        memory_limit=memory_limit,
        open_columns=opened,
    )
