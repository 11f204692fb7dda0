"""The breaker among real processes: trial calls are counted over all of them, and survive a kill."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.utils.children import finish, let_go, start
from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker
from utils.resilience.shared_state import Verdict
from utils.shared_verdicts import MIGRATIONS, SharedVerdicts
from utils.sqlite import SqliteDatabase


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    """In which the rest of `ecb` is over."""
    database = SqliteDatabase(tmp_path / "coordination.db", migrations=MIGRATIONS)
    now = time.time()
    SharedVerdicts(database).save("ecb", Verdict("open", now - 60.0, now - 1.0, 1, "6 of 10 calls failed"))
    return database


def lines(child: "subprocess.Popen[str]", count: int) -> list[str]:
    """The next lines that a child prints."""
    assert child.stdout is not None
    return [child.stdout.readline().strip() for _ in range(count)]


def test_of_fifty_callers_in_four_processes_exactly_three_pass(database: SqliteDatabase) -> None:
    """One process tells that the trial begins, one that it ends; the forty-seven others are refused meanwhile."""
    sizes = (13, 13, 12, 12)
    children = [start("try-provider", database.path, size) for size in sizes]
    let_go(*children)
    answers = [answer for child, size in zip(children, sizes, strict=True) for answer in lines(child, size)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("answer\n")
        child.stdin.flush()

    told = [line for child in children for line in finish(child)]

    assert (answers.count("passed"), answers.count("refused")) == (3, 47)
    assert sorted(told) == ["half_open>closed", "open>half_open"]
    assert SharedVerdicts(database).load("ecb") == Verdict("closed", reason="3 of 3 trial calls succeeded")
    database.close()


class LaterClock(ManualClock):
    """The machine's clock, some seconds on."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def time(self) -> float:
        return time.time() + self._seconds

    def monotonic(self) -> float:
        return time.monotonic() + self._seconds


def test_the_permits_of_a_killed_process_are_lent_again(database: SqliteDatabase) -> None:
    """Its three calls never come back; twenty seconds later others may try."""
    child = start("try-provider", database.path, 3)
    let_go(child)
    passed = lines(child, 3)
    child.kill()
    child.communicate()
    now, later = (
        CircuitBreaker("ecb", shared=SharedVerdicts(database), clock=LaterClock(seconds)) for seconds in (0.0, 25.0)
    )

    assert passed == ["passed", "passed", "passed"]
    assert (now.allows(), now.state) == (False, "half_open")
    assert [later.allows() for _ in range(4)] == [True, True, True, False]
    database.close()


def test_a_phase_whose_processes_were_all_killed_is_decided_by_the_next(database: SqliteDatabase) -> None:
    """Nothing came back for a minute: the circuit rests again, once, whoever looks."""
    child = start("try-provider", database.path, 3)
    let_go(child)
    lines(child, 3)
    child.kill()
    child.communicate()

    breakers = [CircuitBreaker("ecb", shared=SharedVerdicts(database), clock=LaterClock(61.0)) for _ in range(2)]
    states = [breaker.state for breaker in breakers]

    verdict = SharedVerdicts(database).load("ecb")
    assert states == ["open", "open"]
    assert verdict is not None
    assert (verdict.times_opened, verdict.reason) == (2, "the trial calls did not come back")
    database.close()
