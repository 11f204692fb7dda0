"""Which whole numbers occur more than once among many: sorted runs of 64-bit keys, in memory and then in a file.

A run is one chunk's keys, sorted, kept as distances from its least key in as few bytes as they need. Any set of runs is
judged range by range: what of each run lies between two keys is cut out (two binary searches), put together and sorted,
so some hundred thousand keys are looked at at a time, however many there are and wherever they lie. Sorting eight
bytes takes 5 to 15 ns a key with numpy's vector instructions, a fraction of what a hash table takes.
"""

import tempfile
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from data_pipeline.errors import StoreError
from data_pipeline.row_spool import spool_folder
from utils.arrow import pa

if TYPE_CHECKING:
    import numpy as np

    Words = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["KEYS_AT_ONCE", "Members", "Repeated", "Run", "SpilledRun", "repeated", "spilled"]

_FACTOR = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, odd

KEYS_AT_ONCE = 2**18
"""Keys that are put together and sorted at a time."""

_MOST = 2**63 - 1

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

    def places(self, edges: "Words") -> "Words":
        """For each edge (ascending) how many keys lie below it."""
        ...

    def keys(self, start: int, end: int) -> "Words":
        """The keys from one place up to another."""
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
                keys -= base
                # Arrow's pool keeps what stays apart from numpy's short-lived arrays, so that no holes are left.
                kept = np.frombuffer(pa.allocate_buffer(keys.size * np.dtype(kind).itemsize), kind)
                kept[:] = keys
                return cls(base, kept)
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

    def places(self, edges: "Words") -> "Words":
        import numpy as np

        most = np.iinfo(self.offsets.dtype).max
        if self._base == 0 and self.offsets.dtype == np.int64:
            return np.searchsorted(self.offsets, edges)
        # Distances from the base may not fit into 64 bits with a sign, so what lies outside is cut off before.
        inside = np.clip(edges, self._base, min(self._base + most, _MOST)) - self._base
        places = np.searchsorted(self.offsets, inside.astype(self.offsets.dtype))
        places[edges > self._base + most] = self.count
        return places

    def keys(self, start: int, end: int) -> "Words":
        return self._keys(self.offsets[start:end])

    def _keys(self, offsets: "np.ndarray[Any, Any]") -> "Words":
        import numpy as np

        keys = offsets.astype(np.int64)
        keys += self._base
        return keys


class SpilledRun:
    """Keys in a file, with some of them in memory to know where to read."""

    __slots__ = ("_at", "_base", "_kind", "_samples", "count", "file")

    def __init__(self, file: "_File", runs: Sequence[Run]) -> None:
        """Writes the keys of these runs as one."""
        import numpy as np

        known = [run for run in runs if run.count]
        self._base = min([run.base + int(run.offsets[0]) for run in known], default=0)
        last = max([run.base + int(run.offsets[-1]) for run in known], default=0)
        narrow = last - self._base <= np.iinfo(np.uint32).max
        self._kind: np.dtype[Any] = np.dtype(np.uint32 if narrow else np.int64)
        self._base = self._base if narrow else 0
        self.file, self._at, self.count = file, file.end, 0
        samples = [np.zeros(0, np.int64)]
        for keys in _sorted(known):
            samples.append(keys[-self.count % _STEP :: _STEP].copy())
            self.count += keys.size
            file.append((keys - self._base).astype(self._kind))
        self._samples = np.concatenate(samples)

    @property
    def nbytes(self) -> int:
        return int(self._samples.nbytes)

    def samples(self) -> "Words":
        return self._samples

    def places(self, edges: "Words") -> "Words":
        import numpy as np

        places = np.zeros(len(edges), np.int64)
        for at, near in enumerate(np.searchsorted(self._samples, edges).tolist()):
            if near:  # the place lies behind the sample before this one
                first = (near - 1) * _STEP
                places[at] = first + self._read(first, near * _STEP).places(edges[at : at + 1])[0]
        return places

    def keys(self, start: int, end: int) -> "Words":
        return self._read(start, end).keys(0, end - start)

    def read(self) -> Run:
        """All of it, in memory again."""
        return self._read(0, self.count)

    def _read(self, first: int, last: int) -> Run:
        place, count = self._at + first * self._kind.itemsize, min(last, self.count) - first
        return Run(self._base, self.file.read(place, count, self._kind))


