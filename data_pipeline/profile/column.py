"""What is known of one column after some rows: a commutative semigroup, from which every figure is told at the end."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from data_pipeline.profile.distinct import Distinct
from data_pipeline.profile.numbers import Numbers
from data_pipeline.profile.quantiles import Quantiles
from data_pipeline.profile.spans import Texts, Times, Truths

__all__ = ["Column"]


class Column(NamedTuple):
    """A column of one part, or of several together.

    Attributes:
        cells: Rows of the parts that have the column.
        nulls: Cells without a value; NaN is none.
        types: Names of its Arrow types: one, unless parts differ.
        distinct, quantiles: On demand. None: not asked for.
        numbers, texts, times, truths: By the type. None: it has no such values.
    """

    cells: int = 0
    nulls: int = 0
    types: frozenset[str] = frozenset()
    distinct: Distinct | None = None
    numbers: Numbers | None = None
    quantiles: Quantiles | None = None
    texts: Texts | None = None
    times: Times | None = None
    truths: Truths | None = None

    def merge(self, other: "Column") -> "Column":
        """What is known of both parts; the order does not matter."""
        return Column(
            self.cells + other.cells,
            self.nulls + other.nulls,
            self.types | other.types,
            _together(self.distinct, other.distinct),
            _together(self.numbers, other.numbers),
            _together(self.quantiles, other.quantiles),
            _together(self.texts, other.texts),
            _together(self.times, other.times),
            _together(self.truths, other.truths),
        )

    def to_json(self) -> dict[str, Any]:
        """The whole state; what is not there is left out."""
        found: dict[str, Any] = {"cells": self.cells, "nulls": self.nulls, "types": sorted(self.types)}
        return found | {name: mine.to_json() for name in _PARTS if (mine := getattr(self, name)) is not None}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Column":
        """What `to_json` wrote.

        Raises:
            ValueError: a sketch of another kind.
        """
        parts = {name: kind.from_json(found[name]) for name, kind in _PARTS.items() if name in found}
        return cls(found["cells"], found["nulls"], frozenset(found["types"]), **parts)


_PARTS: dict[str, Any] = {
    "numbers": Numbers,
    "texts": Texts,
    "times": Times,
    "truths": Truths,
    "distinct": Distinct,
    "quantiles": Quantiles,
}


class _Part(Protocol):
    def merge(self, other: Self) -> Self: ...


_AnyPart = TypeVar("_AnyPart", bound=_Part)


def _together(one: _AnyPart | None, other: _AnyPart | None) -> _AnyPart | None:
    return other if one is None else one if other is None else one.merge(other)
