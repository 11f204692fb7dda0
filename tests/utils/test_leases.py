"""Leases: one living owner a name, dead owners found out, fencing numbers that only grow."""

import os
import signal
import sqlite3
import threading
from pathlib import Path

import pytest

from tests.utils import children
from utils import leases as module
from utils.clock import ManualClock
from utils.database import Database, StateError
from utils.leases import SCHEMA, Lease, Leases, Owner, this_process

ELSEWHERE = Owner("elsewhere", "some-boot", "pid:[1]", 1, "100")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "coordination.db", migrations=[SCHEMA])


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def leases(database: Database, clock: ManualClock) -> Leases:
    return Leases(database, clock=clock)


def _held_by(database: Database, owner: Owner, name: str, *, heartbeat: float, fence: int = 1) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO leases VALUES (?, ?, ?, 'r', ?)", (name, fence, str(owner), heartbeat))


def test_free_names_are_granted_and_held_ones_left_out(leases: Leases) -> None:
    """Also to the same process: two runs of one dataset in one process are two too many."""
    first = leases.acquire(["a", "b", "a"], run="r1")
    second = leases.acquire(["b", "c"])

    assert first == {"a": Lease("a", 1), "b": Lease("b", 1)}
    assert second == {"c": Lease("c", 1)}


def test_a_released_name_is_free_and_its_fence_grows(leases: Leases, database: Database) -> None:
    """Each grant carries a larger number than the one before, whoever got it."""
    fences = []
    for number in range(3):
        fences.append((leases, Leases(database))[number % 2].acquire(["a"])["a"].fence)
        with database.transaction() as connection:  # as if the owner had released it
            connection.execute("UPDATE leases SET owner = NULL")

    assert fences == [1, 2, 3]


def test_releasing_keeps_the_fence(leases: Leases, database: Database) -> None:
    """And names the process does not hold are no error."""
    leases.acquire(["a"])
    leases.release(["a", "never held"])

    assert database.query("SELECT name, fence, owner, run FROM leases") == [("a", 1, None, None)]
    assert leases.acquire(["a"])["a"].fence == 2


def test_a_lease_that_was_taken_over_is_not_released_by_its_former_owner(leases: Leases, database: Database) -> None:
    """A process that slept through the loss of its lease frees nothing of the new owner's."""
    leases.acquire(["a"])
    with database.transaction() as connection:
        connection.execute("UPDATE leases SET owner = ?, fence = 2", (str(ELSEWHERE),))

    leases.release(["a"])

    assert database.query("SELECT fence, owner FROM leases") == [(2, str(ELSEWHERE))]


def test_two_processes_do_not_hold_one_name(leases: Leases, database: Database) -> None:
    """While the other lives the name is left out; when it lets go, it is granted with the next number."""
    child = children.start("hold", database.path, "a")
    assert child.stdout is not None
    assert child.stdout.readline() == "1\n"

    while_it_lives = leases.acquire(["a", "b"])
    children.finish(child)

    assert list(while_it_lives) == ["b"]
    assert leases.acquire(["a"])["a"].fence == 2


@pytest.mark.parametrize("buried", [True, False], ids=["gone", "a zombie"])
def test_a_killed_owner_on_this_host_frees_at_once(leases: Leases, database: Database, buried: bool) -> None:
    """The clock has not moved: death on our own host needs no waiting."""
    child = children.start("hold", database.path, "a")
    assert child.stdout is not None
    child.stdout.readline()
    child.kill()
    if buried:
        child.wait(10)
    else:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and its parent has not looked yet

    granted = leases.acquire(["a"])

    assert granted["a"].fence == 2
    child.communicate()


def test_a_stopped_owner_on_this_host_is_alive(leases: Leases, database: Database, clock: ManualClock) -> None:
    """A process that is only suspended keeps what it holds, however long it is silent."""
    child = children.start("hold", database.path, "a")
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGSTOP)
    clock.advance(3600)

    assert leases.acquire(["a"]) == {}

    child.send_signal(signal.SIGCONT)
    children.finish(child)


