"""Uniqueness over all parts at once: which rows have a key that occurs more than once.

The state is the key columns themselves, without copies, so merging parts is putting them side by side. One column of
whole counts (integers, times) is judged by sorting, 5 ns a row; everything else is turned into dense codes by Arrow's
own hash table, which compares the real values. Both are exact.
"""

from typing import TYPE_CHECKING, Any

from data_pipeline.validate.kernels.columns import CannotJudge
from utils.arrow import compute, pa

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Keys", "bind_keys", "duplicates"]

Keys = tuple["pa.Array", ...]
"""The key columns of one chunk; a row whose key has a null in it is not judged."""

_SMALL = 4096


def bind_keys(columns: tuple[str, ...], types: "list[pa.DataType]") -> None:
    """Return when keys of these types can be compared.

    Raises:
        CannotJudge: a type that holds other values.
    """
    for column, type_ in zip(columns, types, strict=True):
        if pa.types.is_nested(type_):
            raise CannotJudge(f"`{column}` is {type_}")


def duplicates(chunks: "list[Keys]") -> "tuple[int, list[pa.BooleanArray | None]]":
    """How many rows were judged, and for each chunk where a row shares its key with another of any chunk."""
    rows = sum(len(keys[0]) for keys in chunks)
    if not rows:
        return 0, [None] * len(chunks)
    if len(chunks[0]) == 1:
        arrays = [_one_zero(keys[0]) for keys in chunks]
        judged = rows - sum(array.null_count for array in arrays)
        if len(arrays) == 1 and rows <= _SMALL and len(arrays[0].unique()) - bool(rows - judged) == judged:
            return judged, [None]
        if len({array.type for array in arrays}) == 1 and _is_count(arrays[0].type):
            return judged, _by_sorting(arrays)
    return _by_codes(chunks)


def _is_count(type_: "pa.DataType") -> bool:
    types = pa.types
    return bool(types.is_integer(type_) or types.is_temporal(type_)) and not types.is_interval(type_)


def _counts(array: "pa.Array") -> "np.ndarray[Any, Any]":
    """The values without nulls as int64; the bits of unsigned ones, which is all that equality needs."""
    array = array.drop_null() if array.null_count else array
    signed = pa.types.is_integer(array.type) and array.type.bit_width < 64
    bits = array.cast(pa.int64()) if signed else array.view(pa.int64() if array.type.bit_width == 64 else pa.int32())
    counts: np.ndarray[Any, Any] = bits.to_numpy(zero_copy_only=False)
    return counts


def _by_sorting(arrays: "list[pa.Array]") -> "list[pa.BooleanArray | None]":
    import numpy as np

    keys = np.concatenate([_counts(array).astype(np.int64, copy=False) for array in arrays])
    keys.sort()
    repeated = keys[1:][keys[1:] == keys[:-1]]
    if not repeated.size:
        return [None] * len(arrays)
    wanted = pa.array(repeated)
    return [_members(array, wanted) for array in arrays]


def _members(array: "pa.Array", wanted: "pa.Array") -> "pa.BooleanArray":
    width = array.type.bit_width
    if pa.types.is_integer(array.type) and width < 64:
        bits = array.cast(pa.int64())
    else:
        bits = array.view(pa.int64()) if width == 64 else array.view(pa.int32()).cast(pa.int64())
    return compute.is_in(bits, value_set=wanted, skip_nulls=True)


def _by_codes(chunks: "list[Keys]") -> "tuple[int, list[pa.BooleanArray | None]]":
    import numpy as np

    codes: Any = None
    for column in range(len(chunks[0])):
        found = _codes([keys[column] for keys in chunks])
        if codes is None:
            codes = found
            continue
        # Two dense codes side by side in one int64, made dense again: both stay under 2^31 for any batch we can hold.
        width = np.int64(found.max(initial=0) + 1)
        pair = np.where((codes < 0) | (found < 0), np.int64(-1), codes * width + found)
        codes = _codes([pa.array(pair, mask=pair < 0)])
    known = codes >= 0
    repeated = np.zeros(len(codes), bool)
    repeated[known] = np.bincount(codes[known])[codes[known]] > 1
    masks: list[pa.BooleanArray | None] = []
    start = 0
    for keys in chunks:
        part = repeated[start : start + len(keys[0])]
        masks.append(pa.array(part) if part.any() else None)
        start += len(part)
    return int(known.sum()), masks


def _one_zero(array: "pa.Array") -> "pa.Array":
    """Floats with 0.0 for -0.0: equal as numbers, not as the bits that a hash table sees."""
    return compute.add(array, pa.scalar(0.0, array.type)) if pa.types.is_floating(array.type) else array


def _codes(arrays: "list[pa.Array]") -> "np.ndarray[Any, Any]":
    """One dense code a row, equal where the values are equal, -1 where there is none."""
    import numpy as np

    types = {array.type for array in arrays}
    if len(types) > 1:  # parts that disagree about the type agree about the text
        arrays = [array.cast(pa.string()) for array in arrays]
    if pa.types.is_null(arrays[0].type):
        return np.full(sum(map(len, arrays)), -1, np.int64)
    encoded = pa.chunked_array([_one_zero(array) for array in arrays]).dictionary_encode()
    parts = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in encoded.chunks]
    return np.concatenate(parts).astype(np.int64, copy=False)
