"""A state directory moves into a PostgreSQL with all that it knows, or not at all."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from operations import migrate as migrating
from operations.actor import Actor, UsageError
from operations.backup import backup
from operations.housekeeping import Busy
from operations.kept import MIGRATIONS, projections
from operations.migrate import migrate
from operations.restore import restore
from tests.integration.installation import Installation
from tests.postgres import execute
from utils.database import Database, StateError
from utils.sqlite import SqliteDatabase
from utils.table_copy import TableFigures

ROOT = Actor("root", "admin")
DATASETS: tuple[dict[str, Any], ...] = (
    {"name": "small", "collect": {"kind": "simulated", "rows": 3}},
    {"name": "grows", "collect": {"kind": "simulated", "rows": 4}, "write": "append"},
)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Two runs over SQLite."""
    made = Installation(tmp_path)
    made.configure(*DATASETS)
    made.run()
    made.run(fresh=True)
    return made


def _views(database: Database) -> dict[str, list[str]]:
    tables = sorted({table for one in projections() for table in one.tables})
    return {name: sorted(map(repr, database.query(f"SELECT * FROM {name}"))) for name in tables}


def test_a_moved_installation_has_the_same_log_and_views_and_goes_on(installation: Installation, postgres: str) -> None:
    """Every table, row by row; the chain with the move as its next event; a rebuild changes nothing; runs go on."""
    with installation.system() as system:
        head = system.events.head()
        done = migrate(system, ROOT, to=postgres)
        before = _views(system.database)
    rows = installation.rows("grows")
    installation.configure(*DATASETS, database={"url": postgres})

    with installation.system() as system:
        (told,) = system.events.read(type="state.migrated")
        assert done.head == f"{head[0]}:{head[1]}"
        assert (told.seq, told.data["head"], told.data["rows"]) == (head[0] + 1, done.head, done.rows)
        assert system.events.verify(done.head).fault is None
        assert _views(system.database) == before
        assert {table.name for table in done.tables} >= {"log", "names", "checkpoints"}
        system.events.rebuild()
        assert _views(system.database) == before
    assert installation.rows("grows") == rows
    assert installation.run(fresh=True).status == "succeeded"


def test_a_move_that_fails_leaves_the_postgresql_empty(
    installation: Installation, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that comes out different is named, nothing of the copy is committed, and the next try succeeds."""
    with installation.system() as system:
        with monkeypatch.context() as patched:
            real = migrating.figures

            def other(there: Any, *, like: Any) -> tuple[TableFigures, ...]:
                there.execute("DELETE FROM checkpoints")
                return real(there, like=like)

            patched.setattr(migrating, "figures", other)
            with pytest.raises(StateError, match="checkpoints came out different"):
                migrate(system, ROOT, to=postgres)
        assert execute(postgres, "SELECT count(*) FROM log") == [(0,)]
        migrate(system, ROOT, to=postgres)
        with pytest.raises(StateError, match="holds a log already"):
            migrate(system, ROOT, to=postgres)


def test_nobody_is_moved_while_at_work(installation: Installation, postgres: str) -> None:
    """Neither with a lease that lives, nor from a PostgreSQL, nor to something that is none."""
    with installation.system() as system:
        held = system.leases.acquire(["dataset:small"])
        with pytest.raises(Busy, match="dataset:small"):
            migrate(system, ROOT, to=postgres)
        system.leases.release(held)
        with pytest.raises(UsageError, match="no address"):
            migrate(system, ROOT, to="mysql://x")
    installation.configure(*DATASETS, database={"url": postgres})
    with installation.system() as system, pytest.raises(UsageError, match="already"):
        migrate(system, ROOT, to=postgres)


def test_without_an_address_the_schema_is_brought_up_to_date(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says which schema version it is, and moves nothing."""
    assert installation.typed("migrate", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["tables"]) == (len(MIGRATIONS), [])


def test_a_backup_of_a_postgresql_is_restored_into_a_state_directory(
    installation: Installation, postgres: str, tmp_path: Path
) -> None:
    """As of one moment, while a run goes on: the same views and chain; and from there into another PostgreSQL."""
    elsewhere = Installation(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    elsewhere.configure(*DATASETS)
    with installation.system() as system:
        migrate(system, ROOT, to=postgres)
    installation.configure(*DATASETS, database={"url": postgres})
    with installation.system() as system:
        head, before, listed = system.events.head(), _views(system.database), system.storage.list

        def run_between(prefix: str = "") -> Any:
            installation.run(fresh=True)
            return listed(prefix)

        system.storage.list = run_between  # type: ignore[method-assign]  # the moment between log and files
        made = backup(system, ROOT, tmp_path)
    assert made.found.about.head == f"{head[0]}:{head[1]}"

    with elsewhere.system() as lends:
        restore(lends, ROOT, made.path, elsewhere.folder / "new")

    elsewhere.state = elsewhere.folder / "new"
    with elsewhere.system() as system:
        assert _views(system.database) == before
        assert system.events.verify(made.found.about.head).fault is None
    assert elsewhere.run(fresh=True).status == "succeeded"


def test_every_schema_that_there_was_becomes_the_newest(tmp_path: Path) -> None:
    """A database of any earlier schema version has the tables of a new one afterwards; a newer one is refused."""

    def schema(database: SqliteDatabase) -> list[tuple[Any, ...]]:
        return database.query("SELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2")

    with closing(SqliteDatabase(tmp_path / "new.db", migrations=MIGRATIONS)) as new:
        newest = schema(new)
    for version in range(1, len(MIGRATIONS)):
        path = tmp_path / f"{version}.db"
        SqliteDatabase(path, migrations=MIGRATIONS[:version]).close()
        with closing(SqliteDatabase(path, migrations=MIGRATIONS)) as database:
            assert schema(database) == newest, version
    with pytest.raises(StateError, match=f"has schema version {len(MIGRATIONS)}"):
        SqliteDatabase(tmp_path / "new.db", migrations=MIGRATIONS[:-1])
