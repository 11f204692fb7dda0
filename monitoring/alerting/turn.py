"""Which of several processes sends what an outbox has: one at a time."""

from pathlib import Path
from typing import Protocol

from utils.file_lock import FileLock
from utils.leases import Leases

__all__ = ["LEASE", "FileTurn", "LeaseTurn", "Turn"]

LEASE = "alerts"


class Turn(Protocol):
    """Taken by the one who sends."""

    def take(self) -> bool:
        """Whether it is ours now; asked again while it is ours, it stays ours."""
        ...

    def give(self) -> None:
        """Let another have it."""
        ...


class LeaseTurn:
    """Among the processes of an installation."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self._mine = False

    def take(self) -> bool:
        self._mine = self._mine or bool(self._leases.acquire([LEASE]))
        return self._mine

    def give(self) -> None:
        if self._mine:
            self._mine = False
            self._leases.release([LEASE])


class FileTurn:
    """Among programs that share a folder. The kernel takes it from one that died."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: FileLock | None = None

    def take(self) -> bool:
        if self._lock is None:
            lock = FileLock(self._path, within=0)
            try:
                lock.__enter__()
            except BlockingIOError:
                return False
            self._lock = lock
        return True

    def give(self) -> None:
        if self._lock is not None:
            self._lock.__exit__(None, None, None)
            self._lock = None
