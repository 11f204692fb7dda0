"""Where the folders of tests lie: in memory if there is room, on the disk for tests that are about disks."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

MEMORY = Path("/dev/shm")

ROOM = 4 * 2**30
"""Bytes of memory that must be free."""


def choose() -> None:
    """Have pytest make its folders in memory, unless it was told where.

    Thousands of databases that wait for the disk, which no test takes away, were a quarter of the time. Programs that
    tests write must run there: in containers they often may not.
    """
    runs = MEMORY.is_dir() and not os.statvfs(MEMORY).f_flag & (os.ST_NOEXEC | os.ST_RDONLY)
    if runs and min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """An empty folder on the disk, as far as the system's folder for temporary files lies there."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
