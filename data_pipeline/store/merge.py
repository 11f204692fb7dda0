"""How a batch becomes part of a table: appended, merged by key, or in the place of partitions.

Copy on write: a part that no row of the batch touches is reused, any other is written again beside it. So every older
version of the table stays whole, and a kill on the way leaves only files that nobody names. Memory is bounded by the
keys of the batch and of one part.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data_pipeline.errors import PipelineError
from data_pipeline.incremental import Cursor
from data_pipeline.partitions import fits
from data_pipeline.store.manifest import Manifest, Part
from data_pipeline.store.parts import Parts, cut
from data_pipeline.store.recognise import Mask, Positions, hits, keyless, latest, unseen
from data_pipeline.store.widening import DELETED, as_type, unified
from utils.arrow import compute, pa

__all__ = ["Advanced", "Change", "advanced"]

MOST_SMALL = 32
"""Neighbouring small parts that a table may have before they are written as one."""

TIERS = (2**20, 2**25, 2**30)
"""What small is, in bytes: parts below the first grow into parts below the second, and so on. So ten thousand appends
leave some dozens of parts, and every row is rewritten a few times at most."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done with a batch.

    Attributes:
        merge: By `key`; else rows are added.
        key: Columns that make a row one row.
        order: Of several rows of one key in a batch, the greatest by these columns stays, then the last.
        cursor: The column of an incremental collection; "": it is none.
        until: The newest cursor that was stored before; rows up to it may be in the table already. None: any row may.
        complete: The batch is all there is, so rows that it does not hold were deleted by the provider.
        deletes: `keep`, `flag` or `remove` those.
        doubted: Keys of rows that are in quarantine: these rows were there, though they do not enter the table.
        anew: The table begins with this batch.
        full: All there is was asked for, so what cannot be used of the table is left behind, not an error.
        newer_stays: Rows of the table stay where their `order` is greater than that of the batch's row.
        one_each: It is an error when the table has several rows of a key that the batch has.
        pieces: Rows of each partition in the batch, in this order; None: the table has no partitions.
        by: What the partitions are: `hour`, `day`, `month`, or "" for a list of keys.
    """

    merge: bool = False
    key: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    cursor: str = ""
    until: Cursor | None = None
    complete: bool = False
    deletes: str = "keep"
    doubted: "pa.Table | None" = None
    anew: bool = False
    full: bool = False
    newer_stays: bool = False
    one_each: bool = False
    pieces: tuple[tuple[str, int], ...] | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Advanced:
    """A table after a batch. `added`: the rows that were not there, as sinks want them; None: there are none.

    `notes`: what a reader should know.
    """

    table: Manifest
    added: Part | None
    notes: tuple[str, ...] = ()


def advanced(parts: Parts, base: Manifest | None, batch: Part, columns: "pa.Schema", change: Change) -> Advanced:
    """The table with the batch in it.

    Args:
        base: The table before; None: there was none.
        batch: The batch's good rows, written as a file that may become a part as it is.
        columns: Of the batch.

    Raises:
        PipelineError: a key cannot be compared, the batch has a column that the table keeps for itself, or the table
            was kept in another way until now.
        StoreError: a part is damaged, or a new one cannot be written.
    """
    notes: tuple[str, ...] = ()
    if base is None or change.anew:
        base = Manifest(pa.schema([]))
    elif change.full:
        base, notes = _whole(parts, base)
    base, told = _usable(base, change)
    if change.deletes == "flag" and DELETED in columns.names:
        raise PipelineError(f"the batch has a column `{DELETED}` of its own", hint="give it another name in `columns`")
    schema = _settled(parts, base, batch, columns)
    if change.deletes == "flag" and DELETED not in schema.names:
        schema = schema.append(pa.field(DELETED, pa.bool_()))
    step = _Step(parts, base, batch, schema, change)
    if change.pieces is not None:
        return Advanced(Manifest(schema, step.partitioned(change.pieces)), batch, (*notes, *told))
    kept, added = step.merged() if change.merge else step.appended()
    table = _compacted(parts, Manifest(schema, (*kept, *([added] if added is not None else []))))
    return Advanced(table, added, (*notes, *told))


@dataclass(frozen=True, slots=True)
class _Step:
    """One change of one table."""

    parts: Parts
    base: Manifest
    batch: Part
    schema: "pa.Schema"
    change: Change

    def partitioned(self, pieces: tuple[tuple[str, int], ...]) -> tuple[Part, ...]:
        """The partitions of the batch take the place of those that were there."""
        keys = {key for key, _ in pieces}
        kept = [part for part in self.base.parts if part.partition not in keys]
        alone = next((key for key, rows in pieces if rows == self.batch.rows), None)
        if alone is not None:
            kept += [replace(self.batch, partition=alone)] if self.batch.rows else []
        else:
            stream = self.parts.read(self.batch, self.schema)
            for (key, _), rows in zip(pieces, cut(stream, [rows for _, rows in pieces]), strict=True):
                if (part := self.parts.write(rows, self.schema, partition=key)) is not None:
                    kept.append(part)
        return tuple(sorted(kept, key=lambda part: part.partition or ""))

    def appended(self) -> tuple[list[Part], Part | None]:
        """Rows are added, but for those that an incremental collection brought before."""
        change = self.change
        stay: Positions | None = None
        if change.cursor:
            names = list(dict.fromkeys((*change.key, change.cursor)))
            rows = self.parts.table(self.batch, self.schema, names)
            stay = latest(rows, names) if change.key else np.arange(rows.num_rows, dtype=np.int64)
            if self.base.parts:
                stay = self._without_known(rows, stay, change.until)
        return list(self.base.parts), self._of_batch(stay)

    def merged(self) -> tuple[list[Part], Part | None]:
        """Rows of a key that the batch has too are replaced; rows without a key are added unless they are there."""
        change = self.change
        rows = self.parts.table(self.batch, self.schema, (*change.key, *change.order))
        loose = keyless(rows, change.key)
        stay = latest(rows, change.key, change.order)
        if loose.any():
            stay = self._without_known_loose(stay, stay[loose[stay]])
        there = rows.select(list(change.key)).filter(pa.array(~loose))
        keys = there
        if change.newer_stays:
            stay = np.setdiff1d(stay, self._older(rows, stay[~loose[stay]]))
            keys = rows.select(list(change.key)).take(pa.array(stay[~loose[stay]]))
        kept = [part for old in self.base.parts if (part := self._survivors(old, keys, there)) is not None]
        replaced = sum(part.rows for part in self.base.parts) - sum(part.rows for part in kept)
        if change.one_each and replaced > len(latest(keys, change.key)):
            raise PipelineError(
                "the table has several rows of the same key: nothing tells which of them the batch replaces",
                hint="start the table anew with `run --full`",
            )
        return kept, self._of_batch(stay)

    def _of_batch(self, stay: Positions | None) -> Part | None:
        """The part that the batch's rows make."""
        if stay is None or len(stay) == self.batch.rows:
            return self.batch if self.batch.rows else None
        return self.parts.write(self.parts.taken(self.batch, self.schema, stay), self.schema)

    def _older(self, rows: "pa.Table", stay: Positions) -> Positions:
        """Which of the batch's rows are older than the table's row of the same key."""
        key, order = self.change.key, self.change.order
        names = list(dict.fromkeys((*key, *order)))
        mine = rows.select(names).take(pa.array(stay))
        keys = mine.select(list(key))

        def same(batch: "pa.RecordBatch") -> Any:
            return pa.array(hits(pa.Table.from_batches([batch]), keys))

        known = self.parts.filtered(self.base.parts, mine.schema, same)
        # The batch's rows stand behind the table's, so that of equal ones they win.
        winners = latest(pa.concat_tables([known, mine]).combine_chunks(), key, order)
        return np.setdiff1d(stay, stay[winners[winners >= known.num_rows] - known.num_rows])

    def _survivors(self, part: Part, keys: "pa.Table", there: "pa.Table") -> Part | None:
        """An old part without the rows that the batch replaces or deletes; itself when there are none.

        Args:
            keys: Of the rows that are replaced.
            there: Of all rows of the batch: they are not deleted.
        """
        change, flags = self.change, self.change.complete and self.change.deletes == "flag"
        found = self.parts.table(part, self.schema, (*change.key, *([DELETED] if flags else [])))
        mine = found.select(list(change.key))
        keep = ~hits(mine, keys)
        flag: Mask | None = None
        if change.complete and change.deletes != "keep":
            gone = keep & ~keyless(mine, change.key) & (~hits(mine, there) if there is not keys else True)
            if change.doubted is not None and change.doubted.num_rows:
                gone &= ~hits(mine, change.doubted.cast(mine.schema))
            if flags:
                flag = gone & ~np.asarray(compute.fill_null(found.column(DELETED), False).to_numpy()).astype(np.bool_)
            else:
                keep &= ~gone
        if keep.all() and (flag is None or not flag.any()):
            return part
        return self.parts.write(self._rewritten(part, keep, flag), self.schema) if keep.any() else None

    def _rewritten(self, part: Part, keep: Mask, flag: Mask | None) -> "Iterator[pa.RecordBatch]":
        start = 0
        for batch in self.parts.read(part, self.schema):
            end = start + batch.num_rows
            if flag is not None and flag[start:end].any():
                at = batch.schema.get_field_index(DELETED)
                flagged = compute.or_(compute.fill_null(batch.column(at), False), pa.array(flag[start:end]))
                batch = batch.set_column(at, batch.schema.field(at), flagged)  # noqa: PLW2901 - the same rows, flagged
            yield batch.filter(pa.array(keep[start:end]))
            start = end

    def _without_known_loose(self, stay: Positions, loose: Positions) -> Positions:
        """Of rows without a key only those that the table does not hold as they are."""
        key = self.change.key

        def without_key(batch: "pa.RecordBatch") -> Any:
            return pa.array(keyless(pa.Table.from_batches([batch]), key))

        known = self.parts.filtered(self.base.parts, self.schema, without_key)
        candidates = pa.Table.from_batches(self.parts.taken(self.batch, self.schema, loose), schema=self.schema)
        return np.setdiff1d(stay, np.delete(loose, unseen(candidates, known)))

    def _without_known(self, rows: "pa.Table", stay: Positions, until: Cursor | None) -> Positions:
        """Rows up to the last cursor, and those without one, stay only if the table does not hold them."""
        change = self.change
        cursor = rows.column(change.cursor)
        old = np.ones(rows.num_rows, dtype=np.bool_)
        if until is not None:
            newer = compute.fill_null(compute.greater(cursor, until.scalar(cursor.type)), False)
            old = ~np.asarray(newer.to_numpy()).astype(np.bool_)
        doubted = stay[old[stay]]
        if not len(doubted):
            return stay
        least = compute.min(cursor.take(pa.array(doubted)))

        def in_reach(batch: "pa.RecordBatch") -> Any:
            column = batch.column(change.cursor)
            return compute.or_kleene(compute.is_null(column), compute.greater_equal(column, least))

        known = self.parts.filtered(self.base.parts, self.schema, in_reach)
        names = list(dict.fromkeys((*change.key, change.cursor)))
        loose = keyless(rows, names)[doubted] if change.key else np.ones(len(doubted), dtype=np.bool_)
        keyed = rows.take(pa.array(doubted[~loose]))
        dropped = [doubted[~loose][hits(keyed, known.select(names))]]
        if loose.any():
            mine = self.parts.taken(self.batch, self.schema, doubted[loose])
            new = unseen(pa.Table.from_batches(mine, schema=self.schema), known)
            dropped.append(np.delete(doubted[loose], new))
        return np.setdiff1d(stay, np.concatenate(dropped))


