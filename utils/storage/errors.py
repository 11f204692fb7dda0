"""What can go wrong with a blob, in words.

StorageError            what happened, where, what to do; `transient`: may it pass by itself?
├── BlobNotFound        there is no blob of this name (also a FileNotFoundError)
└── BlobNameInvalid     the name is absolute, climbs out with `..`, or is no name (also a ValueError)
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from utils.database import StateError


class StorageError(Exception):
    """A blob could not be read or written. `str()` holds the message and the hint."""

    def __init__(self, message: str, *, path: str, hint: str, transient: bool) -> None:
        super().__init__(f"{message}. {hint}")
        self.message = message
        self.path = path
        self.hint = hint
        self.transient = transient


class BlobNotFound(StorageError, FileNotFoundError):
    """There is no blob of this name."""


class BlobNameInvalid(StorageError, ValueError):
    """Not a relative posix path that stays inside the storage."""


@contextmanager
def explaining(path: str) -> Iterator[None]:
    """What goes wrong inside with an open file, or with the file of small blobs, becomes a StorageError."""
    try:
        yield
    except StateError as error:
        message = f"storage: {path}: {error}"
        raise StorageError(message, path=path, hint=error.hint, transient=error.transient) from error
    except OSError as error:
        raise explained(error, path, path) from error


def explained(error: OSError, path: str, target: str) -> StorageError:
    """The same of one error. `target`: the file that it is about."""
    if isinstance(error, FileNotFoundError):
        return BlobNotFound(
            f"storage: there is no {path!r}", path=path, hint="It was deleted, or never written", transient=False
        )
    reason, hint, transient = _HINTS.get(
        error.errno or 0, (error.strerror or str(error), "Check the folder and its file system", False)
    )
    return StorageError(f"storage: {target}: {reason}", path=path, hint=hint, transient=transient)


_HINTS = {
    errno.ENOSPC: (
        "the disk is full",
        "Free some space (`maintain` sheds what can be had again), then run again",
        True,
    ),
    errno.EDQUOT: ("the disk quota is used up", "Free some space or raise the quota, then run again", True),
    errno.EFBIG: ("the file is larger than allowed here", "Raise the file size limit (ulimit -f) or store less", False),
    errno.EROFS: ("the file system is read-only", "Mount it writable or choose another state directory", False),
    errno.EACCES: ("no permission", "Give this user access to the folder or choose another state directory", False),
    errno.EPERM: ("not permitted", "Give this user access to the folder or choose another state directory", False),
    errno.ENOTDIR: ("a part of the path is a file", "Remove that file or choose another name", False),
    errno.EISDIR: ("it is a folder", "Choose another name, or remove the folder", False),
    errno.ENAMETOOLONG: ("the name is too long", "Use at most 255 bytes between two slashes", False),
    errno.EIO: ("the device reports an input/output error", "Check the disk's health and the system log", True),
    errno.EMFILE: ("too many open files", "Raise the limit (ulimit -n) or run fewer workers", True),
    errno.ENFILE: ("too many open files on this machine", "Close some programs", True),
}
