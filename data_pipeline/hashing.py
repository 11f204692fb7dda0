"""A 64-bit hash of values, computed over Arrow's buffers: equal on every machine and in every release.

`words64-1`: a value is read as little-endian words of 8 bytes (whole numbers and times as one signed word, floats as
one double with -0.0 made 0.0, text and binary as their bytes with zeros after the last). Beginning with the number of
bytes, each word is taken in as XXH64 does with eight bytes (Collet, "xxHash fast digest algorithm": two products and
two turns, so that keys which differ in few places do not meet); the result goes through the finaliser of SplitMix64
(Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). It is no shield against somebody who looks
for collisions: whoever must be exact compares the values.
"""

from typing import TYPE_CHECKING, Any

from utils.arrow import compute, pa

if TYPE_CHECKING:
    import numpy as np

__all__ = ["HASH", "hashes", "mixed", "together"]

HASH = "words64-1"
"""The name of the hash, for states that are kept; another way of hashing gets another name."""

_FACTOR = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, odd
_FIRST, _SECOND, _FOURTH = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x85EBCA77C2B2AE63  # XXH64's primes of these names
_AT_ONCE = 16_384
"""Values of text hashed in one go: what is computed for them stays in the processor's cache."""


def hashes(array: "pa.Array") -> "np.ndarray[Any, Any]":
    """One `uint64` a row. Equal values of one kind of type have equal hashes; what a null gets means nothing.

    Text is the same whether its offsets have 32 or 64 bits, an integer or float whatever its width; a dictionary's
    values are hashed once each.

    Raises:
        TypeError: lists, structs and maps.
    """
    import numpy as np

    types, kind = pa.types, array.type
    if types.is_dictionary(kind):
        indices = array.indices.fill_null(0).to_numpy(zero_copy_only=False)
        return hashes(array.dictionary)[indices] if len(array.dictionary) else np.zeros(len(array), np.uint64)
    if types.is_null(kind):
        return np.zeros(len(array), np.uint64)
    if types.is_floating(kind):
        doubles = array.cast(pa.float64())
        return mixed((_fixed(doubles, 8).view(np.float64) + 0.0).view(np.uint64))  # -0.0 + 0.0 is 0.0
    if types.is_boolean(kind) or (types.is_integer(kind) and kind.bit_width < 64):
        return mixed(_fixed(array.cast(pa.int64()), 8))
    if types.is_temporal(kind) and kind.bit_width == 32:
        return mixed(_fixed(array.view(pa.int32()).cast(pa.int64()), 8))
    if types.is_nested(kind):
        raise TypeError(f"{kind} has no hash")
    if types.is_string_view(kind) or types.is_binary_view(kind) or types.is_fixed_size_binary(kind):
        array = array.cast(pa.large_binary() if not types.is_string_view(kind) else pa.large_string())
    if types.is_binary(array.type) or types.is_string(array.type) or _is_large(array.type):
        parts = [_of_bytes(array.slice(start, _AT_ONCE)) for start in range(0, len(array), _AT_ONCE)]
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.uint64), *parts])
    if array.type.bit_width == 64:
        return mixed(_fixed(array, 8))
    words = _fixed(array, array.type.bit_width // 8).reshape(len(array), array.type.bit_width // 64)
    return together([words[:, at] for at in range(words.shape[1])])


def together(columns: "list[np.ndarray[Any, Any]]") -> "np.ndarray[Any, Any]":
    """One hash a row for the words or hashes of several columns; their order matters."""
    import numpy as np

    found = np.full(len(columns[0]), len(columns), np.uint64)
    for column in columns:
        found = _taken_in(found, column)
    return mixed(found)


def mixed(words: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """The finaliser of SplitMix64, a bijection: every bit of the result depends on every bit of the word."""
    import numpy as np

    found: np.ndarray[Any, Any] = words ^ (words >> np.uint64(30))
    found *= np.uint64(0xBF58476D1CE4E5B9)
    found ^= found >> np.uint64(27)
    found *= np.uint64(0x94D049BB133111EB)
    found ^= found >> np.uint64(31)
    return found


def _taken_in(found: "np.ndarray[Any, Any]", word: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """A hash with one more word in it, as XXH64 does."""
    import numpy as np

    mine = word * np.uint64(_SECOND)
    mine = (mine << np.uint64(31)) | (mine >> np.uint64(33))
    mine *= np.uint64(_FIRST)
    mine ^= found
    mine = (mine << np.uint64(27)) | (mine >> np.uint64(37))
    mine *= np.uint64(_FIRST)
    mine += np.uint64(_FOURTH)
    return mine


def _is_large(kind: "pa.DataType") -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))


def _fixed(array: "pa.Array", width: int) -> "np.ndarray[Any, Any]":
    """The values as words, without a copy; `width` is a multiple of 8 bytes."""
    import numpy as np

    values = array.buffers()[1]
    if values is None or not len(array):
        return np.zeros(len(array) * width // 8, np.uint64)
    words = np.frombuffer(values, np.dtype("<u8"), count=(array.offset + len(array)) * width // 8)
    return words[array.offset * width // 8 :]


def _of_bytes(array: "pa.Array") -> "np.ndarray[Any, Any]":
    import numpy as np

    if array.null_count:
        array = compute.fill_null(array, pa.scalar(b"" if "binary" in str(array.type) else "", array.type))
    _, offsets, values = array.buffers()
    ends = np.frombuffer(offsets, np.int64 if _is_large(array.type) else np.int32)
    ends = ends[array.offset : array.offset + len(array) + 1].astype(np.int64)
    first, size = ends[0], int(ends[-1] - ends[0])
    text = np.zeros(size + 8, np.uint8)
    if size:
        text[:size] = np.frombuffer(values, np.uint8)[first : first + size]
    # One word for each place in the text, each over the next eight bytes: a word is picked, not put together.
    words = np.ndarray((size + 1,), np.dtype("<u8"), text, strides=(1,))
    at, left = ends[:-1] - first, np.diff(ends)
    found = left.astype(np.uint64) * np.uint64(_FACTOR)
    kept = np.array([(1 << (8 * count)) - 1 for count in range(9)], np.uint64)
    for _ in range((int(left.min()) - 1) // 8):  # words that every row has whole
        found = _taken_in(found, words[at])
        at, left = at + 8, left - 8
    rows: np.ndarray[Any, Any] | None = None
    while True:
        word = words[at] & kept[np.minimum(left, 8)]
        if rows is None:
            found = _taken_in(found, word)
        else:
            found[rows] = _taken_in(found[rows], word)
        more = np.flatnonzero(left > 8)
        if not more.size:
            return mixed(found)
        rows = more if rows is None else rows[more]
        at, left = at[more] + 8, left[more] - 8
