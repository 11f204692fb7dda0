"""The lock between processes."""

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.processes import PROCESSES
from utils.file_lock import FileLock


def _hold(path: str, pipe: Connection) -> None:
    with FileLock(Path(path)):
        pipe.send("held")
        pipe.recv()


def test_a_second_holder_is_refused_without_waiting(tmp_path: Path) -> None:
    """An exclusive lock excludes both kinds; afterwards it is free."""
    path = tmp_path / "folder" / "lock"
    with FileLock(path):
        with pytest.raises(BlockingIOError), FileLock(path, wait=False):
            pass
        with pytest.raises(BlockingIOError), FileLock(path, shared=True, wait=False):
            pass

    with FileLock(path, wait=False):
        assert path.stat().st_mode & 0o777 == 0o600


def test_shared_holders_come_in_together(tmp_path: Path) -> None:
    """Readers share; a writer does not come in between."""
    path = tmp_path / "lock"
    with FileLock(path, shared=True), FileLock(path, shared=True, wait=False):
        with pytest.raises(BlockingIOError), FileLock(path, wait=False):
            pass
        assert path.exists()


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    """After kill -9 the next one gets it at once."""
    path = tmp_path / "lock"
    mine, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_hold, args=(str(path), theirs))
    process.start()
    assert mine.recv() == "held"
    with pytest.raises(BlockingIOError), FileLock(path, wait=False):
        pass

    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    with FileLock(path, wait=False):
        assert process.exitcode == -signal.SIGKILL
