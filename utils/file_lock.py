"""A lock between processes that is a file; it frees itself when its owner dies."""

import os
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # Windows: threads are still kept apart by their own locks, processes are not
    fcntl = None  # type: ignore[assignment]  # the module is absent on this platform

__all__ = ["FileLock", "try_lock"]


class FileLock:
    """Hold `path` locked for the length of a `with` block; several readers or one writer.

    The file is opened anew each time, so a fork does not share the lock and a deleted folder comes back. The kernel
    drops the lock when the holder dies, whatever killed it. Use one object a `with` block at a time.

    Args:
        path: The lock file; made with mode 0600, its folder with 0700.
        shared: Other shared holders may come in; an exclusive one waits.
        wait: `False` raises `BlockingIOError` at once instead of waiting.
    """

    __slots__ = ("_fd", "_flags", "_path")

    def __init__(self, path: Path, *, shared: bool = False, wait: bool = True) -> None:
        self._path = os.fspath(path)
        self._fd = -1
        self._flags = 0
        if fcntl is not None:
            self._flags = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)

    def __enter__(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            fd = os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._path) or ".", mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120 - hot path
            fd = os.open(self._path, flags, 0o600)
        if fcntl is not None:
            try:
                fcntl.flock(fd, self._flags)
            except BaseException:
                os.close(fd)
                raise
        self._fd = fd

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
