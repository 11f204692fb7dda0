"""`by` of a rule: the rows divided by the values of some columns, each segment judged by itself.

A segment is known by a name that is the same in every chunk and part: its values as JSON. The tolerance holds in each
segment, so one that is broken in a small shop is not hidden by the large ones.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.python_values import values_of
from data_pipeline.validate.kernels.columns import CannotJudge, Check, Chunk
from data_pipeline.validate.kernels.gathered import Found, Gather, Gathered, GatheredRows
from data_pipeline.validate.report import FailingSegment, Segments
from utils.arrow import compute, pa

if TYPE_CHECKING:
    import numpy as np

    from data_pipeline.validate.rules import Rule

__all__ = ["ByLook", "Segmented", "Tallied", "Tally", "gather_by", "labelled", "look_by", "tallied"]

MOST_SEGMENTS = 100_000
"""More are no segments: something that counts the rows of a table one by one."""

WORST = 20
"""Failing segments that are named."""


class _Split(NamedTuple):
    """The segments of a chunk: the name of each, and the number of the one that each row is in."""

    names: list[str]
    codes: "np.ndarray[Any, Any]"


class Tally(NamedTuple):
    """Of each segment: how many rows failed, how many were judged."""

    counts: Mapping[str, tuple[int, int]]

    def merge(self, other: "Tally") -> "Tally":
        if not self.counts:
            return other
        counts = dict(self.counts)
        for name, (failed, of) in other.counts.items():
            mine = counts.get(name, (0, 0))
            counts[name] = (mine[0] + failed, mine[1] + of)
        _refuse_too_many(counts)
        return Tally(counts)

    def found(self, rule: "Rule", now: datetime) -> Found:
        judged = {name: count for name, count in self.counts.items() if count[1]}
        failed = sum([count[0] for count in judged.values()])
        broken = {name: count for name, count in judged.items() if count[0] / count[1] > rule.tolerance}
        return _found(rule, failed, sum([count[1] for count in judged.values()]), broken, len(judged))

    def to_bytes(self) -> bytes:
        return json.dumps(self.counts).encode()

    @classmethod
    def from_bytes(cls, found: bytes) -> "Tally":
        return cls({name: (failed, of) for name, (failed, of) in json.loads(found).items()})


Tallied = Callable[[Chunk], "tuple[int, pa.BooleanArray | None, Tally]"]
"""A check that also counts by segment."""


def tallied(rule: "Rule", check: Check, columns: "Mapping[str, tuple[int, pa.DataType]]") -> Tallied:
    """The check of a rule that judges row by row, with its counts by segment."""
    by = tuple([columns[name][0] for name in rule.by])
    one = columns[rule.columns[0]][0]
    of_mask = rule.kind in {"compare", "change"}  # of these the mask is null where a row was not judged

    def judge(chunk: Chunk) -> "tuple[int, pa.BooleanArray | None, Tally]":
        judged, mask = check(chunk)
        rows: pa.BooleanArray | None = None
        if judged and judged != chunk.rows:
            rows = mask.is_valid() if of_mask and mask is not None else chunk.arrays[one].is_valid()
            if rule.kind == "type" and rule.columns[0] in chunk.unparsed:
                rows = compute.or_(rows, chunk.unparsed[rule.columns[0]])
        return judged, mask, _count(_split(chunk, by), rows, mask) if judged else Tally({})

    return judge


class Segmented:
    """A state of a kind of rule for each segment. Of a rule on the whole batch each segment is judged as one thing."""

    __slots__ = ("_by", "_kind", "states")

    def __init__(self, kind: str, by: tuple[int, ...], states: Mapping[str, Any]) -> None:
        self._kind = kind
        self._by = by
        self.states = states

    def merge(self, other: "Segmented") -> "Segmented":
        states = dict(self.states)
        for name, state in other.states.items():
            states[name] = states[name].merge(state) if name in states else state
        _refuse_too_many(states)
        return Segmented(self._kind, self._by, states)

    @property
    def certain(self) -> bool:
        return all(state.certain for state in self.states.values())

    def found(self, rule: "Rule", now: datetime) -> Found:
        each = {name: state.found(rule, now) for name, state in self.states.items()}
        judged = {name: found for name, found in each.items() if found.of}
        failed, of = sum([found.failed for found in judged.values()]), sum([found.of for found in judged.values()])
        broken = {name: (f.failed, f.of) for name, f in judged.items() if f.failed / f.of > rule.tolerance}
        seen = [(found.observed, found.limit_s) for found in judged.values() if found.observed is not None]
        observed, limit = min(seen, default=(None, next((found.limit_s for found in judged.values()), None)))
        return _found(rule, failed, of, broken, len(judged))._replace(observed=observed, limit_s=limit)

    def failing(self, again: "Callable[[], Iterator[Chunk]]") -> "Iterator[pa.BooleanArray | None]":
        """Of states that can look at chunk after chunk (`look`)."""
        import numpy as np

        looks = {name: state.look() for name, state in self.states.items()}
        for chunk in again():
            mask = np.zeros(chunk.rows, bool)
            for name, rows, part in _parts(chunk, self._by, range(len(chunk.arrays))):
                found = looks[name](part)
                if found is not None:
                    mask[rows] = found.fill_null(False).to_numpy(zero_copy_only=False)
            yield pa.array(mask) if mask.any() else None

    def to_bytes(self) -> bytes:
        states = {name: b64encode(state.to_bytes()).decode() for name, state in self.states.items()}
        return json.dumps({"kind": self._kind, "by": self._by, "states": states}).encode()

    @classmethod
    def from_bytes(cls, found: bytes) -> "Segmented":
        figures = json.loads(found)
        read = _reader(figures["kind"])
        states = {name: read(b64decode(text)) for name, text in figures["states"].items()}
        return cls(figures["kind"], tuple(figures["by"]), states)


def gather_by(rule: "Rule", gather: Gather, columns: "Mapping[str, tuple[int, pa.DataType]]") -> Gather:
    """Gathers in each segment what a rule gathers in the whole."""
    by = tuple([columns[name][0] for name in rule.by])
    places = tuple([columns[name][0] for name in rule.columns])

    def gathered(chunk: Chunk) -> Segmented:
        return Segmented(rule.kind, by, {name: gather(part) for name, _, part in _parts(chunk, by, places)})

    return gathered


class ByLook:
    """The state of a rule whose failing rows a second look finds, which counts them by segment as well.

    Args:
        judged: Columns in which a row that is judged has a value; None: the mask is null where a row was not judged.
    """

    __slots__ = ("_by", "_judged", "_kind", "_tally", "inner")

    certain = False

    def __init__(self, kind: str, inner: GatheredRows, by: tuple[int, ...], judged: tuple[int, ...] | None) -> None:
        self._kind = kind
        self.inner = inner
        self._by = by
        self._judged = judged
        self._tally: Tally | None = None

    def merge(self, other: "ByLook") -> "ByLook":
        return ByLook(self._kind, self.inner.merge(other.inner), self._by, self._judged)

    def found(self, rule: "Rule", now: datetime) -> Found:
        return self.inner.found(rule, now) if self._tally is None else self._tally.found(rule, now)

    def failing(self, again: "Callable[[], Iterator[Chunk]]") -> "Iterator[pa.BooleanArray | None]":
        tally = Tally({})
        for chunk, mask in zip(again(), self.inner.failing(again), strict=True):
            rows = None
            if self._judged is None:
                rows = None if mask is None else mask.is_valid()
            else:
                for at in self._judged:
                    mine = chunk.arrays[at].is_valid()
                    rows = mine if rows is None else compute.and_(rows, mine)
            tally = tally.merge(_count(_split(chunk, self._by), rows, mask))
            yield mask
        self._tally = tally

    def to_bytes(self) -> bytes:
        inner = b64encode(self.inner.to_bytes()).decode()
        return json.dumps({"kind": self._kind, "by": self._by, "judged": self._judged, "inner": inner}).encode()

    @classmethod
    def from_bytes(cls, found: bytes) -> "ByLook":
        figures = json.loads(found)
        kind, judged = figures["kind"], figures["judged"]
        read = Segmented.from_bytes if kind == "monotonic" else _reader(kind)
        inner: Any = read(b64decode(figures["inner"]))
        return cls(kind, inner, tuple(figures["by"]), None if judged is None else tuple(judged))


def look_by(
    rule: "Rule", gather: Gather, columns: "Mapping[str, tuple[int, pa.DataType]]", places: Sequence[int]
) -> Gather:
    """Gathers what a rule gathers, to be counted by segment in the second look.

    Args:
        places: Where the columns lie that the rule looks at.
    """
    by = tuple([columns[name][0] for name in rule.by])
    judged = None if rule.kind == "python" else tuple(places)

    def gathered(chunk: Chunk) -> ByLook:
        inner: Any = gather(chunk)
        return ByLook(rule.kind, inner, by, judged)

    return gathered


def _reader(kind: str) -> Callable[[bytes], Gathered]:
    """What reads back the state of a kind of rule."""
    from data_pipeline.validate.kernels.binding import GATHERED

    return GATHERED[kind].state.from_bytes


def labelled(by: Sequence[int], at: int) -> Callable[[Chunk], Chunk]:
    """Adds to a chunk, at this place behind all columns, the name of each row's segment."""

    def prepare(chunk: Chunk) -> Chunk:
        names, codes = _split(chunk, by)
        found = copy(chunk)
        found.arrays = [*chunk.arrays[:at], pa.array(names, pa.string()).take(pa.array(codes))]
        return found

    return prepare


