"""How long the current task may still take, known to everything that it calls."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from utils.clock import SYSTEM_CLOCK, Clock
from utils.resilience.cancellation import current_token
from utils.resilience.errors import DeadlineExceededError


class Deadline:
    """A moment after which nobody waits for the result any more."""

    __slots__ = ("_at", "_clock", "left", "outer", "seconds")

    def __init__(self, seconds: float, clock: Clock, outer: "Deadline | None") -> None:
        self.seconds = seconds
        self.outer = outer
        self.left = False  # its block is over
        self._clock = clock
        self._at = clock.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds that are left, never below 0.0."""
        return max(0.0, self._at - self._clock.monotonic())


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float | None, clock: Clock = SYSTEM_CLOCK) -> Iterator[Deadline | None]:
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
        yield _current.get()
        return
    if math.isnan(seconds):
        raise ValueError("deadline: the time must be a number of seconds, got nan")
    inner = Deadline(min(max(0.0, seconds), remaining()), clock, _current.get())
    _current.set(inner)
    try:
        yield inner
    finally:
        _leave(inner)


def _leave(inner: Deadline) -> None:
    """Go back to the innermost block around `inner` that is still open.

    A generator that was left half-way may leave its block long after the blocks around it, or in another thread: a
    token of the variable would bring back a deadline that is over, or raise. Deadlines that began inside `inner` end
    with it, so that none outlives the work that it was given to.
    """
    inner.left = True
    inside = _current.get()
    while inside is not None and inside is not inner:
        inside = inside.outer
    if inside is None:
        return  # another context, or a block around it went before
    before = inner.outer
    while before is not None and before.left:
        before = before.outer
    _current.set(before)


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
