"""The rows of a dataset as Arrow, batch by batch as they come. Needs `pyarrow`."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from typing import Any

from .transport import Transport

__all__ = ["arrow"]


@contextmanager
def arrow(transport: Transport, path: str, **asked: Any) -> Iterator[Any]:
    """A reader of record batches (`pyarrow.ipc.RecordBatchStreamReader`) over what a path gives."""
    import pyarrow as pa

    with (
        transport.streamed(path, format="arrow", **asked) as response,
        pa.ipc.open_stream(BufferedReader(_Incoming(response.iter_bytes()), 1 << 20)) as stream,
    ):
        yield stream


class _Incoming(RawIOBase):
    """What comes, as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = memoryview(part)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
