"""What is known after some rows: a commutative semigroup, judged only at the end.

`merge` of the states of parts equals the state of the whole, whatever the split and the order, as Deequ's analyzers do
(https://github.com/awslabs/deequ, `State.sum`). Thresholds, shares and uniqueness mean nothing for a part alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from data_pipeline.validate.kernels.duplicates import Keys
from data_pipeline.validate.kernels.gathered import Gathered
from data_pipeline.validate.rules import Rule

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Residue", "RuleState", "States", "together"]

NO_PROBLEM: frozenset[str] = frozenset()


class RuleState(NamedTuple):
    """One rule after some rows: counts add; `gathered` is what a rule knows that does not judge row by row."""

    failed: int = 0
    of: int = 0
    gathered: Gathered | None = None
    problems: frozenset[str] = NO_PROBLEM

    def merge(self, other: "RuleState") -> "RuleState":
        gathered = together(self.gathered, other.gathered)
        return RuleState(self.failed + other.failed, self.of + other.of, gathered, self.problems | other.problems)


def together(one: Gathered | None, other: Gathered | None) -> Gathered | None:
    """The state of both parts; None: a part without rows."""
    return other if one is None else one if other is None else one.merge(other)


class Residue(NamedTuple):
    """What is kept of one chunk: a bit a row for each rule that rows of it broke, and the keys of `unique` rules.

    Attributes:
        masks: Index of a rule that quarantines -> true where a row broke it; only where one did.
        keys: Index of a `unique` rule -> its key columns, shared with the batch and not copied.
        unparsed: Columns with cells that did not parse.
    """

    rows: int
    masks: "Mapping[int, pa.BooleanArray]"
    keys: Mapping[int, Keys]
    unparsed: frozenset[str] = NO_PROBLEM


@dataclass(frozen=True, slots=True)
class States:
    """All rules after some rows. `residues` lie in the order of the chunks; no outcome depends on it."""

    rules: tuple[Rule, ...]
    now: datetime
    rows: int
    of_rules: tuple[RuleState, ...]
    residues: tuple[Residue, ...]

    def merge(self, other: "States") -> "States":
        """The state of both parts together.

        Raises:
            ValueError: the parts were judged by other rules or at another moment.
        """
        if self.rules != other.rules:
            raise ValueError("parts judged by different rules cannot be merged")
        if self.now != other.now:
            raise ValueError(f"parts judged at different moments cannot be merged: {self.now}, {other.now}")
        return States(
            self.rules,
            self.now,
            self.rows + other.rows,
            tuple(mine.merge(its) for mine, its in zip(self.of_rules, other.of_rules, strict=True)),
            self.residues + other.residues,
        )
