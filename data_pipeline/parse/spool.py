"""Record batches of any schemas, kept in order: in memory while they are few, then in a file that goes away."""

import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from utils.arrow import pa


class Spool:
    """Appended once, read as often as wanted.

    Unlike the spool of a `Batch`, every batch may have a schema of its own. The file is removed with the object.
    """

    def __init__(self, memory: int, *, folder: Path | None = None) -> None:
        self._memory = memory
        self._folder = folder
        self._held: list[pa.RecordBatch] = []
        self._path: Path | None = None
        self._file: IO[bytes] | None = None
        self._finalizer: Any = None
        self.rows = 0
        self.nbytes = 0

    def append(self, batch: "pa.RecordBatch") -> None:
        self.rows += batch.num_rows
        self.nbytes += batch.get_total_buffer_size()  # forty times quicker than `nbytes`, which minds slices
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
        self.finish()
        self._held.clear()
        if self._finalizer is not None:
            self._finalizer()
            self._path = None

    def _start_file(self) -> None:
        handle, name = tempfile.mkstemp(prefix="parse-", suffix=".arrow", dir=self._folder)
        self._path = Path(name)
        self._file = os.fdopen(handle, "wb")
        self._finalizer = weakref.finalize(self, _remove, self._path, self._file)

    def _write(self, batch: "pa.RecordBatch") -> None:
        with pa.ipc.new_stream(self._file, batch.schema) as writer:
            writer.write_batch(batch)


def _remove(path: Path, file: IO[bytes]) -> None:
    file.close()
    path.unlink(missing_ok=True)
