"""Read model of promises: which are not kept, as the log told it last; and the rows that they are judged by.

Projected from the event log like all views; emptying the table and replaying the log gives the same rows. A promise
that is kept has none.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from utils.database import Connection, Database, Statement, upsert
from utils.events import Event

__all__ = ["SCHEMA", "Holding", "PromiseViews", "Promised", "Told", "told_states"]

SCHEMA = """
CREATE TABLE promises (
    dataset TEXT PRIMARY KEY, state TEXT NOT NULL, since TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID
"""

_NOT_KEPT = upsert("promises", "dataset, state, since, body", key="dataset")
_STATES = {"promise.at_risk": "at_risk", "promise.broken": "broken"}
_BY_NAME = 500
"""Datasets that are asked for by name; of more all are read."""


class Told(NamedTuple):
    """What the log told last of a promise that is not kept: since when, and in which words."""

    state: str
    since: str
    body: dict[str, Any]


class Holding(NamedTuple):
    """What a dataset has for its readers, and how its last run ended."""

    dataset: str
    status: str
    run_id: str
    collected_at: str | None
    data_time: str | None


class PromiseViews:
    """The projection: one event in, the statements that bring the view up to date out."""

    name = "promises"
    tables: Sequence[str] = ("promises",)
    types: Collection[str] = frozenset(("promise.kept", *_STATES))

    def apply(self, event: Event) -> Iterable[Statement]:
        if event.type == "promise.kept":
            return [("DELETE FROM promises WHERE dataset = ?", (event.subject,))]
        if (state := _STATES.get(event.type)) is None:
            return ()
        return [(_NOT_KEPT, (event.subject, state, event.time, orjson.dumps(event.data).decode()))]


class Promised:
    """Queries over the read models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def told(self, datasets: Sequence[str] | None = None) -> dict[str, Told]:
        """The promises that are not kept, by dataset; None: of all, and of many those of all there are."""
        sql, values = "SELECT dataset, state, since, body FROM promises", tuple(datasets or ())
        if datasets is not None and len(values) <= _BY_NAME:
            sql += f" WHERE dataset IN ({', '.join('?' * len(values))})"
        else:
            values = ()
        rows = self._database.query(sql, values)
        return {row[0]: Told(row[1], row[2], orjson.loads(row[3])) for row in rows}

    def holdings(self, datasets: Sequence[str]) -> list[Holding]:
        """What these datasets have; of many, that of all there are. Those that never ran have nothing.

        What was never accepted has no times of its own: then those of what the last run served (a snapshot) count.
        """
        sql, values = "SELECT dataset, status, run_id, collected_at, data_time FROM datasets", tuple(datasets)
        if len(values) > _BY_NAME:
            values = ()
        else:
            sql += f" WHERE dataset IN ({', '.join('?' * len(values))})"
        found = [Holding(*row) for row in self._database.query(sql, values)]
        return [one if one.collected_at is not None else self._served(one) for one in found]

    def _served(self, one: Holding) -> Holding:
        sql = "SELECT body FROM dataset_runs WHERE run_id = ? AND dataset = ?"
        for (body,) in self._database.query(sql, (one.run_id, one.dataset)):
            served = orjson.loads(body)
            return one._replace(collected_at=served["collected_at"], data_time=served["data_time"])
        return one


def told_states(connection: Connection, datasets: Iterable[str]) -> Mapping[str, str]:
    """The states of these promises as far as the log tells; to be asked in the transaction that tells more."""
    wanted = set(datasets)
    rows = connection.execute("SELECT dataset, state FROM promises", ()).fetchall()
    return {str(name): str(state) for name, state in rows if name in wanted}
