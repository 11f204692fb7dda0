"""What the machines of an installation share in its PostgreSQL beside the log: quotas, tokens, its key."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from utils import leases, quotas, tokens
from utils.clock import ManualClock
from utils.database import Connection, StateError
from utils.impatient import ImpatientAfar
from utils.leases import Leases
from utils.postgres import PostgresDatabase
from utils.quotas import CountedQuotas
from utils.resilience.deadline import deadline
from utils.resilience.errors import DeadlineExceededError, QuotaUsedUpError
from utils.resilience.quota import Quota
from utils.shared_tables import MIGRATIONS, PART, copy_shared, shared_secret
from utils.sqlite import SqliteDatabase
from utils.tokens import StoredTokens

DAY = 86_400.0
OWN = [leases.SCHEMA, leases.BEAT_SCHEMA, tokens.SCHEMA, quotas.SCHEMA]


@pytest.fixture
def database(postgres: str) -> Iterator[PostgresDatabase]:
    with closing(PostgresDatabase(postgres, migrations=MIGRATIONS, part=PART)) as database:
        yield database


def test_the_count_of_a_quota_goes_up_to_the_limit_and_no_further(database: PostgresDatabase) -> None:
    """What is owed is counted in any case; windows long gone are forgotten."""
    counted = CountedQuotas(database)
    assert [counted.take("ecb", DAY, 7, 2, 0, 0) for _ in range(3)] == [(True, 1), (True, 2), (False, 2)]
    assert counted.take("ecb", DAY, 7, 2, 3, 0) == (False, 5)
    assert (counted.used("ecb", DAY, 7), counted.used("ecb", DAY, 8), counted.used("other", DAY, 7)) == (5, 0, 0)
    for window in range(8, 12):
        counted.take("ecb", DAY, window, 5, 0, 0)
    assert database.query('SELECT "window" FROM quotas ORDER BY 1') == [(9,), (10,), (11,)]


def test_many_together_make_no_more_requests_than_the_quota(postgres: str, database: PostgresDatabase) -> None:
    """Each with a connection of its own, as processes have them."""
    made = []

    def ask() -> None:
        with closing(PostgresDatabase(postgres, migrations=MIGRATIONS, part=PART)) as own:
            quota = Quota("ecb", limit=20, per=DAY, shared=CountedQuotas(own), clock=ManualClock())
            for _ in range(10):
                with contextlib.suppress(QuotaUsedUpError):
                    quota.take()
                    made.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert len(made) == 20
    assert database.query("SELECT used FROM quotas") == [(20,)]


def test_a_server_that_did_not_answer_is_left_alone_for_a_while() -> None:
    """A run is held up once, however long it is away; the process counts by itself."""
    asked = []

    class Away:
        name = "postgresql://db/orchestrator"

        @contextlib.contextmanager
        def transaction(self) -> Iterator[Connection]:
            asked.append(1)
            if asked:
                raise StateError("the server cannot be reached", transient=True)
            yield pytest.fail("unreachable")

    impatient = ImpatientAfar(Away())  # type: ignore[arg-type]  # only what is asked of it
    with pytest.raises(StateError, match="cannot be reached"), impatient.transaction():
        pass
    with pytest.raises(StateError, match="did not answer a moment ago"), impatient.transaction():
        pass
    assert len(asked) == 1


def test_a_token_is_saved_for_all_machines_and_renewed_by_one_at_a_time(
    postgres: str, database: PostgresDatabase
) -> None:
    """The last one saved counts."""
    here = StoredTokens(database, Leases(database))
    with closing(PostgresDatabase(postgres, migrations=MIGRATIONS, part=PART)) as other:
        there = StoredTokens(other, Leases(other))
        here.save("one", {"access_token": "before"})
        with here.lock("one"):
            here.save("one", {"access_token": "ä-1"})
            with deadline(0.05), pytest.raises(DeadlineExceededError), there.lock("one"):
                pass
        with deadline(60.0), there.lock("one"):
            assert there.load("one") == {"access_token": "ä-1"}
        assert there.load("two") is None


def test_a_saved_token_survives_a_power_cut_of_the_server(database: PostgresDatabase) -> None:
    """The server waits for its disk with this one, and with no other transaction of ours."""
    said = []
    with database.transaction(durability="power") as connection:
        said.append(connection.execute("SHOW synchronous_commit").fetchall())
    with database.transaction() as connection:
        said.append(connection.execute("SHOW synchronous_commit").fetchall())

    assert said == [[("on",)], [("off",)]]


def test_all_processes_have_one_key(postgres: str, database: PostgresDatabase) -> None:
    """That of the state directory from before there was a PostgreSQL, if it has one; whoever comes first."""
    keys = []

    def ask(own: str) -> None:
        with closing(PostgresDatabase(postgres, migrations=MIGRATIONS, part=PART)) as mine:
            keys.append(shared_secret(mine, lambda: own))

    threads = [threading.Thread(target=ask, args=(f"{number:064x}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert len(set(keys)) == 1
    assert shared_secret(database, lambda: None) == keys[0]


def test_what_a_state_directory_knows_moves_over_and_back(database: PostgresDatabase, tmp_path: Path) -> None:
    """Tokens, counted quotas, and the numbers of leases, which nobody holds there."""
    path = tmp_path / "coordination.db"
    with closing(SqliteDatabase(path, migrations=OWN)) as own:
        StoredTokens(own, Leases(own)).save("one", {"access_token": "a"})
        CountedQuotas(own).take("ecb", DAY, 7, 2, 0, 0)
        held = Leases(own)
        held.acquire(["a"], above={"a": 41})
        with own.read() as ours, database.transaction() as theirs:
            copy_shared(ours, theirs)
        held.close()

    there = Leases(database)
    assert StoredTokens(database, there).load("one") == {"access_token": "a"}
    assert CountedQuotas(database).used("ecb", DAY, 7) == 1
    assert there.acquire(["a"])["a"].fence == 43
    CountedQuotas(database).take("ecb", DAY, 7, 2, 0, 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as back, database.read() as theirs:
        copy_shared(theirs, back)
        assert back.execute("SELECT used FROM quotas").fetchall() == [(2,)]
        assert back.execute("SELECT fence, owner FROM leases WHERE name = 'a'").fetchall() == [(43, None)]
    there.close()
