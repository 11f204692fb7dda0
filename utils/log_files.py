"""Log files that several processes write at once: appended line by line, rotated by size and by day."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from utils.file_lock import FileLock, try_lock
from utils.log_archive import LogArchive, free_name
from utils.log_forms import Entry

__all__ = ["ComponentFiles", "LogFile"]

_LOCK = ".rotation.lock"
_DAY = 86_400.0


class LogFile:
    """One file that only grows, until it is full or its day (UTC) is over, and a new one takes its place.

    A line costs one look at the file and one write, and no lock between processes: who writes holds a shared lock on
    the file it has open, for as long as that is, and what was rotated is not touched before the last one has let go.
    So no line is lost that somebody wrote while another process rotated. Nothing is made before the first line.

    Args:
        path: The live file.
        size: Bytes; a line that would lead beyond them goes to a new file. Processes that write at the very same
            moment may exceed it by a line each.
        archive: What becomes of rotated files.
    """

    def __init__(self, path: Path, *, size: int, archive: LogArchive) -> None:
        self._path = path
        self._name = os.fspath(path)
        self._size = size
        self._archive = archive
        self._lock = threading.Lock()
        self._fd = -1
        self._device = self._inode = 0
        self._since = self._until = 0.0  # the day of the last line

    def write(self, line: bytes, now: float) -> None:
        """Append one line, which ends with a newline. `now`: epoch seconds. Raises OSError when the disk refuses it."""
        rotated = False
        with self._lock:
            if now >= self._until or now < self._since or not self._fits(len(line)):
                rotated = self._renew(len(line), now)
            # One call a line: O_APPEND keeps lines of different processes whole.
            written = os.write(self._fd, line)
            while written < len(line):  # the disk took a part of it; the rest, or the error that says why
                written += os.write(self._fd, line[written:])
        if rotated:
            self._archive.tidy_soon(self._path.name, now)

    def rotate(self, now: float) -> int:
        """Begin a new file if this one is full or of another day, where others append to it by themselves.

        Gives a descriptor to append to, which the caller closes; what holds it, a child too, keeps the file as it is.
        """
        with self._lock:
            rotated = self._renew(1, now)
            fd, self._fd, self._inode = self._fd, -1, 0
        if rotated:
            self._archive.tidy_soon(self._path.name, now)
        return fd

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        with self._lock:
            self._close()

    def _fits(self, more: int) -> bool:
        """Whether the file that is open is still the live one, and has room."""
        try:
            about = os.stat(self._name)
        except FileNotFoundError:
            return False
        if about.st_ino != self._inode or about.st_dev != self._device:
            return False
        return about.st_size + more <= self._size or about.st_size == 0

    def _renew(self, more: int, now: float) -> bool:
        """Open the live file, a new one if it is due; whether the old one was rotated."""
        today = now // _DAY * _DAY
        with FileLock(self._path.with_name(_LOCK), within=1.0):
            try:
                about = os.stat(self._name)
            except FileNotFoundError:
                due = False
            else:
                is_ours = (about.st_dev, about.st_ino) == (self._device, self._inode)
                of_day = self._since if is_ours else about.st_mtime // _DAY * _DAY
                due = about.st_size > 0 and (about.st_size + more > self._size or of_day < today)
            self._close()
            if due:
                os.replace(self._path, free_name(self._path, now))
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try_lock(self._fd, shared=True)
            made = os.fstat(self._fd)
        self._device, self._inode = made.st_dev, made.st_ino
        self._since, self._until = today, today + _DAY
        return due

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._device = self._inode = 0


class ComponentFiles:
    """Writes each entry into the files of its component, one for each form: `<component>.log`, `<component>.jsonl`.

    A disk that does not take it is told once on stderr; logging never stops the program.

    Args:
        forms: Suffix -> how an entry is written there.
        size, files, age: As `LogFile` and `LogArchive` say.
    """

    def __init__(
        self, directory: Path, *, size: int, files: int, age: float, forms: Mapping[str, Callable[[Entry], bytes]]
    ) -> None:
        self._directory = directory
        self._size = size
        self._forms = forms
        self._archive = LogArchive(directory, files=files, age=age)
        self._open: dict[str, list[tuple[LogFile, Callable[[Entry], bytes]]]] = {}
        self._told = False

    def write(self, entry: Entry) -> None:
        component = entry.component
        try:
            for file, form in self._open.get(component) or self._files_of(component):
                file.write(form(entry), entry.created)
        except OSError as error:
            if not self._told and sys.stderr is not None:
                self._told = True
                print(f"logs in {self._directory} are not written: {error}", file=sys.stderr)  # noqa: T201

    def close(self) -> None:
        """Let go of the files, once what was rotated is compressed."""
        for files in list(self._open.values()):
            for file, _ in files:
                file.close()
        self._archive.close()

    def _files_of(self, component: str) -> list[tuple[LogFile, Callable[[Entry], bytes]]]:
        made = [
            (LogFile(self._directory / f"{component}{suffix}", size=self._size, archive=self._archive), form)
            for suffix, form in self._forms.items()
        ]
        return self._open.setdefault(component, made)  # of two threads that come at once, one wins
