"""Where quarantined rows belong: which batch they are of, what stands there now, and what speaks against them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.asking import keeps_a_table
from data_pipeline.errors import PipelineError
from data_pipeline.store.quarantine_files import Aside
from data_pipeline.store.quarantine_views import Quarantined
from data_pipeline.store.results import Results
from data_pipeline.store.views import Version, Views
from utils.arrow import pa
from utils.storage import Storage

__all__ = ["Belonging", "Superseded", "belonging", "last_batch", "refuse_pieces"]


class Superseded(PipelineError):
    """Newer rows took the place of the batch; the quarantined ones would stand beside them as old ones."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """The rows among which quarantined ones are judged.

    Attributes:
        others: Opens the other rows of the batch, in their order; without any where they are kept no more.
        rows: How many those are.
        schema: Their columns.
        missing: Numbers of the rows that the others are without; None: ours have no place among them, but the end.
        table: Columns of what readers see.
        alone: The others are kept no more, so rules on a whole batch cannot be judged.
    """

    others: Callable[[], "Iterator[pa.RecordBatch]"]
    rows: int
    schema: "pa.Schema"
    missing: Sequence[int] | None
    table: "pa.Schema"
    alone: bool = False


def last_batch(version: Version) -> str:
    """The run whose batch a version is, or that came to the table last, also when rows of it were mended since."""
    body: dict[str, Any] = version.body
    return str(body.get("last_batch") or body.get("restores") or version.version)


def belonging(
    dataset: DatasetSettings,
    entry: Quarantined,
    aside: Aside,
    current: Version | None,
    *,
    views: Views,
    results: Results,
    storage: Storage,
    force: bool,
) -> Belonging:
    """Where the rows of a batch belong.

    Args:
        current: What readers see.
        force: Also where newer rows took the place of the batch.

    Raises:
        Superseded: they did.
        PipelineError: the batch itself is held, or nothing was ever accepted.
    """
    batch = views.version(dataset.name, entry.run_id)
    _refuse_undecided(entry, batch)
    if current is None:
        raise PipelineError(f"{dataset.name}: nothing was accepted yet", hint=f"see `versions {dataset.name}`")
    results.check(current)
    table = results.schema(current.path)
    if batch is not None and batch.state in {"rejected", "rolled_back"} and not force:
        state = batch.state.replace("_", " ")
        raise _superseded(entry, f"its batch was {state}")
    waiting = aside.numbers.tolist()
    if not keeps_a_table(dataset):
        its_own = last_batch(current) == entry.run_id
        if not its_own and not force:
            raise _superseded(entry, f"the batch of run {last_batch(current)} took its place")
        missing = (*waiting, *aside.dropped) if its_own else None
        return Belonging(lambda: results.batches(current.path), current.rows, table, missing, table)
    path = None if batch is None else batch.body.get("batch") or batch.path
    if batch is None or path is None or not batch.is_accepted or not storage.exists(path):
        return Belonging(lambda: iter(()), 0, table, None, table, alone=True)
    others = results.schema(path)
    missing = (*waiting, *aside.accepted, *aside.dropped)
    return Belonging(lambda: results.batches(path), int(batch.body["rows"]), others, missing, table)


def refuse_pieces(
    entry: Quarantined,
    keys: Sequence[str],
    current: Version,
    *,
    views: Views,
    results: Results,
) -> None:
    """A piece that was collected again since has newer rows.

    Raises:
        Superseded: one of them was.
    """
    mended = [v.version for v in views.versions(entry.dataset) if _replayed_run(v) == entry.run_id]
    for part in results.manifest(current).parts:
        stem = PurePosixPath(part.path).stem
        if part.partition in keys and not stem.startswith((entry.run_id, *mended)):
            raise _superseded(entry, f"the piece {part.partition} was collected again")


def _replayed_run(version: Version) -> str | None:
    found: str | None = version.body.get("replayed", {}).get("run_id")
    return found


def _refuse_undecided(entry: Quarantined, batch: Version | None) -> None:
    if batch is not None and batch.state == "held":
        raise PipelineError(
            f"{entry.dataset}: the batch of run {entry.run_id} is held: nobody decided about its other rows yet",
            hint=f"`accept {entry.dataset} {entry.run_id}`, then replay; or `reject {entry.dataset} {entry.run_id}`",
        )


def _superseded(entry: Quarantined, why: str) -> Superseded:
    return Superseded(
        f"{entry.dataset}: the quarantined rows of run {entry.run_id} are old: {why}",
        hint=f"give them up: `quarantine drop {entry.dataset} --run {entry.run_id}`; or add them all the same: --force",
    )
