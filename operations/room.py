"""How full the state's disk is, and what takes the room: of ours by what it is and of which dataset."""

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from integrated_system import IntegratedSystem

__all__ = ["LEAST_FREE", "Consumer", "Disk", "biggest", "disk_of", "is_full"]

LEAST_FREE = 200 * 2**20
"""Bytes: a disk on which more is free is not full, however many percent are used."""

_BY_DATASET = frozenset({"datasets", "tables", "held", "raw", "quarantine"})
"""Folders of the storage that have one folder a dataset."""


class Disk(NamedTuple):
    """How full a disk is, as a user has it: what is kept for the administrator counts as used up. Bytes."""

    used: int
    free: int

    @property
    def percent(self) -> float:
        return 100.0 * self.used / max(1, self.used + self.free)

    def needed(self, percent: float) -> int:
        """Bytes to free until it is below so many percent."""
        return max(0, self.used - int((self.used + self.free) * percent / 100.0) + 1)


class Consumer(NamedTuple):
    """Something that takes room. `name` as people say it: `raw answers of orders`."""

    name: str
    bytes: int


def disk_of(path: Path) -> Disk:
    """The disk that a path lies on.

    Raises:
        OSError: it cannot be asked.
    """
    about = shutil.disk_usage(path)
    return Disk(about.used, about.free)


def is_full(system: IntegratedSystem) -> bool:
    """Whether the state's disk is so full that the next run may not find room."""
    try:
        disk = disk_of(system.state_dir)
    except OSError:
        return False
    return disk.percent >= system.settings.monitor.thresholds.disk[1] and disk.free < LEAST_FREE


def biggest(system: IntegratedSystem, disk: Disk, most: int = 3) -> list[Consumer]:
    """The largest parts of the state, and all else on its disk as one."""
    taken: Counter[str] = Counter()
    state = system.state_dir
    device = os.stat(state).st_dev
    for path, size in _files(os.fspath(state), device):
        taken[_name(path[len(os.fspath(state)) + 1 :])] += size
    others = disk.used - sum(taken.values())
    if others > 0:
        taken["what is not ours"] = others
    return [Consumer(name, size) for name, size in taken.most_common(most) if size > 0]


def _files(folder: str, device: int) -> Iterator[tuple[str, int]]:
    """All files below a folder, on its disk, and the bytes that they take there."""
    waiting = [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # gone meanwhile
                    about = entry.stat(follow_symlinks=False)
                    if about.st_dev != device:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield entry.path, about.st_blocks * 512


def _name(path: str) -> str:
    """What a file of the state belongs to."""
    first, *rest = path.split("/")
    if first == "storage" and len(rest) > 2 and rest[0] in _BY_DATASET:
        what = {"raw": "raw answers", "held": "held batches", "quarantine": "quarantined rows"}.get(rest[0], "versions")
        return f"{what} of {rest[1]}"
    if first == "storage":
        return "small versions and answers"
    if first.startswith("orchestrator.db"):
        return "log, views and history"
    return {"cache": "the cache", "logs": "log files", "tmp": "temporary files", "alerts": "alerts"}.get(first, first)
