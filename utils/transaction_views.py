"""The read model of transactions: which are open, where each stands, and what it waits for."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from utils.database import Database, Statement, upsert
from utils.events import Event

__all__ = ["SCHEMA", "Listed", "TransactionViews", "listed"]

SCHEMA = """
CREATE TABLE transactions (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, started TEXT NOT NULL, time TEXT NOT NULL,
    step TEXT NOT NULL, error TEXT NOT NULL, attempts INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX transactions_by_state ON transactions (state, started)
"""

_COLUMNS = "id, kind, state, started, time, step, error, attempts"
_START = upsert("transactions", _COLUMNS, key="id")
_MOVE = "UPDATE transactions SET state = coalesce(?, state), time = ?, step = ?, error = ?, attempts = ? WHERE id = ?"
_OPEN = f"SELECT {_COLUMNS} FROM transactions WHERE state IN ('running', 'undoing') ORDER BY started, id"  # noqa: S608 - ours

_STATES = {
    "transaction.turned_back": "undoing",
    "transaction.completed": "completed",
    "transaction.failed": "failed",
    "transaction.step_done": None,
    "transaction.step_undone": None,
    "transaction.step_failed": None,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A transaction that is not over. `step`, `error`, `attempts`: what failed last, why, and how often."""

    id: str
    kind: str
    state: str
    started: str
    time: str
    step: str
    error: str
    attempts: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class TransactionViews:
    """The projection: one event in, the statements that bring the view up to date out."""

    name = "transactions"
    tables: Sequence[str] = ("transactions",)
    types: Collection[str] = frozenset(("transaction.started", *_STATES))

    def apply(self, event: Event) -> Iterable[Statement]:
        if event.type == "transaction.started":
            row = (event.subject, event.data["kind"], "running", event.time, event.time, "", "", 0)
            return [(_START, row)]
        if event.type not in _STATES:
            return ()
        data = event.data
        failed = (data.get("step", ""), data["error"]) if "error" in data else ("", "")
        return [(_MOVE, (_STATES[event.type], event.time, *failed, data.get("attempts", 0), event.subject))]


def listed(database: Database) -> list[Listed]:
    """The open transactions, oldest first."""
    return [Listed(*row) for row in database.query(_OPEN)]
