"""Blobs under names, on disk: atomic, checksummed, private.

    StorageError            what happened, where, what to do; `transient`: may it pass by itself?
    ├── BlobNotFound        there is no blob of this name (also a FileNotFoundError)
    └── BlobNameInvalid     the name is absolute, climbs out with `..`, or is no name (also a ValueError)

A blob is a file under its own name; with `pack_below`, smaller ones share one SQLite file. A file is written under a
temporary name in its own folder and renamed when it is whole, so a reader sees the old one or the new one, never half
of one. What a killed process left behind is found by `sweep`.
"""

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from io import BufferedIOBase, BufferedReader, BufferedWriter, BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import StateError
from utils.small_blobs import SmallBlobs

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from utils.damage import SetAside

_TEMPORARY = ".tmp-"
_SMALL = ".small.db"
_BAD_PART = re.compile(r"(?:^|/)(?:\.{0,2}|\.tmp-[^/]*|\.small\.[^/]*)(?:/|$)|[\x00-\x1f\x7f\\]")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_TRIES = 100  # a folder may be tidied away by another process between its making and its use


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Blob:
    """What is there."""

    path: str
    size: int
    modified: datetime


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


class BlobWriter(BufferedIOBase):
    """A binary file to write into, in order; counts and hashes what passes. After the `with` block: `stored`."""

    def __init__(self, file: BufferedWriter, durable: bool, explain: Callable[[OSError], StorageError]) -> None:
        self._file = file
        self._durable = durable
        self._explain = explain
        self._hash = hashlib.sha256()
        self._size = 0
        self.stored: Stored | None = None

    def writable(self) -> bool:
        return not self.closed

    def write(self, data: "ReadableBuffer", /) -> int:
        view = memoryview(data)
        try:
            self._file.write(view)
        except OSError as error:
            raise self._explain(error) from error
        self._hash.update(view)
        self._size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        try:
            if not self._file.closed:
                self._file.flush()
        except OSError as error:
            raise self._explain(error) from error

    def close(self) -> None:
        try:
            if not self._file.closed:
                self._file.flush()
                if self._durable:
                    os.fsync(self._file.fileno())
                self._file.close()
        except OSError as error:
            raise self._explain(error) from error
        super().close()

    def _finish(self, path: str) -> None:
        self.stored = Stored(path, self._size, self._hash.hexdigest())

    def _abandon(self) -> None:
        with suppress(OSError):  # flushing what does not fit fails again
            self._file.close()
        with suppress(OSError, ValueError):
            super().close()


