"""Read models of runs, datasets, versions and providers: what each event of the log makes of them.

Nothing here is written but by `apply`, in the transaction of the event itself; emptying the tables and replaying the
log gives the same rows. `views.py` asks them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from data_pipeline import backfill_views
from data_pipeline.store import decisions, quarantine_views, run_views
from utils.database import Statement, upsert
from utils.events import Event

__all__ = ["FILES_SCHEMA", "OUTCOMES", "SCHEMA", "PipelineViews"]

SCHEMA = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY NOT NULL, status TEXT NOT NULL, queued_at TEXT, started_at TEXT, finished_at TEXT,
    actor TEXT, owner TEXT, request TEXT NOT NULL, summary TEXT);
CREATE INDEX runs_by_status ON runs (status);
CREATE TABLE dataset_runs (
    run_id TEXT NOT NULL, dataset TEXT NOT NULL, status TEXT NOT NULL, time TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (run_id, dataset));
CREATE INDEX dataset_runs_by_dataset ON dataset_runs (dataset);
CREATE TABLE datasets (
    dataset TEXT PRIMARY KEY, provider TEXT NOT NULL, run_id TEXT NOT NULL, status TEXT NOT NULL, time TEXT NOT NULL,
    runs INTEGER NOT NULL, failures INTEGER NOT NULL, fence INTEGER NOT NULL, version TEXT, collected_at TEXT,
    data_time TEXT) WITHOUT ROWID;
CREATE TABLE versions (
    dataset TEXT NOT NULL, version TEXT NOT NULL, state TEXT NOT NULL, time TEXT NOT NULL, rows INTEGER NOT NULL,
    size INTEGER NOT NULL, path TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (version, dataset));
CREATE INDEX versions_by_dataset ON versions (dataset);
CREATE TABLE quarantine (
    dataset TEXT NOT NULL, run_id TEXT NOT NULL, time TEXT NOT NULL, rows INTEGER NOT NULL, path TEXT NOT NULL,
    state TEXT NOT NULL, reasons TEXT NOT NULL, PRIMARY KEY (dataset, run_id));
CREATE TABLE breakers (
    provider TEXT PRIMARY KEY, state TEXT NOT NULL, time TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE anomalies (
    seq INTEGER PRIMARY KEY, dataset TEXT NOT NULL, run_id TEXT NOT NULL, metric TEXT NOT NULL, time TEXT NOT NULL,
    body TEXT NOT NULL);
CREATE INDEX anomalies_by_dataset ON anomalies (dataset, seq)
"""
FILES_SCHEMA = """
CREATE TABLE files (
    dataset TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, modified REAL NOT NULL, sha256 TEXT NOT NULL,
    version TEXT NOT NULL, PRIMARY KEY (dataset, path)) WITHOUT ROWID
"""
"""The second migration: which files went into accepted batches."""

# Every table and index that a dataset run adds to grows at its end, or has entries so short that many datasets share a
# page. Where each dataset has pages of its own, a run writes all of them, and the write-ahead log grows with the past.

OUTCOMES = {
    "dataset.collected": "succeeded",
    "dataset.served": "succeeded",
    "dataset.degraded": "degraded",
    "dataset.failed": "failed",
    "dataset.skipped": "skipped",
}
"""Event types that end a dataset's part of a run; their data is the dataset run itself."""

_DATASET_RUN = upsert("dataset_runs", "run_id, dataset, status, time, body", key="run_id, dataset")
_DATASET = """
INSERT INTO datasets VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)
ON CONFLICT (dataset) DO UPDATE SET
    provider = excluded.provider, run_id = excluded.run_id, status = excluded.status, time = excluded.time,
    runs = datasets.runs + 1, failures = CASE WHEN excluded.failures = 0 THEN 0 ELSE datasets.failures + 1 END,
    fence = CASE WHEN excluded.fence > datasets.fence THEN excluded.fence ELSE datasets.fence END,
    version = coalesce(excluded.version, datasets.version),
    collected_at = coalesce(excluded.collected_at, datasets.collected_at),
    data_time = CASE WHEN excluded.version IS NULL THEN datasets.data_time ELSE excluded.data_time END
"""

