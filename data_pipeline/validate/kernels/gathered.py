"""What a rule knows of a batch that it cannot judge row by row: gathered chunk by chunk, merged, judged at the end."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from data_pipeline.validate.kernels.columns import Chunk

if TYPE_CHECKING:
    from data_pipeline.validate.rules import Rule

__all__ = ["Found", "Gather", "Gathered"]


class Found(NamedTuple):
    """What a rule found in the whole of a batch; the fields are those of a `RuleOutcome`."""

    failed: int
    of: int
    detail: str = ""
    observed: str | None = None
    limit_s: float | None = None


class Gathered(Protocol):
    """A state: `merge` is associative and gives for the parts what the whole would have given."""

    def merge(self, other: Self) -> Self:
        """What is known after the rows of both; `other` comes later in the batch, where the order matters."""
        ...

    def found(self, rule: "Rule", now: datetime) -> Found:
        """The verdict, once all rows were seen."""
        ...


Gather = Callable[[Chunk], Gathered]
"""What one chunk adds to the state of a rule."""
