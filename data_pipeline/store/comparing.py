"""Two tables row by row: which rows one has and the other has not, and which have other values under the same key.

Both are read once as streams; kept of each row are two 64-bit hashes (see `hashing.py`), so memory is bounded by 24
bytes a row, whatever the rows hold. Two different rows of a million are taken for one with a chance of about 3 in 10^8.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from utils.arrow import compute, pa

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Compared", "compared", "rows_at"]

_NOTHING = 0x6E756C6C6E756C6C
"""The hash of a null: any number, the same everywhere."""

Rows = Callable[[Sequence[str]], "Iterator[pa.RecordBatch]"]
"""Opens a table with these columns only."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How many rows differ. The positions are row numbers from 0, in order.

    Attributes:
        key: The columns by which rows were matched; (): whole rows, so none is `changed`.
        added: Positions in the later table of rows that the earlier has not.
        removed: Positions in the earlier table likewise.
        changed: Pairs of positions, earlier and later, of rows with the same key and other values.
        same: How many rows are in both.
        note: Why rows were not matched by the key that was given; "": they were.
    """

    key: tuple[str, ...]
    added: "np.ndarray[Any, Any]"
    removed: "np.ndarray[Any, Any]"
    changed: "np.ndarray[Any, Any]"
    same: int
    note: str = ""


def compared(before: Rows, after: Rows, columns: Sequence[str], key: Sequence[str] = ()) -> Compared:
    """Compare two tables by the columns that both have, with the same types.

    Args:
        key: What makes a row one row; where it does not (a key comes twice), whole rows are compared.
    """
    import numpy as np

    told = ""
    if key and set(key) <= set(columns):
        rest = [name for name in columns if name not in key]
        old, new = _hashed(before, key, rest), _hashed(after, key, rest)
        if len(np.unique(old[:, 0])) == len(old) and len(np.unique(new[:, 0])) == len(new):
            _, mine, theirs = np.intersect1d(old[:, 0], new[:, 0], assume_unique=True, return_indices=True)
            other = old[mine, 1] != new[theirs, 1]
            pairs = np.stack([mine[other], theirs[other]], axis=1)
            return Compared(
                tuple(key),
                added=_without(len(new), theirs),
                removed=_without(len(old), mine),
                changed=pairs[np.argsort(pairs[:, 1], kind="stable")],
                same=int(len(mine) - other.sum()),
            )
        told = "the key comes more than once, so whole rows were compared"
    old, new = (_numbered(_hashed(rows, columns, ())[:, 0]) for rows in (before, after))
    _, mine, theirs = np.intersect1d(old, new, assume_unique=True, return_indices=True)
    added, removed = _without(len(new), theirs), _without(len(old), mine)
    return Compared((), added, removed, np.zeros((0, 2), np.int64), len(mine), told)


def rows_at(rows: Rows, columns: Sequence[str], positions: Iterable[int]) -> list[dict[str, Any]]:
    """The rows at these positions, in the order of the table; read up to the last of them."""
    from data_pipeline.python_values import rows_of

    wanted, found, start = sorted(positions), [], 0
    for batch in rows(columns):
        here = [at - start for at in wanted if start <= at < start + batch.num_rows]
        if here:
            found += rows_of(batch.take(pa.array(here, pa.int64())))
        start += batch.num_rows
        if not wanted or start > wanted[-1]:
            break
    return found


def _without(count: int, some: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    import numpy as np

    left = np.ones(count, np.bool_)
    left[some] = False
    return np.flatnonzero(left)


def _numbered(hashes: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Equal rows told apart by how many came before: each hash with its count, so that a row that is there twice in
    one table and three times in the other was added once.
    """
    import numpy as np

    from data_pipeline.hashing import together

    order = np.argsort(hashes, kind="stable")
    sorted_ = hashes[order]
    first = np.flatnonzero(np.concatenate([[True], sorted_[1:] != sorted_[:-1]])) if len(sorted_) else order
    counts = np.diff(np.append(first, len(sorted_)))
    number = np.arange(len(sorted_)) - np.repeat(first, counts)
    found = np.empty(len(hashes), np.uint64)
    found[order] = number.astype(np.uint64)
    return together([hashes, found])


def _hashed(rows: Rows, first: Sequence[str], second: Sequence[str]) -> "np.ndarray[Any, Any]":
    """Two hashes a row, of the first and of the second columns; shape (rows, 2)."""
    import numpy as np

    parts = [np.zeros((0, 2), np.uint64)]
    for batch in rows([*first, *second]):
        sides = [_of_columns([batch.column(name) for name in names], batch.num_rows) for names in (first, second)]
        parts.append(np.stack(sides, axis=1))
    return np.concatenate(parts)


def _of_columns(columns: "Sequence[pa.Array]", rows: int) -> "np.ndarray[Any, Any]":
    import numpy as np

    from data_pipeline.hashing import together

    return together([_of_column(column) for column in columns]) if columns else np.zeros(rows, np.uint64)


def _of_column(column: "pa.Array") -> "np.ndarray[Any, Any]":
    import numpy as np

    from data_pipeline.hashing import hashes

    if pa.types.is_nested(column.type):
        column = _as_text(column)
    found = hashes(column)
    missing = compute.is_null(column, nan_is_null=True)
    if compute.any(missing).as_py():
        found = np.where(missing.to_numpy(zero_copy_only=False), np.uint64(_NOTHING), found)
    return found


def _as_text(column: "pa.Array") -> "pa.Array":
    from data_pipeline.export import cell
    from data_pipeline.python_values import values_of

    return pa.array([None if value is None else cell(value) for value in values_of(column)], pa.large_string())