_VERSION = upsert("versions", "dataset, version, state, time, rows, size, path, body", key="version, dataset")
_VERSION_STATE = "UPDATE versions SET state = ? WHERE version = ? AND dataset = ? AND state = ?"
_FILE = upsert("files", "dataset, path, size, modified, sha256, version", key="dataset, path")
_BREAKER = upsert("breakers", "provider, state, time, body", key="provider")
_ANOMALY = upsert("anomalies", "seq, dataset, run_id, metric, time, body", key="seq")


class PipelineViews:
    """The projection: one event in, the statements that bring the views up to date out."""

    name = "pipeline"
    tables: Sequence[str] = (
        "runs",
        "dataset_runs",
        "datasets",
        "versions",
        "quarantine",
        "breakers",
        "anomalies",
        "files",
        decisions.TABLE,
    )

    @property
    def types(self) -> Collection[str]:
        return _HANDLERS

    def apply(self, event: Event) -> Iterable[Statement]:
        handler = _HANDLERS.get(event.type)
        return () if handler is None else handler(event)


def _outcome(event: Event) -> Iterable[Statement]:
    data = event.data
    run_id, status = data["run_id"], data["status"]
    statements: list[Statement] = [(_DATASET_RUN, (run_id, event.subject, status, event.time, _text(data)))]
    if status != "skipped":
        # Only what the provider itself delivered (or confirmed) moves the current version and its times.
        current = (data["version"], data["collected_at"], data["data_time"]) if data["accepted"] else (None, None, None)
        row = (event.subject, data["provider"], run_id, status, event.time, int(status == "failed"))
        statements.append((_DATASET, (*row, data.get("fence", 0), *current)))
    return statements


def _version(event: Event, state: str) -> Statement:
    data = event.data
    rows = data.get("table_rows", data["rows"])
    row = (event.subject, data["version"], state, event.time, rows, data["size"], data["path"], _text(data))
    return _VERSION, row


def _held(event: Event) -> Iterable[Statement]:
    return [_version(event, "held")]


def _accepted(event: Event) -> Iterable[Statement]:
    data = event.data
    read = [(_FILE, (event.subject, *file, data["version"])) for file in data.get("files", ())]
    by_hand = decisions.decided(event) if decisions.is_by_hand(event) else ()
    return [_version(event, "accepted"), *read, *by_hand]


def _rolled_back(event: Event) -> Iterable[Statement]:
    return [_version(event, "accepted"), *decisions.rolled_back(event), *quarantine_views.put_back(event)]


def _damaged(event: Event) -> Iterable[Statement]:
    after, before = ("damaged", "accepted") if event.type == "version.damaged" else ("accepted", "damaged")
    return [(_VERSION_STATE, (after, event.data["version"], event.subject, before))]


def _breaker(event: Event) -> Iterable[Statement]:
    return [(_BREAKER, (event.subject, event.type.removeprefix("breaker."), event.time, _text(event.data)))]


def _anomaly(event: Event) -> Iterable[Statement]:
    data = event.data
    where = (event.subject, data.get("run_id", ""), data["metric"])
    return [(_ANOMALY, (event.seq, *where, event.time, _text(data)))]


def _maintained(event: Event) -> Iterable[Statement]:
    removed = [(path,) for path in event.data.get("removed", [])]
    if before := event.data.get("runs_before"):
        yield from ((statement, (before,)) for statement in run_views.FORGET)
    for table in ("versions", "quarantine"):
        yield from ((f"DELETE FROM {table} WHERE path = ?", path) for path in removed)  # noqa: S608 - our own names


_HANDLERS: Mapping[str, Callable[[Event], Iterable[Statement]]] = {
    **dict.fromkeys(OUTCOMES, _outcome),
    "batch.accepted": _accepted,
    "batch.held": _held,
    "batch.rejected": decisions.rejected,
    "version.rolled_back": _rolled_back,
    **dict.fromkeys(("breaker.opened", "breaker.half_opened", "breaker.closed"), _breaker),
    **dict.fromkeys(("version.damaged", "version.restored"), _damaged),
    "rows.quarantined": quarantine_views.set_aside,
    "quarantine.replayed": quarantine_views.replayed,
    "quarantine.dropped": quarantine_views.dropped,
    "anomaly.detected": _anomaly,
    "dataset.backfilled": backfill_views.moved,
    **dict.fromkeys(("maintenance.finished", "disk.shed"), _maintained),
    **run_views.HANDLERS,
}


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
