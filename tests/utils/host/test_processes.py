"""All processes by one read each: right figures, whatever a process is called and whatever the clocks do."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from tests.utils.host.table import put
from utils.clock import ManualClock
from utils.host.processes import ProcessTable


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    """Runs, and waits for its standard input to end."""
    program = "print('ready', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.communicate()


def test_a_real_process_is_told_as_psutil_tells_it(child: "subprocess.Popen[bytes]") -> None:
    """Parent, session, owner and start are those of the process itself."""
    told = psutil.Process(child.pid)

    (stat,) = [stat for stat in ProcessTable().read() if stat.pid == child.pid]

    assert (stat.ppid, stat.session, stat.uid) == (os.getpid(), os.getsid(child.pid), told.uids().effective)
    assert stat.name == told.name()[:15]
    assert stat.rss_bytes > 0
    assert not stat.kernel_thread
    ticks = os.sysconf("SC_CLK_TCK")
    assert psutil.boot_time() + stat.started / ticks == pytest.approx(told.create_time(), abs=1.5)


def test_one_process_is_looked_up_by_its_number(child: "subprocess.Popen[bytes]") -> None:
    """What is there is told anew at each call; what is not there is `None`."""
    table = ProcessTable()

    before = table.one(child.pid)
    child.kill()
    child.wait()

    assert before is not None
    assert before.pid == child.pid
    assert table.one(child.pid) is None


def test_the_kernels_own_threads_are_known(tmp_path: Path) -> None:
    """By the kernel's flag, not by their names, which anybody may take."""
    put(tmp_path, 2, "kthreadd", flags=0x00208040)
    put(tmp_path, 7, "[kworker/0:1]", flags=0x00400000)

    told = {stat.pid: stat.kernel_thread for stat in ProcessTable(proc=tmp_path).read()}

    assert told == {2: True, 7: False}


def test_who_wants_no_kernel_threads_is_spared_their_reading(tmp_path: Path) -> None:
    """A process that takes over the number of one is told a minute later, and at once to who wants all."""
    clock = ManualClock()
    table = ProcessTable(clock, proc=tmp_path)
    put(tmp_path, 2, flags=0x00200000)
    put(tmp_path, 5)

    def told(**options: bool) -> list[int]:
        return sorted(stat.pid for stat in table.read(**options))

    assert told(kernel_threads=False) == [5]
    put(tmp_path, 2, "mine")
    assert told(kernel_threads=False) == [5]
    clock.advance(60)
    assert told(kernel_threads=False) == [2, 5]
    put(tmp_path, 2, flags=0x00200000)
    assert told() == [2, 5]


@settings(max_examples=few(60), deadline=None)
@given(name=st.text(min_size=0, max_size=15))
def test_a_name_may_hold_anything(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Brackets, blanks and line ends in a name move no field."""
    proc = tmp_path_factory.mktemp("proc")
    (proc / "9").mkdir()
    after = " R 4 9 5 0 -1 0 0 0 0 0 250 50 0 0 20 0 3 0 777 4096 3 1 1\n"
    (proc / "9" / "stat").write_bytes(b"9 (" + name.encode("utf-8", "replace") + b")" + after.encode())

    (stat,) = ProcessTable(proc=proc).read()

    assert stat.name == name.encode("utf-8", "replace").decode()
    assert (stat.state, stat.ppid, stat.session, stat.started, stat.cpu_seconds) == ("R", 4, 5, 777, 3.0)


@pytest.mark.parametrize(
    "line", [b"", b"9 (cut", b"9 (cut) R 1", b"\xff\xfe"], ids=["empty", "name", "fields", "bytes"]
)
def test_a_line_that_is_cut_short_is_no_process(tmp_path: Path, line: bytes) -> None:
    """It ended while it was read."""
    put(tmp_path, 8)
    (tmp_path / "9").mkdir()
    (tmp_path / "9" / "stat").write_bytes(line)

    assert [stat.pid for stat in ProcessTable(proc=tmp_path).read()] == [8]


def test_without_proc_there_are_no_processes(tmp_path: Path) -> None:
    """A container without it, or another system."""
    table = ProcessTable(proc=tmp_path / "none")

    assert tuple(table.read()) == ()
    assert table.one(1) is None


def test_the_share_of_a_core_is_that_between_two_looks(tmp_path: Path) -> None:
    """Also of a process that began meanwhile; one that was seen once only has none."""
    clock, proc = ManualClock(), tmp_path
    table = ProcessTable(clock, proc=proc)
    put(proc, 5, cpu=10.0, started=50)
    table.read()
    first = table.cpu_percents()

    clock.advance(2.0)
    put(proc, 5, cpu=11.0, started=50)
    put(proc, 6, cpu=0.5, started=60)
    put(proc, 7, cpu=90.0, started=40)
    told = {stat.pid: table.cpu_percent(stat) for stat in table.read()}

    assert dict(first) == {}
    assert told == {5: 50.0, 6: 25.0, 7: None}  # the last is older than the look before, which missed it


def test_a_number_that_was_given_again_is_another_process(tmp_path: Path) -> None:
    """The new one is not charged with, nor credited for, what the old one used."""
    clock = ManualClock()
    table = ProcessTable(clock, proc=tmp_path)
    put(tmp_path, 5, cpu=100.0, started=50)
    old = table.read()[0]

    clock.advance(1.0)
    put(tmp_path, 5, cpu=0.25, started=900)
    new = table.read()[0]

    assert table.cpu_percent(new) == 25.0
    assert table.cpu_percent(old) is None


@pytest.mark.parametrize("jump", [-3600.0, 3600.0], ids=["set back", "set forward, or slept"])
def test_after_a_jump_of_the_clock_nothing_is_told(tmp_path: Path, jump: float) -> None:
    """The look after it compares again."""
    clock = ManualClock()
    table = ProcessTable(clock, proc=tmp_path)
    told = []
    for look in range(3):
        put(tmp_path, 5, cpu=float(look))
        stat = table.read()[0]
        told.append(table.cpu_percent(stat))
        clock.advance(10.0)
        if look == 0:
            clock.set_forward(jump)

    assert told == [None, None, 10.0]


def test_a_counter_that_is_absurd_is_no_share(tmp_path: Path) -> None:
    """It fell, or grew by more than all cores together have."""
    clock = ManualClock()
    table = ProcessTable(clock, proc=tmp_path)
    put(tmp_path, 5, cpu=10.0)
    put(tmp_path, 6, cpu=10.0)
    table.read()

    clock.advance(1.0)
    put(tmp_path, 5, cpu=9.0)
    put(tmp_path, 6, cpu=76265.0)
    found = table.read()

    assert [table.cpu_percent(stat) for stat in found] == [None, None]
