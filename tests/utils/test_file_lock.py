"""The lock between processes."""

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.processes import PROCESSES
from utils.file_lock import FileLock


def _hold(path: str, pipe: Connection) -> None:
    with FileLock(Path(path)):
        pipe.send("held")
        pipe.recv()


def _held(path: Path) -> tuple[Any, Connection]:
    """Another process that holds it until it is sent something."""
    mine, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_hold, args=(str(path), theirs))
    process.start()
    assert mine.recv() == "held"
    return process, mine


def test_a_second_holder_is_refused_without_waiting(tmp_path: Path) -> None:
    """An exclusive lock excludes both kinds; afterwards it is free."""
    path = tmp_path / "folder" / "lock"
    with FileLock(path):
        with pytest.raises(BlockingIOError), FileLock(path, within=0):
            pass
        with pytest.raises(BlockingIOError), FileLock(path, shared=True, within=0):
            pass

    with FileLock(path, within=0):
        assert path.stat().st_mode & 0o777 == 0o600


def test_shared_holders_come_in_together(tmp_path: Path) -> None:
    """Readers share; a writer does not come in between."""
    path = tmp_path / "lock"
    with FileLock(path, shared=True), FileLock(path, shared=True, within=0):
        with pytest.raises(BlockingIOError), FileLock(path, within=0):
            pass
        assert path.exists()


def test_nobody_waits_for_ever_for_a_holder_that_was_stopped(tmp_path: Path) -> None:
    """A frozen process keeps what it has; the error names the file and how long it was waited for."""
    path = tmp_path / "lock"
    with FileLock(path), pytest.raises(TimeoutError, match=r"locked for 0\.01 s.*lock"), FileLock(path, within=0.01):
        pass

    with FileLock(path, within=0):
        assert path.exists()


def test_who_waits_is_let_in_once_the_holder_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves when it was waited for: so somebody did wait."""
    path = tmp_path / "lock"
    process, pipe = _held(path)
    looks = []

    def wait(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 1:
            pipe.send("leave")
            process.join()

    monkeypatch.setattr("utils.file_lock.time", SimpleNamespace(monotonic=time.monotonic, sleep=wait))
    with FileLock(path):
        assert len(looks) == 1

    assert process.exitcode == 0


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    """After kill -9 the next one gets it at once."""
    path = tmp_path / "lock"
    process, _ = _held(path)
    with pytest.raises(BlockingIOError), FileLock(path, within=0):
        pass

    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    with FileLock(path, within=0):
        assert process.exitcode == -signal.SIGKILL
