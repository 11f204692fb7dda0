"""Blobs in an object store, with copies on this machine's disk.

The store holds the truth: what is written counts once it is there. The folder holds copies of what was written or read
here: they are read first, so what readers see stays readable while the store is away. A copy is never the only one for
long: `settle` sends what the store lacks (a storage that began as a folder, an object that was lost), and removes the
copies used longest ago, beyond a limit.
"""

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from utils.clock import SYSTEM_CLOCK, Clock
from utils.storage.blob import Blob
from utils.storage.errors import BlobNotFound, explained
from utils.storage.storage import Storage

if TYPE_CHECKING:
    from utils.damage import SetAside

__all__ = ["ObjectStorage", "ObjectStore", "Settled"]


class ObjectStore(Protocol):
    """Objects below an address. All methods raise StorageError."""

    def put(self, path: str, source: str | bytes) -> None:
        """Make an object of a file (its path) or of bytes: whole or not at all, and seen to be there."""
        ...

    def get(self, path: str, target: str) -> None:
        """Write an object's content over a file, compared with its hash. Raises BlobNotFound."""
        ...

    def find(self, path: str) -> Blob | None:
        """What is there."""
        ...

    def remove(self, path: str) -> None:
        """Remove an object; one that is not there is as good."""
        ...

    def list(self, prefix: str) -> Iterator[Blob]:
        """The objects whose names start with `prefix`, by name."""
        ...

    def close(self) -> None:
        """Give back the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Settled:
    """What `settle` did. `sent`: blobs that the store lacked; `dropped`: copies removed, of `freed` bytes; `left`:
    blobs that the store lacks still, for which the time was over."""

    sent: int = 0
    dropped: int = 0
    freed: int = 0
    left: int = 0


class ObjectStorage(Storage):
    """See `Storage`. Several processes of one machine share the copies, for they share the folder.

    A name is written once, or again with the same content: copies are not compared with the store when they are read.

    Args:
        root: The folder of the copies.
        store: Belongs to this storage alone.
    """

    def __init__(
        self,
        root: Path,
        store: ObjectStore,
        *,
        clock: Clock = SYSTEM_CLOCK,
        pack_below: int = 0,
        on_set_aside: "Callable[[SetAside], None]" = lambda _: None,
    ) -> None:
        super().__init__(root, clock=clock, pack_below=pack_below, on_set_aside=on_set_aside)
        self._store = store

    def open(self, path: str) -> BinaryIO:
        try:
            return super().open(path)
        except BlobNotFound:
            self._fetch(path)
            return super().open(path)

    def passing(self, path: str) -> BinaryIO:
        try:
            return super().open(path)
        except BlobNotFound:
            temporary = self._fetched(path)
            try:
                return open(temporary, "rb")
            finally:
                self._folder.discard(temporary)

    def read_bytes(self, path: str) -> bytes:
        try:
            return super().read_bytes(path)
        except BlobNotFound:
            self._fetch(path)
            return super().read_bytes(path)

    def exists(self, path: str) -> bool:
        return super().exists(path) or self._store.find(path) is not None

    def size(self, path: str) -> int:
        try:
            return super().size(path)
        except BlobNotFound:
            if (found := self._store.find(path)) is None:
                raise
            return found.size

    def identity(self, path: str) -> tuple[int, int, int]:
        try:
            return super().identity(path)
        except BlobNotFound:
            self._fetch(path)
            return super().identity(path)

    def renew(self, path: str) -> bool:
        if not super().exists(path) or self._store.find(path) is None:
            return False
        super().delete(path)
        return True

    def reachable(self) -> None:
        next(self._store.list("any"), None)

    def delete(self, path: str) -> bool:
        had = super().delete(path)  # first: what is only in the store is found there, a copy alone would be sent again
        if self._store.find(path) is None:
            return had
        self._store.remove(path)
        return True

    def list(self, prefix: str = "") -> Iterator[Blob]:
        copies = {blob.path: blob for blob in super().list(prefix)}
        found = copies | {blob.path: blob for blob in self._store.list(prefix)}
        return iter([found[path] for path in sorted(found)])

    def settle(
        self, *, most: int, keep: Collection[str] = (), go_on: Callable[[], bool] = lambda: True, dry_run: bool = False
    ) -> Settled:
        """Send what the store lacks, and remove copies.

        Args:
            most: Bytes that copies may take.
            keep: Names whose copies stay, whatever they take.
            go_on: Asked before each blob is sent.
        """
        there = {blob.path: blob.size for blob in self._store.list("")}
        copies = list(super().list())
        lacking = [blob for blob in copies if blob.path not in there]
        if dry_run:
            return Settled(left=len(lacking))
        sent = 0
        for number, blob in enumerate(lacking):
            if not go_on():
                return Settled(sent, left=len(lacking) - number)
            if self._put_copy(blob.path):
                sent, there[blob.path] = sent + 1, blob.size
        dropped = freed = 0
        taken = sum(blob.size for blob in copies)
        for blob in sorted(copies, key=lambda blob: blob.modified):
            if taken - freed <= most:
                break
            if blob.path not in keep and there.get(blob.path) == blob.size and super().delete(blob.path):
                dropped, freed = dropped + 1, freed + blob.size
        return Settled(sent, dropped, freed)

    def close(self) -> None:
        super().close()
        self._store.close()

    def _send(self, path: str, source: str | bytes | memoryview) -> None:
        self._store.put(path, source if isinstance(source, str) else bytes(source))

    def _put_copy(self, path: str) -> bool:
        """Whether the copy was still there to be sent."""
        full = self._folder.full(path)
        try:
            self._store.put(path, full if os.path.isfile(full) else super().read_bytes(path))  # noqa: PTH113
        except FileNotFoundError:
            return False
        return True

    def _fetch(self, path: str) -> None:
        """Make a copy of a blob of the store. Raises BlobNotFound."""
        temporary = self._fetched(path)
        target = self._folder.full(path)
        try:
            if os.stat(temporary).st_size < self._pack_below:
                with open(temporary, "rb") as file:
                    self._pack(path, target, file.read(), self._small.put_later)
                self._folder.discard(temporary)
            else:
                self._folder.publish(temporary, target, durable=False)
        except BaseException as error:
            self._folder.discard(temporary)
            if isinstance(error, OSError) and not isinstance(error, BlobNotFound):
                raise explained(error, path, self._folder.full(path)) from error
            raise

    def _fetched(self, path: str) -> str:
        """Where a blob of the store was written, under a name that nobody else knows."""
        try:
            temporary, fd = self._folder.create(self._folder.full(path))
        except OSError as error:
            raise explained(error, path, self._folder.full(path)) from error
        os.close(fd)
        try:
            self._store.get(path, temporary)
        except BaseException as error:
            self._folder.discard(temporary)
            if isinstance(error, OSError) and not isinstance(error, BlobNotFound):
                raise explained(error, path, self._folder.full(path)) from error
            raise
        return temporary
