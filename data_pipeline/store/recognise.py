"""Which rows are the same row: by their key, or by all they hold. Answers are positions and masks, never rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from data_pipeline.errors import PipelineError
from data_pipeline.store.widening import as_type
from utils.arrow import compute, pa

__all__ = ["hits", "keyless", "latest", "unseen"]

Positions = np.ndarray[Any, np.dtype[np.int64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def keyless(rows: "pa.Table", key: Sequence[str]) -> Mask:
    """Which rows have no value in some column of the key: they are never the same as another."""
    found = np.zeros(rows.num_rows, dtype=np.bool_)
    for name in key:
        found |= np.asarray(rows.column(name).is_null(nan_is_null=True).to_numpy())
    return found


def latest(rows: "pa.Table", key: Sequence[str], order: Sequence[str] = ()) -> Positions:
    """Positions, ascending, of the rows that stay when every key occurs once: the greatest by `order`, then the last.

    A row without a key stays. A null in a column of `order` is smaller than any value.
    """
    _refuse_nested(rows, key)
    loose = keyless(rows, key)
    positions = np.arange(rows.num_rows, dtype=np.int64)
    ranked = positions
    if order:
        keys = [(name, "ascending", "at_start") for name in (*order, "__at__")]
        sortable = rows.select(list(dict.fromkeys(order))).append_column("__at__", pa.array(positions))
        options = compute.SortOptions(sort_keys=keys)
        ranked = np.asarray(compute.sort_indices(sortable, options=options)).astype(np.int64)
    ranks = np.empty(rows.num_rows, dtype=np.int64)
    ranks[ranked] = positions
    keyed = rows.select(list(key)).append_column("__rank__", pa.array(ranks)).filter(pa.array(~loose))
    best = keyed.group_by(list(key)).aggregate([("__rank__", "max")]).column("__rank___max")
    stay = np.concatenate([ranked[np.asarray(best).astype(np.int64)], positions[loose]])
    return np.sort(stay)


def hits(rows: "pa.Table", keys: "pa.Table") -> Mask:
    """Which rows have a key that occurs in `keys` (the same columns and types). A null matches nothing."""
    names = keys.column_names
    _refuse_nested(keys, names)
    if len(names) == 1:
        found = compute.is_in(rows.column(names[0]), value_set=keys.column(0), skip_nulls=True)
        return np.asarray(found.to_numpy()).astype(np.bool_)
    numbered = rows.select(names).append_column("__at__", pa.array(np.arange(rows.num_rows, dtype=np.int64)))
    same = numbered.join(keys, keys=names, join_type="left semi").column("__at__")
    mask = np.zeros(rows.num_rows, dtype=np.bool_)
    mask[np.asarray(same).astype(np.int64)] = True
    return mask


def unseen(rows: "pa.Table", known: "pa.Table") -> Positions:
    """Positions, ascending, of rows that `known` does not hold as often: of three equal ones, when it has two, one.

    Nulls equal nulls here. Both have the same columns and types.
    """
    if not known.num_rows:
        return np.arange(rows.num_rows, dtype=np.int64)
    both = pa.concat_tables([_comparable(known), _comparable(rows)])
    names = both.column_names
    numbered = both.append_column("__at__", pa.array(np.arange(both.num_rows, dtype=np.int64)))
    groups = numbered.group_by(names, use_threads=False).aggregate([("__at__", "list")]).column("__at___list")
    lists = groups.combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    offsets = np.asarray(lists.offsets).astype(np.int64)
    members = np.asarray(lists.values)[offsets[0] : offsets[-1]].astype(np.int64)
    sizes = np.diff(offsets)
    group = np.repeat(np.arange(len(sizes)), sizes)
    there = members < known.num_rows
    copies = np.bincount(group[there], minlength=len(sizes))
    # Members of a group stand in the order of their rows, so the known ones come first.
    place = np.arange(len(members)) - np.repeat(offsets[:-1] - offsets[0], sizes)
    new = ~there & (place - copies[group] >= copies[group])
    return np.sort(members[new] - known.num_rows)


def _comparable(rows: "pa.Table") -> "pa.Table":
    """Nested values as text, chunk by chunk: Arrow groups by plain values only."""
    for at, field in enumerate(rows.schema):
        if pa.types.is_nested(field.type) or pa.types.is_null(field.type):
            text = [as_type(chunk, pa.string()) for chunk in rows.column(at).chunks]
            rows = rows.set_column(at, field.name, pa.chunked_array(text, pa.string()))
    return rows


def _refuse_nested(rows: "pa.Table", key: Sequence[str]) -> None:
    for name in key:
        kind = rows.schema.field(name).type
        if pa.types.is_nested(kind):
            raise PipelineError(
                f"column `{name}` is {kind}: rows cannot be recognised by it",
                hint="name columns of plain values in `key`",
            )
