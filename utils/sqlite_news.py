"""Hearing of what any process committed to an SQLite database: the kernel tells when its write-ahead log grew."""

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inotify_simple import INotify

__all__ = ["SqliteNews"]


class SqliteNews:
    """Looks as soon as the write-ahead log was written to (inotify), but every 50 ms at most.

    To look costs 3 microseconds, to wake up for it 150 to 400: where nothing happens, nothing is looked at. Should the
    kernel ever not tell (the file was replaced), it is looked at every five seconds; where the kernel cannot tell (no
    Linux, no watches left), every 50 ms, and every 200 ms once nobody has committed for ten seconds.

    Args:
        changes: A number that differs once another connection changed something.
        path: The database's file; it is open, so that its write-ahead log is there.
    """

    EVERY, RARELY, IN_ANY_CASE = 0.05, 0.2, 5.0
    SOON = 0.005
    QUIET_AFTER = 10.0

    def __init__(self, changes: Callable[[], int], path: Path) -> None:
        self._changes = changes
        self._seen = changes()
        self._heard = time.monotonic()
        self._grown_at = -self.EVERY
        self._closed = threading.Event()
        self._turn = threading.Lock()  # held by who waits: only then may what it polls be closed
        self._asked, self._ask = os.pipe()
        self._grown = _watch(path.with_name(f"{path.name}-wal"))

    def wait(self, seconds: float) -> bool:
        over = time.monotonic() + seconds
        with self._turn:
            while not self._closed.is_set():
                version = self._changes()
                now = time.monotonic()
                if version != self._seen:
                    self._seen, self._heard = version, now
                    return True
                if now >= over:
                    break
                self._pause(now, over - now)
        return False

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        os.write(self._ask, b"!")
        with self._turn:
            if self._grown is not None:
                self._grown.close()
            os.close(self._asked)
            os.close(self._ask)

    def _pause(self, now: float, left: float) -> None:
        """Until there may be news, `left` seconds at most."""
        quiet = now - self._heard
        # The log grows before the commit can be seen: who is quick looks too early, and nobody wakes it again.
        if now - self._grown_at < self.EVERY and quiet >= self.EVERY:
            self._closed.wait(min(left, self.SOON))
            return
        if self._grown is None:
            self._closed.wait(min(left, self.EVERY if quiet < self.QUIET_AFTER else self.RARELY))
            return
        if quiet < self.EVERY:
            self._closed.wait(min(left, self.EVERY - quiet))
        poll = select.poll()
        poll.register(self._asked, select.POLLIN)
        poll.register(self._grown.fileno(), select.POLLIN)
        poll.poll(1000.0 * min(left, self.IN_ANY_CASE))
        if self._grown.read(timeout=0):
            self._grown_at = time.monotonic()


def _watch(file: Path) -> "INotify | None":
    """What becomes readable once the file was written to; None where the kernel cannot tell."""
    with contextlib.suppress(ImportError, OSError):
        from inotify_simple import INotify, flags

        made = INotify()
        try:
            made.add_watch(file, flags.MODIFY)
        except OSError:
            made.close()
            raise
        return made
    return None
