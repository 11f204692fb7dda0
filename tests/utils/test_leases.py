"""Leases: one living owner a name, dead owners found out, fencing numbers that only grow."""

import os
import signal
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.utils import children
from utils import leases as module
from utils.clock import ManualClock
from utils.database import StateError
from utils.leases import BEAT_SCHEMA, SCHEMA, Lease, Leases, Moment, Owner, this_process
from utils.sqlite import SqliteDatabase

ELSEWHERE = Owner("elsewhere", "some-boot", "pid:[1]", 1, "100")


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    return SqliteDatabase(tmp_path / "coordination.db", migrations=[SCHEMA, BEAT_SCHEMA])


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def leases(database: SqliteDatabase, clock: ManualClock) -> Leases:
    return Leases(database, clock=clock)


def _held_by(
    database: SqliteDatabase, owner: Owner, name: str, *, heartbeat: float, fence: int = 1, beat: float = 0.0
) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO leases VALUES (?, ?, ?, 'r', ?, ?)", (name, fence, str(owner), heartbeat, beat))


def test_free_names_are_granted_and_held_ones_left_out(leases: Leases) -> None:
    """Also to the same process: two runs of one dataset in one process are two too many."""
    first = leases.acquire(["a", "b", "a"], run="r1")
    second = leases.acquire(["b", "c"])

    assert first == {"a": Lease("a", 1), "b": Lease("b", 1)}
    assert second == {"c": Lease("c", 1)}


def test_a_released_name_is_free_and_its_fence_grows(leases: Leases, database: SqliteDatabase) -> None:
    """Each grant carries a larger number than the one before, whoever got it."""
    fences = []
    for number in range(3):
        fences.append((leases, Leases(database))[number % 2].acquire(["a"])["a"].fence)
        with database.transaction() as connection:  # as if the owner had released it
            connection.execute("UPDATE leases SET owner = NULL")

    assert fences == [1, 2, 3]


def test_releasing_keeps_the_fence(leases: Leases, database: SqliteDatabase) -> None:
    """And names the process does not hold are no error."""
    leases.acquire(["a"])
    leases.release(["a", "never held"])

    assert database.query("SELECT name, fence, owner, run FROM leases") == [("a", 1, None, None)]
    assert leases.acquire(["a"])["a"].fence == 2


def test_a_lease_that_was_taken_over_is_not_released_by_its_former_owner(
    leases: Leases, database: SqliteDatabase
) -> None:
    """A process that slept through the loss of its lease frees nothing of the new owner's."""
    leases.acquire(["a"])
    with database.transaction() as connection:
        connection.execute("UPDATE leases SET owner = ?, fence = 2", (str(ELSEWHERE),))

    leases.release(["a"])

    assert database.query("SELECT fence, owner FROM leases") == [(2, str(ELSEWHERE))]


def test_two_processes_do_not_hold_one_name(leases: Leases, database: SqliteDatabase) -> None:
    """While the other lives the name is left out; when it lets go, it is granted with the next number."""
    child = children.start("hold", database.path, "a")
    assert child.stdout is not None
    assert child.stdout.readline() == "1\n"

    while_it_lives = leases.acquire(["a", "b"])
    children.finish(child)

    assert list(while_it_lives) == ["b"]
    assert leases.acquire(["a"])["a"].fence == 2


@pytest.mark.parametrize("buried", [True, False], ids=["gone", "a zombie"])
def test_a_killed_owner_on_this_host_frees_at_once(leases: Leases, database: SqliteDatabase, buried: bool) -> None:
    """The clock has not moved: death on our own host needs no waiting."""
    child = children.start("hold", database.path, "a")
    assert child.stdout is not None
    child.stdout.readline()
    child.kill()
    if buried:
        child.wait(120)
    else:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and its parent has not looked yet

    granted = leases.acquire(["a"])

    assert granted["a"].fence == 2
    child.communicate()


def test_a_stopped_owner_on_this_host_is_alive(leases: Leases, database: SqliteDatabase, clock: ManualClock) -> None:
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
    leases: Leases, database: SqliteDatabase, clock: ManualClock
) -> None:
    """Not a moment before."""
    _held_by(database, ELSEWHERE, "a", heartbeat=clock.time(), fence=7)

    clock.advance(15.0)
    at_fifteen = leases.acquire(["a"])
    clock.advance(0.1)

    assert at_fifteen == {}
    assert leases.acquire(["a"])["a"].fence == 8