class Storage:
    """Blobs in a folder; names are relative posix paths such as `versions/eq/1.parquet`. Safe for threads, processes.

    Folders are made when needed (0700), files are 0600, empty folders go with their last blob. Names starting with
    `.tmp-` belong to the storage itself.

    Args:
        root: The folder; nothing is made before the first write.
        clock: Tells the age of leftovers.
        pack_below: Bytes; a smaller blob put at once goes into `.small.db` in the root. 0: every blob is a file.

    Raises (all methods):
        StorageError: Disk full or read-only, no permission, input/output error.
        BlobNameInvalid: The name is absolute, has `..`, `.`, empty or temporary parts, a backslash or control signs.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock = SYSTEM_CLOCK,
        pack_below: int = 0,
        on_set_aside: "Callable[[SetAside], None]" = lambda _: None,
    ) -> None:
        self._root = os.path.abspath(root)  # noqa: PTH100 - a string, and links stay links
        self._clock = clock
        self._pack_below = pack_below
        self._small = SmallBlobs(Path(self._root, _SMALL), on_set_aside=on_set_aside, now=clock.now)

    def put_bytes(self, path: str, data: bytes | memoryview, *, durable: bool = False, later: bool = False) -> Stored:
        """Write a blob, replacing what was there.

        Args:
            durable: Also survive a power cut (flushes file and folder: milliseconds instead of microseconds).
            later: A small blob may wait for `flush`, which the caller does before anybody hears of the blob; other
                processes do not see it until then, and a kill before it leaves nothing.
        """
        target = self._full(path)
        self._send(path, data)
        if len(data) < self._pack_below and not durable:
            return self._pack(path, target, data, self._small.put_later if later else self._small.put)
        try:
            temporary, fd = self._create(target)
            try:
                try:
                    rest = memoryview(data).cast("B")
                    while rest:
                        rest = rest[os.write(fd, rest) :]
                    if durable:
                        os.fsync(fd)
                finally:
                    os.close(fd)
                self._publish(temporary, target, durable)
            except BaseException:
                _remove(temporary)
                raise
        except OSError as error:
            raise _explain(error, path, target) from error
        self._unpack(path)
        return Stored(path, len(memoryview(data).cast("B")), hashlib.sha256(data).hexdigest())

    @contextmanager
    def writer(self, path: str, *, durable: bool = False) -> Iterator[BlobWriter]:
        """A file to write a blob into; it appears when the block ends, and after an exception nothing does.

        >>> import tempfile
        >>> with Storage(Path(tempfile.mkdtemp())).writer("greeting") as file:
        ...     _ = file.write(b"hello")
        >>> file.stored.size
        5
        """
        target = self._full(path)

        def explain(error: OSError) -> StorageError:
            return _explain(error, path, target)

        try:
            temporary, fd = self._create(target)
        except OSError as error:
            raise explain(error) from error
        file = BlobWriter(BufferedWriter(FileIO(fd, "wb"), 1 << 18), durable, explain)
        try:
            yield file
            file.close()
            self._send(path, temporary)
            try:
                self._publish(temporary, target, durable)
            except OSError as error:
                raise explain(error) from error
            self._unpack(path)
            file._finish(path)
        finally:
            if file.stored is None:
                file._abandon()
                _remove(temporary)

    def open(self, path: str) -> BinaryIO:
        """The blob as a seekable binary file; a blob that is replaced or deleted meanwhile reads on as it was."""
        target = self._full(path)
        try:
            return open(target, "rb")
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (small := self._packed(path)) is not None:
                return BytesIO(small)
            raise _explain(error, path, target) from error

    def passing(self, path: str) -> BinaryIO:
        """The same for who reads it once, so that nothing is kept for the next reader."""
        return self.open(path)

    def read_bytes(self, path: str) -> bytes:
        """The whole blob."""
        target = self._full(path)
        try:
            with open(target, "rb", buffering=0) as file:
                return file.readall()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (small := self._packed(path)) is not None:
                return small
            raise _explain(error, path, target) from error

    def exists(self, path: str) -> bool:
        """Whether there is a blob of this name."""
        full = self._full(path)
        return os.path.isfile(full) or self._packed_size(path) is not None  # noqa: PTH113 - names are strings here

    def size(self, path: str) -> int:
        """Bytes of the blob."""
        target = self._full(path)
        try:
            return os.stat(target).st_size
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (small := self._packed_size(path)) is not None:
                return small
            raise _explain(error, path, target) from error

    def verify(self, path: str, sha256: str) -> bool:
        """Whether the blob's content has this SHA-256 (hexadecimal), read in pieces."""
        return self.digest(path) == sha256.lower()

    def digest(self, path: str) -> str:
        """The SHA-256 (hexadecimal) of the blob's content, read in pieces."""
        with self.open(path) as file, _reading(path):
            assert isinstance(file, BufferedReader | BytesIO)
            return hashlib.file_digest(file, "sha256").hexdigest()

    def identity(self, path: str) -> tuple[int, int, int]:
        """Bytes, time of change (ns) and inode of the blob: other ones when it was written anew. Small blobs: 0, 0."""
        target = self._full(path)
        try:
            about = os.stat(target)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (small := self._packed_size(path)) is not None:
                return small, 0, 0
            raise _explain(error, path, target) from error
        return about.st_size, about.st_mtime_ns, about.st_ino

    def renew(self, path: str) -> bool:
        """Whether a blob that came out wrong may be read again: there was a copy of it, which is given up."""
        return False

    def reachable(self) -> None:
        """Raise StorageError when nothing can be read or written now."""
        self.exists("any")

    def local_path(self, path: str) -> Path:
        """Where the blob is, or would be, on this machine's disk, if it is a file: for readers that map files."""
        return Path(self._full(path))

    def delete(self, path: str) -> bool:
        """Remove the blob and the folders it leaves empty; `False` when there was none."""
        target = self._full(path)
        try:
            os.remove(target)  # noqa: PTH107 - names are strings here
        except (FileNotFoundError, NotADirectoryError):
            return self._unpack(path)
        except OSError as error:
            raise _explain(error, path, target) from error
        self._tidy(target)
        return True

    def list(self, prefix: str = "") -> Iterator[Blob]:
        """The blobs whose names start with `prefix`, by name, as an object store would list them."""
        if prefix:
            self._full(prefix.rstrip("/"))
        base = prefix.rpartition("/")[0]
        return merge(self._walk(base, prefix), self._list_packed(prefix), key=lambda blob: blob.path)

    def set_aside(self) -> tuple[Path, ...]:
        """Damaged files of small blobs that were set aside, oldest first."""
        return self._small.set_aside()

    def sweep(self, older_than: float) -> int:
        """Remove temporary files that no writer has touched for `older_than` seconds; how many."""
        limit = self._clock.time() - older_than
        count = 0
        for folder, _, names in os.walk(self._root):
            for name in names:
                if name.startswith(_TEMPORARY):
                    leftover = f"{folder}/{name}"
                    with suppress(OSError):  # its writer may have finished just now
                        if os.lstat(leftover).st_mtime <= limit:
                            os.remove(leftover)  # noqa: PTH107 - names are strings here
                            self._tidy(leftover)
                            count += 1
        return count

    def close(self) -> None:
        """Close what small blobs are kept in."""
        self._small.close()

    def flush(self) -> None:
        """Write the small blobs that wait.

        Raises:
            StateError: the disk is full or cannot be written; they wait on.
        """
        self._small.flush()

    def _send(self, path: str, source: str | bytes | memoryview) -> None:
        """Called with what is about to be seen here under a name: bytes, or the path of a file."""

    def _explained(self, error: OSError, path: str) -> StorageError:
        return _explain(error, path, self._full(path))

    def _pack(
        self,
        path: str,
        target: str,
        data: bytes | memoryview,
        put: Callable[[str, bytes | memoryview, float], None],
    ) -> Stored:
        with _told(path):
            put(path, data, self._clock.time())
        with suppress(OSError):
            os.remove(target)  # noqa: PTH107 - one name, one blob: the larger one it replaces, if any
        return Stored(path, len(data), hashlib.sha256(data).hexdigest())

    def _packed(self, path: str) -> bytes | None:
        with _told(path):
            return self._small.get(path)

    def _packed_size(self, path: str) -> int | None:
        with _told(path):
            return self._small.size(path)

    def _list_packed(self, prefix: str) -> Iterator[Blob]:
        with _told(prefix):
            found = list(self._small.list(prefix))
        for name, size, at in found:
            if _BAD_PART.search(name) is None:  # a flipped bit may have made it no name, which nobody can ask for
                yield Blob(name, size, datetime.fromtimestamp(at, UTC))

    def _unpack(self, path: str) -> bool:
        """Forget the small blob of this name; whether there was one."""
        with _told(path):
            return self._small.size(path) is not None and self._small.delete(path)

    def _full(self, path: str) -> str:
        if _BAD_PART.search(path) is not None:
            raise BlobNameInvalid(
                f"storage: {path!r} is not a name for a blob",
                path=path,
                hint="Use a relative path with / between its parts, without . or .. and not starting with .tmp-",
                transient=False,
            )
        return f"{self._root}/{path}"

    def _create(self, target: str) -> tuple[str, int]:
        folder = target.rpartition("/")[0]
        temporary = f"{folder}/{_TEMPORARY}{os.urandom(8).hex()}"
        for _ in range(_TRIES):
            try:
                return temporary, os.open(temporary, _CREATE, 0o600)
            except FileNotFoundError:
                self._make_folder(folder)
        raise StorageError(
            f"storage: the folder {folder} cannot be made",
            path=folder,
            hint="Check whether a broken link is in its place, or another program keeps deleting it",
            transient=True,
        )

    def _make_folder(self, folder: str) -> None:
        missing = []
        while not os.path.isdir(folder):  # noqa: PTH112 - names are strings here
            missing.append(folder)
            folder = os.path.dirname(folder)  # noqa: PTH120
        for each in reversed(missing):  # not makedirs: it would give the folders between them the default mode
            with suppress(FileExistsError, FileNotFoundError):
                os.mkdir(each, 0o700)  # noqa: PTH102

    def _publish(self, temporary: str, target: str, durable: bool) -> None:
        os.replace(temporary, target)
        if durable:
            folder = target.rpartition("/")[0]
            while len(folder) >= len(self._root):  # the names of new folders have to survive as well
                fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)
                folder = folder.rpartition("/")[0]

    def _tidy(self, target: str) -> None:
        folder = target.rpartition("/")[0]
        with suppress(OSError):  # the first one that is not empty ends it
            while len(folder) > len(self._root):
                os.rmdir(folder)  # noqa: PTH106
                folder = folder.rpartition("/")[0]

    def _walk(self, base: str, prefix: str) -> Iterator[Blob]:
        try:
            with os.scandir(f"{self._root}/{base}" if base else self._root) as entries:
                # A folder sorts with its slash, so that the whole listing is in the order of the names.
                found = sorted((entry.name + "/" if entry.is_dir() else entry.name, entry) for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise _explain(error, prefix, f"{self._root}/{base}") from error
        for name, entry in found:
            path = f"{base}/{name}" if base else name
            if name.endswith("/"):
                if path.startswith(prefix) or prefix.startswith(path):
                    yield from self._walk(path[:-1], prefix)
            elif path.startswith(prefix) and not name.startswith((_TEMPORARY, ".small.")):
                with suppress(FileNotFoundError):  # deleted while we look
                    about = entry.stat()
                    yield Blob(path, about.st_size, datetime.fromtimestamp(about.st_mtime, UTC))


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


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """What goes wrong with a file that could be opened, as an error of the storage."""
    try:
        yield
    except OSError as error:
        raise _explain(error, path, path) from error


@contextmanager
def _told(path: str) -> Iterator[None]:
    """What goes wrong with the file of small blobs, as an error of the storage."""
    try:
        yield
    except StateError as error:
        message = f"storage: {path}: {error}"
        raise StorageError(message, path=path, hint=error.hint, transient=error.transient) from error
    except OSError as error:  # its folder cannot be made
        raise _explain(error, path, path) from error


def _explain(error: OSError, path: str, target: str) -> StorageError:
    if isinstance(error, FileNotFoundError):
        return BlobNotFound(
            f"storage: there is no {path!r}", path=path, hint="It was deleted, or never written", transient=False
        )
    reason, hint, transient = _HINTS.get(
        error.errno or 0, (error.strerror or str(error), "Check the folder and its file system", False)
    )
    return StorageError(f"storage: {target}: {reason}", path=path, hint=hint, transient=transient)


def _remove(temporary: str) -> None:
    with suppress(OSError):
        os.remove(temporary)  # noqa: PTH107 - names are strings here
