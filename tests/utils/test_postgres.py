"""PostgreSQL as the database: what is said when it cannot be used, and what it does when connections break."""

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.databases import another
from tests.postgres import address, execute
from utils.database import StateError, StatementRefused
from utils.postgres import PostgresDatabase
from utils.release import release

TABLE = "CREATE TABLE things (name text PRIMARY KEY)"
PASSWORD = "hunter2-and-more"


def _open(url: str, **options: Any) -> PostgresDatabase:
    return PostgresDatabase(url, migrations=[TABLE], **options)


def _count(url: str) -> int:
    ((count,),) = execute(url, "SELECT count(*) FROM things")
    return int(count)


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _nobody(url: str) -> str:
    user = f"nobody_in_{_name(url)}"  # users are those of the whole server
    execute(url, f"CREATE USER {user}", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    return url.replace("postgres:@", f"{user}@")


def _foreign(url: str) -> str:
    execute(url, "CREATE TABLE things (other int)")
    return url


def _newer(url: str) -> str:
    with closing(PostgresDatabase(url, migrations=[TABLE, "SELECT 1"])):
        return url


def _newer_long_ago(url: str) -> str:
    execute(_newer(url), "ALTER TABLE schema_version DROP COLUMN release")
    return url


@pytest.mark.parametrize(
    ("spoil", "said", "hint"),
    [
        (lambda url: url.replace("/test_", "/no_"), "there is no such database", "create it"),
        (lambda url: url.replace("postgres:@", "stranger@"), "the server does not let us in", "user and password"),
        (_nobody, "cannot be written (permission denied for schema public", "grant this user"),
        (lambda url: f"{url}&options=-csearch_path%3Dnowhere", "there is no such schema", "CREATE SCHEMA"),
        (_foreign, "has tables of another program", "a schema of its own"),
        (_newer, "has schema version 2, this program knows 1", f"release {release()}: use that one or a later one"),
        (_newer_long_ago, "has schema version 2, this program knows 1", "a newer release: use that one"),
        (lambda _: f"postgresql://bob:{PASSWORD}@127.0.0.1:1/d", "the server cannot be reached", "see that it runs"),
        (lambda _: "postgresql://[::1/d", "cannot be read as the address", "postgresql+psycopg://"),
    ],
    ids=[
        "no database",
        "no user",
        "no right",
        "no schema",
        "foreign tables",
        "newer",
        "newer, unnamed",
        "no server",
        "no address",
    ],
)
def test_what_cannot_be_used_is_told_with_what_to_do(
    postgres: str, spoil: Callable[[str], str], said: str, hint: str
) -> None:
    """At the opening, once; no connection stays behind, and no password is in the words."""
    with pytest.raises(StateError) as refused:
        _open(spoil(postgres))

    assert said in str(refused.value)
    assert hint in refused.value.hint
    assert PASSWORD not in str(refused.value)
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert execute(postgres, others) == [(0,)]


def test_a_wrong_password_is_told(own_server: Any) -> None:
    """A server that asks for one; neither the wrong one nor the right one is shown."""
    url = address("postgres", own_server)
    execute(url, f"CREATE USER bob PASSWORD '{PASSWORD}'")
    ((rules,),) = execute(url, "SHOW hba_file")
    with open(rules, "r+") as file:
        others = file.read()
        file.seek(0)
        file.write(f"local all bob scram-sha-256\n{others}")
    execute(url, "SELECT pg_reload_conf()", "GRANT CREATE ON SCHEMA public TO bob")
    of_bob = url.replace("postgres:@", "bob:{}@")

    with pytest.raises(StateError, match="does not let us in") as refused:
        _open(of_bob.format("not-it-at-all"))

    assert "user and password" in refused.value.hint
    assert "not-it-at-all" not in str(refused.value)
    _open(of_bob.format(PASSWORD)).close()


def test_a_server_that_is_too_old_is_refused(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written there."""
    monkeypatch.setattr(PostgresDatabase, "OLDEST", 990000)

    with pytest.raises(StateError, match=r"is PostgreSQL \d+, which is too old") as refused:
        _open(postgres)

    assert refused.value.hint == "use PostgreSQL 99 or later"
    assert execute(postgres, "SELECT to_regclass('things')") == [(None,)]


def test_a_user_without_the_right_to_create_may_use_what_is_there(postgres: str) -> None:
    """The tables are made by somebody else, once."""
    _open(postgres).close()
    stranger = _nobody(postgres)
    execute(postgres, "GRANT ALL ON things TO PUBLIC", "GRANT SELECT ON schema_version TO PUBLIC")

    with closing(_open(stranger)) as database, database.transaction() as connection:
        connection.execute("INSERT INTO things VALUES (?)", ("a",))

    assert _count(postgres) == 1


def test_schemas_of_one_database_know_nothing_of_each_other(postgres: str) -> None:
    """Nor do they wait for each other: each has a writers' lock of its own."""
    with closing(_open(another(postgres))) as one, closing(_open(another(postgres))) as two:
        with one.transaction() as first, two.transaction() as second:
            first.execute("INSERT INTO things VALUES (?)", ("a",))
            second.execute("INSERT INTO things VALUES (?)", ("b",))
        assert (one.query("SELECT name FROM things"), two.query("SELECT name FROM things")) == ([("a",)], [("b",)])
        assert one.identity() != two.identity()


@pytest.mark.parametrize(("durability", "setting"), [("process", "off"), ("power", "on")])
def test_durability_is_what_the_server_waits_for(postgres: str, durability: Any, setting: str) -> None:
    """Whatever the server's own default is."""
    with closing(_open(postgres, durability=durability)) as database:
        assert database.query("SHOW synchronous_commit") == [(setting,)]


def test_the_isolation_that_the_order_of_the_log_needs_is_asked_for(postgres: str) -> None:
    """A server's default that shows a transaction the past would show it an old head of the log."""
    execute(
        postgres,
        f"ALTER DATABASE {_name(postgres)} SET default_transaction_isolation = 'serializable'",
        f"ALTER DATABASE {_name(postgres)} SET default_transaction_read_only = on",
    )
    with closing(_open(postgres)) as database, database.transaction() as connection:
        assert connection.execute("SHOW transaction_isolation").fetchall() == [("read committed",)]
        assert connection.execute("SHOW transaction_read_only").fetchall() == [("off",)]


def test_what_is_read_first_is_of_the_moment_when_the_lock_was_given(postgres: str) -> None:
    """Not of the moment when the waiting for it began."""
    reads = [("SELECT count(*) FROM things", ())]
    seen: list[Any] = []

    def second() -> None:
        with two.transaction_reading(reads, together=True) as (_, rows):
            seen.extend(rows)

    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with closing(_open(postgres)) as one, closing(_open(postgres)) as two:
        thread = threading.Thread(target=second)
        with one.transaction() as connection:
            connection.execute("INSERT INTO things VALUES (?)", ("a",))
            thread.start()
            while execute(postgres, waiting) != [(1,)]:
                pass
        thread.join(120)
    assert seen == [[(1,)]]


def test_a_transaction_in_which_a_statement_failed_is_never_told_as_done(postgres: str) -> None:
    """The server answers such a COMMIT without an error, and rolls back."""
    with closing(_open(postgres)) as database:
        with (  # noqa: PT012 - both fail in the same transaction
            pytest.raises(StatementRefused, match="nothing was committed"),
            database.transaction() as connection,
        ):
            connection.execute("INSERT INTO things VALUES (?)", ("a",))
            with pytest.raises(Exception, match="things_pkey"):
                connection.execute("INSERT INTO things VALUES (?)", ("a",))
        assert database.query("SELECT * FROM things") == []


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "together"])
def test_a_refused_statement_undoes_the_transaction(postgres: str, together: bool) -> None:
    """Sent with the commit, it is told at the end; the connection is as good as before."""
    with closing(_open(postgres)) as database:
        with (
            pytest.raises(StatementRefused, match="things_pkey"),
            database.transaction_reading((), together=together) as (connection, _),
        ):
            connection.executemany("INSERT INTO things VALUES (?)", [("a",), ("b",), ("a",)])
        assert database.query("SELECT * FROM things") == []
        with database.transaction() as connection:
            connection.execute("INSERT INTO things VALUES (?)", ("a",))
        assert database.query("SELECT * FROM things") == [("a",)]


def test_a_server_that_was_stopped_and_started_is_used_again(own_server: Any) -> None:
    """What lay idle is thrown away unasked; who was in the middle of a transaction is told, and nothing of it stays."""
    with closing(_open(address("postgres", own_server))) as database:
        with database.transaction(), database.read() as connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]  # two connections lie idle now

        own_server.stop()
        with pytest.raises(StateError, match="the server cannot be reached") as away:
            database.query("SELECT 1")
        own_server.ensure_postgres_running()

        assert away.value.transient
        with database.transaction() as connection:
            connection.execute("INSERT INTO things VALUES (?)", ("a",))
        with pytest.raises(StateError, match="the server cannot be reached") as broken:  # noqa: SIM117, PT012 - in its middle
            with database.transaction() as connection:
                connection.execute("INSERT INTO things VALUES (?)", ("b",))
                own_server.stop()
                own_server.ensure_postgres_running()
                connection.execute("INSERT INTO things VALUES (?)", ("c",))
        assert broken.value.transient
        assert database.query("SELECT * FROM things") == [("a",)]
