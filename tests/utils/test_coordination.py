"""The breakers' verdicts in the coordination database."""

from pathlib import Path

import pytest

from utils.coordination import MIGRATIONS, SharedVerdicts
from utils.database import Database
from utils.resilience.shared_state import Verdict

OPEN = Verdict("open", opened_at=100.0, open_until=160.5, times_opened=2, reason="6 of 10 calls failed")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "coordination.db", migrations=MIGRATIONS)


@pytest.mark.parametrize(
    "verdict",
    [OPEN, Verdict("closed"), Verdict("half_open", 1.0, 2.0, 1, "trial"), Verdict("open", 1.0, float("inf"))],
    ids=["open", "closed", "half open", "opened by hand"],
)
def test_a_verdict_comes_back_as_it_was_saved(database: Database, verdict: Verdict) -> None:
    """By name; the last one saved counts."""
    verdicts = SharedVerdicts(database)
    verdicts.save("fx", Verdict("closed", reason="before"))
    verdicts.save("fx", verdict)

    assert verdicts.load("fx") == verdict
    assert verdicts.load("unknown") is None


def test_verdicts_outlive_their_process(database: Database) -> None:
    """A restart finds every provider as it was left."""
    SharedVerdicts(database).save("fx", OPEN)
    SharedVerdicts(database).save("air", Verdict("closed"))
    database.close()

    verdicts = SharedVerdicts(Database(database.path, migrations=MIGRATIONS))

    assert verdicts.all() == {"air": Verdict("closed"), "fx": OPEN}


def test_the_version_tells_that_somebody_saved(database: Database) -> None:
    """Another process's save is seen by a look that reads no table; without one nothing seems to change."""
    mine, other = SharedVerdicts(database), SharedVerdicts(Database(database.path, migrations=MIGRATIONS))
    before = mine.version()

    unchanged = mine.version()
    other.save("fx", OPEN)

    assert unchanged == before
    assert mine.version() != before
    assert mine.load("fx") == OPEN


@pytest.mark.parametrize(
    "damage",
    ["state = 'opem'", "trial = '{\"beg'", 'trial = \'{"began": 1.0, "lent": 7, "codes": []}\'', "trial = '[]'"],
    ids=["no state", "cut", "no list", "no object"],
)
def test_a_verdict_that_was_damaged_counts_as_none(database: Database, damage: str) -> None:
    """And the next decision takes its place."""
    verdicts = SharedVerdicts(database)
    verdicts.save("air", OPEN)
    verdicts.save("fx", OPEN)
    with database.transaction() as connection:
        connection.execute(f"UPDATE verdicts SET {damage} WHERE name = 'fx'")

    other = SharedVerdicts(database)
    before = other.all()
    other.save("fx", OPEN)

    assert before == {"air": OPEN}
    assert other.all() == {"air": OPEN, "fx": OPEN}
