"""Read model of incidents and silences, projected from the log: what is wrong, what was, and what keeps quiet."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from utils.database import Database, Statement, upsert
from utils.events import Event

if TYPE_CHECKING:  # whoever opens the database has this file; who asks for incidents has those, too
    from monitoring.alerting.incident import Incident, IncidentNews
    from monitoring.alerting.silence import Silence

__all__ = ["SCHEMA", "IncidentViews", "Incidents"]

SCHEMA = """
CREATE TABLE incidents (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, about TEXT NOT NULL, severity TEXT NOT NULL, state TEXT NOT NULL,
    opened_at TEXT NOT NULL, resolved_at TEXT, seq INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX incidents_active ON incidents (opened_at) WHERE resolved_at IS NULL;
CREATE INDEX incidents_opened ON incidents (opened_at);
CREATE INDEX incidents_about ON incidents (about, opened_at);
CREATE TABLE incident_datasets (
    dataset TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (dataset, id)) WITHOUT ROWID;
CREATE TABLE silences (id TEXT PRIMARY KEY, since TEXT NOT NULL, ended_at TEXT, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE alerting (
    kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID
"""
"""A migration of issue 10. `alerting` is no view: what the engine knows beyond the log (`memory.py`)."""

_PUT = upsert("incidents", "id, kind, about, severity, state, opened_at, resolved_at, seq, body", key="id")
_CONCERNS = "INSERT INTO incident_datasets (dataset, id) VALUES (?, ?) ON CONFLICT (dataset, id) DO NOTHING"
_SILENCE = upsert("silences", "id, since, ended_at, body", key="id")
_FORGET = (
    "DELETE FROM incident_datasets WHERE id IN (SELECT id FROM incidents WHERE resolved_at < ?)",
    "DELETE FROM incidents WHERE resolved_at < ?",
    "DELETE FROM silences WHERE ended_at < ?",
)


class IncidentViews:
    """The projection: one event in, the statements that bring the view up to date out."""

    name = "incidents"
    tables: Sequence[str] = ("incidents", "incident_datasets", "silences")

    @property
    def types(self) -> Collection[str]:
        return _HANDLERS

    def apply(self, event: Event) -> Iterable[Statement]:
        handler = _HANDLERS.get(event.type)
        return () if handler is None else handler(event)


def _incident(event: Event) -> Iterable[Statement]:
    body = event.data["incident"]
    one = tuple(body[name] for name in ("id", "kind", "about", "severity", "state", "opened_at", "resolved_at"))
    yield _PUT, (*one, event.seq, orjson.dumps(event.data).decode())
    for dataset in body["datasets"]:
        yield _CONCERNS, (dataset, body["id"])


def _silence(event: Event) -> Iterable[Statement]:
    data = event.data
    return [(_SILENCE, (data["id"], data["since"], data["ended_at"], orjson.dumps(data).decode()))]


def _maintained(event: Event) -> Iterable[Statement]:
    before = event.data.get("runs_before")
    return [(statement, (before,)) for statement in _FORGET] if before else ()


_CHANGES = (
    "opened",
    "changed",
    "acknowledged",
    "unacknowledged",
    "escalated",
    "flapping",
    "inhibited",
    "silenced",
    "resolved",
)
_HANDLERS: Mapping[str, Callable[[Event], Iterable[Statement]]] = {
    **{f"incident.{change}": _incident for change in _CHANGES},
    "silence.added": _silence,
    "silence.ended": _silence,
    "maintenance.finished": _maintained,
}


class Incidents:
    """Queries over the read model."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def active(self) -> "list[Incident]":
        """Those that are not over, the most urgent first, then the oldest; what explains others stands before them."""
        found = self._all("WHERE resolved_at IS NULL ORDER BY opened_at, id", ())
        urgency = {"critical": 0, "error": 1, "warning": 2, "info": 3}
        return sorted(found, key=lambda one: (urgency[one.severity], one.opened_at, one.inhibited_by is not None))

    def recent(self, limit: int = 50) -> "list[Incident]":
        """The newest, over or not, the newest first."""
        return self._all("ORDER BY opened_at DESC, id LIMIT ?", (limit,))

    def find(self, prefix: str) -> "list[Incident]":
        """Those whose id begins so, the newest first; two are enough to see that it is not one."""
        end = prefix + "\U0010ffff"
        return self._all("WHERE id >= ? AND id < ? ORDER BY opened_at DESC LIMIT 2", (prefix, end)) if prefix else []

    def of_dataset(self, dataset: str, limit: int = 50) -> "list[Incident]":
        """Those that concern a dataset, the newest first."""
        concerned = "WHERE id IN (SELECT id FROM incident_datasets WHERE dataset = ?) ORDER BY opened_at DESC LIMIT ?"
        return self._all(concerned, (dataset, limit))

    def about(self, about: str, limit: int = 50) -> "list[Incident]":
        """Those about a provider, a dataset, `host`, …, the newest first."""
        return self._all("WHERE about = ? ORDER BY opened_at DESC LIMIT ?", (about, limit))

    def news(self, id: str) -> "IncidentNews | None":
        """What was told of an incident last."""
        from monitoring.alerting.incident import IncidentNews

        for (body,) in self._database.query("SELECT body FROM incidents WHERE id = ?", (id,)):
            return IncidentNews.from_json(orjson.loads(body))
        return None

    def silences(self, *, ended: bool = False) -> "list[Silence]":
        """Those that hold or are to begin; `ended`: also those that are over. In the order in which they begin."""
        from monitoring.alerting.silence import Silence

        where = "" if ended else "WHERE ended_at IS NULL"
        rows = self._database.query(f"SELECT body FROM silences {where} ORDER BY since, id")  # noqa: S608 - our own
        return [Silence.from_json(orjson.loads(body)) for (body,) in rows]

    def _all(self, rest: str, values: tuple[Any, ...]) -> "list[Incident]":
        from monitoring.alerting.incident import Incident

        rows = self._database.query(f"SELECT body FROM incidents {rest}", values)  # noqa: S608 - our own
        return [Incident.from_json(orjson.loads(body)["incident"]) for (body,) in rows]