def test_an_owner_before_the_reboot_is_dead(leases: Leases, database: SqliteDatabase, clock: ManualClock) -> None:
    """Same host, another boot: its pid may be somebody else's by now."""
    me = this_process()
    _held_by(database, Owner(me.host, "the boot before", me.namespace, me.pid, me.started), "a", heartbeat=clock.time())

    assert leases.acquire(["a"])["a"].fence == 2


def test_a_pid_that_was_used_again_is_another_process(
    leases: Leases, database: SqliteDatabase, clock: ManualClock
) -> None:
    """The start time tells them apart."""
    me = this_process()
    _held_by(database, Owner(me.host, me.boot, me.namespace, me.pid, "1"), "a", heartbeat=clock.time())

    assert leases.acquire(["a"])["a"].fence == 2


def test_where_the_system_tells_no_start_time_silence_decides(
    leases: Leases, database: SqliteDatabase, clock: ManualClock
) -> None:
    """Systems without /proc."""
    me = this_process()
    _held_by(database, Owner(me.host, me.boot, me.namespace, me.pid, ""), "a", heartbeat=clock.time())

    at_once = leases.acquire(["a"])
    clock.advance(16.0)

    assert at_once == {}
    assert list(leases.acquire(["a"])) == ["a"]


def test_the_leases_of_dead_owners_can_be_freed(leases: Leases, database: SqliteDatabase, clock: ManualClock) -> None:
    """Those of living ones stay, and fencing numbers too."""
    leases.acquire(["mine"])
    _held_by(database, ELSEWHERE, "silent", heartbeat=clock.time() - 20, fence=5)
    _held_by(database, ELSEWHERE, "heard", heartbeat=clock.time())

    freed = leases.free_dead()

    assert freed == ["silent"]
    assert database.query("SELECT name, fence FROM leases WHERE owner IS NULL") == [("silent", 5)]


def test_a_heartbeat_renews_all_that_is_held(leases: Leases, database: SqliteDatabase, clock: ManualClock) -> None:
    """Only ours."""
    began = clock.time()
    leases.acquire(["a", "b"])
    _held_by(database, ELSEWHERE, "c", heartbeat=began)
    clock.advance(5.0)

    leases.renew()

    beats = dict(database.query("SELECT owner, max(heartbeat) FROM leases GROUP BY owner"))
    assert beats == {str(this_process()): began + 5.0, str(ELSEWHERE): began}


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

    assert enough.wait(120)
    leases.close()
    assert "the disk is full" in caplog.text


