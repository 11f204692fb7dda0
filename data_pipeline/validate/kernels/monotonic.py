"""The `monotonic` rule: which rows fall back behind the greatest value before them.

A row fails when its value is below (`strict`: not above) the greatest of all rows before it, failing ones included. The
others, in their order, never fall: each is the greatest so far. So setting the failing rows aside leaves a column that
is monotonic.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.validate.kernels.bounds import storage_of
from data_pipeline.validate.kernels.columns import CannotJudge, Chunk
from data_pipeline.validate.kernels.gathered import Found, Gather
from utils.arrow import pa

if TYPE_CHECKING:
    import numpy as np

    from data_pipeline.validate.rules import Rule

__all__ = ["Climb", "Rises", "monotonic"]

Value = int | float | str
"""A value as it is compared: whole counts of its unit for integers, decimals and times, doubles, text by code point."""


class Climb(NamedTuple):
    """The rows of one chunk that fell behind nothing in it: from `first` to `last`, so many.

    Attributes:
        above: The greatest value before the chunk, if that lies above `first`: some of the rows fell behind it.
    """

    first: Value
    last: Value
    rows: int
    above: Value | None = None


class Rises(NamedTuple):
    """What is known after some rows: the climbs that still count, in the order of the rows.

    A climb that ends behind a value before it has failed as a whole. One that only begins behind it may hold failing
    rows, which a second look counts.

    Attributes:
        at: Where the column lies in a chunk.
        of: Rows with a value.
    """

    at: int
    strict: bool
    of: int = 0
    climbs: tuple[Climb, ...] = ()

    def merge(self, other: "Rises") -> "Rises":
        of = self.of + other.of
        if not self.climbs:
            return other._replace(of=of)
        greatest = self.climbs[-1].last
        later = [self._behind(greatest, climb) for climb in other.climbs]
        return self._replace(of=of, climbs=(*self.climbs, *[climb for climb in later if climb is not None]))

    def _behind(self, greatest: Any, climb: Climb) -> Climb | None:
        """A climb that comes after a value; None: nothing of it counts any more."""
        if not self._holds(climb.last, greatest):
            return None
        if self._holds(climb.first, greatest):
            return climb
        return climb._replace(above=greatest if climb.above is None else max(climb.above, greatest))

    def _holds(self, value: Any, greatest: Any) -> bool:
        return bool(value > greatest if self.strict else value >= greatest)

    @property
    def certain(self) -> bool:
        return all(climb.above is None for climb in self.climbs)

    def found(self, rule: "Rule", now: datetime) -> Found:
        return Found(self.of - sum([climb.rows for climb in self.climbs if climb.above is None]), self.of)

    def failing(self, again: "Callable[[], Iterator[Chunk]]") -> "Iterator[pa.BooleanArray | None]":
        return map(self.look(), again())

    def look(self) -> "Callable[[Chunk], pa.BooleanArray | None]":
        """What tells where the rows of chunk after chunk fail."""
        ascent = _Ascent(self.strict)

        def fails(chunk: Chunk) -> "pa.BooleanArray | None":
            array = chunk.arrays[self.at]
            found = ascent.fails(_values(array.drop_null()))
            return _among_nulls(found, array) if found.any() else None

        return fails

    def to_bytes(self) -> bytes:
        return json.dumps([self.at, self.strict, self.of, self.climbs]).encode()

    @classmethod
    def from_bytes(cls, found: bytes) -> "Rises":
        at, strict, of, climbs = json.loads(found)
        return cls(at, strict, of, tuple([Climb(*climb) for climb in climbs]))


def monotonic(rule: "Rule", columns: "Mapping[str, tuple[int, pa.DataType]]") -> Gather:
    """Gathers how a column rises.

    Raises:
        CannotJudge: its values have no order.
    """
    at, type_ = columns[rule.columns[0]]
    types, strict = pa.types, rule.params["strict"]
    ordered = storage_of(type_) is not None or types.is_floating(type_) or types.is_null(type_)
    if not (ordered or types.is_string(type_) or types.is_large_string(type_)):
        raise CannotJudge(f"column `{rule.columns[0]}` is {type_}: its values have no order")

    def gather(chunk: Chunk) -> Rises:
        import numpy as np

        values = _values(chunk.arrays[at].drop_null())
        if not len(values):
            return Rises(at, strict)
        ascent = _Ascent(strict)
        rows = len(values) - int(np.count_nonzero(ascent.fails(values)))
        climb = Climb(_plain(values[0]), _plain(ascent.greatest), rows)
        return Rises(at, strict, len(values), (climb,))

    return gather


class _Ascent:
    """The greatest value so far; None: there was none."""

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self.greatest: Any = None

    def fails(self, values: Any) -> Any:
        """Where the next values (an array or a list, without null) fall back."""
        import numpy as np

        before: Any
        if not len(values):
            return np.zeros(0, bool)
        if isinstance(values, list):
            before = list(accumulate(values, max, initial=values[0] if self.greatest is None else self.greatest))
            pairs = zip(values, before, strict=False)
            found = np.array([value <= most if self._strict else value < most for value, most in pairs])
            last = before[-1]
        else:
            start = values[0] if self.greatest is None else values.dtype.type(self.greatest)
            greatest = np.maximum(np.maximum.accumulate(values), start)
            before = np.concatenate([[start], greatest[:-1]])
            found = values <= before if self._strict else values < before
            last = greatest[-1]
        if self.greatest is None:
            found[0] = False
        self.greatest = last
        return found


def _values(array: "pa.Array") -> "np.ndarray[Any, Any] | list[Any]":
    """Values without null as they are compared: numpy's numbers, or a list of Python's."""
    types, type_ = pa.types, array.type
    if types.is_null(type_):
        return []
    if types.is_string(type_) or types.is_large_string(type_):
        return list(array.to_pylist())
    if types.is_decimal(type_):
        width = type_.bit_width // 8
        held = array.buffers()[1].to_pybytes()[array.offset * width :] if len(array) else b""
        starts = range(0, len(array) * width, width)
        return [int.from_bytes(held[start : start + width], "little", signed=True) for start in starts]
    if types.is_temporal(type_):
        array = array.view(pa.int64() if type_.bit_width == 64 else pa.int32())
    values: np.ndarray[Any, Any] = array.to_numpy(zero_copy_only=False)
    return values


def _plain(value: Any) -> Any:
    """A number of numpy as Python's own."""
    return value.item() if hasattr(value, "item") else value


def _among_nulls(found: Any, array: "pa.Array") -> "pa.BooleanArray":
    if not array.null_count:
        return pa.array(found)
    import numpy as np

    mask = np.zeros(len(array), bool)
    mask[array.is_valid().to_numpy(zero_copy_only=False)] = found
    return pa.array(mask)
