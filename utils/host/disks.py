"""Which disks there are, which of them holds a folder, and how much they read and wrote."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Disks"]

_LOOK_AGAIN = 60.0

Counters = Mapping[str, tuple[float, ...]]
"""Disk -> bytes read and written since boot."""


class Disks:
    """Tells disks from what lies on them or stands for them, which would count the same bytes twice."""

    def __init__(self, folder: Path, system: Path = Path("/sys"), mounts: Path = Path("/proc/self/mountinfo")) -> None:
        self._folder, self._system, self._mounts = folder, system, mounts
        self._looked: float | None = None
        self._whole: frozenset[str] = frozenset()
        self._holding = ""

    def counters(self, psutil: Any, now: float) -> tuple[Counters, Counters]:
        """Of all whole disks, and of the one that holds the folder, a part or a mapped disk ({}: it is none).

        `now`: monotonic seconds. Raises whatever psutil does, which may be missing.
        """
        found = psutil.disk_io_counters(perdisk=True, nowrap=False)
        if self._looked is None or not 0.0 <= now - self._looked < _LOOK_AGAIN:
            self._whole = frozenset(name for name in found if self._is_whole(name))
            self._holding = self._disk_of_folder()
            self._looked = now
        whole = {name: (io.read_bytes, io.write_bytes) for name, io in found.items() if name in self._whole}
        mine = found.get(self._holding)
        return whole, {} if mine is None else {self._holding: (mine.read_bytes, mine.write_bytes)}

    def _is_whole(self, name: str) -> bool:
        block = self._system / "block"
        return not block.is_dir() or (block / name.replace("/", "!") / "device").exists()

    def _disk_of_folder(self) -> str:
        """Its name as the kernel has it; "" where that is not known: a network's, a memory's, a container's layers."""
        try:
            device = self._folder.stat().st_dev
        except OSError:
            return ""
        if os.major(device) == 0:  # of a file system that has no disk of its own, btrfs for example
            device = self._source_of(f"{os.major(device)}:{os.minor(device)}")
        link = self._system / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}"
        return link.resolve().name.replace("!", "/") if link.exists() else ""

    def _source_of(self, number: str) -> int:
        try:
            mounts = self._mounts.read_text(errors="replace").splitlines()
        except OSError:
            return 0
        for line in mounts:
            before, _, after = line.partition(" - ")
            parts, source = before.split(" "), after.split(" ")
            if len(parts) > 2 and len(source) > 1 and parts[2] == number and source[1].startswith("/dev/"):
                try:
                    return Path(source[1]).stat().st_rdev
                except OSError:
                    return 0
        return 0
