"""What is known of a column's numbers: how many, the least, the greatest, and their exact sums."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from data_pipeline.profile.exact import Sums, root

__all__ = ["Number", "Numbers", "number_from_json", "number_to_json"]

Number = int | float | Decimal


class Numbers(NamedTuple):
    """Numbers without null and NaN. Infinite ones are counted, and left out of all the rest.

    Attributes:
        values: How many finite ones.
        low, high: None: there are none.
    """

    values: int = 0
    low: Number | None = None
    high: Number | None = None
    sums: Sums = Sums()
    infinite: int = 0

    def merge(self, other: "Numbers") -> "Numbers":
        """What is known of both; the order does not matter."""
        return Numbers(
            self.values + other.values,
            min((one.low for one in (self, other) if one.low is not None), key=_ordered, default=None),
            max((one.high for one in (self, other) if one.high is not None), key=_ordered, default=None),
            self.sums.merge(other.sums),
            self.infinite + other.infinite,
        )

    @property
    def mean(self) -> float | None:
        """Rounded once, from the exact sum; None without numbers."""
        if not self.values:
            return None
        total, unit = self.sums.total.as_integer_ratio()
        return total / (unit * self.values)

    @property
    def std(self) -> float | None:
        """The standard deviation of a sample (n - 1), rounded once.

        None: there are fewer than two numbers, or it is beyond the floats.
        """
        if self.values < 2:
            return None
        (total, unit), (squares, scale) = self.sums.total.as_integer_ratio(), self.sums.squares.as_integer_ratio()
        spread = self.values * squares * unit * unit - total * total * scale
        try:
            return root(spread, self.values * (self.values - 1) * scale * unit * unit)
        except OverflowError:
            return None

    def to_json(self) -> dict[str, Any]:
        return {
            "values": self.values,
            "low": number_to_json(self.low),
            "high": number_to_json(self.high),
            "total": str(self.sums.total),
            "squares": str(self.sums.squares),
            "infinite": self.infinite,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Numbers":
        """What `to_json` wrote."""
        sums = Sums(Fraction(found["total"]), Fraction(found["squares"]))
        low, high = number_from_json(found["low"]), number_from_json(found["high"])
        return cls(found["values"], low, high, sums, found["infinite"])


def number_to_json(number: Number | None) -> Any:
    """Digit for digit: a decimal as its text."""
    return {"decimal": str(number)} if isinstance(number, Decimal) else number


def number_from_json(found: Any) -> Number | None:
    """The way back."""
    return Decimal(found["decimal"]) if isinstance(found, dict) else found


def _ordered(number: Number) -> tuple[Number, str, str]:
    """By value; of equal numbers of different types always the same one."""
    return number, type(number).__name__, str(number)
