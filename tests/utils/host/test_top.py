"""The processes that use the most: known to a person, and without a secret."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.utils.host.table import put
from utils.clock import ManualClock
from utils.host.processes import ProcessTable
from utils.host.top import TopProcesses


def look(proc: Path, clock: ManualClock, table: ProcessTable, most: int = 2) -> tuple[list[int], list[int]]:
    top = TopProcesses(table, most, proc=proc)
    _, by_cpu, by_memory = top.look(clock.monotonic())
    return [one.pid for one in by_cpu], [one.pid for one in by_memory]


def test_the_first_are_those_that_use_the_most(tmp_path: Path) -> None:
    """By CPU since the look before, by memory now; what used nothing is no top process, nor is the kernel's own."""
    clock = ManualClock()
    table = ProcessTable(clock, proc=tmp_path)
    for pid, pages in ((5, 10), (6, 30), (7, 20), (8, 5)):
        put(tmp_path, pid, rss_pages=pages)
    put(tmp_path, 9, rss_pages=99, flags=0x00200000)
    first = look(tmp_path, clock, table)

    clock.advance(1.0)
    for pid, cpu in ((5, 0.2), (7, 0.9), (8, 0.5), (9, 1.0)):
        put(tmp_path, pid, cpu=cpu, rss_pages=10, flags=0x00200000 if pid == 9 else 0)

    assert first == ([], [6, 7])
    assert look(tmp_path, clock, table)[0] == [7, 8]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("psql", "postgresql://me:hunter2@db/x"), "psql postgresql://***@db/x"),
        (("tool", "--password", "hunter2", "--fast"), "tool --password *** --fast"),
        (("tool", "--api-key=hunter2"), "tool --api-key=***"),
        (("curl", "-H", "Authorization: Bearer hunter2hunter2"), "curl -H Authorization: *** ***"),
        (("sync", "known-to-us"), "sync ***"),
        (("a\nb", "c\x1b[31m"), "a b c [31m"),
        ((), "worker"),
    ],
    ids=["address", "option", "assigned", "header", "known secret", "control characters", "nothing told"],
)
def test_a_command_line_is_told_without_secrets(tmp_path: Path, command: tuple[str, ...], shown: str) -> None:
    """In one line; of what looks like a secret nothing is left."""
    put(tmp_path, 5, command=command)
    top = TopProcesses(
        ProcessTable(ManualClock(), proc=tmp_path), 1, lambda text: text.replace("known-to-us", "***"), proc=tmp_path
    )

    _, _, (told,) = top.look(0.0)

    assert "hunter2" not in told.command
    assert told.command == shown


def test_a_real_process_is_told_with_its_user_and_start() -> None:
    """What belongs to a dead process is forgotten."""
    program = "print('ready', flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        top = TopProcesses(ProcessTable(), 10_000)
        _, _, told = top.look(0.0)
        created = psutil.Process(child.pid).create_time()
    finally:
        child.kill()
        child.communicate()

    (one,) = [one for one in told if one.pid == child.pid]
    assert one.command == f"{sys.executable} -c {program}"
    assert one.user == Path(f"/proc/{os.getpid()}").owner()
    assert one.created == pytest.approx(created, abs=1.5)
    top.look(61.0)
    assert child.pid not in {identity[0] for identity, _ in top._known}


def test_where_many_processes_run_they_are_looked_at_less_often(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A look that took 10 ms of the processor is followed by five seconds of rest."""
    times = itertools.count()
    monkeypatch.setattr("utils.host.top.thread_time", lambda: next(times) * 0.01)
    top = TopProcesses(ProcessTable(ManualClock(), proc=tmp_path), 1, proc=tmp_path)

    seen = []
    for second in range(11):
        put(tmp_path, 10 + second)
        seen.append(top.look(float(second))[0])

    assert seen == [1, 1, 1, 1, 1, 6, 6, 6, 6, 6, 11]


def test_without_processes_nothing_is_told(tmp_path: Path) -> None:
    """`None`: nobody knows how many there are."""
    assert TopProcesses(ProcessTable(proc=tmp_path), 3, proc=tmp_path).look(0.0) == (None, (), ())
