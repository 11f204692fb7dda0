"""What a rule knows of a batch that it cannot judge row by row: gathered chunk by chunk, merged, judged at the end."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from data_pipeline.validate.kernels.columns import Chunk

if TYPE_CHECKING:
    from data_pipeline.validate.report import Example, Segments
    from data_pipeline.validate.rules import Rule
    from utils.arrow import pa

__all__ = ["Found", "Gather", "Gathered", "GatheredRows"]


class Found(NamedTuple):
    """What a rule found in the whole of a batch; the fields are those of a `RuleOutcome`.

    Attributes:
        passed: None: when no more failed than the tolerance allows.
    """

    failed: int
    of: int
    detail: str = ""
    observed: str | None = None
    limit_s: float | None = None
    passed: bool | None = None
    segments: "Segments | None" = None
    examples: "tuple[Example, ...]" = ()


class Gathered(Protocol):
    """A state: `merge` is associative and gives for the parts what the whole would have given.

    It travels between machines and releases as bytes: JSON or Arrow IPC, never pickle. Version and rule stand beside
    it in `States.to_bytes`, so it says neither. Its class is listed under the rule's kind in `kernels/binding.py`.
    """

    def merge(self, other: Self) -> Self:
        """What is known after the rows of both; `other` comes later in the batch, where the order matters."""
        ...

    def found(self, rule: "Rule", now: datetime) -> Found:
        """The verdict, once all rows were seen."""
        ...

    def to_bytes(self) -> bytes:
        """All that is known, for `from_bytes`."""
        ...

    @classmethod
    def from_bytes(cls, found: bytes) -> Self:
        """The state that `to_bytes` wrote: equal, and merging as that one does."""
        ...


class GatheredRows(Gathered, Protocol):
    """The state of a rule that judges rows, but knows only after all of them which ones fail: a second look tells.

    Attributes:
        certain: Whether `found` counts the failing rows exactly. Else it says how many may fail at most, and the second
            look how many do: `found` is asked once more behind it, for what else it may know by then.
    """

    @property
    def certain(self) -> bool: ...

    def failing(self, again: "Callable[[], Iterator[Chunk]]") -> "Iterator[pa.BooleanArray | None]":
        """Where the rule fails, chunk by chunk in their order; null and None mean nowhere.

        Called only where `found` says that rows may fail, and the rule sets rows aside or `certain` is false.

        Args:
            again: All chunks once more from the first on, as often as wanted; those of all parts, after a merge.
        """
        ...


Gather = Callable[[Chunk], "Gathered | None"]
"""What one chunk adds to the state of a rule; None: nothing."""
