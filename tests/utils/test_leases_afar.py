"""Leases in a PostgreSQL, for processes on any machine: silence by the server's clock, and a server that goes away."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from tests.utils import children
from utils.clock import ManualClock
from utils.database import StateError
from utils.leases import Lease, Leases, Owner, this_process
from utils.postgres import PostgresDatabase
from utils.shared_tables import MIGRATIONS, PART

ELSEWHERE = Owner("elsewhere", "some-boot", "pid:[1]", 1, "100")


def opened(url: str) -> PostgresDatabase:
    return PostgresDatabase(url, migrations=MIGRATIONS, part=PART)


@pytest.fixture
def database(postgres: str) -> Iterator[PostgresDatabase]:
    with closing(opened(postgres)) as database:
        yield database


@pytest.fixture
def leases(database: PostgresDatabase) -> Iterator[Leases]:
    with closing(Leases(database)) as leases:
        yield leases


def held_by(database: PostgresDatabase, owner: Owner, name: str, *, silent_s: float = 0.0, beat: float = 0.0) -> None:
    """As another process has it, whose last heartbeat was so long ago."""
    with database.transaction() as connection:
        heartbeat = database.server_time(connection) - silent_s
        connection.execute("INSERT INTO leases VALUES (?, 1, ?, 'r', ?, ?)", (name, str(owner), heartbeat, beat))


def test_free_names_are_granted_and_held_ones_left_out(leases: Leases, database: PostgresDatabase) -> None:
    """Also to the same process; a number grows with every grant."""
    first = leases.acquire(["a", "b", "a"], run="r1")
    second = leases.acquire(["b", "c"])
    assert leases.held() == ["a", "b", "c"]
    leases.release(["a", "b", "never held"])

    assert first == {"a": Lease("a", 1), "b": Lease("b", 1)}
    assert second == {"c": Lease("c", 1)}
    assert leases.acquire(["a", "new"], above={"new": 41}) == {"a": Lease("a", 2), "new": Lease("new", 42)}
    assert database.query("SELECT name, run FROM leases WHERE owner IS NULL") == [("b", None)]
    leases.drop(["c"])
    assert leases.is_free("c")
    assert not leases.is_free("a")
    assert not database.query("SELECT name FROM leases WHERE name = 'c'")


def test_of_many_who_ask_at_once_one_gets_it(postgres: str) -> None:
    """Each with connections of its own, as processes have them."""
    together, granted = threading.Barrier(8), []

    def ask() -> None:
        with closing(opened(postgres)) as database:
            mine = Leases(database)
            together.wait(120)
            granted.append(mine.acquire(["a"]))
            together.wait(120)  # nobody frees it before all have asked
            mine.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert sorted(map(len, granted)) == [0] * 7 + [1]


def test_a_process_that_was_killed_here_frees_at_once_and_one_that_was_stopped_keeps_it(
    leases: Leases, postgres: str
) -> None:
    """Under the same kernel a process can be looked at."""
    child = children.start("hold-afar", postgres, "a")
    assert child.stdout is not None
    assert child.stdout.readline() == "1\n"
    child.send_signal(signal.SIGSTOP)
    while_stopped = leases.acquire(["a"])
    child.kill()
    child.communicate()

    assert while_stopped == {}
    assert leases.acquire(["a"])["a"].fence == 2


@pytest.mark.parametrize("clock_is_off_by", [0.0, 86_400.0, -86_400.0], ids=["right", "a day ahead", "a day behind"])
def test_the_silence_of_another_machine_is_measured_by_the_server(
    database: PostgresDatabase, clock_is_off_by: float
) -> None:
    """Whatever our own clock says: not before 15 s, and then at once."""
    clock = ManualClock()
    clock.set_forward(clock_is_off_by)
    held_by(database, ELSEWHERE, "heard of", silent_s=5.0)
    held_by(database, ELSEWHERE, "silent", silent_s=15.5)

    with closing(Leases(database, clock=clock)) as leases:
        assert list(leases.acquire(["heard of", "silent"])) == ["silent"]
        assert not leases.is_free("heard of", from_silent=True)
        assert not leases.is_dead(str(ELSEWHERE))
        assert leases.free_dead() == []


def test_another_machine_of_the_same_name_is_no_reboot_of_ours(leases: Leases, database: PostgresDatabase) -> None:
    """Clones are often called alike; only silence tells that one is gone."""
    twin = replace(this_process(), boot="another boot")
    held_by(database, twin, "a")
    held_by(database, twin, "b", silent_s=16.0)

    assert list(leases.acquire(["a", "b"])) == ["b"]


def test_who_was_silent_loses_what_is_asked_for_so(leases: Leases, database: PostgresDatabase) -> None:
    """Though its process is there: it hangs."""
    hanging = replace(this_process(), namespace="pid:[2]", pid=1, started="1")
    held_by(database, hanging, "a", silent_s=16.0, beat=0.0)

    taken = leases.acquire(["a"], from_silent=True)["a"]

    assert leases.still_ours(taken)
    assert not leases.still_ours(Lease("a", 1))


def test_a_heartbeat_is_the_servers_time(leases: Leases, database: PostgresDatabase) -> None:
    """And what somebody deleted is written again."""
    leases.acquire(["a", "b"], run="r1")
    with database.transaction() as connection:
        connection.execute("UPDATE leases SET heartbeat = 0.0")
        connection.execute("DELETE FROM leases WHERE name = 'b'")

    leases.renew()

    now = database.server_time()
    found = database.query("SELECT name, fence, run, heartbeat FROM leases ORDER BY name")
    assert [row[:3] for row in found] == [("a", 1, "r1"), ("b", 1, "r1")]
    assert all(0.0 <= now - row[3] < 60.0 for row in found)


class Unsure:
    """The database, when the answer to a commit is lost: what was written is there, and nobody is told."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self.lost = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def change(self, step: Callable[[Any], Any]) -> Any:
        done = self._database.change(step)
        if self.lost:
            raise StateError("the server cannot be reached", transient=True)
        return done


