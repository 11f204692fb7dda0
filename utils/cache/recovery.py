"""Make, mend and sweep a cache's directory."""

import os
import re
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

_KEPT_ASIDE = 2  # damaged caches kept for a look; a cache is worth little, a damaged one less
_ORPHAN_AGE_S = 3600.0  # a file without a row is left alone this long: its row may be about to be committed


def flaw(path: Path) -> str | None:
    """Why there cannot be a cache at `path` as it stands, in words; `None` when there can."""
    database = path / "cache.db"
    if path.exists() and not path.is_dir():
        return f"{path} is not a directory"
    if database.is_symlink() or (database.exists() and not database.is_file()):
        return f"{database} is not a file"
    return None


def prepare(path: Path) -> None:
    """A private directory with a private, perhaps empty, database in it, as SQLite itself would not make them.

    Raises:
        OSError: No permission (a directory of somebody else included), no space, read-only.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(path.stat().st_mode) != 0o700:
        path.chmod(0o700)
    # -wal and -shm take over the mode of the database.
    fd = os.open(path / "cache.db", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if stat.S_IMODE(os.fstat(fd).st_mode) != 0o600:
            os.fchmod(fd, 0o600)
    finally:
        os.close(fd)


def set_aside(path: Path, moment: datetime) -> Path:
    """Rename the directory to `<name>.corrupt-<time>`; where it went. Only the newest two of these stay.

    A directory that is a mount point cannot be renamed: its content moves into `corrupt-<time>` inside it then.
    """
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    target = _free(path.with_name(f"{path.name}.corrupt-{stamp}"))
    try:
        path.rename(target)
    except OSError:
        target = _free(path / f"corrupt-{stamp}")
        target.mkdir(mode=0o700)
        for entry in list(path.iterdir()):
            if not entry.name.startswith("corrupt-"):
                entry.rename(target / entry.name)
    aside = re.compile(re.escape(target.name.rpartition("corrupt-")[0]) + r"corrupt-\d{8}T\d{6}Z(-\d+)?")
    others = [entry for entry in target.parent.iterdir() if aside.fullmatch(entry.name) and entry != target]
    others.sort(key=lambda entry: entry.stat().st_mtime_ns)
    for old in others[: max(0, len(others) - _KEPT_ASIDE + 1)]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def sweep(path: Path, known: Callable[[], set[str]], now: float) -> int:
    """Delete value files that no row refers to (a process died between the two); bytes freed."""
    old: list[tuple[str, Path, os.stat_result]] = []
    for folder in path.iterdir():
        if len(folder.name) == 2 and folder.is_dir() and not folder.is_symlink():
            for file in folder.glob("*.val"):
                with suppress(FileNotFoundError):  # another process was quicker
                    if now - (about := file.lstat()).st_mtime > _ORPHAN_AGE_S:
                        old.append((f"{folder.name}/{file.name}", file, about))
    freed = 0
    wanted = known() if old else set()
    for name, file, about in old:
        if name not in wanted and not stat.S_ISDIR(about.st_mode):
            file.unlink(missing_ok=True)
            freed += about.st_size
    return freed


def _free(target: Path) -> Path:
    number = 2
    candidate = target
    while candidate.exists():
        candidate = target.with_name(f"{target.name}-{number}")
        number += 1
    return candidate
