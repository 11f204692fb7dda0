"""Removes old temporary files below folders that were named, and nothing else, whatever links lie in them.

Folders are entered by descriptor and never by path, links are not followed (`O_NOFOLLOW`), what is mounted there
is left alone; what goes is a regular file of this user that nobody has changed for a while and nobody has open.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from config.temporary_roots import why_not_a_root

__all__ = ["OLD_S", "Cleaned", "clean_temporary"]

OLD_S = 24 * 3600.0
"""Seconds after which a temporary file belongs to nobody who is still writing it."""

_DEEPEST = 32
_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Cleaned:
    """What went, or in a dry run would go: files, and the bytes that they take on the disk.

    Attributes:
        in_use: Old files that somebody has open.
        refused: Folders that were not entered, and why.
    """

    files: int = 0
    bytes: int = 0
    in_use: int = 0
    refused: dict[str, str] = field(default_factory=dict)


def clean_temporary(
    roots: Iterable[Path],
    *,
    now: float,
    older_than: float = OLD_S,
    dry_run: bool = False,
    leave: Sequence[Path] = (),
    anybodys: bool = False,
) -> Cleaned:
    """Remove old files below each of these folders; folders that are old and empty by then go, too.

    Args:
        now: Seconds since the epoch.
        older_than: Seconds since a file was written or renamed last.
        leave: Folders that nothing is removed from: a root above or below one of them is refused, unless it is one of
            our own (`tmp` in the state directory).
        anybodys: Also files of other users, in folders where nobody but this program writes.
    """
    cleaned = Cleaned()
    sweep = _Sweep(cleaned, now - older_than, dry_run, None if anybodys else os.geteuid())
    ours = {Path(os.path.realpath(folder)) / "tmp" for folder in leave}
    for root in roots:
        real = Path(os.path.realpath(root))
        if real not in ours and (why := why_not_a_root(real) or _clashes(real, leave)):
            cleaned.refused[str(root)] = why
            continue
        try:
            descriptor = os.open(real, _ENTER)
        except FileNotFoundError:
            continue
        except OSError as error:
            cleaned.refused[str(root)] = error.strerror or str(error)
            continue
        try:
            sweep.folder(descriptor, _mounted(descriptor), 0)
        finally:
            os.close(descriptor)
    return cleaned


def _mounted(descriptor: int) -> tuple[int, str]:
    """The device of a folder, and by which mount we came to it: a bind mount is of the same device."""
    lines: list[str] = []
    with contextlib.suppress(OSError):  # no /proc
        lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
    return os.fstat(descriptor).st_dev, next((line for line in lines if line.startswith("mnt_id:")), "")


def _clashes(root: Path, leave: Sequence[Path]) -> str:
    for folder in leave:
        real = Path(os.path.realpath(folder))
        if root.is_relative_to(real):
            return f"it lies in {folder}, which is not temporary"
        if real.is_relative_to(root):
            return f"{folder} lies in it"
    return ""


class _Sweep:
    def __init__(self, cleaned: Cleaned, before: float, dry_run: bool, uid: int | None) -> None:
        self._cleaned, self._before, self._dry_run, self._uid = cleaned, before, dry_run, uid

    def folder(self, descriptor: int, mounted: tuple[int, str], depth: int) -> None:
        with os.scandir(descriptor) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            with contextlib.suppress(OSError):  # gone meanwhile, or not ours to look into
                about = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if about.st_dev != mounted[0]:
                    continue
                if stat.S_ISDIR(about.st_mode) and depth < _DEEPEST:
                    self._subfolder(descriptor, name, about, mounted, depth)
                elif stat.S_ISREG(about.st_mode) and self._is_old(about):
                    self._file(descriptor, name, about)

    def _subfolder(self, parent: int, name: str, about: os.stat_result, mounted: tuple[int, str], depth: int) -> None:
        descriptor = os.open(name, _ENTER, dir_fd=parent)
        try:
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) == (about.st_dev, about.st_ino) and _mounted(descriptor) == mounted:
                self.folder(descriptor, mounted, depth + 1)
        finally:
            os.close(descriptor)
        if self._is_old(about) and not self._dry_run:
            os.rmdir(name, dir_fd=parent)  # refused by the system unless it is empty

    def _file(self, parent: int, name: str, about: os.stat_result) -> None:
        if (about.st_dev, about.st_ino) in self._open:
            self._cleaned.in_use += 1
            return
        if not self._dry_run:
            os.unlink(name, dir_fd=parent)
        self._cleaned.files += 1
        self._cleaned.bytes += about.st_blocks * 512 if about.st_nlink == 1 else 0

    def _is_old(self, about: os.stat_result) -> bool:
        """A copy keeps the time of what it was copied from, so the time of the last change of any kind counts, too."""
        return max(about.st_mtime, about.st_ctime) < self._before and self._uid in {None, about.st_uid}

    @cached_property
    def _open(self) -> frozenset[tuple[int, int]]:
        """What any process that we may look into has open: those of this user, and what goes is this user's."""
        found = set()
        for folder in Path("/proc").glob("[0-9]*/fd"):
            with contextlib.suppress(OSError):
                for descriptor in folder.iterdir():
                    with contextlib.suppress(OSError):
                        about = descriptor.stat()
                        found.add((about.st_dev, about.st_ino))
        return frozenset(found)