def _found(rule: "Rule", failed: int, of: int, broken: "Mapping[str, tuple[int, int]]", segments: int) -> Found:
    worst = sorted(broken.items(), key=lambda entry: (-entry[1][0] / entry[1][1], -entry[1][0], entry[0]))[:WORST]
    named = tuple([FailingSegment(tuple(json.loads(name)), *count) for name, count in worst])
    columns = ", ".join(f"`{name}`" for name in rule.by)
    detail = ""
    if broken:
        detail = f"{len(broken):,} of {segments:,} segments by {columns} " + ("fail" if len(broken) > 1 else "fails")
    return Found(failed, of, detail, passed=not broken, segments=Segments(len(broken), segments, named))


def _refuse_too_many(segments: Mapping[str, Any]) -> None:
    if len(segments) > MOST_SEGMENTS:
        raise CannotJudge(
            f"`by` divides the rows into more than {MOST_SEGMENTS:,} segments: name columns with few different values"
        )


def _count(split: _Split, judged: "pa.BooleanArray | None", failing: "pa.BooleanArray | None") -> Tally:
    import numpy as np

    names, codes = split
    size = len(names)
    within = codes if judged is None else codes[judged.to_numpy(zero_copy_only=False)]
    of = np.bincount(within, minlength=size).tolist()
    failed = [0] * size
    if failing is not None and failing.true_count:
        bad = compute.fill_null(failing, False).to_numpy(zero_copy_only=False)
        failed = np.bincount(codes[bad], minlength=size).tolist()
    return Tally(dict(zip(names, zip(failed, of, strict=True), strict=True)))


