"""One half-open phase: which permits are out, and what came of the calls."""

from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from utils.resilience.window import Counts, count


class Lent(NamedTuple):
    """A permit that is out, and since when (seconds of the machine's monotonic clock)."""

    permit: str
    at: float


@dataclass(frozen=True, slots=True)
class Trial:
    """A half-open phase as a value: each step gives a new one, so that processes can pass it on.

    Args:
        began: When its first permit was lent, in seconds of the monotonic clock, which all processes of a machine
            share. A value from before the machine was started anew lies in the future, or long ago: over, both.
        lent: The permits that are out, lost ones included.
        codes: What came of the calls, oldest first.
    """

    began: float
    lent: tuple[Lent, ...] = ()
    codes: tuple[int, ...] = ()

    def free(self, permits: int, patience: float, now: float) -> int:
        """How many of `permits` may be lent now; one that is out for `patience` seconds is lost, and lent again."""
        out = sum(0.0 <= now - at < patience for _, at in self.lent)
        return permits - len(self.codes) - out

    def lend(self, permit: str, now: float) -> Self:
        """With one more permit out. The time of the phase runs from the first one."""
        idle = not self.lent and not self.codes
        return replace(self, began=now if idle else self.began, lent=(*self.lent, Lent(permit, now)))

    def has_lent(self, permit: str) -> bool:
        """Whether it is out."""
        return any(lent.permit == permit for lent in self.lent)

    def without(self, permit: str) -> Self:
        """That permit is back."""
        return replace(self, lent=tuple(lent for lent in self.lent if lent.permit != permit))

    def with_outcome(self, code: int) -> Self:
        """One more call came back."""
        return replace(self, codes=(*self.codes, code))

    def has_lasted(self, seconds: float, now: float) -> bool:
        """Whether somebody took a permit, and the phase is `seconds` old since."""
        return bool(self.lent or self.codes) and not 0.0 <= now - self.began < seconds

    def counts(self) -> Counts:
        """Of the outcomes."""
        return count(self.codes)


class Permit:
    """The right to make one trial call. One that nobody holds any more without having told what came is given back.

    Args:
        id: Its name in the trial; `None`: a call that nobody asked for, but whose outcome is told.
        dropped: Where its name goes when it is lost: a thread that died, a generator that nobody went on with.
    """

    __slots__ = ("_dropped", "id", "settled")

    def __init__(self, id: str | None, dropped: deque[str]) -> None:
        self.id = id
        self.settled = id is None
        self._dropped = dropped

    def __del__(self) -> None:
        # Runs anywhere, perhaps under our own lock: it must not take one. The next who asks gives it back.
        if not getattr(self, "settled", True) and self.id is not None:  # not there: it was interrupted while made
            self._dropped.append(self.id)
