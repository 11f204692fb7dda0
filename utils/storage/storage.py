"""Blobs under names, on disk: atomic, checksummed, private.

A blob is a file under its own name; with `pack_below`, smaller ones share one SQLite file. What a killed process left
behind is found by `sweep`.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from heapq import merge
from io import BufferedReader, BufferedWriter, BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from utils.clock import SYSTEM_CLOCK, Clock
from utils.storage.blob import Blob, Stored
from utils.storage.errors import StorageError, explained, explaining
from utils.storage.folder import Folder, is_name
from utils.storage.small_blobs import SmallBlobs
from utils.storage.writer import BlobWriter

if TYPE_CHECKING:
    from utils.damage import SetAside


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
        self._folder = Folder(root)
        self._clock = clock
        self._pack_below = pack_below
        self._small = SmallBlobs(self._folder.small, on_set_aside=on_set_aside, now=clock.now)

    def put_bytes(self, path: str, data: bytes | memoryview, *, durable: bool = False, later: bool = False) -> Stored:
        """Write a blob, replacing what was there.

        Args:
            durable: Also survive a power cut (flushes file and folder: milliseconds instead of microseconds).
            later: A small blob may wait for `flush`, which the caller does before anybody hears of the blob; other
                processes do not see it until then, and a kill before it leaves nothing.
        """
        target = self._folder.full(path)
        self._send(path, data)
        if len(data) < self._pack_below and not durable:
            return self._pack(path, target, data, self._small.put_later if later else self._small.put)
        try:
            temporary, fd = self._folder.create(target)
            try:
                try:
                    rest = memoryview(data).cast("B")
                    while rest:
                        rest = rest[os.write(fd, rest) :]
                    if durable:
                        os.fsync(fd)
                finally:
                    os.close(fd)
                self._folder.publish(temporary, target, durable=durable)
            except BaseException:
                self._folder.discard(temporary)
                raise
        except OSError as error:
            raise explained(error, path, target) from error
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
        target = self._folder.full(path)

        def explain(error: OSError) -> StorageError:
            return explained(error, path, target)

        try:
            temporary, fd = self._folder.create(target)
        except OSError as error:
            raise explain(error) from error
        file = BlobWriter(BufferedWriter(FileIO(fd, "wb"), 1 << 18), durable, explain)
        try:
            yield file
            file.close()
            self._send(path, temporary)
            try:
                self._folder.publish(temporary, target, durable=durable)
            except OSError as error:
                raise explain(error) from error
            self._unpack(path)
            file.finish(path)
        finally:
            if file.stored is None:
                file.abandon()
                self._folder.discard(temporary)

    def open(self, path: str) -> BinaryIO:
        """The blob as a seekable binary file; a blob that is replaced or deleted meanwhile reads on as it was."""
        target = self._folder.full(path)
        try:
            return open(target, "rb")
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (small := self._packed(path)) is not None:
                return BytesIO(small)
            raise explained(error, path, target) from error

    def passing(self, path: str) -> BinaryIO:
        """The same for who reads it once, so that nothing is kept for the next reader."""
        return self.open(path)

    def read_bytes(self, path: str) -> bytes:
        """The whole blob."""
        target = self._folder.full(path)
        try:
            with open(target, "rb", buffering=0) as file:
                return file.readall()
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (small := self._packed(path)) is not None:
                return small
            raise explained(error, path, target) from error

    def exists(self, path: str) -> bool:
        """Whether there is a blob of this name."""
        full = self._folder.full(path)
        return os.path.isfile(full) or self._packed_size(path) is not None  # noqa: PTH113 - names are strings here

    def size(self, path: str) -> int:
        """Bytes of the blob."""
        target = self._folder.full(path)
        try:
            return os.stat(target).st_size
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (small := self._packed_size(path)) is not None:
                return small
            raise explained(error, path, target) from error

    def verify(self, path: str, sha256: str) -> bool:
        """Whether the blob's content has this SHA-256 (hexadecimal), read in pieces."""
        return self.digest(path) == sha256.lower()

    def digest(self, path: str) -> str:
        """The SHA-256 (hexadecimal) of the blob's content, read in pieces."""
        with self.open(path) as file, explaining(path):
            assert isinstance(file, BufferedReader | BytesIO)
            return hashlib.file_digest(file, "sha256").hexdigest()

    def identity(self, path: str) -> tuple[int, int, int]:
        """Bytes, time of change (ns) and inode of the blob: other ones when it was written anew. Small blobs: 0, 0."""
        target = self._folder.full(path)
        try:
            about = os.stat(target)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (small := self._packed_size(path)) is not None:
                return small, 0, 0
            raise explained(error, path, target) from error
        return about.st_size, about.st_mtime_ns, about.st_ino

    def renew(self, path: str) -> bool:
        """Whether a blob that came out wrong may be read again: there was a copy of it, which is given up."""
        return False

    def reachable(self) -> None:
        """Raise StorageError when nothing can be read or written now."""
        self.exists("any")

    def local_path(self, path: str) -> Path:
        """Where the blob is, or would be, on this machine's disk, if it is a file: for readers that map files."""
        return Path(self._folder.full(path))

    def delete(self, path: str) -> bool:
        """Remove the blob and the folders it leaves empty; `False` when there was none."""
        target = self._folder.full(path)
        try:
            os.remove(target)  # noqa: PTH107 - names are strings here
        except (FileNotFoundError, NotADirectoryError):
            return self._unpack(path)
        except OSError as error:
            raise explained(error, path, target) from error
        self._folder.tidy(target)
        return True

    def list(self, prefix: str = "") -> Iterator[Blob]:
        """The blobs whose names start with `prefix`, by name, as an object store would list them."""
        if prefix:
            self._folder.full(prefix.rstrip("/"))
        return merge(self._folder.list(prefix), self._list_packed(prefix), key=lambda blob: blob.path)

    def set_aside(self) -> tuple[Path, ...]:
        """Damaged files of small blobs that were set aside, oldest first."""
        return self._small.set_aside()

    def sweep(self, older_than: float) -> int:
        """Remove temporary files that no writer has touched for `older_than` seconds; how many."""
        return self._folder.sweep(self._clock.time() - older_than)

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

    def _pack(
        self,
        path: str,
        target: str,
        data: bytes | memoryview,
        put: Callable[[str, bytes | memoryview, float], None],
    ) -> Stored:
        with explaining(path):
            put(path, data, self._clock.time())
        with suppress(OSError):
            os.remove(target)  # noqa: PTH107 - one name, one blob: the larger one it replaces, if any
        return Stored(path, len(data), hashlib.sha256(data).hexdigest())

    def _packed(self, path: str) -> bytes | None:
        with explaining(path):
            return self._small.get(path)

    def _packed_size(self, path: str) -> int | None:
        with explaining(path):
            return self._small.size(path)

    def _list_packed(self, prefix: str) -> Iterator[Blob]:
        with explaining(prefix):
            found = list(self._small.list(prefix))
        for name, size, at in found:
            if is_name(name):  # a flipped bit may have made it no name, which nobody can ask for
                yield Blob(name, size, datetime.fromtimestamp(at, UTC))

    def _unpack(self, path: str) -> bool:
        """Forget the small blob of this name; whether there was one."""
        with explaining(path):
            return self._small.size(path) is not None and self._small.delete(path)