def _whole(parts: Parts, base: Manifest) -> tuple[Manifest, tuple[str, ...]]:
    """The parts that are as they were written."""
    good = tuple(part for part in base.parts if parts.is_whole(part))
    bad = [part for part in base.parts if part not in good]
    if not bad:
        return base, ()
    rows = sum(part.rows for part in bad)
    note = (
        f"{len(bad)} of {len(base.parts)} files of the table are damaged: of their {rows:,} rows those stay that came"
    )
    return replace(base, parts=good), (note,)


def _usable(base: Manifest, change: Change) -> tuple[Manifest, tuple[str, ...]]:
    """What the table keeps now that it may be kept in another way: its rows must still be recognised."""
    if change.pieces is not None:
        stay = tuple(part for part in base.parts if fits(part.partition, change.by))
        wrong = f"rows that belong to no {change.by or 'piece'} of `partition`, for it was kept otherwise until now"
    else:
        known = not change.merge or not set(change.key).difference(base.schema.names)
        stay = base.parts if known else ()
        wrong = f"no {' and '.join(f'`{name}`' for name in change.key)}, by which its rows would be recognised"
    if len(stay) == len(base.parts):
        return base, ()
    if not change.full or (change.pieces is None and not change.complete):
        raise PipelineError(f"the table that is there has {wrong}", hint="begin it anew with `run --full`")
    return Manifest(base.schema if stay else pa.schema([]), stay), (f"the table begins anew: it had {wrong}",)


