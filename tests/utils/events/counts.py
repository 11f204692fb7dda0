"""A database with the log's tables and one small view, as the tests of the log want it."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from utils import transaction_views
from utils.database import Database, Statement
from utils.events import FIRST_SCHEMA, LINKED_SCHEMA, Event, cursors, segments
from utils.postgres import PostgresDatabase
from utils.postgres_sql import in_postgres
from utils.sqlite import SqliteDatabase

_TABLE = "CREATE TABLE counts (type TEXT PRIMARY KEY, count INTEGER NOT NULL, last INTEGER NOT NULL)"
_COUNT = """
INSERT INTO counts VALUES (?1, 1, ?2) ON CONFLICT (type) DO UPDATE SET count = counts.count + 1, last = ?2
"""


class Counts:
    """How many events of each type there were; an event of type `odd` is more than it can take."""

    name = "counts"
    tables: Sequence[str] = ("counts",)
    types: Collection[str] | None = None

    def apply(self, event: Event) -> Iterable[Statement]:
        if event.type == "odd":
            raise KeyError("what an odd event lacks")
        return [(_COUNT, (event.type, event.seq))]


def open_at(address: str) -> Database:
    """The database at a path or at the address of a server."""
    scripts = [
        f"{FIRST_SCHEMA};{_TABLE}",
        cursors.SCHEMA,
        segments.SCHEMA,
        transaction_views.SCHEMA,
        f"{LINKED_SCHEMA};{segments.NAMED_SCHEMA}",
    ]
    if address.startswith("postgresql"):
        return PostgresDatabase(address, migrations=[in_postgres(script) for script in scripts])
    return SqliteDatabase(Path(address), migrations=scripts)