def test_what_was_granted_without_our_knowing_is_given_back(database: PostgresDatabase) -> None:
    """Else it would be ours for as long as this process lives, and nobody would work on it."""
    unsure = Unsure(database)
    leases = Leases(unsure)  # type: ignore[arg-type]  # it gives on what it does not have
    with pytest.raises(StateError, match="cannot be reached"):
        leases.acquire(["a"])
    assert leases.held() == ["a"]
    unsure.lost = False

    leases.renew()

    assert leases.held() == []
    assert leases.acquire(["a"])["a"].fence == 2
    leases.close()


def test_what_cannot_be_released_now_is_released_later(
    database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """By the next heartbeat, or by who asks for it again; it is said, and no run fails for it."""
    away = Unsure(database)
    away.lost = False
    leases = Leases(away)  # type: ignore[arg-type]  # likewise
    leases.acquire(["a"])

    def refuse(_: object) -> None:
        raise StateError("the server cannot be reached", transient=True)

    away.change = refuse  # type: ignore[method-assign]  # the server is away
    leases.release(["a"])
    assert "leases are freed later" in caplog.text
    assert leases.held() == ["a"]
    del away.change

    assert leases.acquire(["a"])["a"].fence == 2
    leases.close()
    assert leases.held() == []


def test_leases_do_not_wait_behind_the_log(postgres: str, leases: Leases) -> None:
    """Who writes events holds another lock."""
    with closing(PostgresDatabase(postgres, migrations=["CREATE TABLE events (seq bigint)"])) as log:
        with log.transaction() as connection:
            connection.execute("INSERT INTO events VALUES (1)")
            assert list(leases.acquire(["a"])) == ["a"]
        assert log.query("SELECT version FROM schema_version") == [(1,)]
        assert log.query("SELECT version FROM coordination_version") == [(len(MIGRATIONS),)]


def test_a_newer_schema_is_refused(postgres: str) -> None:
    """By the number of this part, not of the main one."""
    opened(postgres).close()
    with pytest.raises(StateError, match=rf"schema version {len(MIGRATIONS)}, this program knows 0"):
        PostgresDatabase(postgres, migrations=(), part=PART)
