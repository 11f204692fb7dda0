"""The breakers' verdicts and trials in the coordination database."""

import math
import time
from pathlib import Path

import pytest

from utils.clock import ManualClock
from utils.resilience.breaker import CircuitBreaker
from utils.resilience.shared_state import Verdict
from utils.resilience.trial import Lent, Trial
from utils.resilience.window import FAILED, OK
from utils.shared_verdicts import MIGRATIONS, SCHEMA, SharedVerdicts
from utils.sqlite import SqliteDatabase

OPEN = Verdict("open", opened_at=100.0, open_until=160.5, times_opened=2, reason="6 of 10 calls failed")
TRIAL = Trial(17.25, (Lent("a1", 18.5), Lent("b2", 19.0)), (OK, FAILED))


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    return SqliteDatabase(tmp_path / "coordination.db", migrations=MIGRATIONS)


@pytest.mark.parametrize(
    "verdict",
    [
        OPEN,
        Verdict("closed"),
        Verdict("half_open", 1.0, 2.0, 1, "trial", trial=TRIAL),
        Verdict("half_open", 1.0, 2.0, 1, "trial", trial=Trial(3.0)),
        Verdict("open", 1.0, math.inf, held=True),
        Verdict("closed", reason="they announced it", held=True),
    ],
    ids=["open", "closed", "half open", "a trial without calls", "forced open", "forced closed"],
)
def test_a_verdict_comes_back_as_it_was_saved(database: SqliteDatabase, verdict: Verdict) -> None:
    """By name; the last one saved counts."""
    verdicts = SharedVerdicts(database)
    verdicts.save("fx", Verdict("closed", reason="before"))
    verdicts.save("fx", verdict)

    assert verdicts.load("fx") == verdict
    assert verdicts.load("unknown") is None


def test_verdicts_outlive_their_process(database: SqliteDatabase) -> None:
    """A restart finds every provider as it was left."""
    SharedVerdicts(database).save("fx", OPEN)
    SharedVerdicts(database).save("air", Verdict("closed"))
    database.close()

    verdicts = SharedVerdicts(SqliteDatabase(database.path, migrations=MIGRATIONS))

    assert verdicts.all() == {"air": Verdict("closed"), "fx": OPEN}


def test_the_version_tells_that_somebody_saved(database: SqliteDatabase) -> None:
    """Another process's save is seen by a look that reads no table; without one nothing seems to change."""
    mine, other = SharedVerdicts(database), SharedVerdicts(SqliteDatabase(database.path, migrations=MIGRATIONS))
    before = mine.version()

    unchanged = mine.version()
    other.save("fx", OPEN)

    assert unchanged == before
    assert mine.version() != before
    assert mine.load("fx") == OPEN


def test_a_change_sees_what_is_there_and_writes_only_what_is_new(database: SqliteDatabase) -> None:
    """A claim that finds no permit left costs no write that others would have to read."""
    mine, other = SharedVerdicts(database), SharedVerdicts(SqliteDatabase(database.path, migrations=MIGRATIONS))
    seen = list[Verdict | None]()

    def same(stored: Verdict | None) -> Verdict:
        seen.append(stored)
        return OPEN

    mine.change("fx", same)
    before = other.version()
    mine.change("fx", same)

    assert seen == [None, OPEN]
    assert other.version() == before


def test_a_change_that_fails_changes_nothing(database: SqliteDatabase) -> None:
    """Its error comes through, and the verdict stays."""
    verdicts = SharedVerdicts(database)
    verdicts.save("fx", OPEN)

    def fails(stored: Verdict | None) -> Verdict:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        verdicts.change("fx", fails)

    assert verdicts.load("fx") == OPEN


def test_a_state_of_the_release_before_keeps_its_verdicts(tmp_path: Path) -> None:
    """What had been opened by hand is held from now on; nothing else is."""
    path = tmp_path / "coordination.db"
    old = SqliteDatabase(path, migrations=[SCHEMA])
    with old.transaction() as connection:
        connection.execute("INSERT INTO verdicts VALUES ('fx', 'open', 100.0, 160.5, 2, '6 of 10 calls failed')")
        connection.execute("INSERT INTO verdicts VALUES ('air', 'open', 1.0, ?, 1, 'by hand')", (math.inf,))
        connection.execute("INSERT INTO verdicts VALUES ('sea', 'half_open', 1.0, 2.0, 1, 'trying again')")
    old.close()

    new = SqliteDatabase(path, migrations=MIGRATIONS)

    assert SharedVerdicts(new).all() == {
        "air": Verdict("open", 1.0, math.inf, 1, "by hand", held=True),
        "fx": OPEN,
        "sea": Verdict("half_open", 1.0, 2.0, 1, "trying again"),
    }
    assert CircuitBreaker("sea", half_open_calls=1, shared=SharedVerdicts(new)).call(lambda: "well") == "well"
    new.close()


@pytest.mark.parametrize(
    "row",
    [
        ("fx", "ajar", 0.0, 0.0, 0, "", 0, None),
        ("fx", "half_open", 0.0, 0.0, 1, "", 0, "not json"),
        ("fx", "half_open", 0.0, 0.0, 1, "", 0, '{"began": 1.0}'),
    ],
    ids=["an unknown state", "a trial that is no JSON", "a trial without permits"],
)
def test_a_damaged_row_is_replaced_by_the_next_decision(database: SqliteDatabase, row: tuple[object, ...]) -> None:
    """It counts as none: the circuit begins closed, opens, and the others hear of it."""
    with database.transaction() as connection:
        connection.execute("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    breaker = CircuitBreaker("fx", failure_threshold=1, shared=SharedVerdicts(database))
    before = breaker.state

    breaker.record_failure()

    assert (before, breaker.state, breaker.figures().shared_errors) == ("closed", "open", 0)
    assert SharedVerdicts(database).all()["fx"].state == "open"


def test_a_database_that_goes_away_leaves_exact_local_permits(database: SqliteDatabase) -> None:
    """The rest is over, nobody can be asked: this process lends its own three."""
    now = time.time()
    SharedVerdicts(database).save("fx", Verdict("open", now - 60.0, now - 1.0, 1, "6 of 10 calls failed"))
    breaker = CircuitBreaker("fx", shared=SharedVerdicts(database))
    database.close()

    allowed = [breaker.allows() for _ in range(5)]
    for _ in range(3):
        breaker.record_success()

    assert (allowed, breaker.state) == ([True, True, True, False, False], "closed")
    assert breaker.figures().shared_errors > 0


def test_a_success_of_a_closed_circuit_never_touches_the_database(database: SqliteDatabase) -> None:
    """Between two looks a call costs no statement at all; the closed database would tell."""
    breaker = CircuitBreaker("fx", shared=SharedVerdicts(database), clock=ManualClock())
    database.close()

    for _ in range(100):
        breaker.call(lambda: "well")

    assert (breaker.figures().calls, breaker.figures().shared_errors) == (20, 0)
