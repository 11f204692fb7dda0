"""A signal reaches exactly the process that was meant, or nobody."""

import errno
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.protector.signals import ProcessFacts, lower, send
from tests.monitoring.protector.hogs import MEMORY, Hog, hogs
from utils.host.processes import ProcessStat, ProcessTable

TABLE = ProcessTable()


def test_a_number_that_belongs_to_another_by_now_is_never_sent_a_signal() -> None:
    """Whatever the table says in between, a process that is not the one that was meant, or may not be, lives on."""
    with hogs(MEMORY) as (hog, _):
        real = TABLE.one(hog.pid)
        assert real is not None

        @given(
            st.integers(0, 2 * real.started).filter(lambda started: started != real.started),
            st.sampled_from([signal.SIGTERM, signal.SIGKILL]),
            st.booleans(),
        )
        def reused(started: int, number: signal.Signals, may: bool) -> None:
            meant = (hog.pid, started)
            assert send(meant, number, TABLE.one, lambda _: may) == "gone"
            assert lower(meant, TABLE.one, lambda _: may) == "gone"
            assert send(real.identity, number, lambda _: real._replace(started=started), lambda _: True) == "gone"

        reused()
        assert send(real.identity, signal.SIGKILL, TABLE.one, lambda _: False) == "immune"
        assert hog.lives
        assert os.getpriority(os.PRIO_PROCESS, hog.pid) == os.getpriority(os.PRIO_PROCESS, 0)


@pytest.mark.parametrize("has_descriptors", [True, False], ids=["with pidfd", "without"])
def test_the_process_that_was_meant_gets_it(has_descriptors: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a descriptor where the system has them, else right after its start was compared."""
    if not has_descriptors:

        def none(_: int) -> int:
            raise OSError(errno.ENOSYS, "not here")

        monkeypatch.setattr("os.pidfd_open", none)
    judged: list[ProcessStat] = []

    def may(process: ProcessStat) -> bool:
        judged.append(process)
        return True

    with hogs(MEMORY) as (hog, twin):
        real = TABLE.one(hog.pid)
        assert real is not None
        assert send(real.identity, signal.SIGTERM, TABLE.one, may) == "done"
        assert hog.process.wait(timeout=120) == -15
        assert [one.pid for one in judged] == [hog.pid]
        assert send(real.identity, signal.SIGTERM, TABLE.one, lambda _: True) == "gone"
        assert twin.lives


def test_one_that_has_ended_and_is_not_waited_for_gets_nothing() -> None:
    """A zombie has nothing that could end."""
    with hogs(MEMORY) as (hog, _):
        real = TABLE.one(hog.pid)
        assert real is not None
        os.kill(hog.pid, signal.SIGKILL)
        os.waitid(os.P_PID, hog.pid, os.WEXITED | os.WNOWAIT)
        assert send(real.identity, signal.SIGTERM, TABLE.one, lambda _: True) == "gone"


def test_all_threads_of_a_process_get_the_lowest_priority() -> None:
    """The kernel keeps a priority for each thread: that of the first alone changes little."""
    threads = """
import threading
held = threading.Event()
for _ in range(3): threading.Thread(target=held.wait, daemon=True).start()
"""
    with hogs(threads + MEMORY) as (hog, _):
        real = TABLE.one(hog.pid)
        assert real is not None
        assert lower(real.identity, TABLE.one, lambda _: True) == "done"
        found = [
            os.getpriority(os.PRIO_PROCESS, int(thread.name)) for thread in Path(f"/proc/{hog.pid}/task").iterdir()
        ]
        assert found == [19] * 4


def test_what_the_kernel_does_not_tell_is_nothing() -> None:
    """Of a process that is gone there is no command, no group, nothing written, no open file."""
    facts, nobody = ProcessFacts(), 2**22 + 1
    assert (list(facts.command(nobody)), facts.cgroup(nobody), facts.written(nobody)) == ([], "", None)
    assert not facts.writes_to(nobody, 1)


def test_only_files_that_are_open_for_writing_count(tmp_path: Path) -> None:
    """Who only reads from a disk does not fill it."""
    path = tmp_path / "file"
    path.touch()
    device = path.stat().st_dev
    reads = f"file = open({str(path)!r})\n"
    with hogs(reads + MEMORY) as (hog, _):
        assert not ProcessFacts().writes_to(hog.pid, device)
    with hogs(reads.replace(")", ", 'ab')") + MEMORY) as (hog, _):
        assert ProcessFacts().writes_to(hog.pid, device)
        assert not ProcessFacts().writes_to(hog.pid, device + 1)


def test_hogs_are_what_they_seem() -> None:
    """The kernel tells the name that each has given itself."""
    with hogs(MEMORY) as both:
        names = [TABLE.one(one.pid) for one in both if isinstance(one, Hog)]
        assert [one.name for one in names if one is not None] == ["cdo-hog", "cdo-twin"]
