"""The rate that processes of a state directory keep to together, in the coordination database."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.utils.children import finish, let_go, start
from tests.utils.resilience.rates import largest_excess
from utils import leases, quotas, shared_verdicts, tokens
from utils.clock import ManualClock
from utils.replaceable import ReplaceableDatabase
from utils.resilience.limiter import LOOK_EVERY, RateLimiter
from utils.resilience.shared_rates import NEW, Claim, SharedRate
from utils.shared_rates import SCHEMA, LeasedRates
from utils.sqlite import SqliteDatabase

ONE = Claim(
    floor=float("-inf"),
    held=float("-inf"),
    every=1.0,
    tolerance=2.0,
    slots=1,
    lifetime=0.0,
    patience=0.0,
    late=0.0,
    paused_until=float("-inf"),
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    with closing(SqliteDatabase(tmp_path / "coordination.db", migrations=[SCHEMA])) as opened:
        yield opened


def test_a_lease_moves_the_row_on_and_a_refusal_does_not(database: SqliteDatabase) -> None:
    """Three slots are free at once, the fourth a second later."""
    rates = LeasedRates(database, clock=ManualClock())

    leased = [rates.lease("ecb", ONE) for _ in range(4)]

    assert [(lease.start, lease.end) for lease in leased] == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 3.0)]
    assert (rates.look("ecb").arrival, rates.look("other")) == (3.0, NEW)


def test_a_pause_is_kept_until_a_longer_one(database: SqliteDatabase) -> None:
    """Also when nobody has taken a slot before."""
    rates = LeasedRates(database, clock=ManualClock())

    for until in (30.0, 5.0, 40.0):
        rates.pause("ecb", until)

    assert rates.look("ecb") == SharedRate(paused_until=40.0)
    assert rates.lease("ecb", replace(ONE, patience=100.0)).start == 42.0


def test_the_row_outlives_its_process(database: SqliteDatabase) -> None:
    """A restart gives no new burst."""
    clock = ManualClock()
    RateLimiter("ecb", rate=1, burst=1, shared=LeasedRates(database, clock=clock), clock=clock).acquire()
    database.close()

    with closing(SqliteDatabase(database.path, migrations=[SCHEMA])) as again:
        limiter = RateLimiter("ecb", rate=1, burst=1, shared=LeasedRates(again, clock=clock), clock=clock)
        assert limiter.acquire().retry_after == 1.0


@pytest.mark.parametrize("same_name", [False, True], ids=["told by its name", "told by its clock"])
def test_a_row_of_another_boot_says_nothing(database: SqliteDatabase, *, same_name: bool) -> None:
    """The clock began anew: the limiter starts at the plain rate, however far the row had come."""
    clock = ManualClock()
    clock.advance(1e6)
    LeasedRates(database, clock=clock).lease("ecb", replace(ONE, slots=50))
    if not same_name:
        with database.transaction() as connection:
            connection.execute("UPDATE rates SET boot = 'before', written = 0.0")
    after = ManualClock()

    limiter = RateLimiter("ecb", rate=1, burst=3, shared=LeasedRates(database, clock=after), clock=after)

    assert [bool(limiter.acquire()) for _ in range(3)] == [True, False, False]
    assert limiter.delay() == 1.0


def test_a_clock_on_the_wall_that_is_set_changes_nothing(database: SqliteDatabase) -> None:
    """An hour back, an hour forth: the rate is measured by the clock that nobody sets."""
    clock = ManualClock()
    limiters = [
        RateLimiter("ecb", rate=1, burst=2, shared=LeasedRates(database, clock=clock), clock=clock) for _ in range(2)
    ]
    answers = []
    for seconds in (0.0, 3600.0, -7200.0):
        clock.set_back(seconds)
        answers += [bool(limiter.acquire()) for limiter in limiters]

    assert answers == [True, True, False, False, False, False]


def test_a_database_that_is_locked_stalls_nobody(database: SqliteDatabase) -> None:
    """One short wait, then none until it is free again; calls go on at the rate of this process alone."""
    limiter = RateLimiter("ecb", rate=0.001, burst=100, shared=LeasedRates(database))
    assert limiter.acquire()
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        granted = [bool(limiter.acquire()) for _ in range(99)]
        other.execute("ROLLBACK")

    assert all(granted)
    assert limiter.figures().shared_errors == 1


@pytest.mark.parametrize(
    "harm",
    [
        "arrival = 1e200",
        "arrival = 9e999",
        "arrival = 'soon'",
        "paused_until = 1e10",
        "written = x'00'",
        "boot = x'ff'",
    ],
)
def test_a_row_with_a_flipped_bit_blocks_nobody(database: SqliteDatabase, harm: str) -> None:
    """It says nothing any more: the limiter goes on at the plain rate, and so does the next one."""
    clock = ManualClock()
    limiters = [
        RateLimiter("ecb", rate=1, burst=3, shared=LeasedRates(database, clock=clock), clock=clock) for _ in range(2)
    ]
    LeasedRates(database, clock=clock).lease("ecb", ONE)
    with database.transaction() as connection:
        connection.execute(f"UPDATE rates SET {harm}")

    told = limiters[1].delay()
    answers = [bool(limiter.acquire()) for limiter in limiters]
    clock.advance(1.0)

    assert (told, answers, bool(limiters[1].acquire())) == (0.0, [True, False], True)
    assert [limiter.figures().shared_errors for limiter in limiters] == [0, 0]


@pytest.mark.parametrize("harm", ["deleted", "overwritten"])
def test_a_database_that_is_lost_in_use_is_joined_again(tmp_path: Path, harm: str) -> None:
    """Nothing is raised; the limiters meet in the new file, from where they had come."""
    path, clock = tmp_path / "coordination.db", ManualClock()
    with (
        closing(ReplaceableDatabase(path, migrations=[SCHEMA], on_set_aside=lambda _: None)) as first,
        closing(ReplaceableDatabase(path, migrations=[SCHEMA], on_set_aside=lambda _: None)) as second,
    ):
        here, there = (
            RateLimiter("ecb", rate=1, burst=5, shared=LeasedRates(database, clock=clock), clock=clock)
            for database in (first, second)
        )
        before = [bool(limiter.acquire()) for limiter in (here, there, here)]
        if harm == "deleted":
            for file in tmp_path.glob("coordination.db*"):
                file.unlink()
        else:
            path.with_name("coordination.db-wal").write_bytes(b"")
            path.write_bytes(b"no database any more" * 1000)
        during = [bool(limiter.acquire()) for limiter in (here, there) for _ in range(2)]
        clock.advance(LOOK_EVERY)
        joined = [bool(limiter.acquire()) for _ in range(10) for limiter in (here, there)]
        after = [limiter.delay() for limiter in (here, there)]

    assert all(before)
    assert during[:2] == [True, True]
    assert sum(joined) <= 3
    assert after[0] == after[1] > 0.0


def test_a_state_of_the_release_before_gets_the_new_table(tmp_path: Path) -> None:
    """Its other tables stay."""
    path = tmp_path / "coordination.db"
    released = [";".join((leases.SCHEMA, shared_verdicts.SCHEMA)), ";".join((quotas.SCHEMA, tokens.SCHEMA))]
    SqliteDatabase(path, migrations=released).close()

    with closing(SqliteDatabase(path, migrations=[*released, SCHEMA])) as database:
        assert LeasedRates(database).lease("ecb", ONE).granted


def grants_of(log: Path) -> list[float]:
    """What the children logged."""
    return [float(line) for line in log.read_text().split()]


@pytest.mark.parametrize(
    ("rate", "burst", "seconds"),
    [
        pytest.param(300, 20, 1.0, id="blocks of slots"),
        pytest.param(20, 1, 1.0, id="single slots"),
        pytest.param(50, 1, 30.0, id="single slots, long", marks=pytest.mark.prove),
        pytest.param(3000, 500, 30.0, id="blocks of slots, long", marks=pytest.mark.prove),
    ],
)
def test_four_processes_together_stay_below_the_rate_in_every_window(
    tmp_path: Path, rate: float, burst: int, seconds: float
) -> None:
    """Each asks as often as it can, and waits now and then."""
    log = tmp_path / "grants"
    children = [start("keep-to-rate", tmp_path / "coordination.db", log, rate, burst, seconds) for _ in range(4)]
    let_go(*children)

    errors = sum(int(finish(child)[-1]) for child in children)

    grants = grants_of(log)
    assert len(grants) > burst + 5
    assert largest_excess(grants, rate=rate, burst=burst) <= 1e-3
    assert errors == 0


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.prove)])
def test_processes_that_are_killed_with_slots_in_hand_never_give_room_for_more(tmp_path: Path, kills: int) -> None:
    """One after the other is killed in mid-use; the row goes only forward."""
    log, path, rate, burst = tmp_path / "grants", tmp_path / "coordination.db", 400, 30
    children = [start("keep-to-rate", path, log, rate, burst, 0) for _ in range(4)]
    let_go(*children)
    try:
        for number in range(kills):
            victim = children.pop(0)
            assert victim.stdout is not None
            assert victim.stdout.readline()
            victim.kill()
            victim.communicate()
            children.append(start("keep-to-rate", path, log, rate, burst, 0))
            if number < kills - 1:
                let_go(children[-1])
        assert children[0].stdout is not None
        assert children[0].stdout.readline()
    finally:
        for child in children:
            child.kill()
            child.communicate()

    grants = grants_of(log)
    assert len(grants) > burst + 10 * kills
    assert largest_excess(grants, rate=rate, burst=burst) <= 1e-3
