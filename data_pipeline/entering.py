"""How a batch enters the table that its dataset keeps: at once, or later, when somebody accepts it by hand."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from config.datasets import DatasetSettings
from data_pipeline.asking import Question, keeps_a_table
from data_pipeline.bringing import Brought
from data_pipeline.errors import BatchNotDelivered
from data_pipeline.incremental import Cursor
from data_pipeline.judging import Judged
from data_pipeline.pieces import good_rows

if TYPE_CHECKING:
    from data_pipeline.store.merge import Change
    from utils.arrow import pa

__all__ = ["BadRows", "Entering", "change_of", "entering"]

BadRows = Callable[[], "Iterable[pa.RecordBatch] | None"]
"""Gives the quarantined rows of a batch; None: they are gone."""


@dataclass(frozen=True, slots=True)
class Entering:
    """What its collection says of a batch beside its rows. Stands in the event of one that is held.

    Attributes:
        complete: It is all there is, so what it does not hold was deleted.
        anew: The table begins with it.
        full: All there is was asked for.
        replay: It is an earlier answer; rows it brought then are replaced.
        pieces: Key and good rows of each piece, in the order of the rows; None: the table has no pieces.
        notes: What a reader should know.
    """

    complete: bool = False
    anew: bool = False
    full: bool = False
    replay: bool = False
    pieces: tuple[tuple[str, int], ...] | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Without what is not so."""
        found: dict[str, Any] = {name: True for name in ("complete", "anew", "full", "replay") if getattr(self, name)}
        if self.pieces is not None:
            found["pieces"] = [list(piece) for piece in self.pieces]
        if self.notes:
            found["notes"] = list(self.notes)
        return found

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Entering":
        pieces = found.get("pieces")
        known = None if pieces is None else tuple((str(key), int(rows)) for key, rows in pieces)
        return cls(**{**found, "pieces": known, "notes": tuple(found.get("notes", ()))})


def entering(found: Judged, brought: Brought, dataset: DatasetSettings, question: Question) -> Entering | None:
    """What is to be known of a judged batch; None: its dataset keeps no table, a version takes the place of another."""
    if not keeps_a_table(dataset):
        return None
    if brought.pieces is not None:
        return Entering(full=question.full, pieces=good_rows(brought.pieces, found.validation))
    complete = question.complete and not found.batch.provenance.partial
    mine = Entering(complete, question.anew, question.full, question.replay)
    if complete and _minds_deletions(mine, dataset) and _left_out(found, question):
        note = "files that were read before are not in this batch, so it does not say which rows were deleted"
        return replace(mine, complete=False, notes=(note,))
    return mine


def change_of(
    mine: Entering,
    dataset: DatasetSettings,
    columns: "pa.Schema",
    *,
    reach: Cursor | None,
    bad: BadRows | None,
) -> "tuple[Change, tuple[str, ...]]":
    """What a batch does to the table, and notes on it.

    Args:
        columns: Of the batch.
        reach: The newest value of the cursor that a row of the table has.
        bad: Its quarantined rows; None: it has none.

    Raises:
        BatchNotDelivered: the batch lacks a column by which its rows are recognised.
    """
    from data_pipeline.store.merge import Change

    if mine.pieces is not None:
        by = dataset.partition.by if dataset.partition is not None else ""
        return Change(pieces=mine.pieces, by=by if isinstance(by, str) else "", full=mine.full), mine.notes
    settings = dataset.incremental
    order = () if settings is None else tuple(filter(None, (settings.cursor, settings.tie_breaker)))
    _refuse_missing(dataset, columns, order)
    complete, doubted, notes = mine.complete, None, mine.notes
    if complete and _minds_deletions(mine, dataset) and bad is not None:
        doubted = _keys(bad(), columns, dataset.key)
        if doubted is None:
            complete = False
            told = "a quarantined row has no readable key: nobody knows which rows were deleted, so none are"
            notes = (*notes, told)
    again = mine.replay and dataset.write == "append"
    change = Change(
        merge=_merges(mine, dataset),
        # Of a key an appended table has one row for each value of the cursor.
        key=(*dataset.key, settings.cursor) if again and settings is not None else dataset.key,
        order=order if _merges(mine, dataset) else (),
        cursor="" if settings is None else settings.cursor,
        until=reach,
        complete=complete,
        deletes=dataset.deletes,
        doubted=doubted,
        anew=mine.anew,
        full=mine.full,
        newer_stays=mine.replay and bool(order),
        one_each=again and settings is None,
    )
    return change, notes


def _merges(mine: Entering, dataset: DatasetSettings) -> bool:
    return dataset.write == "merge" or (mine.replay and bool(dataset.key))


def _minds_deletions(mine: Entering, dataset: DatasetSettings) -> bool:
    return _merges(mine, dataset) and dataset.deletes != "keep"


def _refuse_missing(dataset: DatasetSettings, columns: "pa.Schema", order: tuple[str, ...]) -> None:
    for name in (*(dataset.key if dataset.write == "merge" or order else ()), *order):
        if name not in columns.names:
            known = ", ".join(f"`{column}`" for column in columns.names[:20])
            raise BatchNotDelivered(
                f"{dataset.name}: the batch has no column `{name}`, by which rows are recognised; it has {known}",
                hint="look at `key` and `incremental`: they use the new names of `columns`",
            )


def _left_out(found: Judged, question: Question) -> bool:
    """Whether files that are in the table did not come this time: they were read before, and only new ones are."""
    asked, read = question.asked[0], found.batch.provenance.files
    if asked is None or asked.full or asked.ledger is None or not read:
        return False
    return not asked.ledger().keys() <= {file.path for file in read}


def _keys(bad: "Iterable[pa.RecordBatch] | None", columns: "pa.Schema", key: tuple[str, ...]) -> "pa.Table | None":
    """The keys of the quarantined rows; None when one of them cannot be read."""
    from utils.arrow import pa

    if bad is None:
        return None
    schema = pa.schema([columns.field(name) for name in key])
    parts = []
    for batch in bad:
        if batch.num_rows:
            if not set(key) <= set(batch.schema.names):
                return None
            mine = batch.select(list(key))
            if mine.schema.types != schema.types or any(column.null_count for column in mine.columns):
                return None
            parts.append(pa.RecordBatch.from_arrays(mine.columns, schema=schema))
    return pa.Table.from_batches(parts, schema=schema)
