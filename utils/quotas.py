"""How many requests of a provider's quota are used: counted for all processes of a state directory, over restarts."""

from utils.database import Database

__all__ = ["SCHEMA", "CountedQuotas"]

SCHEMA = """
CREATE TABLE quotas (
    name TEXT NOT NULL, per REAL NOT NULL, window INTEGER NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (name, per, window)) WITHOUT ROWID
"""


class CountedQuotas:
    """`SharedQuotas` over SQLite.

    A row a window, not one a provider: a clock that is set back must not begin the new window's count again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def used(self, name: str, per: float, window: int) -> int:
        rows = self._database.query(
            "SELECT used FROM quotas WHERE name = ? AND per = ? AND window = ?", (name, per, window)
        )
        return int(rows[0][0]) if rows else 0

    def take(self, name: str, per: float, window: int, limit: int, owed: int) -> tuple[bool, int]:
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT used FROM quotas WHERE name = ? AND per = ? AND window = ?", (name, per, window)
            ).fetchone()
            before = (row[0] if row else 0) + owed
            granted = before < limit
            used = before + granted
            connection.execute("INSERT OR REPLACE INTO quotas VALUES (?, ?, ?, ?)", (name, per, window, used))
            if row is None:
                connection.execute(
                    "DELETE FROM quotas WHERE name = ? AND per = ? AND window < ?", (name, per, window - 1)
                )
        return granted, used
