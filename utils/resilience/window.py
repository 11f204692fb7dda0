"""Remember how the last calls went: the last so many, or those of the last seconds."""

import math
import sys
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

# What is remembered of a call.
OK, FAILED, SLOW, SLOW_FAILED = range(4)
BAD = (FAILED, SLOW_FAILED)
LATE = (SLOW, SLOW_FAILED)

SLOTS = 60  # a time window moves on in steps of a sixtieth: a second, when it is a minute long


def require(owner: str, key: str, value: Any, good: Callable[[Any], bool], wanted: str, *, whole: bool = False) -> None:
    """Refuse a setting that is no number, one that no machine can count to, or a wrong one.

    Args:
        good: Whether a number will do.
        whole: It has to be an integer.

    Raises:
        ValueError: It is refused; the message names the owner, the key, what is wanted and what came.
    """
    number = isinstance(value, float) or (hasattr(type(value), "__index__") and not isinstance(value, bool))
    if not number or (whole and isinstance(value, float)):
        wanted = f"a {'whole ' * whole}number, {wanted}"
    elif good(value) and (value == math.inf or value <= sys.maxsize):
        return
    raise ValueError(f"{owner}: {key} must be {wanted}, got {repr(value)[:40]}")


class Counts(NamedTuple):
    """What came of some calls; `row`: how many failed since the last one that did not."""

    calls: int
    failed: int
    slow: int
    row: int


def count(codes: Iterable[int]) -> Counts:
    """The counts of outcomes, oldest first.

    >>> count([OK, FAILED, SLOW_FAILED])
    Counts(calls=3, failed=2, slow=1, row=2)
    """
    codes = tuple(codes)
    row = 0
    for code in reversed(codes):
        if code not in BAD:
            break
        row += 1
    both = codes.count(SLOW_FAILED)
    return Counts(len(codes), codes.count(FAILED) + both, codes.count(SLOW) + both, row)


class CountWindow(deque[int]):
    """The last calls, whenever they were. Appending needs no lock."""

    def counts(self) -> Counts:
        """Of one moment, while others append."""
        return count(tuple(self))


class TimeWindow:
    """The calls of the last seconds, added up in slots, so that it stays as small at any rate. Not thread-safe.

    Args:
        seconds: How far it looks back; what is older leaves it a slot (a sixtieth) at a time.
        monotonic: Tells the seconds.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._slot = seconds / SLOTS
        self._monotonic = monotonic
        self._newest = _Slot(-1, -math.inf)
        self._slots = deque((self._newest,))
        self._calls = self._failed = self._slow = 0

    def append(self, code: int) -> None:
        """A call has just ended."""
        slot = self._newest
        now = self._monotonic()
        if now >= slot.ends and (number := int(now // self._slot)) != slot.number:
            self._forget(number)
            self._newest = slot = _Slot(number, (number + 1) * self._slot)
            self._slots.append(slot)
        self._calls += 1
        slot.calls += 1
        if code == OK:
            slot.row = 0
            return
        failed, slow = code in BAD, code in LATE
        slot.failed += failed
        slot.slow += slow
        slot.row = slot.row + 1 if failed else 0
        self._failed += failed
        self._slow += slow

    def counts(self) -> Counts:
        """As of now."""
        self._forget(int(self._monotonic() // self._slot))
        row = 0
        for slot in reversed(self._slots):
            row += slot.row
            if slot.row < slot.calls:
                break
        return Counts(self._calls, self._failed, self._slow, row)

    def _forget(self, number: int) -> None:
        slots = self._slots
        while slots and slots[0].number <= number - SLOTS:
            old = slots.popleft()
            self._calls -= old.calls
            self._failed -= old.failed
            self._slow -= old.slow
        if not slots:
            self._newest = _Slot(-1, -math.inf)  # else a call of the same slot would be added to what was forgotten


class _Slot:
    __slots__ = ("calls", "ends", "failed", "number", "row", "slow")

    def __init__(self, number: int, ends: float) -> None:
        self.number, self.ends = number, ends
        self.calls = self.failed = self.slow = self.row = 0


Window = CountWindow | TimeWindow
