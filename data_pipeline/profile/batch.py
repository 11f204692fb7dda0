"""Profiles of whole batches: read chunk by chunk, merged, the same for any split."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.batch import Batch
from data_pipeline.dataset import UNPARSED
from data_pipeline.profile.column import Column
from data_pipeline.profile.reading import Asked, is_number, reader_of

if TYPE_CHECKING:
    from config.datasets import ProfileSettings
    from utils.arrow import pa

__all__ = ["EVERYTHING", "NOTHING_MORE", "Profile", "Profiler", "Sketches", "passed_over", "profile", "sketches_of"]

_VERSION = 1


class Sketches(NamedTuple):
    """What is told on demand: of which columns; True: of all that have it.

    Attributes:
        distinct: How many different values.
        quantiles: Of numbers.
        extremes: The first and the last of the texts. They are values of rows: not for events.
    """

    distinct: bool | frozenset[str] = False
    quantiles: bool | frozenset[str] = False
    extremes: bool | frozenset[str] = False

    def of(self, column: str) -> Asked:
        return Asked(*[one if isinstance(one, bool) else column in one for one in self])


NOTHING_MORE = Sketches()
EVERYTHING = Sketches(True, True, True)


def sketches_of(settings: "ProfileSettings") -> Sketches:
    """What a dataset's configuration asks for."""
    if not settings.distinct and not settings.quantiles:
        return NOTHING_MORE
    asked = (settings.distinct, settings.quantiles)
    return Sketches(*[one if isinstance(one, bool) else frozenset(one) for one in asked])


def passed_over(sketches: Sketches, schema: "pa.Schema") -> tuple[str, ...]:
    """What was asked for by name and cannot be measured of these columns, in words."""
    from utils.arrow import pa

    found = []
    for key, asked in zip(Sketches._fields, sketches, strict=True):
        for name in () if isinstance(asked, bool) else sorted(asked):
            if name not in schema.names:
                known = ", ".join(f"`{one}`" for one in schema.names[:20] if one != UNPARSED)
                found.append(f"`profile.{key}` names a column `{name}` that is not there; there are {known}")
            elif key == "quantiles" and not is_number(type_ := schema.field(name).type):
                found.append(f"`profile.quantiles` names `{name}`, which has no numbers ({type_})")
            elif key == "distinct" and pa.types.is_nested(type_ := schema.field(name).type):
                found.append(f"`profile.distinct` names `{name}`, whose values are not compared ({type_})")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Profile:
    """One batch, or several parts together.

    Attributes:
        rows: Rows, quarantined ones included.
        columns: By name, in the order of the schema; parts that differ in their columns: by name.
    """

    rows: int = 0
    columns: Mapping[str, Column] = field(default_factory=dict)

    @property
    def nulls(self) -> dict[str, int]:
        """Column -> cells without a value (NaN is none), for every column."""
        return {name: column.nulls for name, column in self.columns.items()}

    def merge(self, other: "Profile") -> "Profile":
        """The profile of both parts together; the order does not matter."""
        mine, its = self.columns, other.columns
        names = list(mine) if list(mine) == list(its) else sorted({*mine, *its})
        columns = {
            name: mine[name].merge(its[name]) if name in mine and name in its else (mine.get(name) or its[name])
            for name in names
        }
        return Profile(self.rows + other.rows, columns)

    def metrics(self) -> dict[str, float | None]:
        """The points for the history: `rows`, `columns`, `nulls` (share of empty cells 0..1, None without cells)."""
        cells = sum([column.cells for column in self.columns.values()])
        empty = sum([column.nulls for column in self.columns.values()])
        return {"rows": self.rows, "columns": len(self.columns), "nulls": empty / cells if cells else None}

    def to_json(self) -> dict[str, Any]:
        """The whole state, to be merged with that of other parts later."""
        columns = {name: column.to_json() for name, column in self.columns.items()}
        return {"version": _VERSION, "rows": self.rows, "columns": columns}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Profile":
        """What `to_json` wrote.

        Raises:
            ValueError: it was written by another version.
        """
        if found["version"] != _VERSION:
            raise ValueError(f"a profile of version {found['version']} cannot be merged with one of {_VERSION}")
        columns = {name: Column.from_json(column) for name, column in found["columns"].items()}
        return cls(found["rows"], columns)


class Profiler:
    """Profiles record batches as they pass by. The hidden column for unparsed cells is not part of the data."""

    def __init__(self, schema: "pa.Schema", sketches: Sketches = NOTHING_MORE) -> None:
        self._readers = _readers(schema, sketches)
        self._rows = 0
        self._columns: list[Column] = []
        self._whole = False

    def observe(self, batch: "pa.RecordBatch") -> None:
        """Add the rows of a record batch."""
        found = [one.read(batch.column(one.at)) for one in self._readers]
        before = self._columns
        self._columns = [one.merge(other) for one, other in zip(before, found, strict=True)] if before else found
        self._rows += batch.num_rows

    def over(self, batch: Batch) -> Batch:
        """The same batch, whose rows are profiled while somebody reads them: the first pass that reaches their end."""

        def watched() -> "Iterator[pa.RecordBatch]":
            if self._whole:
                yield from batch.batches()
                return
            self._rows, self._columns = 0, []
            for part in batch.batches():
                self.observe(part)
                yield part
            self._whole = True

        return Batch(
            batch.schema,
            watched,
            rows=batch.rows,
            nbytes=batch.nbytes,
            provenance=batch.provenance,
            memory_limit=batch.memory_limit,
        )

    @property
    def profile(self) -> Profile:
        """Of all rows so far."""
        columns = self._columns or [one.read(_nothing(one.type)) for one in self._readers]
        return Profile(self._rows, {one.name: column for one, column in zip(self._readers, columns, strict=True)})


def profile(batch: Batch, sketches: Sketches = NOTHING_MORE) -> Profile:
    """The profile of a batch, in one pass."""
    profiler = Profiler(batch.schema, sketches)
    for part in batch.batches():
        profiler.observe(part)
    return profiler.profile


class _Reader(NamedTuple):
    at: int
    name: str
    type: "pa.DataType"
    read: "Callable[[pa.Array], Column]"


@lru_cache(maxsize=4096)
def _readers(schema: "pa.Schema", sketches: Sketches) -> tuple[_Reader, ...]:
    """Made once a schema, because schemas repeat."""
    fields = [(at, one.name, one.type) for at, one in enumerate(schema) if one.name != UNPARSED]
    return tuple([_Reader(at, name, type_, reader_of(type_, sketches.of(name))) for at, name, type_ in fields])


def _nothing(type_: "pa.DataType") -> "pa.Array":
    from utils.arrow import pa

    return pa.nulls(0, type_)