def _settled(parts: Parts, base: Manifest, batch: Part, columns: "pa.Schema") -> "pa.Schema":
    """One schema for the table and the batch; text where a value would not fit into the wider type."""
    schema = unified(base.schema, columns)
    for at, field in enumerate(schema):
        was = base.schema.field(field.name).type if field.name in base.schema.names else field.type
        came = columns.field(field.name).type if field.name in columns.names else field.type
        old = base.parts if was != field.type else ()
        new = (batch,) if came != field.type else ()
        types = pa.schema([pa.field(field.name, was)]), pa.schema([pa.field(field.name, came)])
        if not all(_casts(parts, part, types[0], field) for part in old) or not all(
            _casts(parts, part, types[1], field) for part in new
        ):
            schema = schema.set(at, pa.field(field.name, pa.string()))
    return schema


def _casts(parts: Parts, part: Part, schema: "pa.Schema", wanted: "pa.Field") -> bool:
    try:
        for found in parts.read(part, schema):
            as_type(found.column(0), wanted.type)
    except pa.ArrowInvalid:
        return False
    return True


def _compacted(parts: Parts, table: Manifest) -> Manifest:
    """The table with long rows of small parts written as one."""
    found = list(table.parts)
    for limit in TIERS:
        start = 0
        while start < len(found):
            end = start
            while end < len(found) and found[end].size < limit:
                end += 1
            if end - start > MOST_SMALL:
                rows = (batch for part in found[start:end] for batch in parts.read(part, table.schema))
                one = parts.write(rows, table.schema)
                found[start:end] = [one] if one is not None else []
                end = start + 1
            start = end + 1
    return Manifest(table.schema, tuple(found))
