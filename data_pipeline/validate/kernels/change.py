"""The `change` rule: how far a value moved away from the one that the version before has under the same key."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.hashing import hashes, together
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk, loader_of
from utils.arrow import compute, pa

if TYPE_CHECKING:
    import numpy as np

    from data_pipeline.validate.rules import Rule

__all__ = ["change"]

_SLACK = 8 * 2.0**-52
"""What a figure of doubles may be wrong by, of the values that went into it: nearer to the limit, rows are judged one
by one with exact numbers."""


class Before(NamedTuple):
    """The version before, in the order of the hashes of its keys; of a key that stands there twice, the last row."""

    hashes: "np.ndarray[Any, Any]"
    keys: "tuple[pa.Array, ...]"
    values: "pa.Array"


def change(rule: "Rule", at: int, type_: "pa.DataType", columns: "Mapping[str, tuple[int, pa.DataType]]") -> Check:
    """Fails where the value lies further from the one before than `max_percent` of that.

    Judged are rows whose key the version before has, with a value in both. From zero, every other value is too far.

    Args:
        columns: Name -> index and type of every column of the key, maybe of others.
    """
    if not _is_number(type_):
        raise CannotJudge("it holds no numbers")
    for name in rule.params["by"]:
        if pa.types.is_nested(columns[name][1]):
            raise CannotJudge(f"its key `{name}` is {columns[name][1]}, which cannot be compared")
    places = [columns[name][0] for name in rule.params["by"]]
    share = _exact(rule.params["max_percent"]) / 100
    names = (*rule.params["by"], rule.columns[0])

    def check(chunk: Chunk) -> tuple[int, Any]:
        if check not in chunk.kept:
            chunk.kept[check] = _before(chunk, names, [chunk.arrays[place].type for place in places])
        before: Before | None = chunk.kept[check]
        if before is None or not chunk.rows:
            return 0, None
        return _judge(chunk.arrays[at], [chunk.arrays[place] for place in places], before, share)

    return check


def _before(chunk: Chunk, names: tuple[str, ...], key_types: "list[pa.DataType]") -> Before | None:
    """The version before; None when there is none, or it lacks one of the columns."""
    import numpy as np

    batches = chunk.around.before(names)
    if batches is None:
        return None
    parts: list[list[pa.Array]] = [[] for _ in names]
    nbytes = 0
    for batch in batches:
        for column, part in zip(batch.columns, parts, strict=True):
            load = loader_of(column.type)
            part.append(column if load is None else load(column))
            nbytes += part[-1].nbytes
        if nbytes > chunk.memory:
            told = ", ".join(f"`{name}`" for name in names)
            raise CannotJudge(
                f"{told} of the version before take more than {chunk.memory:,} bytes, the share of `app.memory_limit`"
                " that the rule has; raise the limit"
            )
    if not parts[0]:
        return None
    columns = [pa.chunked_array(part).combine_chunks() for part in parts]
    *keys, values = columns
    if not _is_number(values.type):
        raise CannotJudge(f"`{names[-1]}` was {values.type} in the version before: it held no numbers")
    keys = [_as_key(name, key, wanted) for name, key, wanted in zip(names, keys, key_types, strict=False)]
    # Backwards, so that the stable sort leaves the last row of a key in front of those before it.
    whole = np.flatnonzero(_all_valid([*keys, values]))[::-1]
    hashed = _hashed(keys)[whole]
    order = np.argsort(hashed, kind="stable")
    taken = pa.array(whole[order])
    return Before(hashed[order], tuple([key.take(taken) for key in keys]), values.take(taken))


def _as_key(name: str, key: "pa.Array", wanted: "pa.DataType") -> "pa.Array":
    types = pa.types
    if key.type == wanted or types.is_null(wanted) or types.is_null(key.type):
        return key
    if types.is_integer(key.type) and types.is_integer(wanted):
        try:
            return key.cast(wanted)
        except pa.ArrowInvalid:
            pass
    raise CannotJudge(f"the key `{name}` was {key.type} in the version before and is {wanted} now")


def _judge(
    values: "pa.Array", keys: "list[pa.Array]", before: Before, share: Fraction
) -> "tuple[int, pa.BooleanArray | None]":
    import numpy as np

    rows, places = _found(values, keys, before)
    if not len(rows):
        return 0, None
    new, old = values.take(pa.array(rows)), before.values.take(pa.array(places))
    beyond = _beyond(new, old, share)
    if not beyond.any():
        return len(rows), None
    mask = np.zeros(len(values), bool)
    mask[rows[beyond]] = True
    return len(rows), pa.array(mask)


def _found(
    values: "pa.Array", keys: "list[pa.Array]", before: Before
) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """The rows that have a value and a key of the version before, and where that key stands there."""
    import numpy as np

    rows = np.flatnonzero(_all_valid([values, *keys]))
    wanted = _hashed(keys)[rows]
    places = np.searchsorted(before.hashes, wanted)
    found_rows, found_places = [rows[:0]], [places[:0]]
    while rows.size:
        inside = places < len(before.hashes)
        inside[inside] = before.hashes[places[inside]] == wanted[inside]
        rows, places, wanted = rows[inside], places[inside], wanted[inside]
        taken_rows, taken_places = pa.array(rows), pa.array(places)
        same = np.ones(len(rows), bool)
        for mine, theirs in zip(keys, before.keys, strict=True):
            alike = compute.equal(mine.take(taken_rows), theirs.take(taken_places))
            same &= alike.to_numpy(zero_copy_only=False)
        found_rows.append(rows[same])
        found_places.append(places[same])
        rows, places, wanted = rows[~same], places[~same] + 1, wanted[~same]  # another key of the same hash
    return np.concatenate(found_rows), np.concatenate(found_places)


def _beyond(new: "pa.Array", old: "pa.Array", share: Fraction) -> "np.ndarray[Any, Any]":
    """Where the new value is too far away. Doubles tell, but near the limit, where exact numbers do."""
    import numpy as np

    after, first = (array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) for array in (new, old))
    with np.errstate(invalid="ignore", over="ignore"):
        apart, limit = np.abs(after - first), float(share) * np.abs(first)
        slack = _SLACK * (1 + float(share)) * (np.abs(after) + np.abs(first))
        beyond: np.ndarray[Any, Any] = apart > limit + slack
        unsure = ~beyond & ~(apart < limit - slack)
    if new.type == old.type:
        unsure &= ~compute.equal(new, old).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(unsure):
        beyond[row] = _is_beyond(_number(new[int(row)]), _number(old[int(row)]), share)
    return beyond


def _is_beyond(new: Fraction | float, old: Fraction | float, share: Fraction) -> bool:
    if isinstance(new, float) or isinstance(old, float):  # one of them is infinite
        return new != old
    return abs(new - old) > share * abs(old)


def _number(scalar: "pa.Scalar") -> Fraction | float:
    """A float means the shortest decimal number that names it: 0.33 is 10 % above 0.3."""
    value = scalar.as_py()
    if not isinstance(value, float):
        return Fraction(value)
    if value in (float("inf"), float("-inf")):
        return value
    if scalar.type == pa.float32():
        import numpy as np

        return Fraction(str(np.float32(value)))
    return _exact(value)


def _exact(value: float) -> Fraction:
    return Fraction(repr(value))


def _is_number(type_: "pa.DataType") -> bool:
    types = pa.types
    return bool(types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_) or types.is_null(type_))


def _all_valid(arrays: "list[pa.Array]") -> "np.ndarray[Any, Any]":
    import numpy as np

    found = np.ones(len(arrays[0]), bool)
    for array in arrays:
        if array.null_count:
            found &= array.is_valid().to_numpy(zero_copy_only=False)
    return found


def _hashed(keys: "Sequence[pa.Array]") -> "np.ndarray[Any, Any]":
    return hashes(keys[0]) if len(keys) == 1 else together([hashes(key) for key in keys])
