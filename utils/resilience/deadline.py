"""How long the current task may still take, known to everything that it calls."""

import math
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.cancellation import current_token
from utils.resilience.errors import DeadlineExceededError


class Deadline:
    """A moment after which nobody waits for the result any more, `seconds` after its block begins.

    A class and no generator: one begins and ends with each request that has a time-out.
    """

    __slots__ = ("_at", "_clock", "_outer", "left", "seconds")

    def __init__(self, seconds: float, clock: Clock) -> None:
        self.seconds = seconds
        self.left = False  # its block is over
        self._clock = clock

    def remaining(self) -> float:
        """Seconds that are left, never below 0.0."""
        left = self._at - self._clock.monotonic()
        return left if left > 0.0 else 0.0  # noqa: FURB136 - max() is a call

    def __enter__(self) -> Self:
        self._outer = outer = _current.get()
        if outer is not None and (left := outer.remaining()) < self.seconds:
            self.seconds = left
        self._at = self._clock.monotonic() + self.seconds
        _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Go back to the innermost block around this one that is still open.

        A generator that was left half-way may leave its block long after the blocks around it, or in another thread: a
        token of the variable would bring back a deadline that is over, or raise. Deadlines that began inside this one
        end with it, so that none outlives the work that it was given to.
        """
        self.left = True
        inside = _current.get()
        while inside is not None and inside is not self:
            inside = inside._outer
        if inside is None:
            return  # another context, or a block around it went before
        before = self._outer
        while before is not None and before.left:
            before = before._outer
        _current.set(before)


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def deadline(seconds: float | None, clock: Clock = SYSTEM_CLOCK) -> AbstractContextManager[Deadline | None]:
    """Give the block `seconds`; `None` adds no limit. A nested deadline can only shrink the time that is left.

    Nothing is interrupted: who waits or calls asks `remaining()` and passes it to its client's own timeout.
    A new thread starts without a deadline: enter it there, or run under `contextvars.copy_context()`. A task that
    is created inside the block keeps it, also when it outlives the block.

    >>> with deadline(60.0):
    ...     with deadline(3600.0):
    ...         remaining() <= 60.0
    True
    """
    if seconds is None:
        return nullcontext(_current.get())
    try:
        wrong = math.isnan(seconds)
    except (TypeError, OverflowError):  # no number, or one that no clock reaches
        wrong = True
    if wrong:
        raise ValueError(f"deadline: the time must be a number of seconds, got {repr(seconds)[:40]}")
    return Deadline(seconds if seconds > 0.0 else 0.0, clock)  # noqa: FURB136 - max() is a call


def remaining() -> float:
    """Seconds that the current task still has; `inf` without a deadline, 0.0 when it is over."""
    current = _current.get()
    return math.inf if current is None else current.remaining()


def check(name: str = "task") -> None:
    """Raise `DeadlineExceededError` when the time is over, `Cancelled` when the work was called off."""
    token = current_token.get()
    if token is not None:
        token.check()
    current = _current.get()
    if current is not None and current.remaining() <= 0.0:
        raise exceeded(name, current.seconds)


def exceeded(name: str, seconds: float) -> DeadlineExceededError:
    """The error for a task that was given `seconds`."""
    return DeadlineExceededError(
        name,
        f"{name}: the deadline of {seconds:g} s is over",
        hint="Raise the deadline, or ask for less at a time.",
    )
