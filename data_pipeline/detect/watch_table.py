"""Where the watch over the series of each dataset stands: one row a dataset, no view of the log.

When it is lost, the watch begins again at the newest points.
"""

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from utils.database import Database, Statement, upsert

__all__ = ["SCHEMA", "Looks", "Stand"]

SCHEMA = """
CREATE TABLE looks (subject TEXT PRIMARY KEY, oldest REAL NOT NULL, body TEXT NOT NULL)
"""

_KEPT = upsert("looks", "subject, oldest, body", key="subject")
_ASKED = 200  # subjects in one statement


class Stand(NamedTuple):
    """Up to when (epoch seconds) a series was looked at; the others are `alarm.Standing`."""

    until: float
    before: float
    open: bool
    quiet: int
    passed: int


class Looks:
    """Reads the rows, and gives the statements that write them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def oldest(self, subjects: Sequence[str]) -> dict[str, float]:
        """Of each subject that was looked at: up to when its series were that has waited longest."""
        found: dict[str, float] = {}
        for start in range(0, len(subjects), _ASKED):
            some = subjects[start : start + _ASKED]
            marks = ", ".join("?" * len(some))
            found.update(self._database.query(f"SELECT subject, oldest FROM looks WHERE subject IN ({marks})", some))  # noqa: S608 - question marks
        return found

    def of(self, subject: str) -> dict[str, Stand]:
        """By metric."""
        rows = self._database.query("SELECT body FROM looks WHERE subject = ?", (subject,))
        return {metric: Stand(*stand) for metric, stand in orjson.loads(rows[0][0]).items()} if rows else {}

    def keep(self, subject: str, stands: dict[str, Stand], oldest: float) -> Statement:
        """To be committed with what was told."""
        return _KEPT, (subject, oldest, orjson.dumps({metric: tuple(one) for metric, one in stands.items()}).decode())
