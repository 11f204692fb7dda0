"""Read model of services: how each stands, since when, and how often it was away.

Projected from the event log like all views; emptying the tables and replaying the log gives the same rows. A program of
ours may run several times at once: each is an instance, known by its process.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from utils.database import Database, Statement
from utils.events import Event

__all__ = ["SCHEMA", "Instance", "ServiceRow", "ServiceViews", "Services"]

SCHEMA = """
CREATE TABLE services (
    service TEXT PRIMARY KEY, state TEXT NOT NULL, since TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
    starts INTEGER NOT NULL, outages INTEGER NOT NULL, died INTEGER NOT NULL, away_s REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE service_instances (
    service TEXT NOT NULL, owner TEXT NOT NULL, since TEXT NOT NULL, PRIMARY KEY (service, owner)) WITHOUT ROWID
"""

_COLUMNS = "service, state, since, kind, reason, starts, outages, died, away_s"
# ?1 service, ?2 state, ?3 since, ?4 kind, ?5 reason, ?6 starts, ?7 outages, ?8 died, ?9 seconds away: what is added.
_PUT = f"""
INSERT INTO services ({_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (service) DO UPDATE SET
    since = CASE WHEN services.state = excluded.state AND excluded.starts = 0
        THEN services.since ELSE excluded.since END,
    outages = services.outages + CASE WHEN services.state = 'unavailable' THEN 0 ELSE excluded.outages END,
    state = excluded.state, reason = excluded.reason,
    kind = CASE WHEN excluded.kind = '' THEN services.kind ELSE excluded.kind END,
    starts = services.starts + excluded.starts, died = services.died + excluded.died,
    away_s = services.away_s + excluded.away_s
"""  # noqa: S608 - our own names
_HERE = """
INSERT INTO service_instances (service, owner, since) VALUES (?, ?, ?)
ON CONFLICT (service, owner) DO UPDATE SET since = excluded.since
"""
_GONE = "DELETE FROM service_instances WHERE service = ? AND owner = ?"
_STILL_THERE = """
UPDATE services SET state = 'running' WHERE service = ?1
    AND EXISTS (SELECT 1 FROM service_instances WHERE service_instances.service = ?1)
"""
_ALL = f"SELECT {_COLUMNS} FROM services ORDER BY service"  # noqa: S608 - our own names
_INSTANCES = "SELECT service, owner, since FROM service_instances ORDER BY service, since"


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """What the log says of a service.

    Attributes:
        state: `running slow unavailable stopped`; `since`: RFC 3339.
        kind: Of a check what it looks at, of a watchdog's news why it was told; "": nothing was said.
        reason: The last thing that was said, in words.
        starts, outages: How often it was started, and was unavailable.
        died: How many of its processes ended without saying so.
        away_s: Seconds that it was unavailable, all outages together that are over.
    """

    service: str
    state: str
    since: str
    kind: str
    reason: str
    starts: int
    outages: int
    died: int
    away_s: float


@dataclass(frozen=True, slots=True)
class Instance:
    """A process that was started and has not said that it ended. `owner`: see `utils.leases.Owner`."""

    service: str
    owner: str
    since: str


class ServiceViews:
    """The projection: one event in, the statements that bring the view up to date out."""

    name = "services"
    tables: Sequence[str] = ("services", "service_instances")

    @property
    def types(self) -> Collection[str]:
        return _HANDLERS

    def apply(self, event: Event) -> Iterable[Statement]:
        handler = _HANDLERS.get(event.type)
        return () if handler is None else handler(event)


class Services:
    """Reads the view."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[ServiceRow]:
        """Every service that the log knows, by name."""
        return [ServiceRow(*row) for row in self._database.query(_ALL)]

    def instances(self) -> list[Instance]:
        """Every process that has not said that it ended, by service, the oldest first."""
        return [Instance(*row) for row in self._database.query(_INSTANCES)]


def _started(event: Event) -> Iterable[Statement]:
    gone = event.data.get("gone", ())
    yield _put(event, "running", starts=1, died=len(gone))
    for owner in gone:
        yield _GONE, (event.subject, owner)
    if owner := event.data.get("owner"):
        yield _HERE, (event.subject, owner, event.time)


def _stopped(event: Event) -> Iterable[Statement]:
    yield _put(event, "stopped")
    if owner := event.data.get("owner"):
        yield _GONE, (event.subject, owner)
        yield _STILL_THERE, (event.subject,)


def _unavailable(event: Event) -> Iterable[Statement]:
    return [_put(event, "unavailable", outages=1)]


def _slow(event: Event) -> Iterable[Statement]:
    return [_put(event, "slow")]


def _recovered(event: Event) -> Iterable[Statement]:
    return [_put(event, "running", away_s=_away(event.time, event.data))]


def _put(
    event: Event, state: str, *, starts: int = 0, outages: int = 0, died: int = 0, away_s: float = 0.0
) -> Statement:
    kind, reason = str(event.data.get("kind") or ""), str(event.data.get("reason") or "")
    return _PUT, (event.subject, state, event.time, kind, reason, starts, outages, died, away_s)


def _away(time: str, data: Mapping[str, Any]) -> float:
    """How many seconds something was unavailable that works again; what was only slow was there."""
    if data.get("was") == "slow":
        return 0.0
    if data.get("silent_s") is not None:
        return max(0.0, float(data["silent_s"]))
    if not data.get("since"):
        return 0.0
    return max(0.0, (datetime.fromisoformat(time) - datetime.fromisoformat(data["since"])).total_seconds())


_HANDLERS: dict[str, Callable[[Event], Iterable[Statement]]] = {
    "service.started": _started,
    "service.stopped": _stopped,
    "service.unavailable": _unavailable,
    "service.slow": _slow,
    "service.recovered": _recovered,
}
