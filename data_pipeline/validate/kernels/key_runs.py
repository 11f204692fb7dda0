"""Which whole numbers occur more than once among many: sorted runs of 64-bit keys, in memory and then in a file.

A run is one chunk's keys, sorted, kept as distances from its least key in as few bytes as they need. Any set of runs is
judged range by range: what of each run lies between two keys is cut out (two binary searches), put together and sorted,
so no more than a few million keys are looked at at once, however many there are and wherever they lie. Sorting eight
bytes takes 5 to 15 ns a key with numpy's vector instructions, a fraction of what a hash table takes.
"""

import tempfile
import weakref
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from data_pipeline.row_spool import spool_folder

if TYPE_CHECKING:
    import numpy as np

    Words = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["KEYS_AT_ONCE", "Members", "Repeated", "Run", "SpilledRun", "repeated", "spilled"]

_FACTOR = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, odd

KEYS_AT_ONCE = 2**21
"""Keys that are put together and sorted at a time."""

_STEP = 4096
"""Every so many keys one is kept in memory, to find a place in a file."""


class Repeated(NamedTuple):
    """Keys that occur more than once, ascending, and how often each does."""

    keys: "Words"
    times: "Words"


class KeyRun(Protocol):
    """Sorted keys that can be asked for a stretch."""

    @property
    def count(self) -> int: ...

    @property
    def nbytes(self) -> int:
        """Held in memory."""
        ...

    def samples(self) -> "Words":
        """The first key and every `_STEP`th after it."""
        ...

    def between(self, low: int, high: int) -> "Words":
        """The keys from `low` to `high`, both included."""
        ...


class Run:
    """Keys in memory."""

    __slots__ = ("_base", "offsets")

    def __init__(self, base: int, offsets: "np.ndarray[Any, Any]") -> None:
        self._base = base
        self.offsets = offsets

    @classmethod
    def of(cls, words: "Words") -> "Run":
        """From keys in any order; the array is not changed."""
        import numpy as np

        keys = np.sort(words)
        base, last = (int(keys[0]), int(keys[-1])) if keys.size else (0, 0)
        for kind in (np.uint8, np.uint16, np.uint32):
            if last - base <= np.iinfo(kind).max:
                return cls(base, (keys - base).astype(kind))
        return cls(0, keys)

    @property
    def base(self) -> int:
        """What the offsets are counted from."""
        return self._base

    @property
    def count(self) -> int:
        return int(self.offsets.size)

    @property
    def nbytes(self) -> int:
        return int(self.offsets.nbytes)

    def samples(self) -> "Words":
        return self._keys(self.offsets[::_STEP])

    def between(self, low: int, high: int) -> "Words":
        return self._keys(self.offsets[self._place(low, "left") : self._place(high, "right")])

    def _place(self, key: int, side: Any) -> int:
        import numpy as np

        bounds = np.iinfo(self.offsets.dtype)
        offset = key - self._base
        if offset < bounds.min:
            return 0
        if offset > bounds.max:
            return self.count
        return int(np.searchsorted(self.offsets, self.offsets.dtype.type(offset), side))

    def _keys(self, offsets: "np.ndarray[Any, Any]") -> "Words":
        import numpy as np

        return offsets.astype(np.int64) + self._base


class SpilledRun:
    """Keys in a file, with some of them in memory to know where to read."""

    __slots__ = ("_at", "_base", "_kind", "_samples", "count", "file")

    def __init__(self, file: "_File", run: Run) -> None:
        self.file, self._at = file, file.append(run.offsets)
        self._base, self._kind = run.base, run.offsets.dtype
        self._samples = run.samples()
        self.count = run.count

    @property
    def nbytes(self) -> int:
        return int(self._samples.nbytes)

    def samples(self) -> "Words":
        return self._samples

    def between(self, low: int, high: int) -> "Words":
        import numpy as np

        first = max(0, int(np.searchsorted(self._samples, low, "left")) - 1) * _STEP
        last = min(self.count, int(np.searchsorted(self._samples, high, "right")) * _STEP)
        return self._read(first, last).between(low, high)

    def whole(self) -> Run:
        """All of it, in memory again."""
        return self._read(0, self.count)

    def _read(self, first: int, last: int) -> Run:
        place = self._at + first * self._kind.itemsize
        return Run(self._base, self.file.read(place, max(0, last - first), self._kind))


