"""`unique`: which rows have a key that occurs more than once, over all chunks of all parts.

A few thousand rows are kept as they are and told apart by Arrow's own hash table, which compares the real values. More
are kept as one 64-bit word a row (`key_runs.py`): whole numbers, times and floats are their own word, and equal words
are equal keys. Text and keys of several columns become a hash (`data_pipeline/hashing.py`): equal keys have equal
hashes, and rows whose hash occurs again are looked at once more by their values, so that no hash ever fails a good row.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.hashing import HASH, hashes, together
from data_pipeline.validate.kernels.columns import CannotJudge, Chunk
from data_pipeline.validate.kernels.gathered import Found, Gather
from data_pipeline.validate.kernels.key_runs import KEYS_AT_ONCE, Members, Repeated, Run, SpilledRun, repeated, spilled
from data_pipeline.validate.kernels.key_values import Columns, Seen, by_codes, one_of, one_zero
from data_pipeline.validate.kernels.packing import packed, unpacked
from utils.arrow import compute, pa

if TYPE_CHECKING:
    import numpy as np

    from data_pipeline.validate.rules import Rule

    Words = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["Key", "Keys", "keys"]

SMALL = 4096
"""Rows that are kept as they are."""

_ONE_WORD = ("integer", "unsigned", "float", "boolean", "timestamp", "time", "date", "duration")


class Key(NamedTuple):
    """What the keys of a rule are: columns that are compared as these kinds of value; no kinds: there are no values."""

    kinds: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether equal words are equal keys."""
        return len(self.kinds) < 2 and all(kind.startswith(_ONE_WORD) for kind in self.kinds)

    def words(self, columns: Columns) -> "Words":
        """One word a row of columns without nulls."""
        if self.exact:
            return _word(columns[0])
        parts = [hashes(column) for column in columns]
        return (parts[0] if len(parts) == 1 else together(parts)).view("int64")


def keys(rule: "Rule", columns: "Mapping[str, tuple[int, pa.DataType]]") -> Gather:
    """Gathers the keys of a rule.

    Raises:
        CannotJudge: a column holds lists or structs.
    """
    types = [columns[name][1] for name in rule.columns]
    for name, kind in zip(rule.columns, types, strict=True):
        if pa.types.is_nested(kind):
            raise CannotJudge(f"`{name}` is {kind}")
    places = tuple([columns[name][0] for name in rule.columns])
    if any(pa.types.is_null(kind) for kind in types):
        nothing = Keys(Key(()), places)
        return lambda _: nothing
    key = Key(tuple(map(_kind, types)))

    def gather(chunk: Chunk) -> Keys:
        mine = tuple([chunk.arrays[at] for at in places])
        found = Keys(key, places, rows=chunk.rows, held=(mine,), memory=chunk.memory)
        return found if chunk.rows <= SMALL else found.as_runs()

    return gather


