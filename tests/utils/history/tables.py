"""A database with the tables of the history (and of the log, whose writer appends points), and what tests do in it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from utils import events
from utils.database import Database
from utils.history import CLOSE, LEVELS_SCHEMA, SCHEMA, point
from utils.postgres import PostgresDatabase
from utils.postgres_sql import in_postgres
from utils.sqlite import SqliteDatabase

_SCRIPTS = (f"{events.SCHEMA};{SCHEMA}", LEVELS_SCHEMA)


def open_at(address: str) -> Database:
    """The database at a path or at the address of a server."""
    if address.startswith("postgresql"):
        return PostgresDatabase(address, migrations=[in_postgres(script) for script in _SCRIPTS])
    return SqliteDatabase(Path(address), migrations=_SCRIPTS)


def add(database: Database, subject: str, points: Iterable[tuple[float, Mapping[str, float | None]]]) -> None:
    """Append points one by one, and close after each, as a run of that dataset alone would."""
    with database.transaction() as connection:
        for time, values in points:
            for sql, parameters in (point(subject, time, values), *CLOSE):
                connection.execute(sql, parameters)


def count(database: Database, subject: str, points: int) -> None:
    """One point a second from 1970 on, each with its number."""
    add(database, subject, [(float(n), {"n": float(n)}) for n in range(points)])


def empty(database: Database) -> None:
    """Forget everything: hypothesis runs many examples in one database."""
    with database.transaction() as connection:
        for table in ("history", "history_open", "history_rollups", "history_series", "history_levels"):
            connection.execute(f"DELETE FROM {table}")
