"""Keeps one answer while it arrives: in memory while it is small, else in a temporary file."""

import contextlib
import hashlib
import os
import tempfile
import weakref
from io import BytesIO
from pathlib import Path
from typing import IO, Any

__all__ = ["MEMORY", "Spool"]

MEMORY = 8 * 2**20
"""Bytes one answer may hold in memory."""


class Spool:
    """Write the chunks, `finish()`, then `open()` fresh readers as often as you like.

    The file goes away with `close()`, or with the last reference to the spool, whichever is first.

    Args:
        folder: Where the temporary file is made, if one is needed; created with its parents.
        memory: Bytes held in memory before the file is begun.
    """

    __slots__ = ("__weakref__", "_chunks", "_file", "_finalizer", "_folder", "_hash", "_memory", "_path", "size")

    def __init__(self, folder: Path, *, memory: int = MEMORY) -> None:
        self.size = 0
        self._folder = folder
        self._memory = memory
        self._chunks: list[bytes] = []
        self._hash = hashlib.sha256()
        self._path: Path | None = None
        self._file: IO[bytes] | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None

    def write(self, chunk: bytes) -> None:
        """Raises `OSError` when the temporary file cannot be written."""
        self.size += len(chunk)
        self._hash.update(chunk)
        if self._file is None and self.size > self._memory:
            self._begin_file()
        if self._file is None:
            self._chunks.append(chunk)
        else:
            self._file.write(chunk)

    def finish(self) -> "Spool":
        """No more bytes will come."""
        if self._file is None:
            self._chunks = [b"".join(self._chunks)]
        else:
            self._file.close()
        return self

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def path(self) -> Path | None:
        """The temporary file, if there is one."""
        return self._path

    def open(self) -> IO[bytes]:
        if self._path is not None:
            return self._path.open("rb")
        return BytesIO(self._chunks[0] if self._chunks else b"")

    def close(self) -> None:
        self._chunks = []
        if self._finalizer is not None:
            self._finalizer()

    def _begin_file(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="answer-", suffix=".part", dir=self._folder)
        self._path = Path(name)
        self._file = os.fdopen(handle, "wb")
        self._finalizer = weakref.finalize(self, _remove, self._file, self._path)
        for chunk in self._chunks:
            self._file.write(chunk)
        self._chunks = []


def _remove(file: IO[bytes], path: Path) -> None:
    with contextlib.suppress(OSError):  # it flushes, and on a full disk that fails: the file must go all the more
        file.close()
    path.unlink(missing_ok=True)
