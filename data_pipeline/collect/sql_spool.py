"""Record batches as they come from a database, hashed, in memory while they are few, else in a file that goes away."""

from collections.abc import Iterator
from pathlib import Path

from data_pipeline.collect.spool import Spool
from utils.arrow import pa

__all__ = ["RowSpool"]


class RowSpool:
    """Written once, read as often as wanted. Each batch is an IPC stream of its own, for their types may differ."""

    def __init__(self, folder: Path) -> None:
        self._spool = Spool(folder)

    @property
    def sha256(self) -> str:
        """Of all rows with their types: equal hashes are the same news."""
        return self._spool.sha256

    @property
    def size(self) -> int:
        return self._spool.size

    def write(self, batch: "pa.RecordBatch") -> None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        self._spool.write(sink.getvalue().to_pybytes())

    def finish(self) -> "RowSpool":
        self._spool.finish()
        return self

    def batches(self) -> Iterator["pa.RecordBatch"]:
        path = self._spool.path
        source = pa.BufferReader(self._spool.open().read()) if path is None else pa.OSFile(str(path))
        with source:
            while source.tell() < source.size():
                with pa.ipc.open_stream(source) as reader:
                    yield from reader

    def close(self) -> None:
        self._spool.close()
