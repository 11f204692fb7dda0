"""Small files of the kernel that are read again and again, kept open: to open and close one takes as long as reading.

A file of /proc that is open belongs to its process for ever: when that has ended nothing can be read any more, also
when another process got its number.
"""

import os
import weakref
from collections.abc import Container

__all__ = ["OpenFiles", "small_file"]

_BYTES = 1024  # a line of /proc/PID/stat has 52 numbers and a name of 64 bytes at most
_SHARE = 8
"""Of the files that this process may have open, one in so many is ours at most."""

_MOST = 1024


def small_file(path: str) -> bytes:
    """The first 1,024 bytes of a file; empty when it cannot be read."""
    # The calls of the system as they are: hundreds of files are read once a second, so a file object is too dear.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _BYTES)
    except OSError:
        return b""  # what it told of ended meanwhile
    finally:
        os.close(descriptor)


class OpenFiles:
    """Files by their paths; closed with it. Not for several threads at once.

    Args:
        most: How many are kept; None: an eighth of what this process may have open, 1,024 at most.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = _allowed() if most is None else most
        self._files: dict[str, int] = {}
        weakref.finalize(self, _close, self._files)

    def read(self, path: str) -> bytes:
        """As `small_file`; the file stays open for the next time, while there is room."""
        descriptor = self._files.get(path)
        if descriptor is not None:
            try:
                return os.pread(descriptor, _BYTES, 0)
            except OSError:
                self._drop(path)
        if len(self._files) >= self._most:
            return small_file(path)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        self._files[path] = descriptor
        try:
            return os.pread(descriptor, _BYTES, 0)
        except OSError:
            self._drop(path)
            return b""

    def keep_only(self, paths: Container[str]) -> None:
        """Close all others."""
        for path in [path for path in self._files if path not in paths]:
            self._drop(path)

    def __len__(self) -> int:
        return len(self._files)

    def _drop(self, path: str) -> None:
        os.close(self._files.pop(path))


def _allowed() -> int:
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft < 0 else min(_MOST, soft // _SHARE)


def _close(files: dict[str, int]) -> None:
    for descriptor in files.values():
        os.close(descriptor)
    files.clear()