def test_closing_frees_what_could_not_be_freed_before(
    leases: Leases, database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk a release comes to nothing; the process goes on, and must not hold the lease for ever."""
    leases.acquire(["a"])
    with monkeypatch.context() as full:
        full.setattr(database, "change", _refuse)
        leases.release(["a"])
    held = leases.held()

    leases.close()

    assert held == ["a"]
    assert database.query("SELECT owner FROM leases") == [(None,)]


def _refuse(_: object) -> None:
    raise StateError("the disk is full")


def test_closing_frees_everything(leases: Leases, database: SqliteDatabase) -> None:
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
    assert not me.is_dead(Moment(0.0, 0.0), Moment(1e9, 1e9))


def test_who_is_named_by_nobody_is_gone(leases: Leases) -> None:
    assert leases.is_dead(None)
    assert leases.is_dead("")
    assert not leases.is_dead(str(this_process()))


NEIGHBOUR = replace(ELSEWHERE, boot=this_process().boot)
"""A process in another container of this machine."""


@pytest.mark.parametrize("jump", [3600.0, -3600.0], ids=["forth", "back"])
def test_a_clock_that_is_set_takes_no_lease_from_a_living_owner(
    leases: Leases, database: SqliteDatabase, clock: ManualClock, jump: float
) -> None:
    """In another container of this machine: its silence is measured by the kernel's clock, which nobody sets."""
    clock.advance(100.0)
    _held_by(database, NEIGHBOUR, "a", heartbeat=clock.time(), beat=clock.monotonic())

    clock.set_back(-jump)

    assert leases.acquire(["a"]) == {}
    assert leases.free_dead() == []
    assert not leases.is_dead(str(NEIGHBOUR))


@pytest.mark.parametrize("jump", [3600.0, -3600.0], ids=["forth", "back"])
def test_a_clock_that_is_set_keeps_no_dead_owner_alive(
    leases: Leases, database: SqliteDatabase, clock: ManualClock, jump: float
) -> None:
    """Fifteen seconds of silence are fifteen seconds, whatever the wall clock shows."""
    clock.advance(100.0)
    _held_by(database, NEIGHBOUR, "a", heartbeat=clock.time(), beat=clock.monotonic())

    clock.set_back(-jump)
    clock.advance(15.1)

    assert leases.acquire(["a"])["a"].fence == 2


def test_a_heartbeat_of_the_future_blocks_nobody(leases: Leases, database: SqliteDatabase, clock: ManualClock) -> None:
    """It was written before the clock was set back and the machine restarted; a run need not wait for that moment."""
    _held_by(database, ELSEWHERE, "a", heartbeat=clock.time() + 3600)

    assert list(leases.acquire(["a"])) == ["a"]


def test_a_number_that_the_log_remembers_is_not_given_again(leases: Leases) -> None:
    """The database of the leases may be lost; the fencing numbers go on, or the log would refuse the next runs."""
    leases.acquire(["known"])
    leases.release(["known"])

    granted = leases.acquire(["lost", "known", "new"], above={"lost": 41, "known": 1})

    assert {name: lease.fence for name, lease in granted.items()} == {"lost": 42, "known": 2, "new": 1}


def test_a_lease_that_was_lost_with_its_database_is_written_again(leases: Leases, database: SqliteDatabase) -> None:
    """By the next heartbeat, unless somebody else was given the name meanwhile."""
    leases.acquire(["a", "b"], run="r1")
    with database.transaction() as connection:
        connection.execute("DELETE FROM leases")
    _held_by(database, ELSEWHERE, "b", heartbeat=0.0, fence=9)

    leases.renew()

    assert database.query("SELECT name, fence, owner, run FROM leases") == [
        ("a", 1, str(this_process()), "r1"),
        ("b", 9, str(ELSEWHERE), "r"),
    ]


def test_an_owner_that_cannot_be_read_is_dead_once_it_is_silent(
    leases: Leases, database: SqliteDatabase, clock: ManualClock
) -> None:
    """A flipped bit in its name is no reason to stop, nor to hold the lease for ever."""
    with database.transaction() as connection:
        connection.execute("INSERT INTO leases VALUES ('a', 1, 'h|b|n|no number|1', 'r', ?, 0.0)", (clock.time(),))

    at_once = leases.acquire(["a"])
    clock.advance(16.0)

    assert at_once == {}
    assert list(leases.acquire(["a"])) == ["a"]


def test_a_living_owner_that_is_silent_loses_what_is_asked_for_so(
    leases: Leases, database: SqliteDatabase, clock: ManualClock
) -> None:
    """It was stopped, or hangs: only who looks at the number with all that is written may take it."""
    held = leases.acquire(["a"])["a"]
    other = Leases(database, clock=clock)
    clock.advance(15.1)

    assert not other.is_free("a")
    assert other.acquire(["a"]) == {}
    assert other.is_free("a", from_silent=True)
    taken = other.acquire(["a"], from_silent=True)["a"]

    assert taken.fence == held.fence + 1
    assert (leases.still_ours(held), other.still_ours(taken)) == (False, True)


def test_a_living_owner_that_is_heard_of_keeps_what_it_has(
    leases: Leases, database: SqliteDatabase, clock: ManualClock
) -> None:
    """Its heartbeat says that it lives; a wall clock that is set forward says nothing."""
    held = leases.acquire(["a"])["a"]
    other = Leases(database, clock=clock)
    for _ in range(3):
        clock.advance(10.0)
        leases.renew()
    clock.set_forward(3600.0)

    assert not other.is_free("a", from_silent=True)
    assert other.acquire(["a"], from_silent=True) == {}
    assert leases.still_ours(held)


def test_a_name_that_nobody_holds_is_free_and_one_that_was_forgotten_is_still_ours(
    leases: Leases, database: SqliteDatabase
) -> None:
    """A lost file knows nothing: the next heartbeat writes the lease again."""
    assert leases.is_free("a")
    held = leases.acquire(["a"])["a"]
    assert not leases.is_free("a")
    with database.transaction() as connection:
        connection.execute("DELETE FROM leases")

    assert leases.still_ours(held)
    leases.release(["a"])
    assert leases.is_free("a")