class _File:
    """A file without a name: whatever becomes of the process, nothing of it stays on the disk."""

    def __init__(self) -> None:
        folder = spool_folder()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(prefix="keys-", dir=folder, buffering=0)  # noqa: SIM115 - lives as long as self
        weakref.finalize(self, self._file.close)
        self._end = 0

    def append(self, values: "np.ndarray[Any, Any]") -> int:
        """Where they were put; raises `OSError` when the disk is full."""
        began, data = self._end, values.data.cast("B")
        self._file.seek(began)
        while data:
            data = data[self._file.write(data) :]
        self._end += values.nbytes
        return began

    def read(self, place: int, count: int, kind: "np.dtype[Any]") -> "np.ndarray[Any, Any]":
        import numpy as np

        found: np.ndarray[Any, Any] = np.empty(count, kind)
        data = found.data.cast("B") if count else None
        self._file.seek(place)
        while data:
            got = self._file.readinto(data)
            if not got:
                raise OSError("the file of keys is shorter than what was written to it")
            data = data[got:]
        return found


def spilled(runs: Sequence[Run | SpilledRun]) -> tuple[SpilledRun, ...]:
    """The same runs, those that were in memory now in a file.

    Raises:
        OSError: it cannot be written.
    """
    before = [run for run in runs if isinstance(run, SpilledRun)]
    file = before[-1].file if before else _File()
    return tuple([run if isinstance(run, SpilledRun) else SpilledRun(file, run) for run in runs if run.count])


def repeated(runs: Sequence[KeyRun], at_once: int = KEYS_AT_ONCE) -> Iterator[Repeated]:
    """The keys that occur more than once in all runs together, in ascending groups."""
    import numpy as np

    if not runs:
        return
    for low, high in _ranges(runs, at_once):
        if low == high:  # a key that fills a range by itself is counted, not gathered
            times = sum(run.between(low, high).size for run in runs)
            if times > 1:
                yield Repeated(np.array([low], np.int64), np.array([times], np.int64))
            continue
        keys = np.concatenate([run.between(low, high) for run in runs])
        keys.sort()
        pairs = np.flatnonzero(keys[1:] == keys[:-1])
        if pairs.size:
            firsts = np.flatnonzero(np.diff(pairs, prepend=-2) > 1)
            yield Repeated(keys[pairs[firsts]], np.diff(firsts, append=pairs.size) + 1)


class Members:
    """Finds the places of a few wanted keys among many."""

    def __init__(self, wanted: "Words") -> None:
        """Args: wanted: ascending, each once, at least one."""
        import numpy as np

        self._wanted = wanted
        # Sixteen places a key: of the keys that are not wanted one in sixteen has to be looked up.
        self._bits = min(24, max(12, int(16 * wanted.size).bit_length()))
        self._may_be = np.zeros(1 << self._bits, np.bool_)
        self._may_be[self._places_of(wanted)] = True

    def places(self, words: "Words") -> "np.ndarray[Any, Any]":
        """Where the wanted ones lie, ascending."""
        import numpy as np

        maybe = np.flatnonzero(self._may_be[self._places_of(words)])
        found = words[maybe]
        at = np.searchsorted(self._wanted, found)
        at[at == self._wanted.size] = 0
        places: np.ndarray[Any, Any] = maybe[self._wanted[at] == found]
        return places

    def _places_of(self, words: "Words") -> "np.ndarray[Any, Any]":
        import numpy as np

        spread = words.view(np.uint64) * np.uint64(_FACTOR)  # Fibonacci hashing: neighbours land far apart
        spread >>= np.uint64(64 - self._bits)
        return spread.view(np.int64)


def _ranges(runs: Sequence[KeyRun], at_once: int) -> Iterator[tuple[int, int]]:
    """Neighbouring ranges that hold about `at_once` keys each, from the least 64-bit key to the greatest."""
    import numpy as np

    least, most = -(2**63), 2**63 - 1
    if sum(run.count for run in runs) <= at_once:
        yield least, most
        return
    samples = np.concatenate([run.samples() for run in runs])
    samples.sort()
    edges = samples[:: max(1, at_once // _STEP)].tolist()
    heavy = {edge for edge, after in pairwise(edges) if edge == after}
    start = least
    for edge in dict.fromkeys(edges):
        if edge > start:
            yield start, edge - 1
        if edge in heavy:
            yield edge, edge
        start = edge + 1 if edge in heavy else edge
    if start <= most:
        yield start, most
