"""Threads that compute on small things take turns, instead of fighting over the interpreter lock.

Arrow and SQLite release that lock at every call, however short, and whoever waits for it takes it at once. Eight
workers and the writer handed it round 77 times a dataset, which cost more than the work: 1,300 microseconds of CPU a
small dataset, 800 with turns. There is one interpreter lock a process, and so there is one turn.

Nobody waits for anything but the disk while it is their turn: not for a provider, not for another thread. Work on
something large needs no turn; its calls are long, and several of them use several cores.
"""

import threading
from contextlib import AbstractContextManager, nullcontext

SMALL = 2**20
"""Bytes up to which work is so short that handing over costs more than computing side by side saves."""

TURN = threading.Lock()


def turn(size: int) -> AbstractContextManager[object]:
    """The turn for work on `size` bytes; for large work, a context that waits for nobody."""
    return TURN if size <= SMALL else nullcontext()