class Keys:
    """The keys of some rows.

    Args:
        places: Where the key columns lie in a chunk.
        rows: How many there are.
        held: The key columns of each chunk, while they are few.
        runs: Their words, when they are many; then `of` says how many rows were judged.
        memory: Bytes that words may take before they go to a file.
    """

    __slots__ = ("_held", "_judged", "_key", "_memory", "_of", "_places", "_repeated", "_rows", "_runs")

    def __init__(
        self,
        key: Key,
        places: tuple[int, ...],
        *,
        rows: int = 0,
        held: tuple[Columns, ...] = (),
        runs: tuple[Run | SpilledRun, ...] = (),
        of: int = 0,
        memory: int = 2**28,
    ) -> None:
        self._key = key
        self._places = places
        self._rows = rows
        self._held = held
        self._runs = runs
        self._of = of
        self._memory = memory
        self._judged: tuple[Found, list[pa.BooleanArray | None]] | None = None
        self._repeated: list[Repeated] | None = None

    def merge(self, other: "Keys") -> "Keys":
        """Raises `ValueError` when the two have keys of different types."""
        if not (self._key.kinds and other._key.kinds):
            return self.as_runs() if self._key.kinds else other.as_runs()
        if self._key.kinds != other._key.kinds:
            mine, its = ", ".join(self._key.kinds), ", ".join(other._key.kinds)
            raise ValueError(f"keys of one part are {mine}, of another {its}: they cannot be compared")
        rows, memory = self._rows + other._rows, min(self._memory, other._memory)
        if rows <= SMALL and not self._runs and not other._runs:
            return Keys(self._key, self._places, rows=rows, held=self._held + other._held, memory=memory)
        one, two = self.as_runs(), other.as_runs()
        runs = one._runs + two._runs
        if sum([run.nbytes for run in runs]) > memory:
            runs = spilled(runs)
        return Keys(self._key, self._places, rows=rows, runs=runs, of=one._of + two._of, memory=memory)

    def as_runs(self) -> "Keys":
        """The same keys as words."""
        if self._runs or not self._held:
            return self
        runs = [Run.of(self._key.words(_where(columns, _valid(columns)))) for columns in self._held]
        of = sum([run.count for run in runs])
        return Keys(self._key, self._places, rows=self._rows, runs=tuple(runs), of=of, memory=self._memory)

    def found(self, rule: "Rule", now: datetime) -> Found:
        if self._held:
            return self._found_in_values()[0]
        failed = sum([int(group.times.sum()) for group in self._groups()])
        return Found(failed, self._of)

    @property
    def certain(self) -> bool:
        return bool(self._held) or self._key.exact

    def failing(self, again: "Callable[[], Iterator[Chunk]]") -> "Iterator[pa.BooleanArray | None]":
        if self._held:
            return iter(self._found_in_values()[1])
        look = self._members if self._key.exact else self._equals
        masks: list[pa.BooleanArray | None] | None = None
        for wanted in _joined(self._groups(), KEYS_AT_ONCE):
            found = look(wanted, again)
            masks = found if masks is None else [_either(*pair) for pair in zip(masks, found, strict=True)]
        return iter(masks or ())

    def to_bytes(self) -> bytes:
        plain = self.as_runs()
        runs = [run.read() if isinstance(run, SpilledRun) else run for run in plain._runs]
        kinds = [run.offsets.dtype.newbyteorder("<") for run in runs]
        figures = {
            "kinds": plain._key.kinds,
            "hash": None if plain._key.exact else HASH,
            "places": plain._places,
            "rows": plain._rows,
            "of": plain._of,
            "runs": [[run.base, kind.str] for run, kind in zip(runs, kinds, strict=True)],
        }
        return packed(figures, [run.offsets.astype(kind).tobytes() for run, kind in zip(runs, kinds, strict=True)])

    @classmethod
    def from_bytes(cls, found: bytes) -> "Keys":
        """Raises `ValueError` when the words were made by another hash."""
        import numpy as np

        figures, blobs = unpacked(found)
        if figures["hash"] not in {None, HASH}:
            raise ValueError(f"its keys are hashed by `{figures['hash']}`, here they are by `{HASH}`")
        runs = [Run(base, np.frombuffer(blob, kind)) for (base, kind), blob in zip(figures["runs"], blobs, strict=True)]
        key = Key(tuple(figures["kinds"]))
        return cls(key, tuple(figures["places"]), rows=figures["rows"], runs=tuple(runs), of=figures["of"])

    def _found_in_values(self) -> "tuple[Found, list[pa.BooleanArray | None]]":
        """Of a few rows: the verdict, and where they fail."""
        if self._judged is None:
            self._judged = self._judge_values()
        return self._judged

    def _judge_values(self) -> "tuple[Found, list[pa.BooleanArray | None]]":
        if len(self._held) == len(self._places) == 1:
            array = one_zero(self._held[0][0])
            judged = len(array) - array.null_count
            if len(array.unique()) - bool(array.null_count) == judged:
                return Found(0, judged), [None]
        judged, masks = by_codes(self._held, self._key.kinds)
        return Found(sum([mask.true_count for mask in masks if mask is not None]), judged), masks

    def _groups(self) -> Iterator[Repeated]:
        """The words that occur again; kept when they are few, found anew when they are many."""
        if self._repeated is not None:
            yield from self._repeated
            return
        kept: list[Repeated] = []
        size = 0
        for group in repeated(self._runs):
            size += group.keys.size
            if size <= 2 * KEYS_AT_ONCE:
                kept.append(group)
            yield group
        if size <= 2 * KEYS_AT_ONCE:
            self._repeated = kept

    def _members(self, wanted: "Words", again: "Callable[[], Iterator[Chunk]]") -> "list[pa.BooleanArray | None]":
        """Where a word is one of these."""
        among = Members(wanted)
        return [_mask(chunk.rows, self._rows_of(chunk, among)) for chunk in again()]

    def _rows_of(self, chunk: Chunk, among: Members) -> "np.ndarray[Any, Any]":
        import numpy as np

        columns = tuple([chunk.arrays[at] for at in self._places])
        valid = _valid(columns)
        if valid is not None and not valid.true_count:  # a column may have no type at all in one of the parts
            return np.zeros(0, np.int64)
        rows = among.places(self._key.words(_where(columns, valid)))
        return rows if valid is None else np.flatnonzero(valid.to_numpy(zero_copy_only=False))[rows]

    def _equals(self, wanted: "Words", again: "Callable[[], Iterator[Chunk]]") -> "list[pa.BooleanArray | None]":
        """Where a hash is one of these, and some other row has not only the hash but the values too."""
        among = Members(wanted)
        masks, seen = [], Seen(self._key.kinds)
        for chunk in again():
            rows = self._rows_of(chunk, among)
            masks.append(_mask(chunk.rows, rows))
            if rows.size:
                seen.add([chunk.arrays[at].take(pa.array(rows)) for at in self._places])
        alone = seen.once()
        if not alone.num_rows:
            return masks
        for number, chunk in enumerate(again()):
            rows = self._rows_of(chunk, among)
            if rows.size:
                mine = tuple([chunk.arrays[at].take(pa.array(rows)) for at in self._places])
                masks[number] = _mask(chunk.rows, rows[~one_of(mine, alone, self._key.kinds)])
        return masks


