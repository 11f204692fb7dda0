"""One cache among processes: a key is computed once over all of them, and a killed process is no loss."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PROCESSES
from tests.utils.cache.trampling import KEYS, is_right
from utils.cache import CacheBusy, DiskCache
from utils.cache.key_locks import KeyLocks
from utils.clock import ManualClock

LIMIT = 16 << 20
ROOT = Path(__file__).parents[3]


def _ask_in_threads(path: Path, log: Path, gate: Barrier) -> None:
    """Eight threads ask for a cold key; each computation leaves a line, each wrong answer fails the process."""
    cache = DiskCache(path, size_limit=LIMIT)
    answers: list[Any] = []
    together = threading.Barrier(8)

    def compute() -> int:
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        threading.Event().wait(0.1)  # a computation that takes its time
        return 42

    def ask() -> None:
        together.wait(120)
        answers.append(cache.get_or_compute("key", compute, ttl=60).value)

    gate.wait(120)
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.close()
    assert answers == [42] * 8


def _compute_for_ever(path: Path, begun: Event, stale: float) -> None:
    cache = DiskCache(path, size_limit=LIMIT)

    def compute() -> None:
        begun.set()
        threading.Event().wait()

    cache.get_or_compute("key", compute, ttl=60, stale=stale)
    threading.Event().wait()


def test_a_cold_key_is_computed_once_by_two_processes_of_eight_threads(tmp_path: Path) -> None:
    """Sixteen callers at once, one computation, sixteen equal answers."""
    gate = PROCESSES.Barrier(2)
    children = [
        PROCESSES.Process(target=_ask_in_threads, args=(tmp_path / "cache", tmp_path / "log", gate)) for _ in range(2)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(120)

    assert [child.exitcode for child in children] == [0, 0]
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_when_the_computing_process_is_killed_another_takes_over(tmp_path: Path) -> None:
    """The kernel frees the lock of a process that got -9; who waits then computes."""
    begun = PROCESSES.Event()
    child = PROCESSES.Process(target=_compute_for_ever, args=(tmp_path / "cache", begun, 0.0))
    child.start()
    try:
        assert begun.wait(120)
        with pytest.raises(CacheBusy):
            DiskCache(tmp_path / "cache", size_limit=LIMIT, flight_wait=0.01).get_or_compute("key", int, ttl=60)
        cache = DiskCache(tmp_path / "cache", size_limit=LIMIT)
        answers: list[object] = []
        waiting = threading.Thread(
            target=lambda: answers.append(cache.get_or_compute("key", lambda: "mine", ttl=60).value)
        )
        waiting.start()
        assert answers == []
    finally:
        child.kill()
        child.join(120)
    waiting.join(120)
    cache.close()

    assert answers == ["mine"]


def test_while_another_process_renews_a_stale_value_nobody_else_does(tmp_path: Path) -> None:
    """Two processes find the same stale value: one computes, both serve it."""
    clock = ManualClock(datetime.now(UTC) - timedelta(seconds=70))
    DiskCache(tmp_path / "cache", size_limit=LIMIT, clock=clock).set("key", "old", ttl=60, stale=3600)
    begun = PROCESSES.Event()
    child = PROCESSES.Process(target=_compute_for_ever, args=(tmp_path / "cache", begun, 3600.0))
    child.start()
    computed: list[int] = []
    cache = DiskCache(tmp_path / "cache", size_limit=LIMIT)
    try:
        assert begun.wait(120)
        served = cache.get_or_compute("key", lambda: computed.append(1), ttl=60, stale=3600)
        assert cache.finish_refreshes(20)
    finally:
        child.kill()
        child.join(120)

    assert (served.value, served.stale, computed) == ("old", True, [])
    cache.get_or_compute("key", lambda: "new", ttl=60, stale=3600)
    assert cache.finish_refreshes(20)
    assert cache.get_or_compute("key", lambda: "newer", ttl=60, stale=3600).value == "new"
    cache.close()


LOCK_AND_FORK = """
import os, sys, threading
from pathlib import Path
from utils.cache.key_locks import KeyLocks
lock = KeyLocks(Path(sys.argv[1])).try_lock("key")
if os.fork() == 0:
    print(os.getpid(), flush=True)
threading.Event().wait()
"""


def test_a_forked_child_does_not_hold_the_lock_of_its_killed_parent(tmp_path: Path) -> None:
    """The child shares the opened file and lives on; the lock dies with the process that took it."""
    path = tmp_path / "locks"
    command = [sys.executable, "-c", LOCK_AND_FORK, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        held = KeyLocks(path).try_lock("key")
        parent.kill()
        parent.wait(120)
        free = KeyLocks(path).try_lock("key")
        os.kill(child, signal.SIGKILL)

    assert held is None
    assert free is not None
    free.release()


def test_the_locks_of_many_keys_are_one_empty_file(tmp_path: Path) -> None:
    """Locks take no room, keys do not meet, and a lock is free for the next one."""
    locks = KeyLocks(tmp_path / "locks")
    held = [locks.try_lock(f"key-{number}") for number in range(500)]

    assert None not in held
    assert all(locks.try_lock(f"key-{number}") is None for number in range(0, 500, 50))
    for lock in held:
        assert lock is not None
        lock.release()
        lock.release()
    again = locks.try_lock("key-7")
    assert again is not None
    again.release()
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [("locks", 0)]


def test_where_nothing_can_be_locked_the_value_is_computed(tmp_path: Path) -> None:
    """A cache whose place is not there still brings the value; threads of this process share it all the same."""
    (tmp_path / "file").write_text("in the way")
    cache = DiskCache(tmp_path / "file" / "cache", size_limit=LIMIT)

    assert cache.get_or_compute("key", lambda: 7, ttl=60).value == 7


@pytest.mark.parametrize("kills", [25, pytest.param(400, marks=pytest.mark.prove)], ids=["25 kills", "400 kills"])
def test_processes_killed_in_a_loop_leave_right_values_and_no_orphans(tmp_path: Path, kills: int) -> None:
    """Four at a time set, get, delete, purge and compute; -9 hits each in the middle of something."""
    path = tmp_path / "cache"
    ended = subprocess.run(
        [sys.executable, "-m", "tests.utils.cache.trampling", str(path), str(kills), "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == (f"killed {kills + 4}\n", "")

    told: list[str] = []
    cache = DiskCache(path, size_limit=LIMIT, listener=lambda event, _: told.append(event))
    hits = {key: hit for key in KEYS if (hit := cache.get(key)) is not None}
    later = ManualClock(datetime.now(UTC) + timedelta(minutes=61))
    DiskCache(path, size_limit=LIMIT, clock=later).purge()
    with sqlite3.connect(path / "cache.db") as connection:
        known = {name for (name,) in connection.execute("SELECT filename FROM Cache WHERE filename IS NOT NULL")}
    connection.close()

    assert hits
    assert all(is_right(key, hit) for key, hit in hits.items())
    assert {str(file.relative_to(path)) for file in path.rglob("*.val")} == known
    assert told == []
    assert list(tmp_path.glob("*corrupt*")) == []
    assert cache.set("after", 1, ttl=60)
    cache.close()
