"""What becomes of log files that were rotated: gzipped behind the writers' backs, the old ones dropped."""

import contextlib
import gzip
import os
import re
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from utils.file_lock import FileLock, try_lock

__all__ = ["LogArchive", "free_name"]

_COMPRESSION_LOCK = ".compression.lock"
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_ROTATED = re.compile(r"(?P<stem>.+)-\d{8}T\d{6}\.\d{6}Z(?P<suffix>\.[a-z]+)(?P<packed>\.gz)?(?P<partial>\.tmp)?")


class LogArchive:
    """The rotated files of a folder, called `<name>-<UTC time>.<suffix>.gz`. One process compresses at a time.

    A file that somebody still writes to is left for the next time: writers hold a shared lock on what they have open.

    Args:
        folder: Where the files lie.
        files: Rotated files kept of each; the oldest go.
        age: Seconds for which one is kept, from its rotation on.
    """

    def __init__(self, folder: Path, *, files: int, age: float) -> None:
        self._folder = folder
        self._files = files
        self._age = age
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}
        self._thread: threading.Thread | None = None

    def tidy_soon(self, name: str, now: float) -> None:
        """Tidy the rotated files of `<folder>/<name>`, in a thread; one that is at work does it when it is through."""
        with self._lock:
            self._asked[name] = now
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="log archive")
                self._thread.start()

    def tidy_all(self, now: float) -> int:
        """Tidy those of every file in the folder, here and now; gives the bytes that were freed."""
        return sum(self._tidy(name, now) for name in self._names())

    def old(self, now: float) -> list[Path]:
        """The files that `tidy_all` would remove."""
        return [path for name in self._names() for path in self._too_many(name, now)]

    def close(self) -> None:
        """Comes back once what was asked for is done."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._asked:
                    self._thread = None
                    return
                name, now = self._asked.popitem()
            with contextlib.suppress(OSError):  # a full disk, a folder that is gone: the next rotation tries again
                self._tidy(name, now)

    def _tidy(self, name: str, now: float) -> int:
        freed = 0
        with contextlib.suppress(BlockingIOError), FileLock(self._folder / _COMPRESSION_LOCK, within=0):
            for path in self._rotated(name, packed=True, partial=True):  # of a process that was killed
                path.unlink()
            for path in self._rotated(name):
                freed += _compressed(path)
            for path in self._too_many(name, now):
                freed += path.stat().st_size
                path.unlink()
        return freed

    def _too_many(self, name: str, now: float) -> list[Path]:
        kept = self._rotated(name, packed=True)
        since = datetime.fromtimestamp(now - min(self._age, now), UTC).strftime(_STAMP)
        too_old = [path for path in kept if path.name < f"{Path(name).stem}-{since}"]
        return kept[: max(len(kept) - self._files, len(too_old))]

    def _rotated(self, name: str, *, packed: bool = False, partial: bool = False) -> list[Path]:
        """Those of a live file, oldest first."""
        return sorted(
            path
            for path in self._all()
            if (found := _ROTATED.fullmatch(path.name)) is not None
            and found["stem"] + found["suffix"] == name
            and (found["packed"] is not None, found["partial"] is not None) == (packed, partial)
        )

    def _names(self) -> list[str]:
        found = (_ROTATED.fullmatch(path.name) for path in self._all())
        return sorted({one["stem"] + one["suffix"] for one in found if one is not None})

    def _all(self) -> list[Path]:
        try:
            return list(self._folder.iterdir())
        except FileNotFoundError:
            return []


def free_name(path: Path, now: float) -> Path:
    """What a live file is renamed to: with the time, or the next microsecond that nobody has taken."""
    moment = datetime.fromtimestamp(now, UTC)
    return next(free for free in _names(path, moment) if not (free.exists() or Path(f"{free}.gz").exists()))


def _names(path: Path, moment: datetime) -> Iterator[Path]:
    while True:
        yield path.with_name(f"{path.stem}-{moment.strftime(_STAMP)}{path.suffix}")
        moment += timedelta(microseconds=1)


def _compressed(path: Path) -> int:
    """Put `<path>.gz` in the place of `path`, unless somebody writes to it; the bytes that this freed."""
    with path.open("rb") as source:
        if not try_lock(source.fileno()):
            return 0
        target, partial = path.with_name(path.name + ".gz"), path.with_name(path.name + ".gz.tmp")
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as sink, gzip.open(sink, "wb", 6) as packed:
            shutil.copyfileobj(source, packed, 1 << 20)
        os.replace(partial, target)
        path.unlink()
        return os.fstat(source.fileno()).st_size - target.stat().st_size
