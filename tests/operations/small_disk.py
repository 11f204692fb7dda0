"""A small disk with a state on it that has something of everything that goes, and of everything that stays."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from operations.room import disk_of
from tests.integration.installation import Installation
from utils.clock import ManualClock

SIZE = 64_000_000


class SmallDisk(Installation):
    """An installation whose state lies on a disk of 64 MB."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.disk = folder / "disk"
        self.state = self.disk / "state"
        self.ballast = self.disk / "ballast"

    def fill(self, percent: float) -> None:
        """Somebody else fills it, until so many percent are used."""
        self.ballast.unlink(missing_ok=True)
        disk = disk_of(self.disk)
        size = int((disk.used + disk.free) * percent / 100.0) - disk.used
        with self.ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(4096, size))

    @property
    def percent(self) -> float:
        return disk_of(self.disk).percent

    def write_csv(self, name: str, round_: int, rows: int = 2000) -> Path:
        """A file that is new each round, and does not compress."""
        path = self.folder / f"{name}.csv"
        lines = (f"{number},{os.urandom(40).hex()}" for number in range(rows))
        path.write_text("\n".join(["id,text", *lines, f"{10**6 + round_},{'bad' * (round_ % 2)}"]))
        return path

    def live(self, rounds: int = 4) -> None:
        """Runs that leave versions, raw answers, a held batch, quarantined rows and a version that waits for a sink."""
        (self.folder / "nowhere").write_text("a file where a folder is wanted")
        for round_ in range(rounds):
            self._configure(self._sink, held=round_ == rounds - 1)
            for name in ("orders", "prices", "stock"):
                self.write_csv(name, round_)
            self.run(fresh=True)
        (self.state / "tmp" / "leftover").write_bytes(os.urandom(100_000))
        for number in range(3):
            path = self.state / "logs" / f"runner-2026010{number + 1}T000000.000000Z.jsonl.gz"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(os.urandom(100_000))

    def configure_anew(self, **sections: Any) -> None:
        """The same datasets, with more sections."""
        self._configure(self._sink, held=True, **sections)

    @property
    def _sink(self) -> dict[str, Any]:
        return {"kind": "file", "path": str(self.folder / "nowhere" / "{dataset}.parquet")}

    def _configure(self, sink: dict[str, Any], *, held: bool, **sections: Any) -> None:
        def dataset(name: str, **more: Any) -> dict[str, Any]:
            path = str(self.folder / f"{name}.csv")
            return {"name": name, "collect": {"kind": "file", "path": path}, "keep_raw": "7d", **more}

        row = {"matches": {"column": "text", "pattern": ".{80}"}, "severity": "error"}
        none = {"row_count": {"max": 1}, "severity": "critical"}
        self.configure(
            dataset("orders", rules=[row]),
            dataset("prices", publish=[sink]),
            dataset("stock", rules=[none] if held else []),
            **sections,
        )

    def later(self) -> ManualClock:
        """Three hours on: what is temporary is old by then."""
        return ManualClock(datetime.now(UTC) + timedelta(hours=3))


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mounted in memory.

    Raises:
        AssertionError: mounting is not permitted here.
    """
    made = SmallDisk(folder)
    made.disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(made.disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"a small disk takes the rights to mount one: {done.stderr}"
    try:
        yield made
    finally:
        subprocess.run(["umount", "--lazy", str(made.disk)], check=True)
