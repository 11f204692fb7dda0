"""What the machines of an installation share in its PostgreSQL, beside the log: leases, tokens, quotas, its key.

What must not be lost lies here. What may be (how the circuits stand, how far rates are used) lies in a Redis.
"""

import re
import secrets
from collections.abc import Callable

from utils import leases, quotas, tokens
from utils.database import Connection, Database, upsert
from utils.postgres_sql import in_postgres

__all__ = ["MIGRATIONS", "PART", "copy_shared", "shared_secret"]

PART = "coordination"
"""The tables have versions and a lock of their own: a lease must not wait behind the log."""

_KEPT = "CREATE TABLE installation (name TEXT PRIMARY KEY, value TEXT NOT NULL)"

MIGRATIONS = (
    in_postgres(
        ";".join(
            (
                leases.SCHEMA,
                leases.BEAT_SCHEMA,
                tokens.SCHEMA,
                re.sub(r"\bwindow\b", '"window"', quotas.SCHEMA),  # to PostgreSQL it is a word of its own
                _KEPT,
            )
        )
    ),
)
"""Scripts in order. One that was released is never changed: what is new is one more at the end."""

_KEY = "SELECT value FROM installation WHERE name = 'key'"
_COPIED = {
    "tokens": ("name, token, saved_at", "name"),
    "quotas": ('name, per, "window", used', 'name, per, "window"'),
    # Numbers that were given out are not given again; who held them works elsewhere.
    "leases": ("name, fence, owner, run, heartbeat, beat", "name"),
}


def copy_shared(source: Connection, target: Connection) -> None:
    """Tokens, quotas and the numbers of leases, from one database that keeps them to another.

    What the other one has besides stays. Both are in a transaction.
    """
    for table, (columns, key) in _COPIED.items():
        rows = source.execute(f"SELECT {columns} FROM {table}").fetchall()  # noqa: S608 - our names
        if table == "leases":
            rows = [(name, fence, None, None, heartbeat, beat) for name, fence, _, _, heartbeat, beat in rows]
        if rows:
            target.executemany(upsert(table, columns, key=key), rows)


def shared_secret(database: Database, own: Callable[[], str | None]) -> str:
    """64 hex digits that all processes of the installation know, made at the first call.

    `own`: the one of this state directory from before there was a PostgreSQL, so that what it names is found again.
    """
    if not (rows := database.query(_KEY)):
        made = own() or secrets.token_hex(32)

        def keep(connection: Connection) -> None:
            connection.execute("INSERT INTO installation VALUES ('key', ?) ON CONFLICT (name) DO NOTHING", (made,))

        database.change(keep)
        rows = database.query(_KEY)
    return str(rows[0][0])
