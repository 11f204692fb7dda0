"""What people decided about versions: who accepted, rejected, rolled back, and why; and what is seen since.

A part of the pipeline's views (`views.py`), projected from the same events.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from utils.database import Database, Statement
from utils.events import Event

__all__ = ["SCHEMA", "TABLE", "Content", "Decision", "Decisions", "decided", "is_by_hand", "rejected", "rolled_back"]

TABLE = "decisions"

SCHEMA = """
CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY, dataset TEXT NOT NULL, version TEXT NOT NULL, decision TEXT NOT NULL, time TEXT NOT NULL,
    actor TEXT NOT NULL, reason TEXT NOT NULL, last_run TEXT NOT NULL, seen TEXT NOT NULL);
CREATE INDEX decisions_by_dataset ON decisions (dataset, seq);
CREATE INDEX versions_held ON versions (dataset) WHERE state = 'held';
CREATE INDEX versions_rolled_back ON versions (dataset) WHERE state = 'rolled_back'
"""
"""A migration of issue 6. The indexes hold only what waits or was taken back: a run that is accepted writes neither."""

_WORDS = {"batch.accepted": "accepted", "batch.rejected": "rejected", "version.rolled_back": "rolled_back"}
_DECIDED = "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_MOVED = """
UPDATE datasets SET version = ?, collected_at = ?, data_time = ?, fence = CASE WHEN fence < ? THEN ? ELSE fence END
WHERE dataset = ?
"""
_STATE = "UPDATE versions SET state = ? WHERE dataset = ? AND version = ?"
_MANY = 200
"""Datasets; of more, all are read."""
_UNREAD = "DELETE FROM files WHERE dataset = ? AND version = ?"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision. `version`: the one that it made (accepted, rolled back to) or turned away (rejected)."""

    dataset: str
    version: str
    decision: str
    time: str
    actor: str
    reason: str


class Content(NamedTuple):
    """What a provider sent, as one configuration reads it: its fingerprint, the SHA-256 of the bytes, the pieces."""

    dataset: str
    fingerprint: str
    sha256: str
    pieces: tuple[str, ...] = ()


def is_by_hand(event: Event) -> bool:
    """Whether a person accepted a batch, not the gate."""
    return "seen" in event.data


def decided(event: Event) -> Iterable[Statement]:
    """The decision itself, and where it leaves the dataset: readers see another version, unless one was rejected."""
    data = event.data
    seen = orjson.dumps(data["seen"]).decode()
    who = (data["actor"], data["reason"], data["last_run"] or "", seen)
    yield _DECIDED, (event.seq, event.subject, data["version"], _WORDS[event.type], event.time, *who)
    if (again := data.get("reinstates")) is not None:
        yield _STATE, ("accepted", event.subject, again)
    if event.type != "batch.rejected":
        fence = data["fence"]
        moved = (data["version"], data["collected_at"], data["data_time"], fence, fence)
        yield _MOVED, (*moved, event.subject)


def rejected(event: Event) -> Iterable[Statement]:
    return [(_STATE, ("rejected", event.subject, event.data["version"])), *decided(event)]


def rolled_back(event: Event) -> Iterable[Statement]:
    """Beside the version that readers see now: those that were taken back, whose files were never read."""
    for version in event.data["withdrawn"]:
        yield _STATE, ("rolled_back", event.subject, version)
        yield _UNREAD, (event.subject, version)
    yield from decided(event)


def only(datasets: Sequence[str] | None) -> tuple[str, tuple[str, ...]]:
    """What of SQL narrows a question to some datasets, and its values; for many it is quicker to ask about all."""
    if datasets is None or len(datasets) > _MANY:
        return "", ()
    if not datasets:
        return "dataset IS NULL", ()
    return f"dataset IN ({', '.join('?' * len(datasets))})", tuple(datasets)


class Decisions:
    """Queries over the decisions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, dataset: str) -> dict[str, Decision]:
        """The last decision on each version of a dataset that anybody decided about."""
        sql = "SELECT dataset, version, decision, time, actor, reason FROM decisions WHERE dataset = ? ORDER BY seq"
        return {row[1]: Decision(*row) for row in self._database.query(sql, (dataset,))}

    def seen(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What a dataset's last run looks like since somebody decided; by dataset and run."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for dataset, run, seen in self._database.query("SELECT dataset, last_run, seen FROM decisions ORDER BY seq"):
            found.setdefault((dataset, run), {}).update(orjson.loads(seen))
        return found

    def held(self, dataset: str | None = None) -> dict[str, str]:
        """Dataset -> its newest candidate that nobody decided about, where it came after what readers see.

        What readers see may have come again since then, unchanged: no decision is asked for either.

        Args:
            dataset: Only of this one; None: of all.
        """
        sql = (
            "SELECT h.dataset, h.version FROM versions h JOIN datasets d ON d.dataset = h.dataset"
            " LEFT JOIN versions v ON v.version = d.version AND v.dataset = d.dataset"
            " WHERE h.state = 'held' AND (v.time IS NULL OR (v.time, v.version) < (h.time, h.version))"
            " AND (d.version IS NULL OR d.collected_at IS NULL OR d.collected_at <= h.time)"
            " AND (h.dataset = ?1 OR ?1 IS NULL) ORDER BY h.time, h.version"
        )
        return dict(self._database.query(sql, (dataset,)))  # the last of each dataset stays

    def seen_of(self, dataset: str, run: str) -> dict[str, Any]:
        """The same of one dataset, if that run was its last when somebody decided."""
        sql = "SELECT seen FROM decisions WHERE dataset = ? AND last_run = ? ORDER BY seq"
        found: dict[str, Any] = {}
        for (seen,) in self._database.query(sql, (dataset, run)):
            found |= orjson.loads(seen)
        return found

    def withdrawn(self, datasets: Sequence[str] | None = None) -> dict[Content, str]:
        """What was rolled back of these datasets (default: of all) -> its version."""
        where, values = only(datasets)
        sql = f"SELECT dataset, version, body FROM versions WHERE state = 'rolled_back'{where and f' AND {where}'}"  # noqa: S608
        rows = self._database.query(sql, values)
        found = ((dataset, version, orjson.loads(body)) for dataset, version, body in rows)
        return {
            Content(dataset, body["fingerprint"], body["content_sha256"], tuple(body.get("pieces", ()))): version
            for dataset, version, body in found
        }
