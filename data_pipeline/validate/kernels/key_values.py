"""Keys compared by their values, with Arrow's own hash tables: exact for every flat type."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from utils.arrow import compute, pa

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Columns", "Seen", "by_codes", "one_of", "one_zero"]

Columns = tuple["pa.Array", ...]
"""The key columns of one chunk."""

_ROWS_HELD = 2**19


class Seen:
    """How often each key was seen, by its values. Holds each key once."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._kinds = kinds
        self._parts: list[pa.Table] = []
        self._rows = 0

    def add(self, columns: "Sequence[pa.Array]") -> None:
        names = [str(at) for at in range(len(columns))]
        arrays = [_comparable(column, kind) for column, kind in zip(columns, self._kinds, strict=True)]
        times = pa.repeat(pa.scalar(1, pa.int64()), len(columns[0]))
        self._parts.append(pa.table([*arrays, times], names=[*names, "times"]))
        self._rows += len(columns[0])
        if self._rows > _ROWS_HELD:
            self._gather()

    def once(self) -> "pa.Table":
        """The keys that were seen a single time."""
        whole = self._gather()
        return whole.filter(compute.equal(whole["times"], 1)).drop_columns(["times"])

    def _gather(self) -> "pa.Table":
        whole = pa.concat_tables(self._parts)
        names = [name for name in whole.column_names if name != "times"]
        whole = whole.group_by(names, use_threads=False).aggregate([("times", "sum")])
        whole = whole.rename_columns([*names, "times"])
        self._parts, self._rows = [whole], 0
        return whole


def one_of(columns: Columns, table: "pa.Table", kinds: tuple[str, ...]) -> "np.ndarray[Any, Any]":
    """Which rows are one of the table's."""
    import numpy as np

    theirs = tuple([column.combine_chunks() for column in table.columns])
    codes = _codes_of([theirs, columns], kinds)
    found: np.ndarray[Any, Any] = np.isin(codes[table.num_rows :], codes[: table.num_rows])
    return found


def by_codes(chunks: Sequence[Columns], kinds: tuple[str, ...]) -> "tuple[int, list[pa.BooleanArray | None]]":
    """How many rows were judged, and for each chunk where a row shares its key with another of any chunk."""
    import numpy as np

    codes = _codes_of(chunks, kinds)
    known = codes >= 0
    shared = np.zeros(len(codes), bool)
    shared[known] = np.bincount(codes[known])[codes[known]] > 1
    masks: list[pa.BooleanArray | None] = []
    start = 0
    for columns in chunks:
        part = shared[start : start + len(columns[0])]
        masks.append(pa.array(part) if part.any() else None)
        start += len(part)
    return int(known.sum()), masks


def _codes_of(chunks: Sequence[Columns], kinds: tuple[str, ...]) -> "np.ndarray[Any, Any]":
    """One dense code a row, equal where the keys are equal, -1 where a part of the key is null."""
    import numpy as np

    codes: Any = None
    for column, kind in enumerate(kinds):
        found = _codes([_comparable(columns[column], kind) for columns in chunks])
        if codes is None:
            codes = found
            continue
        # Two dense codes side by side in one int64, made dense again: both stay under 2^31 for any rows we hold.
        width = np.int64(found.max(initial=0) + 1)
        pair = np.where((codes < 0) | (found < 0), np.int64(-1), codes * width + found)
        codes = _codes([pa.array(pair, mask=pair < 0)])
    return np.asarray(codes)


def _codes(arrays: "list[pa.Array]") -> "np.ndarray[Any, Any]":
    import numpy as np

    encoded = pa.chunked_array(arrays).dictionary_encode()
    parts = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in encoded.chunks]
    return np.concatenate(parts).astype(np.int64, copy=False)


def _comparable(array: "pa.Array", kind: str) -> "pa.Array":
    """As one type for all parts; what is equal as a number is equal as bits."""
    wanted = {"integer": pa.int64(), "float": pa.float64(), "text": pa.large_string(), "bytes": pa.large_binary()}
    if kind in wanted and array.type != wanted[kind]:
        array = array.cast(wanted[kind])
    return one_zero(array)


def one_zero(array: "pa.Array") -> "pa.Array":
    """Floats with 0.0 for -0.0: equal as numbers, not as the bits that a hash table sees."""
    return compute.add(array, pa.scalar(0.0, array.type)) if pa.types.is_floating(array.type) else array
