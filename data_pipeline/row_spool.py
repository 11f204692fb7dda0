"""Record batches of any schemas, kept in order: in memory while they are few, then in a file that goes away."""

import contextlib
import hashlib
import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from utils.arrow import pa

__all__ = ["RowSpool", "spool_folder", "spooling_in"]

_LOOK_CLOSER = 2**20
_folder: ContextVar[Path | None] = ContextVar("spool_folder", default=None)


@contextmanager
def spooling_in(folder: Path) -> Iterator[None]:
    """Spools that name no folder make their files here, as long as the block lasts.

    Many a system keeps its own folder for temporary files in memory; and what a killed process leaves behind here,
    maintenance finds.
    """
    before = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(before)


def spool_folder() -> Path | None:
    """Where temporary files are made now; None: the system's own folder for them."""
    return _folder.get()


class RowSpool:
    """Appended once, read as often as wanted. Every batch may have a schema of its own.

    The file goes away with `drop()`, or with the last reference to the spool, whichever is first.

    Args:
        memory: Bytes of rows that are held before the file is begun.
        folder: Where the file is made; None: see `spooling_in`, else the system's own folder for temporary files.
        hashed: Keep `sha256`.

    Attributes:
        nbytes: What the rows take in memory.
    """

    def __init__(self, memory: int, *, folder: Path | None = None, hashed: bool = False) -> None:
        self._memory = memory
        self._folder = folder or spool_folder()
        self._hash = hashlib.sha256() if hashed else None
        self._held: list[pa.RecordBatch] = []
        self._path: Path | None = None
        self._file: IO[bytes] | None = None
        self._finalizer: Any = None
        self.rows = 0
        self.nbytes = 0

    @property
    def sha256(self) -> str:
        """Of all rows with their types: equal hashes are the same news."""
        assert self._hash is not None, "it was not asked for"
        return self._hash.hexdigest()

    def append(self, batch: "pa.RecordBatch") -> None:
        """Raises `OSError` when the file cannot be written."""
        self.rows += batch.num_rows
        self.nbytes += _size(batch)
        if self._hash is not None:
            self._hash.update(str(batch.schema).encode())
            self._hash.update(batch.serialize())
        if self._file is None:
            if self.nbytes <= self._memory:
                self._held.append(batch)
                return
            self._start_file()
        self._write(batch)

    def finish(self) -> None:
        """Nothing more comes; what is buffered goes to the file."""
        if self._file is not None:
            self._file.close()

    def batches(self) -> Iterator["pa.RecordBatch"]:
        """From the first on, each time it is called."""
        yield from self._held
        if self._path is None:
            return
        with pa.OSFile(str(self._path)) as source:  # not mapped: pages read would count as our memory
            while source.tell() < source.size():
                # One IPC stream a batch, back to back: each says its own schema.
                with pa.ipc.open_stream(source) as reader:
                    yield from reader

    def drop(self) -> None:
        """Give the space back now instead of with the object."""
        self._held.clear()
        if self._finalizer is not None:
            self._finalizer()
            self._path = None

    def _start_file(self) -> None:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="rows-", suffix=".arrow", dir=self._folder)
        self._path = Path(name)
        self._file = os.fdopen(handle, "wb")
        self._finalizer = weakref.finalize(self, _remove, self._path, self._file)

    def _write(self, batch: "pa.RecordBatch") -> None:
        with pa.ipc.new_stream(self._file, batch.schema) as writer:
            writer.write_batch(batch)


def _size(batch: "pa.RecordBatch") -> int:
    """Bytes. The quick count takes a slice for all that it was cut from; the exact one costs 60 µs."""
    quick: int = batch.get_total_buffer_size()
    return quick if quick <= _LOOK_CLOSER else int(batch.nbytes)


def _remove(path: Path, file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # it flushes, and on a full disk that fails: the file must go all the more
        file.close()
    path.unlink(missing_ok=True)
