"""What is known after some rows: a semigroup, judged only at the end.

`merge` of the states of parts equals the state of the whole, whatever the split and the order, as Deequ's analyzers do
(https://github.com/awslabs/deequ, `State.sum`); where the order matters (`monotonic`), the parts are merged in theirs.
Thresholds, shares and uniqueness mean nothing for a part alone. States travel as bytes (`state_bytes.py`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from data_pipeline.validate.kernels.columns import Chunk
from data_pipeline.validate.kernels.gathered import Gathered
from data_pipeline.validate.rules import Rule

if TYPE_CHECKING:
    from utils.arrow import pa

__all__ = ["Part", "Residue", "RuleState", "States", "together"]

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
    """What is kept of one chunk: a bit a row for each rule that rows of it broke.

    Attributes:
        masks: Index of a rule that quarantines -> true where a row broke it; only where one did.
        unparsed: Columns with cells that did not parse.
    """

    rows: int
    masks: "Mapping[int, pa.BooleanArray]"
    unparsed: frozenset[str] = NO_PROBLEM


class Part:
    """Rows that were observed in one go.

    Args:
        columns: Name and type of each column that rules looked at.
        again: Gives the chunks once more, with the columns of the rule with this index; None: the rows are elsewhere.
        name: What it is called wherever its state goes; None: by a name of its own that it gets when it is asked for.
    """

    __slots__ = ("_name", "again", "columns", "residues")

    def __init__(
        self,
        columns: tuple[tuple[str, str], ...],
        residues: tuple[Residue, ...],
        again: Callable[[int], Iterator[Chunk]] | None,
        name: str | None = None,
    ) -> None:
        self.columns = columns
        self.residues = residues
        self.again = again
        self._name = name

    @property
    def name(self) -> str:
        if self._name is None:
            self._name = uuid4().hex
        return self._name

    def is_same(self, other: "Part") -> bool:
        return self is other or (self._name is not None and self._name == other._name)


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """All rules after some rows; `parts` are these rows, in the order of merging."""

    rules: tuple[Rule, ...]
    now: datetime
    rows: int
    of_rules: tuple[RuleState, ...]
    parts: tuple[Part, ...]

    @property
    def residues(self) -> tuple[Residue, ...]:
        """Of all chunks, in the order of the parts."""
        return self.parts[0].residues if len(self.parts) == 1 else tuple([r for p in self.parts for r in p.residues])

    def merge(self, other: "States") -> "States":
        """The state of both parts together.

        Raises:
            ValueError: the parts were judged by other rules or at another moment, have columns of other types, or are
                the same part.
        """
        if self.rules != other.rules:
            raise ValueError("parts judged by different rules cannot be merged")
        if self.now != other.now:
            raise ValueError(f"parts judged at different moments cannot be merged: {self.now}, {other.now}")
        for mine in self.parts:
            for its in other.parts:
                if mine.is_same(its):
                    raise ValueError(f"part `{mine.name}` is on both sides: its rows would count twice")
        for its in other.parts[:1]:
            _same_types(self.parts[0], its)
        return States(
            self.rules,
            self.now,
            self.rows + other.rows,
            tuple(mine.merge(its) for mine, its in zip(self.of_rules, other.of_rules, strict=True)),
            self.parts + other.parts,
        )

    def again(self, index: int) -> Iterator[Chunk]:
        """All chunks once more, for the rule with this index.

        Raises:
            ValueError: the rows of a part are elsewhere.
        """
        for part in self.parts:
            if part.again is None:
                raise ValueError(
                    f"rule `{self.rules[index].id}` needs a second look at the rows, and the rows of part `{part.name}`"
                    " are not at hand; give them to `states_from_bytes` as `batches`"
                )
            yield from part.again(index)


def _same_types(one: Part, other: Part) -> None:
    types = dict(other.columns)
    for name, type_ in one.columns:
        its = types.get(name, type_)
        if its != type_ and "null" not in {its, type_}:
            raise ValueError(f"column `{name}` is {type_} in one part and {its} in another: they cannot be merged")