def test_an_owner_elsewhere_is_taken_for_dead_after_15_seconds_of_silence(
    leases: Leases, database: Database, clock: ManualClock
) -> None:
    """Not a moment before."""
    _held_by(database, ELSEWHERE, "a", heartbeat=clock.time(), fence=7)

    clock.advance(15.0)
    at_fifteen = leases.acquire(["a"])
    clock.advance(0.1)

    assert at_fifteen == {}
    assert leases.acquire(["a"])["a"].fence == 8


def test_an_owner_before_the_reboot_is_dead(leases: Leases, database: Database, clock: ManualClock) -> None:
    """Same host, another boot: its pid may be somebody else's by now."""
    me = this_process()
    _held_by(database, Owner(me.host, "the boot before", me.namespace, me.pid, me.started), "a", heartbeat=clock.time())

    assert leases.acquire(["a"])["a"].fence == 2


def test_a_pid_that_was_used_again_is_another_process(leases: Leases, database: Database, clock: ManualClock) -> None:
    """The start time tells them apart."""
    me = this_process()
    _held_by(database, Owner(me.host, me.boot, me.namespace, me.pid, "1"), "a", heartbeat=clock.time())

    assert leases.acquire(["a"])["a"].fence == 2


def test_where_the_system_tells_no_start_time_silence_decides(
    leases: Leases, database: Database, clock: ManualClock
) -> None:
    """Systems without /proc."""
    me = this_process()
    _held_by(database, Owner(me.host, me.boot, me.namespace, me.pid, ""), "a", heartbeat=clock.time())

    at_once = leases.acquire(["a"])
    clock.advance(16.0)

    assert at_once == {}
    assert list(leases.acquire(["a"])) == ["a"]


def test_the_leases_of_dead_owners_can_be_freed(leases: Leases, database: Database, clock: ManualClock) -> None:
    """Those of living ones stay, and fencing numbers too."""
    leases.acquire(["mine"])
    _held_by(database, ELSEWHERE, "silent", heartbeat=clock.time() - 20, fence=5)
    _held_by(database, ELSEWHERE, "heard", heartbeat=clock.time())

    freed = leases.free_dead()

    assert freed == ["silent"]
    assert database.query("SELECT name, fence FROM leases WHERE owner IS NULL") == [("silent", 5)]


def test_a_heartbeat_renews_all_that_is_held(leases: Leases, database: Database, clock: ManualClock) -> None:
    """Only ours; and it can be asked when an owner was last heard of."""
    began = clock.time()
    leases.acquire(["a", "b"])
    _held_by(database, ELSEWHERE, "c", heartbeat=began)
    clock.advance(5.0)

    leases.renew()

    assert leases.heartbeat(str(this_process())) == began + 5.0
    assert leases.heartbeat(str(ELSEWHERE)) == began
    assert leases.heartbeat("nobody") == 0.0


def test_the_heart_beats_by_itself_and_survives_a_failure(
    leases: Leases, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A beat that could not be written is logged, and the next one comes."""
    monkeypatch.setattr(module, "HEARTBEAT_EVERY", 0.001)
    beats, enough = [], threading.Event()

    def fail() -> None:
        beats.append(1)
        if len(beats) == 3:
            enough.set()
        raise (StateError("the disk is full") if len(beats) % 2 else sqlite3.OperationalError("closed"))

    monkeypatch.setattr(leases, "renew", fail)
    leases.acquire(["a"])

    assert enough.wait(10)
    leases.close()
    assert "the disk is full" in caplog.text


def test_closing_frees_everything(leases: Leases, database: Database) -> None:
    """And the heart is still afterwards."""
    leases.acquire(["a", "b"])

    leases.close()

    assert database.query("SELECT count(*) FROM leases WHERE owner IS NOT NULL") == [(0,)]
    assert not any(thread.name == "heartbeat" and thread is leases._heart for thread in threading.enumerate())


def test_an_owner_survives_being_written_down() -> None:
    """As text and back; this process is not dead."""
    me = this_process()

    assert Owner.parse(str(me)) == me
    assert me.pid == os.getpid()
    assert not me.is_dead(heartbeat=0.0, now=1e9)


def test_who_is_named_by_nobody_is_gone(leases: Leases) -> None:
    assert leases.is_dead(None)
    assert leases.is_dead("")
    assert not leases.is_dead(str(this_process()))
