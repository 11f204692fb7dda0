"""Where the values of a version lie: bins made from it, and how much each holds; newer values go into the same.

The edges of numbers are quantiles, so that every bin holds about as much. A value that is a bin's worth by itself gets
a bin of its own. Text is counted by the most frequent values, and all others together.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.hashing import mixed
from data_pipeline.validate.kernels.columns import CannotJudge, column_type
from utils.arrow import compute, pa

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["MOST_CATEGORIES", "Bins", "bins_of", "kind_between", "prepared"]

MOST_CATEGORIES = 20
"""Values of text that are counted by themselves; all others are one more."""

_MOST_DIFFERENT = 100_000
"""Different texts that are counted while the most frequent are looked for."""

_SAMPLE = 2**18
"""Numbers that the edges are made from, at most: beyond them, those of the rows whose numbers have the least hashes."""

_FEW = 500
"""Different numbers that all get a bin of their own, where bins are many."""


class Bins(NamedTuple):
    """Bins and how much they hold.

    Attributes:
        kind: `whole`, `float`, `time` or `text`.
        edges: Numbers and times: upper bounds of the bins, each its bin's own; one more bin lies above the last. Text:
            the values that are counted; one more bin holds all others.
        counts: Values of the version in each bin.
    """

    kind: str
    edges: tuple[Any, ...]
    counts: tuple[int, ...]

    def placed(self, values: "pa.Array") -> tuple[int, ...]:
        """How many of some values, `prepared` for this kind and without nulls, lie in each bin."""
        import numpy as np

        if self.kind == "text":
            places = compute.index_in(values, value_set=pa.array(self.edges, pa.string()))
            found = compute.fill_null(places, len(self.edges)).to_numpy(zero_copy_only=False)
        else:
            found = np.searchsorted(np.array(self.edges, _NUMPY[self.kind]), values.to_numpy(zero_copy_only=False))
        return tuple(np.bincount(found, minlength=len(self.edges) + 1).tolist())


_NUMPY = {"whole": "int64", "time": "int64", "float": "float64"}


def kind_between(before: "pa.DataType", now: "pa.DataType") -> str:
    """As what values of two types can be held against each other; `time` is counted in microseconds.

    Raises:
        CannotJudge: as nothing.
    """
    kinds = {_kind(column_type(type_)) for type_ in (before, now)} - {"null"}
    if not kinds:
        return "whole"
    if kinds <= {"whole", "float"}:
        return "float" if "float" in kinds else "whole"
    if len(kinds) > 1 or "" in kinds:
        raise CannotJudge(f"it was {before} and is {now}, which are not held against each other")
    return kinds.pop()


def _kind(type_: "pa.DataType") -> str:
    types = pa.types
    if types.is_integer(type_):
        return "float" if type_ == pa.uint64() else "whole"
    if types.is_floating(type_) or types.is_decimal(type_):
        return "float"
    if types.is_timestamp(type_) or types.is_date(type_):
        return "time"
    if types.is_string(type_) or types.is_large_string(type_) or types.is_boolean(type_):
        return "text"
    return "null" if types.is_null(type_) else ""


def prepared(array: "pa.Array", kind: str) -> "pa.Array":
    """Values without null as int64 (`whole`, `time`), float64 or text."""
    array = array.drop_null() if array.null_count else array
    if kind == "time":
        return array.cast(pa.timestamp("us"), safe=False).view(pa.int64()) if len(array) else pa.array([], pa.int64())
    return array.cast({"whole": pa.int64(), "float": pa.float64(), "text": pa.string()}[kind], safe=False)


def bins_of(again: "Callable[[], Iterable[pa.Array]]", kind: str, most: int) -> Bins | None:
    """Bins of the values that `again` gives, each time from the first on; None: there are none.

    Memory: as much as 262,144 numbers or 100,000 different texts take.

    Args:
        most: About how many bins of numbers.

    Raises:
        CannotJudge: there are too many different texts.
    """
    if kind == "text":
        return _of_text(again())
    sample, values = _sample(again())
    if not values:
        return None
    bins = Bins(kind, _edges(sample, most), ())
    if values == len(sample):
        return bins._replace(counts=bins.placed(pa.array(sample)))
    totals = [0] * (len(bins.edges) + 1)
    for array in again():
        totals = [total + more for total, more in zip(totals, bins.placed(array), strict=True)]
    return bins._replace(counts=tuple(totals))


def _of_text(arrays: "Iterable[pa.Array]") -> Bins | None:
    found: Counter[str] = Counter()
    for array in arrays:
        values, counts = array.value_counts().flatten()
        for value, count in zip(values.to_pylist(), counts.to_pylist(), strict=True):
            found[value] += count
        if len(found) > _MOST_DIFFERENT:
            raise CannotJudge(f"it has more than {_MOST_DIFFERENT:,} different values: their shares say nothing")
    if not found:
        return None
    frequent = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:MOST_CATEGORIES]
    counts = [count for _, count in frequent]
    return Bins("text", tuple(value for value, _ in frequent), (*counts, found.total() - sum(counts)))


def _sample(arrays: "Iterable[pa.Array]") -> "tuple[Array, int]":
    """The numbers, sorted, or so many of them as bins are made from; and how many there are."""
    import numpy as np

    kept: list[tuple[Array, Array]] = []
    rows = held = 0
    limit = np.uint64(2**64 - 1)
    for array in arrays:
        values = array.to_numpy(zero_copy_only=False)
        hashes = mixed(np.arange(rows, rows + len(values), dtype=np.uint64))
        rows += len(values)
        kept.append(_below(limit, hashes, values))
        held += len(kept[-1][0])
        while held > _SAMPLE:
            limit >>= np.uint64(1)
            kept = [_below(limit, *some) for some in kept]
            held = sum(len(some[0]) for some in kept)
    sample = np.concatenate([values for _, values in kept]) if kept else np.zeros(0)
    sample.sort()
    return sample, rows


def _below(limit: Any, hashes: "Array", values: "Array") -> "tuple[Array, Array]":
    near = hashes <= limit
    return (hashes, values) if near.all() else (hashes[near], values[near])


def _edges(sample: "Array", most: int) -> tuple[Any, ...]:
    """Upper bounds of about `most` bins of a sorted sample."""
    import numpy as np

    upper = alone = _different(sample) if most > _FEW else sample[:0]
    if not 0 < len(alone) <= _FEW:
        upper = sample[np.ceil(np.arange(1, most) * len(sample) / most).astype(np.int64) - 1]
        alone = upper[1:][upper[1:] == upper[:-1]]
    return tuple(_different(np.sort(np.concatenate([upper, _just_below(alone)]))).tolist())


def _different(values: "Array") -> "Array":
    """Of sorted values, each once."""
    import numpy as np

    found: Array = values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values
    return found


def _just_below(values: "Array") -> "Array":
    import numpy as np

    if values.dtype.kind == "f":
        with np.errstate(over="ignore", under="ignore"):  # below the least float lies -inf
            found: Array = np.nextafter(values, -np.inf)
        return found
    return values[values > np.iinfo(np.int64).min] - 1
