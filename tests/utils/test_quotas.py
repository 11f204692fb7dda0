"""Quotas counted in the coordination database: over restarts, and by several processes at once."""

from pathlib import Path

import pytest

from tests.utils.children import finish, let_go, start
from utils import leases, quotas, shared_verdicts, tokens
from utils.clock import ManualClock
from utils.database import StateError
from utils.quotas import SCHEMA, CountedQuotas
from utils.resilience.errors import RateLimitedError
from utils.resilience.quota import Quota
from utils.sqlite import SqliteDatabase

DAY = 86_400.0


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    return SqliteDatabase(tmp_path / "coordination.db", migrations=[SCHEMA])


def test_the_count_goes_up_to_the_limit_and_no_further(database: SqliteDatabase) -> None:
    """What is owed is counted in any case."""
    counted = CountedQuotas(database)
    assert [counted.take("ecb", DAY, 7, 2, 0, 0) for _ in range(3)] == [(True, 1), (True, 2), (False, 2)]
    assert counted.take("ecb", DAY, 7, 2, 3, 0) == (False, 5)
    assert (counted.used("ecb", DAY, 7), counted.used("ecb", DAY, 8), counted.used("other", DAY, 7)) == (5, 0, 0)


def test_the_count_outlives_its_process(database: SqliteDatabase) -> None:
    """A restart is no way around a quota."""
    Quota("ecb", limit=1, per=DAY, shared=CountedQuotas(database)).take()
    database.close()

    again = Quota("ecb", limit=1, per=DAY, shared=CountedQuotas(SqliteDatabase(database.path, migrations=[SCHEMA])))

    with pytest.raises(RateLimitedError):
        again.check()


def test_windows_long_gone_are_forgotten(database: SqliteDatabase) -> None:
    """The table does not grow for ever; those of the two days before are kept, for clocks that are set."""
    counted = CountedQuotas(database)
    for window in range(10):
        counted.take("ecb", DAY, window, 5, 0, 0)
    assert database.query("SELECT window FROM quotas ORDER BY window") == [(7,), (8,), (9,)]


@pytest.mark.parametrize("per", [DAY, 3600.0, 600.0], ids=["a day", "an hour", "ten minutes"])
def test_a_clock_set_a_day_forth_and_back_begins_no_window_anew(database: SqliteDatabase, per: float) -> None:
    """Somebody corrects the date, and corrects it again."""
    clock = ManualClock()
    quota = Quota("ecb", limit=1, per=per, shared=CountedQuotas(database), clock=clock)
    quota.take()

    clock.set_back(-DAY)
    quota.take()
    clock.set_back(DAY)

    with pytest.raises(RateLimitedError):
        quota.take()
    clock.set_back(-DAY)
    with pytest.raises(RateLimitedError):
        quota.check()


def test_four_processes_together_make_no_more_requests_than_the_quota(tmp_path: Path) -> None:
    """Each asks for 40 of the 100 there are."""
    children = [start("take-quota", tmp_path / "coordination.db", 100, 40) for _ in range(4)]
    let_go(*children)
    assert sum(int(finish(child)[-1]) for child in children) == 100


def test_a_database_that_is_away_leaves_the_own_count(database: SqliteDatabase) -> None:
    """The run goes on; it only counts by itself."""
    counted = CountedQuotas(database)
    quota = Quota("ecb", limit=2, per=DAY, shared=counted)
    quota.take()
    database.close()
    with pytest.raises(StateError):
        counted.take("ecb", DAY, 1, 1, 0, 0)

    quota.take()

    with pytest.raises(RateLimitedError):
        quota.take()


def test_a_state_of_the_release_before_gets_the_new_tables(tmp_path: Path) -> None:
    """Its leases and verdicts stay."""
    path = tmp_path / "coordination.db"
    first = ";".join((leases.SCHEMA, shared_verdicts.SCHEMA))
    old = SqliteDatabase(path, migrations=[first])
    with old.transaction() as connection:
        connection.execute("INSERT INTO verdicts VALUES ('fx', 'open', 1.0, 2.0, 1, 'failed')")
    old.close()

    new = SqliteDatabase(path, migrations=[first, ";".join((quotas.SCHEMA, tokens.SCHEMA))])

    assert CountedQuotas(new).take("ecb", DAY, 1, 1, 0, 0) == (True, 1)
    assert new.query("SELECT name FROM verdicts") == [("fx",)]
    new.close()
