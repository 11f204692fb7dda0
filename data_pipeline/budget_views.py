"""Read model of time budgets: what took longer than it may, as the log told it last. What keeps its budget has no row.

Projected from the event log like all views; emptying the table and replaying the log gives the same rows.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import orjson

from utils.database import Connection, Database, Statement, upsert
from utils.events import Event

__all__ = ["SCHEMA", "BudgetViews", "Over", "over_budget", "told_over"]

SCHEMA = """
CREATE TABLE over_budget (
    kind TEXT NOT NULL, subject TEXT NOT NULL, since TEXT NOT NULL, seconds REAL NOT NULL, datasets INTEGER NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (kind, subject)) WITHOUT ROWID
"""

_TYPES = {
    "run.over_budget": ("run", True),
    "run.within_budget": ("run", False),
    "dataset.over_budget": ("dataset", True),
    "dataset.within_budget": ("dataset", False),
}
_PUT = upsert("over_budget", "kind, subject, since, seconds, datasets, body", key="kind, subject")
_DELETE = "DELETE FROM over_budget WHERE kind = ? AND subject = ?"
_ALL = "SELECT kind, subject, since, seconds, datasets FROM over_budget ORDER BY kind, subject"


class Over(NamedTuple):
    """What took too long. `kind`: `run` or `dataset`; `since`: RFC 3339; `datasets`: of the run that it was."""

    kind: str
    subject: str
    since: str
    seconds: float
    datasets: int


class BudgetViews:
    """The projection: one event in, the statements that bring the view up to date out."""

    name = "over_budget"
    tables: Sequence[str] = ("over_budget",)

    @property
    def types(self) -> Collection[str]:
        return _TYPES

    def apply(self, event: Event) -> Iterable[Statement]:
        kind, over = _TYPES.get(event.type, ("", False))
        if not kind:
            return ()
        if not over:
            return [(_DELETE, (kind, event.subject))]
        data = event.data
        body = orjson.dumps(data).decode()
        return [(_PUT, (kind, event.subject, event.time, data["seconds"], data.get("datasets", 1), body))]


def over_budget(database: Database) -> list[Over]:
    """All that took longer than it may the last time."""
    return [Over(*row) for row in database.query(_ALL)]


def told_over(connection: Connection, kind: str, subject: str) -> bool:
    """Whether the log says so of one, as of a transaction."""
    found = connection.execute("SELECT 1 FROM over_budget WHERE kind = ? AND subject = ?", (kind, subject))
    return found.fetchone() is not None
