"""How many requests of a provider's quota are used: counted for all processes of an installation, over restarts."""

import math

from utils.database import Database, upsert
from utils.impatient import Impatient, ImpatientAfar
from utils.sqlite import SqliteDatabase

__all__ = ["SCHEMA", "CountedQuotas"]

SCHEMA = """
CREATE TABLE quotas (
    name TEXT NOT NULL, per REAL NOT NULL, window INTEGER NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (name, per, window)) WITHOUT ROWID
"""

# Quoted: to PostgreSQL it is a word of its own.
_READ = 'SELECT used FROM quotas WHERE name = ? AND per = ? AND "window" = ?'
_PUT = upsert("quotas", 'name, per, "window", used', key='name, per, "window"')
_FORGET = 'DELETE FROM quotas WHERE name = ? AND per = ? AND "window" < ?'
PATIENCE_MS = 5_000  # a request too many may cost a contract: worth a longer wait than a rate is
_KEPT_FOR = 2 * 86_400.0
_KEPT_AT_MOST = 1000


class CountedQuotas:
    """`SharedQuotas` over a database.

    A row a window, not one a provider: a clock that is set must not begin a window's count again. So windows are kept
    for two days, in case one comes back from there; at most a thousand.
    """

    def __init__(self, database: Database) -> None:
        self._database: Impatient | ImpatientAfar = (
            Impatient(database, patience_ms=PATIENCE_MS)
            if isinstance(database, SqliteDatabase)
            else ImpatientAfar(database)
        )

    def used(self, name: str, per: float, window: int) -> int:
        with self._database.read() as connection:
            row = connection.execute(_READ, (name, per, window)).fetchone()
        return int(row[0]) if row else 0

    def take(self, name: str, per: float, window: int, limit: int, owed: int, known: int) -> tuple[bool, int]:
        with self._database.transaction() as connection:
            row = connection.execute(_READ, (name, per, window)).fetchone()
            before = max(row[0] if row else 0, known) + owed
            granted = before < limit
            used = before + granted
            connection.execute(_PUT, (name, per, window, used))
            if row is None:
                connection.execute(_FORGET, (name, per, window - _kept(per)))
        return granted, used


def _kept(per: float) -> int:
    """How many windows before the current one are kept."""
    return min(math.ceil(_KEPT_FOR / per), _KEPT_AT_MOST)