class _File:
    """A file without a name: whatever becomes of the process, nothing of it stays on the disk."""

    def __init__(self) -> None:
        folder = spool_folder()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(prefix="keys-", dir=folder, buffering=0)  # noqa: SIM115 - lives as long as self
        weakref.finalize(self, self._file.close)
        self.end = 0

    def append(self, values: "np.ndarray[Any, Any]") -> None:
        if values.size:
            data = values.data.cast("B")
            self._file.seek(self.end)
            while data:
                data = data[self._file.write(data) :]
            self.end += values.nbytes

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
    """The same keys, those that were in memory now in a file, as one run.

    Raises:
        StoreError: the disk is full, or cannot be written.
    """
    before = tuple([run for run in runs if isinstance(run, SpilledRun)])
    try:
        file = before[-1].file if before else _File()
        return (*before, SpilledRun(file, [run for run in runs if isinstance(run, Run)]))
    except OSError as error:
        folder = spool_folder() or tempfile.gettempdir()
        raise StoreError(
            f"the keys of a `unique` rule are more than their share of the memory holds, and cannot be written to"
            f" {folder}: {error.strerror}",
            hint="make room there, or raise app.memory_limit: a quarter of it may be keys",
        ) from error


def repeated(runs: Sequence[KeyRun], at_once: int = KEYS_AT_ONCE) -> Iterator[Repeated]:
    """The keys that occur more than once in all runs together, in ascending groups."""
    import numpy as np

    for stretch in _stretches(runs, at_once):
        if stretch.alone:
            if stretch.size > 1:
                yield Repeated(stretch.first(), np.array([stretch.size], np.int64))
            continue
        keys = stretch.sorted()
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


class _Stretch(NamedTuple):
    """What all runs hold between two neighbouring edges.

    Attributes:
        alone: It is one key, however often: then it may fill many chunks and is not put together.
        parts: Each run that has some of it, with the places where they begin and end.
    """

    alone: bool
    parts: tuple[tuple[KeyRun, int, int], ...]

    @property
    def size(self) -> int:
        return sum([end - start for _, start, end in self.parts])

    def first(self) -> "Words":
        run, start, _ = self.parts[0]
        return run.keys(start, start + 1)

    def sorted(self) -> "Words":
        import numpy as np

        keys = np.concatenate([np.zeros(0, np.int64), *[run.keys(start, end) for run, start, end in self.parts]])
        keys.sort()
        return keys


def _sorted(runs: Sequence[KeyRun]) -> Iterator["Words"]:
    """All keys in order, a stretch of them at a time."""
    for stretch in _stretches(runs, KEYS_AT_ONCE):
        if stretch.alone:
            yield from (run.keys(start, end) for run, start, end in stretch.parts)
        else:
            yield stretch.sorted()


def _stretches(runs: Sequence[KeyRun], at_once: int) -> Iterator[_Stretch]:
    """All keys, cut into stretches of about so many; one that would fill a stretch has one to itself."""
    import numpy as np

    if sum([run.count for run in runs]) <= at_once:
        yield _Stretch(False, tuple([(run, 0, run.count) for run in runs]))
        return
    samples = np.concatenate([run.samples() for run in runs])
    samples.sort()
    edges = samples[:: max(1, at_once // _STEP)]
    heavy = set(edges[:-1][edges[1:] == edges[:-1]].tolist())
    edges = np.array(sorted({*edges.tolist(), *[key + 1 for key in heavy if key < _MOST]}), np.int64)
    places = [[0, *run.places(edges).tolist(), run.count] for run in runs]
    for at in range(len(edges) + 1):
        found = [(run, mine[at], mine[at + 1]) for run, mine in zip(runs, places, strict=True)]
        yield _Stretch(at > 0 and int(edges[at - 1]) in heavy, tuple([part for part in found if part[1] < part[2]]))
