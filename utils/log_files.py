"""Log files that several processes write at once: appended line by line, rotated by size, old ones gzipped."""

import contextlib
import gzip
import logging
import os
import shutil
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from utils.file_lock import FileLock

_LOCK = ".rotation.lock"
_COMPRESSION_LOCK = ".compression.lock"


class LogFile:
    """One file that only grows, until it reaches `size` bytes and a new one takes its place.

    Writers hold a shared lock on the folder and the one who rotates an exclusive one, so no line goes to a file that
    has been rotated away, whichever process did it. Nothing is made before the first line. A rotated file is called
    `<name>-<UTC time>.<suffix>.gz`.

    Args:
        path: The live file.
        size: Bytes; a line that would lead beyond them goes to a new file.
        files: Rotated files kept; the oldest go.
    """

    def __init__(self, path: Path, *, size: int, files: int) -> None:
        self._path = path
        self._size = size
        self._files = files
        self._lock = threading.Lock()
        self._fd = -1
        self._pid = 0
        self._identity = (0, 0)

    def write(self, line: str) -> None:
        """Append one line (a newline is added). Raises OSError when the disk does not take it."""
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        rotated = False
        with self._lock:
            with FileLock(self._path.with_name(_LOCK), shared=True):
                full = self._is_full(len(data))
                if not full:
                    self._append(data)
            if full:
                with FileLock(self._path.with_name(_LOCK)):
                    if self._is_full(len(data)):  # nobody else has rotated meanwhile
                        self._rotate()
                        rotated = True
                    self._append(data)
        if rotated:
            self._tidy()

    def rotate(self) -> None:
        """Begin a new file if this one is full, where others append to it by themselves."""
        if self._is_full(1):
            with self._lock, FileLock(self._path.with_name(_LOCK)):
                if self._is_full(1):  # nobody else has rotated meanwhile
                    self._rotate()
            self._tidy()

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        with self._lock:
            self._close()

    def _is_full(self, more: int) -> bool:
        try:
            about = os.stat(self._path)
        except FileNotFoundError:
            return False
        return about.st_size > 0 and about.st_size + more > self._size

    def _append(self, data: bytes) -> None:
        if not self._is_open():
            self._close()
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            about = os.fstat(self._fd)
            self._identity, self._pid = (about.st_dev, about.st_ino), os.getpid()
        # One call a line: O_APPEND keeps lines of different processes whole.
        written = os.write(self._fd, data)
        while written < len(data):  # the disk took a part of it; the rest, or the error that says why
            written += os.write(self._fd, data[written:])

    def _is_open(self) -> bool:
        if self._fd < 0 or self._pid != os.getpid():
            return False
        try:
            about = os.stat(self._path)
        except FileNotFoundError:
            return False
        return (about.st_dev, about.st_ino) == self._identity

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _rotate(self) -> None:
        self._close()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")  # a name that nobody used yet; no test waits for it
        os.replace(self._path, self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}"))

    def _rotated(self, suffix: str) -> list[Path]:
        pattern = f"{self._path.stem}-[0-9]*T[0-9]*Z{self._path.suffix}{suffix}"
        return sorted(self._path.parent.glob(pattern))

    def _tidy(self) -> None:
        """Compress what was rotated (by whom ever), drop what is too old; one process at a time."""
        with contextlib.suppress(BlockingIOError), FileLock(self._path.with_name(_COMPRESSION_LOCK), wait=False):
            for path in self._rotated(""):
                target = path.with_name(path.name + ".gz")
                partial = path.with_name(path.name + ".gz.tmp")
                fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                with path.open("rb") as source, os.fdopen(fd, "wb") as sink, gzip.open(sink, "wb", 6) as packed:
                    shutil.copyfileobj(source, packed, 1 << 20)
                os.replace(partial, target)
                path.unlink()
            for path in self._rotated(".gz")[: -self._files or None]:
                path.unlink(missing_ok=True)


class ComponentFiles(logging.Handler):
    """Writes each record into `<component>.log` (text) and `<component>.jsonl` (JSON lines) of a folder.

    A disk that does not take it is told once on stderr; logging never stops the program.
    """

    def __init__(
        self,
        directory: Path,
        *,
        size: int,
        files: int,
        text: Callable[[logging.LogRecord], str],
        json: Callable[[logging.LogRecord], str],
    ) -> None:
        super().__init__()
        self._directory = directory
        self._size = size
        self._files = files
        self._text = text
        self._json = json
        self._open: dict[str, tuple[LogFile, LogFile]] = {}
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        component: str = getattr(record, "component", "") or "app"
        pair = self._open.get(component)
        if pair is None:
            pair = self._open[component] = (self._file(f"{component}.log"), self._file(f"{component}.jsonl"))
        try:
            pair[0].write(self._text(record))
            pair[1].write(self._json(record))
        except OSError as error:
            if not self._told and sys.stderr is not None:
                self._told = True
                print(f"logs in {self._directory} are not written: {error}", file=sys.stderr)  # noqa: T201

    def close(self) -> None:
        for pair in self._open.values():
            for file in pair:
                file.close()
        self._open.clear()
        super().close()

    def _file(self, name: str) -> LogFile:
        return LogFile(self._directory / name, size=self._size, files=self._files)
