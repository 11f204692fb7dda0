"""A blob that is written piece by piece."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from io import BufferedIOBase, BufferedWriter
from typing import TYPE_CHECKING

from utils.storage.blob import Stored
from utils.storage.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


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

    def finish(self, path: str) -> None:
        """Say what was written: it can be seen now."""
        self.stored = Stored(path, self._size, self._hash.hexdigest())

    def abandon(self) -> None:
        """Close it without a word: what was written is thrown away."""
        with suppress(OSError):  # flushing what does not fit fails again
            self._file.close()
        with suppress(OSError, ValueError):
            super().close()
