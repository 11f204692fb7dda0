"""What is known of a column's texts and times: how long, from when to when."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

__all__ = ["Texts", "Times", "Truths"]


class Texts(NamedTuple):
    """Texts (in characters) or bytes, by their length.

    Attributes:
        values: How many.
        shortest, longest: None: there are none.
        length: Of all of them together.
        first, last: In the order of their code points, where they were asked for. They are values of rows.
    """

    values: int = 0
    shortest: int | None = None
    longest: int | None = None
    length: int = 0
    first: str | None = None
    last: str | None = None

    def merge(self, other: "Texts") -> "Texts":
        """What is known of both; the order does not matter."""
        return Texts(
            self.values + other.values,
            _least(self.shortest, other.shortest),
            _most(self.longest, other.longest),
            self.length + other.length,
            _least(self.first, other.first),
            _most(self.last, other.last),
        )

    @property
    def mean(self) -> float | None:
        """Characters of a text; None without texts."""
        return self.length / self.values if self.values else None

    def to_json(self) -> dict[str, Any]:
        return self._asdict()

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Texts":
        """What `to_json` wrote."""
        return cls(**found)


class Times(NamedTuple):
    """Dates and times as nanoseconds since 1970 (of UTC, where they have a zone); None: there are none."""

    values: int = 0
    oldest: int | None = None
    newest: int | None = None

    def merge(self, other: "Times") -> "Times":
        """What is known of both; the order does not matter."""
        return Times(self.values + other.values, _least(self.oldest, other.oldest), _most(self.newest, other.newest))

    def to_json(self) -> dict[str, Any]:
        return self._asdict()

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Times":
        """What `to_json` wrote."""
        return cls(**found)


class Truths(NamedTuple):
    """Booleans: how many, and how many of them are true."""

    values: int = 0
    true: int = 0

    def merge(self, other: "Truths") -> "Truths":
        """What is known of both; the order does not matter."""
        return Truths(self.values + other.values, self.true + other.true)

    @property
    def share(self) -> float | None:
        """Of true ones, 0..1; None without booleans."""
        return self.true / self.values if self.values else None

    def to_json(self) -> dict[str, Any]:
        return self._asdict()

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Truths":
        """What `to_json` wrote."""
        return cls(**found)


_Value = TypeVar("_Value", int, str)


def _least(one: _Value | None, other: _Value | None) -> _Value | None:
    return other if one is None else one if other is None else min(one, other)


def _most(one: _Value | None, other: _Value | None) -> _Value | None:
    return other if one is None else one if other is None else max(one, other)
