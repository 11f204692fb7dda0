"""A stream that foreign threads read from until it is told to end."""

import io
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import IO, Any, TypeVar

from utils.arrow import pa

F = TypeVar("F", bound=Callable[..., Any])

PATIENCE_S = 10.0
"""Seconds until a stream that a foreign thread does not give back is left to it."""

SETTLES_S = 0.05
"""Seconds for what cannot be seen from Python: on a busy machine one in sixty programs was still taken down."""


class Stoppable:
    """Lends `stream` to Arrow; after `stop` it is at its end, no read is in progress, and nobody has it any more.

    Arrow reads ahead in threads of its own, and goes on when opening its reader failed: then there is nothing to
    close. A thread that still comes to Python when the interpreter ends takes the process down, or hangs it, if only
    to drop what it had of ours. So `stop` waits until Arrow has dropped all that was lent, and until the thread that
    dropped the last of it is out of Python. Whoever calls it must have dropped Arrow's reader before, and keeps
    nothing that was lent.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._reading = threading.Lock()
        self._stopped = False
        self._away: dict[int, weakref.ref[object]] = {}
        self._all_back = threading.Condition()

    def lent(self) -> io.RawIOBase:
        """The stream."""
        lent = _Lent(self)
        self._note(lent)
        return lent

    def lend(self, function: F) -> F:
        """A function that Arrow calls."""
        self._note(function)
        return function

    def read(self, size: int) -> bytes:
        with self._reading:
            # Its end, and no error: Arrow would keep that, and need Python again to forget it.
            return b"" if self._stopped else self._stream.read(size)

    def stop(self, *, whole: bool) -> None:
        """`whole`: Arrow came to the end by itself; what broke off or was given up has a moment more to settle."""
        self._stopped = True
        with self._reading:
            pass
        with self._all_back:
            self._all_back.wait_for(lambda: not self._away, PATIENCE_S)
        pause = threading.Event()
        while _someone_still_leaves():
            pause.wait(0.001)
        if not whole:
            pause.wait(SETTLES_S)

    def _note(self, thing: object) -> None:
        self._away[id(thing)] = weakref.ref(thing, partial(self._returned, id(thing)))

    def _returned(self, number: int, _gone: object) -> None:
        with self._all_back:
            del self._away[number]
            self._all_back.notify_all()


def _someone_still_leaves() -> bool:
    """Whether another thread has told that something is back, and has not come further since.

    It cannot tell when it is out of Python. But without a frame it never waits for its turn again: it is out before
    anybody else runs.
    """
    others = (frame for thread, frame in sys._current_frames().items() if thread != threading.get_ident())
    return any(_is_returning(frame) for frame in others)


def _is_returning(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code is Stoppable._returned.__code__:
            return True
        frame = frame.f_back
    return False


class _Lent(io.RawIOBase):
    def __init__(self, stream: Stoppable) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read_buffer(self, size: int) -> "pa.Buffer":
        """What Arrow asks for: memory of its own, for bytes of ours would have to come back to be freed."""
        piece = self._stream.read(size)
        buffer = pa.allocate_buffer(len(piece))
        memoryview(buffer).cast("B")[:] = piece
        return buffer
