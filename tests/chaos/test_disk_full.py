"""A disk that is full, before a run and in its middle: said in words, and all is well once there is room again."""

import json
import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.state import Battered, simulated

NAMES = [f"d{number:03d}" for number in range(100)]
WORDS = ("the disk is full", "I/O error")
"""What SQLite says on a full disk; and where the disk is only simulated, by a limit to the size of files."""


@dataclass
class SmallDisk:
    """A disk of 32 megabytes. Where mounting is not permitted, a limit to the size of files does its work."""

    path: Path
    mounted: bool
    limit: dict[str, Any] = field(default_factory=dict)

    def leave(self, room: int) -> None:
        """Fill it but for `room` bytes (multiples of 4 KB)."""
        if self.mounted:
            about = os.statvfs(self.path)
            size = about.f_bavail * about.f_frsize - room
            with (self.path / "ballast").open("wb") as ballast:
                os.posix_fallocate(ballast.fileno(), 0, size)
            return

        def bounded() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

        self.limit = {"preexec_fn": bounded}

    def free(self) -> None:
        """Make room again."""
        (self.path / "ballast").unlink(missing_ok=True)
        self.limit = {}


@pytest.fixture(params=["a small disk", "a limit to the size of files"])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SmallDisk]:
    """Both ways to fill a disk; where the first is not permitted, the second stands in for it."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = False
    if request.param == "a small disk":
        mount = ["mount", "-t", "tmpfs", "-o", "size=32m,mode=700", "tmpfs", str(path)]
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield SmallDisk(path, mounted)
    if mounted:
        subprocess.run(["umount", str(path)], check=True)


def refused(done: "subprocess.CompletedProcess[str]") -> None:
    """A failure that is told as the contract says: in words and with a way out, on both faces."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert any(words in done.stdout + done.stderr for words in WORDS)


def test_a_run_on_a_full_disk_says_so_and_the_next_one_succeeds(tmp_path: Path, disk: SmallDisk) -> None:
    """Exit 1 with a message and a hint; nothing is lost, and with room again the line just works."""
    battered = Battered(tmp_path, disk.path / "state")
    battered.configure(simulated(NAMES))
    before = battered.cli("run", "--json")
    assert before.returncode == 0, before.stderr
    first = json.loads(before.stdout)["run_id"]

    disk.leave(0)
    refused(battered.cli("run", "--fresh", **disk.limit))
    told = battered.cli("run", "--fresh", "--json", **disk.limit)
    refused(told)
    error = json.loads(told.stdout)["error"]
    assert error["type"] == "StateError"
    assert error["hint"]
    disk.free()

    after = battered.cli("run", "--fresh", "--json")
    assert after.returncode == 0, after.stderr
    assert [d["status"] for d in json.loads(after.stdout)["datasets"]] == ["succeeded"] * len(NAMES)
    assert battered.cli("events", "verify").returncode == 0
    battered.keeps(first, NAMES)
    assert "running" not in battered.runs().values()


def test_a_disk_that_fills_up_during_the_first_run_loses_nothing_acknowledged(tmp_path: Path, disk: SmallDisk) -> None:
    """What was acknowledged before the disk was full is there; the run can be resumed when there is room."""
    battered = Battered(tmp_path, disk.path / "state")
    battered.configure(simulated(NAMES, latency="5ms"))
    disk.leave(512 * 1024)

    done = subprocess.run(
        battered.driver("run"), capture_output=True, text=True, check=False, timeout=120, **disk.limit
    )

    assert done.returncode != 0
    acknowledged = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("done ")]
    assert len(acknowledged) < len(NAMES)
    disk.free()
    battered.verified()
    for run_id in battered.runs():
        battered.keeps(run_id, acknowledged)
    assert battered.cli("run", "--fresh").returncode == 0
    assert "running" not in battered.runs().values()
    assert Path(battered.state).stat().st_mode & 0o777 == 0o700


def test_a_cache_that_finds_no_room_stops_no_delivery(tmp_path: Path) -> None:
    """The disk is full for the cache alone: the run delivers all, and says once that nothing is cached."""
    battered = Battered(tmp_path, tmp_path / "state")
    battered.configure(simulated(NAMES[:20]))
    with battered.system() as system:
        system.cache.set("first", b"", ttl=600.0)
        reader = sqlite3.connect(battered.state / "cache" / "cache.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM Cache").fetchone()  # from here on its log can only grow
        for number in range(300):
            system.cache.set(f"filler {number}", b"x" * 8_000, ttl=600.0)
    assert (battered.state / "cache" / "cache.db-wal").stat().st_size > 2**21

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**21, 2**21))

    done = battered.cli("run", "--json", preexec_fn=bounded)
    reader.close()

    assert done.returncode == 0, done.stderr
    assert [d["status"] for d in json.loads(done.stdout)["datasets"]] == ["succeeded"] * 20
    assert "Traceback" not in done.stderr
    with battered.system() as system:
        (told,) = system.events.read(type="cache.unavailable")
        assert any(words in told.data["reason"] for words in ("full", "I/O"))
    assert [d["origin"] for d in json.loads(battered.cli("run", "--json").stdout)["datasets"]] == ["provider"] * 20
    assert [d["origin"] for d in json.loads(battered.cli("run", "--json").stdout)["datasets"]] == ["cache"] * 20
