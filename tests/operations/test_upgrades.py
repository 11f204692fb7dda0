"""Databases that earlier releases left, with rows in every table: upgraded to now, every row is kept."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from operations.kept import MIGRATIONS
from utils import leases, quotas, shared_rates, shared_verdicts, tokens
from utils.database import Database, StateError
from utils.postgres import PostgresDatabase
from utils.postgres_sql import in_postgres
from utils.release import release
from utils.schema_version import TABLE
from utils.sqlite import SqliteDatabase
from utils.storage import small_blobs

COORDINATION = (
    ";".join((leases.SCHEMA, shared_verdicts.SCHEMA)),
    ";".join((quotas.SCHEMA, tokens.SCHEMA)),
    shared_verdicts.HELD_AND_TRIALS,
    leases.BEAT_SCHEMA,
    shared_rates.SCHEMA,
)
KEPT = {"the main database": MIGRATIONS, "coordination": COORDINATION, "small blobs": (small_blobs.SCHEMA, "SELECT 1")}
RENAMED = {"sealed_subjects": "(SELECT name AS subject, version FROM names WHERE kind = 'subject')"}
"""Where the rows of a table are that is there no more."""

Rows = dict[str, tuple[str, set[tuple[Any, ...]]]]


def filled(database: SqliteDatabase) -> Rows:
    """Three rows in each table, no value twice; by table its columns and rows."""
    found: Rows = {}
    for (table,) in database.query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"):
        if table == TABLE:
            continue
        about = database.query(f"PRAGMA table_info({table})")
        rows = [tuple(_value(name, kind, number) for _, name, kind, *_ in about) for number in range(1, 4)]
        with database.transaction() as connection:
            for row in rows:
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        found[table] = ", ".join(f'"{name}"' for _, name, *_ in about), set(rows)
    return found


def _value(name: str, kind: str, number: int) -> Any:
    return {"INTEGER": number, "REAL": number + 0.5, "BLOB": f"{name}{number}".encode()}.get(kind, f"{name} {number}")


def missing(database: Database, rows: Rows) -> dict[str, set[tuple[Any, ...]]]:
    """Rows that are not there as they were, by table."""
    lost = {}
    for table, (columns, before) in rows.items():
        there = {tuple(row) for row in database.query(f"SELECT {columns} FROM {RENAMED.get(table, table)} AS t")}
        if before - there:
            lost[table] = before - there
    return lost


@pytest.mark.parametrize("scripts", KEPT.values(), ids=KEPT)
def test_every_row_of_every_earlier_schema_is_kept(tmp_path: Path, scripts: Sequence[str]) -> None:
    """Of each database that is kept, from each version that there was."""
    for version in range(1, len(scripts)):
        path = tmp_path / f"{version}.db"
        with closing(SqliteDatabase(path, migrations=scripts[:version])) as old:
            before = filled(old)
        with closing(SqliteDatabase(path, migrations=scripts)) as now:
            assert missing(now, before) == {}, version
            assert now.query("PRAGMA user_version") == [(len(scripts),)]
        assert sum(len(rows) for _, rows in before.values()) == 3 * len(before) > 0


@pytest.mark.parametrize("scripts", KEPT.values(), ids=KEPT)
def test_a_newer_database_is_refused_and_left_as_it_is(tmp_path: Path, scripts: Sequence[str]) -> None:
    """With its version, the newest one that is known, and what to do."""
    path = tmp_path / "newer.db"
    with closing(SqliteDatabase(path, migrations=[*scripts, "CREATE TABLE of_tomorrow (a TEXT)"])) as newer:
        before = filled(newer)
    with pytest.raises(StateError, match=f"has schema version {len(scripts) + 1}, .* {len(scripts)}") as told:
        SqliteDatabase(path, migrations=scripts)
    assert f"by release {release()}: use that one" in told.value.hint
    with closing(SqliteDatabase(path, migrations=[*scripts, "-"])) as newer:
        assert missing(newer, before) == {}


@pytest.mark.parametrize("version", [1, 10, len(MIGRATIONS) - 1])
def test_rows_in_a_postgresql_are_kept_too(postgres: str, tmp_path: Path, version: int) -> None:
    """The scripts are the same; what they do to rows must be, too."""
    scripts = [in_postgres(script) for script in MIGRATIONS]
    with closing(SqliteDatabase(tmp_path / "like.db", migrations=MIGRATIONS[:version])) as like:
        before = filled(like)
    with closing(PostgresDatabase(postgres, migrations=scripts[:version])) as old, old.transaction() as connection:
        for table, (columns, rows) in before.items():
            for row in rows:
                connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(row))})", row)
    with closing(PostgresDatabase(postgres, migrations=scripts)) as now:
        assert missing(now, before) == {}
