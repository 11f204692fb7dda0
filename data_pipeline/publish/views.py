"""Read models of what went out: the sinks that are known, and how each version stands with each of them.

Projected from the event log like all views; emptying the tables and replaying the log gives the same rows.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from utils.database import Database, Statement, upsert
from utils.events import Event

__all__ = ["SCHEMA", "Publication", "PublicationViews", "Publications", "SinkState"]

SCHEMA = """
CREATE TABLE sinks (
    dataset TEXT NOT NULL, sink TEXT NOT NULL, kind TEXT NOT NULL, since TEXT, time TEXT NOT NULL,
    PRIMARY KEY (dataset, sink)) WITHOUT ROWID;
CREATE TABLE publications (
    dataset TEXT NOT NULL, sink TEXT NOT NULL, version TEXT NOT NULL, state TEXT NOT NULL, time TEXT NOT NULL,
    rows INTEGER, attempts INTEGER NOT NULL, error TEXT, PRIMARY KEY (dataset, sink, version)) WITHOUT ROWID
"""

_SINK = "INSERT INTO sinks VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_PUBLICATION = upsert(
    "publications", "dataset, sink, version, state, time, rows, attempts, error", key="dataset, sink, version"
)


@dataclass(frozen=True, slots=True)
class SinkState:
    """A sink of a dataset, since it was first seen in the configuration.

    `since`: the version that readers saw then, the first that goes out; None: there was none yet, so all go out.
    """

    dataset: str
    sink: str
    kind: str
    since: str | None
    time: str


@dataclass(frozen=True, slots=True)
class Publication:
    """How a version stands with a sink.

    `state`: published, waiting, superseded (a newer one went out instead), refused (for good: it is not sent again).
    """

    dataset: str
    sink: str
    version: str
    state: str
    time: str
    rows: int | None
    attempts: int
    error: dict[str, Any] | None

    @property
    def not_before(self) -> datetime | None:
        """When it is tried again at the earliest."""
        told = (self.error or {}).get("not_before")
        return datetime.fromisoformat(told) if told else None

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "sink": self.sink,
            "version": self.version,
            "state": self.state,
            "time": self.time,
            "rows": self.rows,
            "attempts": self.attempts,
            "error": self.error,
        }


class PublicationViews:
    """The projection: one event in, the statements that bring the views up to date out."""

    name = "publications"
    tables: Sequence[str] = ("sinks", "publications")
    types: Collection[str] = frozenset(("sink.declared", "version.published", "publish.failed"))

    def apply(self, event: Event) -> Iterable[Statement]:
        data = event.data
        if event.type == "sink.declared":
            return [(_SINK, (event.subject, data["sink"], data["kind"], data["since"], event.time))]
        if event.type == "version.published":
            done = (data["version"], "published", event.time, data["rows"], data["attempts"], None)
            rows = [(event.subject, data["sink"], *done)]
            rows += [
                (event.subject, data["sink"], version, "superseded", event.time, None, 0, None)
                for version in data["superseded"]
            ]
            return [(_PUBLICATION, row) for row in rows]
        if event.type == "publish.failed":
            told = {"message": data["error"], "hint": data["hint"], "transient": data["transient"]}
            if "not_before" in data:
                told["not_before"] = data["not_before"]
            state = "refused" if data.get("final") else "waiting"
            row = (data["version"], state, event.time, None, data["attempts"], orjson.dumps(told).decode())
            return [(_PUBLICATION, (event.subject, data["sink"], *row))]
        return ()


class Publications:
    """Queries over the read models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sinks(self, dataset: str) -> dict[str, SinkState]:
        """By name."""
        rows = self._database.query("SELECT * FROM sinks WHERE dataset = ?", (dataset,))
        return {row[1]: SinkState(*row) for row in rows}

    def of(self, dataset: str, sink: str | None = None) -> list[Publication]:
        """Oldest version first."""
        where = "" if sink is None else "AND sink = ?"
        values = (dataset,) if sink is None else (dataset, sink)
        rows = self._database.query(
            f"SELECT * FROM publications WHERE dataset = ? {where} ORDER BY version, sink",  # noqa: S608 - a constant
            values,
        )
        return [Publication(*(*row[:7], orjson.loads(row[7]) if row[7] else None)) for row in rows]
