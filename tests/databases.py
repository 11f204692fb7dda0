"""The databases that an installation may keep its log and views in, for tests that must hold on each of them.

A test that asks for `address` runs on SQLite and on a real PostgreSQL (`tests/postgres.py`).
"""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from tests.postgres import execute
from utils.database import Database
from utils.postgres import PostgresDatabase
from utils.postgres_sql import in_postgres
from utils.sqlite import SqliteDatabase

_numbers = count(1)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where it lies: the path of a file, or the address of an empty database."""
    if request.param == "SQLite":
        return str(tmp_path / "log.db")
    return str(request.getfixturevalue("postgres"))


def is_postgres(address: str) -> bool:
    return address.startswith("postgresql")


def opened_at(address: str, migrations: Sequence[str]) -> Database:
    """The database at a path or at the address of a server."""
    if is_postgres(address):
        return PostgresDatabase(address, migrations=[in_postgres(script) for script in migrations])
    return SqliteDatabase(Path(address), migrations=migrations)


def another(address: str) -> str:
    """The address of an empty database beside it: a file, or a schema of the same server's database."""
    name = f"another_{next(_numbers)}"
    if not is_postgres(address):
        return f"{address}.{name}"
    execute(address, f"CREATE SCHEMA {name}")
    return f"{address}{'&' if '?' in address else '?'}options=-csearch_path%3D{name}"
