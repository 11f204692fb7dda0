"""A disk that can be full: a small one in memory, or, where mounting is not permitted, a limit to the size of files."""

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Disk", "small_disk"]

SIZE_MB = 128
"""More than 64 must be free: with less, our disk explains why several providers are down at once."""


class Disk:
    """Where worlds live, one after the other.

    Attributes:
        mounted: It is a disk of its own; else writing beyond a size fails, in this process and its children.
    """

    def __init__(self, path: Path, *, mounted: bool) -> None:
        self.path, self.mounted = path, mounted
        self._ballast = path / "ballast"
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, room: int) -> None:
        """Leave so many bytes."""
        if not self.mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (max(room, 4096), self._limits[1]))
            return
        with self._ballast.open("wb") as file:
            while True:
                about = os.statvfs(self.path)
                spare = about.f_bavail * about.f_frsize - room
                try:
                    if spare > 0:
                        os.posix_fallocate(file.fileno(), 0, spare)
                    return
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    room += 4096  # somebody wrote meanwhile

    def free(self) -> None:
        """There is room again."""
        self._ballast.unlink(missing_ok=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)

    @contextmanager
    def folder(self, name: str) -> Iterator[Path]:
        """An empty folder on it; gone afterwards."""
        path = self.path / name
        path.mkdir()
        try:
            yield path
        finally:
            self.free()
            shutil.rmtree(path, ignore_errors=True)  # who was killed just now may still write


@contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    """A disk in the place of an empty folder."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=700", "tmpfs", str(path)]
    mounted = (
        shutil.which("mount") is not None and not subprocess.run(mount, capture_output=True, check=False).returncode
    )
    try:
        yield Disk(path, mounted=mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(path)], check=True)
