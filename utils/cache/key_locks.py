"""One lock a key between processes, all in one empty file; a process that dies lets go of its locks."""

import os
import struct
from hashlib import blake2b
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # the module is absent on this platform

# Without it (Windows, old Unix) threads are still kept apart by their own means, processes are not.
_TRY_LOCK: int | None = getattr(fcntl, "F_OFD_SETLK", None)

_held: set[int] = set()


class KeyLocks:
    """Locks on single bytes of `path`, at the place that the key's hash says; the file stays empty.

    There is no file a key that somebody would have to delete, and no two keys in practice share a byte. The locks
    belong to the opened file (F_OFD_SETLK), so they keep threads and objects of one process apart as well.
    """

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)

    def try_lock(self, key: str) -> "KeyLock | None":
        """The lock of `key`, or `None` when somebody holds it. Where files cannot be locked it is granted."""
        if _TRY_LOCK is None:
            return KeyLock(-1, key)
        fd = -1
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o600)
            fcntl.fcntl(fd, _TRY_LOCK, _byte(key, fcntl.F_WRLCK))
        except BlockingIOError:
            os.close(fd)
            return None
        except OSError:  # no such folder, read-only, no locks on this file system
            if fd >= 0:
                os.close(fd)
            return KeyLock(-1, key)
        _held.add(fd)
        return KeyLock(fd, key)


class KeyLock:
    """A lock that is held. `release` may be called from any thread, and again."""

    __slots__ = ("_fd", "_key")

    def __init__(self, fd: int, key: str) -> None:
        self._fd = fd
        self._key = key

    def release(self) -> None:
        fd, self._fd = self._fd, -1
        if fd in _held and _TRY_LOCK is not None:
            _held.discard(fd)
            # Closing would do, unless a child was forked this moment that has not closed its own yet.
            fcntl.fcntl(fd, _TRY_LOCK, _byte(self._key, fcntl.F_UNLCK))
            os.close(fd)


def _byte(key: str, kind: int) -> bytes:
    """`struct flock` for a lock on one byte: type, whence, start, length, process (0, as it must be)."""
    place = int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) >> 2  # within off_t
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, place, 1, 0)


def _let_go_in_child() -> None:
    """A forked child shares the opened files: it would hold the locks on after its parent was killed."""
    for fd in _held:
        os.close(fd)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)
