"""A stream that foreign threads read from until it is told to end."""

import io
import threading
from typing import IO, Any


class Stoppable(io.RawIOBase):
    """Reads from `stream`; after `stop` every read fails, and none is in progress.

    Arrow reads ahead in threads of its own, and goes on when opening its reader failed: then there is nothing to
    close. A thread that still reads from Python when the interpreter ends takes the process down, or hangs it.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._reading = threading.Lock()
        self._stopped = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def read(self, size: int = -1) -> bytes:
        with self._reading:
            if self._stopped:
                raise OSError("nobody wants more")
            return self._stream.read(size)

    def stop(self) -> None:
        self._stopped = True
        with self._reading:
            pass
