"""Count what many threads do, without a lock on their way."""

import itertools
import threading
from collections.abc import Callable


class Count:
    """A number that any thread adds one to with `add`, exactly: a step of `itertools.count` is atomic.

    >>> calls = Count()
    >>> _ = calls.add(), calls.add()
    >>> calls.value, calls.value
    (2, 2)
    """

    __slots__ = ("_lock", "_looks", "add")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks = 0  # looking takes a step, too; they are taken off again
        self.add: Callable[[], int] = itertools.count().__next__

    @property
    def value(self) -> int:
        """How often `add` was called."""
        with self._lock:
            steps = self.add() - self._looks
            self._looks += 1
            return steps