def _parts(
    chunk: Chunk, by: Sequence[int], places: Sequence[int]
) -> "Iterator[tuple[str, np.ndarray[Any, Any], Chunk]]":
    """Each segment of a chunk: its name, its rows in their order, and a chunk of them with columns at some places."""
    import numpy as np

    names, codes = _split(chunk, by)
    if len(names) == 1:
        yield names[0], np.arange(chunk.rows), chunk
        return
    order = np.argsort(codes, kind="stable")
    taken = pa.array(order)
    arrays = {at: chunk.arrays[at].take(taken) for at in places if chunk.arrays[at] is not None}
    unparsed = {name: mask.take(taken) for name, mask in chunk.unparsed.items()}
    start = 0
    for name, size in zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True):
        part = copy(chunk)
        part.rows = size
        part.arrays = [None] * len(chunk.arrays)
        for at, array in arrays.items():
            part.arrays[at] = array.slice(start, size)
        part.unparsed = {column: mask.slice(start, size) for column, mask in unparsed.items()}
        yield name, order[start : start + size], part
        start += size


def _split(chunk: Chunk, by: Sequence[int]) -> _Split:
    """The segments of a chunk; null is a value like others."""
    import numpy as np

    if not chunk.rows:
        return _Split([], np.zeros(0, np.int64))
    codes: np.ndarray[Any, Any] = np.zeros(chunk.rows, np.int64)
    texts: list[list[str | None]] = []
    for at in by:
        array = chunk.arrays[at]
        if pa.types.is_floating(array.type):
            array = compute.add(array, pa.scalar(0.0, array.type))  # -0.0 is 0.0
        encoded = array.dictionary_encode() if not pa.types.is_null(array.type) else None
        values: list[str | None] = [None] if encoded is None else [None, *map(_text, values_of(encoded.dictionary))]
        mine = 0 if encoded is None else encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False) + 1
        found = pa.array(codes * len(values) + mine).dictionary_encode()
        pairs = [divmod(code, len(values)) for code in found.dictionary.to_pylist()]
        texts = [[*(texts[before] if texts else ()), values[value]] for before, value in pairs]
        codes = found.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return _Split([json.dumps(values, ensure_ascii=False) for values in texts], codes)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.hex() if isinstance(value, bytes) else str(value)
