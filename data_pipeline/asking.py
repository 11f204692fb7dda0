"""What is asked of a provider this time: all, what is new since the cursor, or pieces of the table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from config.datasets import DatasetSettings, IncrementalSettings
from data_pipeline.collect.placeholders import Partition
from data_pipeline.collect.resilient import Asked
from data_pipeline.dataset import FileSeen
from data_pipeline.errors import PipelineError
from data_pipeline.incremental import Cursor, initial, start
from data_pipeline.partitions import NoSuchPiece, asked_for, due, fits
from data_pipeline.store.views import Version

__all__ = ["Question", "keeps_a_table", "newest_piece", "question", "stood"]

Ledger = Callable[[], Mapping[str, FileSeen]]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what the answer will mean.

    Attributes:
        asked: One collection, or one for each piece of a partitioned table, oldest first; None: simply all.
        validators: To ask "has it changed?" with; empty: unconditionally.
        cursor: The newest value stored; an answer that is older does not move it.
        reach: The newest value that a row of the table has: beyond the cursor, when a partial answer was accepted.
        complete: The answer is all there is, so what it does not hold was deleted.
        anew: The table begins with the answer.
        full: All there is was asked for: where the table stood before does not count.
        replay: The answer is that of an earlier run; rows it brought then are replaced.
        named: The pieces were asked for by their keys, not because they are due.
        notes: What a reader should know.
    """

    asked: tuple[Asked | None, ...] = (None,)
    validators: Mapping[str, str] | None = None
    cursor: Cursor | None = None
    reach: Cursor | None = None
    complete: bool = True
    anew: bool = False
    full: bool = False
    replay: bool = False
    named: bool = False
    notes: tuple[str, ...] = ()


def keeps_a_table(dataset: DatasetSettings) -> bool:
    """Whether batches become part of a table; else each takes the place of the one before."""
    return dataset.write != "replace" or dataset.partition is not None


def question(
    dataset: DatasetSettings,
    last_good: Version | None,
    *,
    now: datetime,
    fresh: bool,
    full: bool,
    ledger: Ledger,
    partitions: tuple[str, ...] = (),
) -> Question:
    """What to ask now.

    Args:
        last_good: The accepted version that readers see, if it is there.
        fresh: Do not ask whether something changed.
        full: Take everything, whatever is there already.
        partitions: Keys of the pieces to ask for; (): what is due.

    Raises:
        PipelineError: `incremental` does not fit the values of its column; or there are no such pieces.
    """
    if last_good is None:
        ledger = dict  # files that were read once are in no table that is left
    if partitions:
        pieces = _named(dataset, partitions, now)
        asks = tuple(Asked(partition=piece, full=full, ledger=ledger) for piece in pieces)
        return Question(asks, complete=False, full=full, named=True)
    if dataset.partition is not None:
        newest = newest_piece(dataset, last_good) if not full else None
        pieces = due(dataset.partition, now=now, newest=newest)
        if not pieces:
            raise PipelineError(
                f"{dataset.name}: no piece is complete yet", hint="`partition.start` and `partition.lag` say which are"
            )
        asks = tuple(Asked(partition=piece, full=full, ledger=ledger) for piece in pieces)
        return Question(asks, complete=False, full=full)
    if dataset.incremental is not None:
        return _incremental(dataset, last_good, full, ledger)
    validators = None
    # Asking "has it changed?" makes sense only if the copy we have was read as we would read it today.
    if last_good is not None and not fresh and not full and last_good.body["fingerprint"] == dataset.fingerprint:
        validators = last_good.body["validators"]
    if not keeps_a_table(dataset):
        return Question((Asked(full=True) if full else None,), validators)
    asked = Asked(full=full, ledger=ledger, only_new=True)
    return Question((asked,), validators, anew=full and dataset.write == "append", full=full)


def _named(dataset: DatasetSettings, keys: tuple[str, ...], now: datetime) -> Sequence[Partition]:
    if dataset.partition is None:
        raise PipelineError(f"{dataset.name} is not a table in pieces", hint="`partition` in its block makes it one")
    try:
        found = asked_for(dataset.partition, keys, now=now)
    except NoSuchPiece as error:
        raise PipelineError(f"{dataset.name}: {error}", hint=error.hint) from error
    if left_out := (*found.before_start, *found.incomplete):
        raise PipelineError(
            f"{dataset.name}: {left_out[0]} is no piece that could be there by now",
            hint="`partition.start` and `partition.lag` say which are",
        )
    return found.pieces


def newest_piece(dataset: DatasetSettings, last_good: Version | None) -> str | None:
    """The newest piece that was collected whole, if the table was kept in such pieces."""
    found = last_good.body.get("partition") if last_good is not None else None
    by = dataset.partition.by if dataset.partition is not None else ""
    return found if isinstance(found, str) and fits(found, by if isinstance(by, str) else "") else None


def _incremental(dataset: DatasetSettings, last_good: Version | None, full: bool, ledger: Ledger) -> Question:
    settings = dataset.incremental
    assert settings is not None
    stored, reach = stood(settings, last_good)
    notes: tuple[str, ...] = ()
    if stored is None and (other := _kept(last_good, "cursor")) is not None:
        notes = (f"the cursor is `{settings.cursor}` now, no longer `{other.column}`: everything is collected again",)
    anew = full and dataset.write != "merge"
    asked_with = None
    if not full:
        try:
            if stored is not None:
                asked_with = start(stored, settings)
            else:
                declared = getattr(dataset.columns.get(settings.cursor), "type", None)
                asked_with = initial(settings, declared, dataset.zone or "UTC")
        except PipelineError as error:
            raise PipelineError(f"{dataset.name}: {error}", hint=error.hint) from error
    adds = dataset.write != "replace"
    asked = Asked(
        cursor=asked_with, cursor_format=settings.format, full=full, ledger=ledger if adds else None, only_new=adds
    )
    complete = asked_with is None
    return Question((asked,), None, stored, reach, complete=complete, anew=anew, full=full, notes=notes)


def stood(settings: IncrementalSettings, last_good: Version | None) -> tuple[Cursor | None, Cursor | None]:
    """The cursor that a version stored, and the newest value that a row of it has; none of another column."""
    stored, reach = (
        found if found is not None and found.column == settings.cursor else None
        for found in (_kept(last_good, name) for name in ("cursor", "reach"))
    )
    return stored, reach or stored


def _kept(version: Version | None, name: str) -> Cursor | None:
    found = version.body.get(name) if version is not None else None
    return Cursor.from_json(found) if found else None