def _joined(groups: "Iterator[Repeated]", at_most: int) -> "Iterator[Words]":
    """The keys of several groups together, as many as one look at the rows may ask for."""
    import numpy as np

    held: list[Words] = []
    for group in groups:
        if held and sum([words.size for words in held]) + group.keys.size > at_most:
            yield np.concatenate(held)
            held = []
        held.append(group.keys)
    if held:
        yield np.concatenate(held)


def _kind(type_: "pa.DataType") -> str:
    types = pa.types
    if types.is_integer(type_):
        return "unsigned" if type_ == pa.uint64() else "integer"
    if types.is_floating(type_):
        return "float"
    if types.is_boolean(type_):
        return "boolean"
    if types.is_string(type_) or types.is_large_string(type_):
        return "text"
    return "bytes" if types.is_binary(type_) or types.is_large_binary(type_) else str(type_)


def _word(array: "pa.Array") -> "Words":
    """The values as int64, equal where they are equal."""
    import numpy as np

    types, type_ = pa.types, array.type
    if types.is_floating(type_):
        doubles: np.ndarray[Any, Any] = array.cast(pa.float64()).to_numpy() + 0.0  # -0.0 + 0.0 is 0.0
        return doubles.view(np.int64)
    if types.is_boolean(type_) or (types.is_integer(type_) and type_.bit_width < 64):
        bits = array.cast(pa.int64())
    else:
        bits = array.view(pa.int64() if type_.bit_width == 64 else pa.int32())
    words: np.ndarray[Any, Any] = bits.to_numpy()
    return words.astype(np.int64, copy=False)


def _valid(columns: Columns) -> "pa.BooleanArray | None":
    """Where no column is null; None: everywhere."""
    found = None
    for column in columns:
        if column.null_count:
            mine = column.is_valid()
            found = mine if found is None else compute.and_(found, mine)
    return found


def _where(columns: Columns, valid: "pa.BooleanArray | None") -> Columns:
    return columns if valid is None else tuple([column.filter(valid) for column in columns])


def _mask(count: int, rows: "np.ndarray[Any, Any]") -> "pa.BooleanArray | None":
    import numpy as np

    if not rows.size:
        return None
    mask = np.zeros(count, bool)
    mask[rows] = True
    return pa.array(mask)


def _either(one: "pa.BooleanArray | None", other: "pa.BooleanArray | None") -> "pa.BooleanArray | None":
    if one is None or other is None:
        return one if other is None else other
    return compute.or_(one, other)
