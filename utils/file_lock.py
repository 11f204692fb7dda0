"""A lock between processes that is a file; it frees itself when its owner dies."""

import errno
import os
import time
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # Windows: threads are still kept apart by their own locks, processes are not
    fcntl = None  # type: ignore[assignment]  # the module is absent on this platform

__all__ = ["FileLock", "try_lock"]

PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.002  # there is no lock of a file that waits for some time only


class FileLock:
    """Hold `path` locked for the length of a `with` block; several readers or one writer.

    The file is opened anew each time, so a fork does not share the lock and a deleted folder comes back. The kernel
    drops the lock when the holder dies, whatever killed it. One that was stopped (SIGSTOP, a frozen container) keeps
    it, so nobody waits for ever. Use one object a `with` block at a time.

    Args:
        path: The lock file; made with mode 0600, its folder with 0700.
        shared: Other shared holders may come in; an exclusive one waits.
        within: Seconds that others may keep it.

    Raises:
        BlockingIOError: another holder is in the way, and `within` is 0.
        TimeoutError: another one kept it for that long.
        OSError: the file cannot be made or opened.
    """

    __slots__ = ("_fd", "_flags", "_path", "_within")

    def __init__(self, path: Path, *, shared: bool = False, within: float = PATIENCE_S) -> None:
        self._path = os.fspath(path)
        self._fd = -1
        self._flags = 0
        self._within = within
        if fcntl is not None:
            self._flags = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB

    def __enter__(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            fd = os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._path) or ".", mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120 - hot path
            fd = os.open(self._path, flags, 0o600)
        if fcntl is not None:
            try:
                self._lock(fd)
            except BaseException:
                os.close(fd)
                raise
        self._fd = fd

    def _lock(self, fd: int) -> None:
        end = time.monotonic() + self._within
        while True:
            try:
                return fcntl.flock(fd, self._flags)
            except BlockingIOError:
                if not self._within:
                    raise
            if time.monotonic() > end:
                told = f"another process has kept it locked for {self._within:g} s"
                raise TimeoutError(errno.ETIMEDOUT, told, self._path)
            time.sleep(_LOOK_EVERY_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)  # closing releases
        self._fd = -1


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting, until it is closed everywhere; False when another holder is in the way."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
