"""Read models of pieces and backfills: what became of each piece of a table, and how each backfill stands.

Projected from the event log like all views; emptying the tables and replaying the log gives the same rows. A piece has
a row for each version that brought it, so that taking versions back shows what is there then, and one for what came of
it last when that did not enter the table.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from utils.database import Connection, Database, StateError, Statement
from utils.events import Event

__all__ = ["SCHEMA", "Backfill", "BackfillViews", "Backfills", "Part", "Piece", "lease_of", "moved", "refuse_if_done"]

SCHEMA = """
CREATE TABLE pieces (
    dataset TEXT NOT NULL, piece TEXT NOT NULL, seq INTEGER NOT NULL, state TEXT NOT NULL, version TEXT, run_id TEXT,
    backfill TEXT, time TEXT NOT NULL, rows INTEGER, path TEXT, reason TEXT NOT NULL,
    PRIMARY KEY (dataset, piece, seq)) WITHOUT ROWID;
CREATE INDEX pieces_by_version ON pieces (dataset, version);
CREATE TABLE backfills (
    backfill TEXT PRIMARY KEY NOT NULL, dataset TEXT NOT NULL, state TEXT NOT NULL, started_at TEXT NOT NULL,
    ended_at TEXT, paused_until TEXT, reason TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX backfills_by_state ON backfills (state);
CREATE TABLE backfill_pieces (
    backfill TEXT NOT NULL, number INTEGER NOT NULL, piece TEXT NOT NULL, state TEXT NOT NULL, run_id TEXT,
    time TEXT, rows INTEGER, reason TEXT NOT NULL, tries INTEGER NOT NULL, PRIMARY KEY (backfill, piece)) WITHOUT ROWID
"""
"""A migration of issue 7."""

_PIECE = "INSERT INTO pieces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
# What came of an earlier try does not matter any more; a candidate that waits for a decision stays.
_PAST = "DELETE FROM pieces WHERE dataset = ? AND piece = ? AND state = 'failed'"
_PAST_HELD = "DELETE FROM pieces WHERE dataset = ? AND piece = ? AND state = 'held'"
_DECIDED = "DELETE FROM pieces WHERE dataset = ? AND version = ? AND state = 'held'"
_REJECTED = "UPDATE pieces SET state = 'failed', reason = ? WHERE dataset = ? AND version = ? AND state = 'held'"
_TAKEN_BACK = "DELETE FROM pieces WHERE dataset = ? AND version = ? AND state = 'collected'"
_GONE = """
DELETE FROM pieces WHERE dataset = ? AND path = ? AND EXISTS (
    SELECT 1 FROM pieces AS later WHERE later.dataset = pieces.dataset AND later.piece = pieces.piece
        AND later.seq > pieces.seq AND later.state = 'collected')
"""
_HELD_GONE = "DELETE FROM pieces WHERE dataset = ? AND path = ? AND state = 'held'"

_BEGUN = "INSERT INTO backfills VALUES (?, ?, 'running', ?, NULL, NULL, '', ?) ON CONFLICT DO NOTHING"
_WAITS = "INSERT INTO backfill_pieces VALUES (?, ?, ?, 'waiting', NULL, NULL, NULL, '', 0) ON CONFLICT DO NOTHING"
_DONE = """
UPDATE backfill_pieces SET state = ?, run_id = ?, time = ?, rows = ?, reason = ? WHERE backfill = ? AND piece = ?
"""
_GOES_ON = "UPDATE backfills SET paused_until = NULL, reason = '' WHERE backfill = ? AND paused_until IS NOT NULL"
_PAUSED = "UPDATE backfills SET paused_until = ?, reason = ? WHERE backfill = ? AND state = 'running'"
_TRIED = "UPDATE backfill_pieces SET tries = tries + 1 WHERE backfill = ? AND piece = ?"
_ENDED = """
UPDATE backfills SET state = ?, ended_at = ?, paused_until = NULL, reason = ? WHERE backfill = ? AND state = 'running'
"""
_PAST_BACKFILLS = "SELECT backfill FROM backfills WHERE state <> 'running' AND ended_at < ?"
_FORGET = (
    f"DELETE FROM backfill_pieces WHERE backfill IN ({_PAST_BACKFILLS})",  # noqa: S608 - our own
    "DELETE FROM backfills WHERE state <> 'running' AND ended_at < ?",
)

_MOVED = """
INSERT INTO datasets VALUES (?, ?, ?, ?, ?, 1, 0, ?, ?, ?, ?)
ON CONFLICT (dataset) DO UPDATE SET
    fence = CASE WHEN excluded.fence > datasets.fence THEN excluded.fence ELSE datasets.fence END,
    version = excluded.version, collected_at = coalesce(datasets.collected_at, excluded.collected_at),
    data_time = CASE WHEN datasets.data_time IS NULL OR excluded.data_time > datasets.data_time
        THEN excluded.data_time ELSE datasets.data_time END
"""
# So that somebody can decide about what is held; a dataset that ran before is as it was.
_KNOWN = "INSERT INTO datasets VALUES (?, ?, ?, ?, ?, 1, 1, ?, NULL, NULL, NULL) ON CONFLICT (dataset) DO NOTHING"
_DATASET_RUN = """
INSERT INTO dataset_runs (run_id, dataset, status, time, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Piece:
    """How a piece of a table stands. Times RFC 3339.

    Attributes:
        state: What came of it last: `collected`, `held` (waits for a decision) or `failed`.
        version: Of `held` the candidate; else the version that brought what readers have, None: they have nothing.
        stands: Whether readers have it, whatever came last.
        rows: Of `held` the candidate's, else what readers have; None: an earlier release did not say.
        backfill: The backfill that it came of; None: an ordinary run.
        reason: Why it is not simply there.
    """

    key: str
    state: str
    version: str | None
    stands: bool
    run_id: str | None
    backfill: str | None
    time: str
    rows: int | None
    reason: str = ""


class Part(NamedTuple):
    """A piece of a backfill. `state`: waiting, collected, held or failed; `tries`: failures that made it pause."""

    key: str
    state: str
    run_id: str | None
    rows: int | None
    reason: str
    tries: int


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill. `state`: running, finished or cancelled.

    Attributes:
        waiting, collected, held, failed: How many of its pieces.
        rows: Of those that were collected.
        paused_until: When it goes on, if it waits for its provider; `reason` says why.
        body: What was asked for.
    """

    id: str
    dataset: str
    state: str
    started_at: str
    ended_at: str | None
    paused_until: str | None
    reason: str
    body: dict[str, Any]
    waiting: int = 0
    collected: int = 0
    held: int = 0
    failed: int = 0
    rows: int = 0

    @property
    def total(self) -> int:
        return self.waiting + self.collected + self.held + self.failed


class BackfillViews:
    """The projection: one event in, the statements that bring the views up to date out."""

    name = "backfills"
    tables: Sequence[str] = ("pieces", "backfills", "backfill_pieces")

    @property
    def types(self) -> Collection[str]:
        return _HANDLERS

    def apply(self, event: Event) -> Iterable[Statement]:
        handler = _HANDLERS.get(event.type)
        return () if handler is None else handler(event)


def _accepted(event: Event) -> Iterable[Statement]:
    data = event.data
    # A rollback or a replay from quarantine brings no piece anew; the rows are those of the table.
    if not (keys := data.get("pieces")) or "restores" in data or "replayed" in data:
        return
    if "accepted_by" in data:
        yield _DECIDED, (event.subject, data["version"])
    rows = _rows(data, keys)
    for key in keys:
        yield _PAST, (event.subject, key)
        row = ("collected", data["version"], data["run_id"], data.get("backfill"), event.time, rows.get(key))
        yield _PIECE, (event.subject, key, event.seq, *row, data["path"], data.get("reason") or "")
        yield from _told(event, key, "collected", rows.get(key))


def _held(event: Event) -> Iterable[Statement]:
    data = event.data
    keys = data.get("pieces", ())
    rows = _rows(data, keys)
    for key in keys:
        yield _PAST, (event.subject, key)
        yield _PAST_HELD, (event.subject, key)
        row = ("held", data["version"], data["run_id"], data.get("backfill"), event.time, rows.get(key))
        yield _PIECE, (event.subject, key, event.seq, *row, data["path"], data["reason"])
        yield from _told(event, key, "held", rows.get(key), data["reason"])


def _failed(event: Event) -> Iterable[Statement]:
    data = event.data
    key, why = data["partition"], data["error"]["message"]
    yield _PAST, (event.subject, key)
    row = ("failed", None, data["run_id"], data.get("backfill"), event.time, None, None, why)
    yield _PIECE, (event.subject, key, event.seq, *row)
    yield from _told(event, key, "failed", None, why)


def _rejected(event: Event) -> Iterable[Statement]:
    data = event.data
    why = f"rejected by {data['actor']}" + (f": {data['reason']}" if data["reason"] else "")
    return [(_REJECTED, (why, event.subject, data["version"]))]


def _rolled_back(event: Event) -> Iterable[Statement]:
    return [(_TAKEN_BACK, (event.subject, version)) for version in event.data["withdrawn"]]


def _maintained(event: Event) -> Iterable[Statement]:
    for path in event.data.get("removed", ()):
        folder, _, rest = path.partition("/")
        statement = {"held": _HELD_GONE, "tables": _GONE}.get(folder)
        if statement is not None:
            yield statement, (rest.partition("/")[0], path)
    if before := event.data.get("runs_before"):
        yield from ((statement, (before,)) for statement in _FORGET)


def _begun(event: Event) -> Iterable[Statement]:
    data = event.data
    told = orjson.dumps({name: value for name, value in data.items() if name != "partitions"}).decode()
    yield _BEGUN, (event.subject, data["dataset"], event.time, told)
    yield from ((_WAITS, (event.subject, number, key)) for number, key in enumerate(data["partitions"]))


def _paused(event: Event) -> Iterable[Statement]:
    yield _PAUSED, (event.data["until"], event.data["reason"], event.subject)
    yield from ((_TRIED, (event.subject, key)) for key in event.data["tried"])


def _ended(event: Event) -> Iterable[Statement]:
    state = event.type.removeprefix("backfill.")
    return [(_ENDED, (state, event.time, event.data.get("reason") or "", event.subject))]


_HANDLERS: Mapping[str, Callable[[Event], Iterable[Statement]]] = {
    "batch.accepted": _accepted,
    "batch.held": _held,
    "batch.rejected": _rejected,
    "version.rolled_back": _rolled_back,
    "partition.failed": _failed,
    **dict.fromkeys(("maintenance.finished", "disk.shed"), _maintained),
    "backfill.started": _begun,
    "backfill.paused": _paused,
    **dict.fromkeys(("backfill.finished", "backfill.cancelled"), _ended),
}


def _rows(data: Mapping[str, Any], keys: Sequence[str]) -> dict[str, int]:
    """Good rows by piece, as far as the event says it: those of earlier releases do so of a single piece."""
    told = (data.get("entering") or {}).get("pieces")
    if told is None and "piece_rows" in data:
        told = zip(keys, data["piece_rows"], strict=True)
    if told is None and len(keys) == 1:
        told = [(keys[0], data["rows"])]
    return dict(told or ())


def _told(event: Event, key: str, state: str, rows: int | None, reason: str = "") -> Iterable[Statement]:
    """What came of a piece, to its backfill. What somebody decides later is none of the backfill's."""
    data = event.data
    if (backfill := data.get("backfill")) is not None and "accepted_by" not in data:
        yield _GOES_ON, (backfill,)
        yield _DONE, (state, data["run_id"], event.time, rows, reason, backfill, key)


def moved(event: Event) -> Iterable[Statement]:
    """What a run of a backfill means for its dataset, a part of the pipeline's views.

    Readers see another version. How the dataset fared last, and how fresh it is, older pieces do not change.
    """
    data = event.data
    told = orjson.dumps(data).decode()
    yield _DATASET_RUN, (data["run_id"], event.subject, data["status"], event.time, told)
    row = (event.subject, data["provider"], data["run_id"], data["status"], event.time, data["fence"])
    if data["accepted"]:
        yield _MOVED, (*row, data["version"], data["collected_at"], data["data_time"])
    else:
        yield _KNOWN, row


def lease_of(backfill: str) -> str:
    """The name of the lease of whoever works on a backfill."""
    return f"backfill:{backfill}"


def refuse_if_done(connection: Connection, backfill: str, keys: Sequence[str]) -> None:
    """Refuses, inside the transaction, to tell of pieces once more, or of a backfill that was called off.

    Raises:
        StateError: it is over, or one of the pieces is done.
    """
    row = connection.execute("SELECT state FROM backfills WHERE backfill = ?", (backfill,)).fetchone()
    if row is None or row[0] != "running":
        raise StateError(f"backfill {backfill} is {row[0] if row else 'unknown'}")
    waiting = "SELECT piece FROM backfill_pieces WHERE backfill = ? AND state = 'waiting'"
    if not set(keys) <= {key for (key,) in connection.execute(waiting, (backfill,)).fetchall()}:
        raise StateError(f"backfill {backfill}: another process collected some of these pieces")


_COUNTS = """
SELECT b.backfill, b.dataset, b.state, b.started_at, b.ended_at, b.paused_until, b.reason, b.body,
    coalesce(sum(CASE WHEN p.state = 'waiting' THEN 1 ELSE 0 END), 0),
    coalesce(sum(CASE WHEN p.state = 'collected' THEN 1 ELSE 0 END), 0),
    coalesce(sum(CASE WHEN p.state = 'held' THEN 1 ELSE 0 END), 0),
    coalesce(sum(CASE WHEN p.state = 'failed' THEN 1 ELSE 0 END), 0),
    coalesce(sum(CASE WHEN p.state = 'collected' THEN p.rows ELSE 0 END), 0)
FROM backfills b LEFT JOIN backfill_pieces p ON p.backfill = b.backfill
"""
_BY = "GROUP BY b.backfill, b.dataset, b.state, b.started_at, b.ended_at, b.paused_until, b.reason, b.body"


class Backfills:
    """Queries over the read models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pieces(self, dataset: str) -> dict[str, Piece]:
        """How each piece stands that was ever tried, by key."""
        sql = (
            "SELECT piece, state, version, run_id, backfill, time, rows, reason FROM pieces"
            " WHERE dataset = ? ORDER BY piece, seq"
        )
        found: dict[str, Piece] = {}
        there: dict[str, tuple[str | None, int | None]] = {}
        for key, state, version, run_id, backfill, time, rows, reason in self._database.query(sql, (dataset,)):
            if state == "collected":
                there[key] = (version, rows)
            stands = key in there
            if state == "failed" and stands:
                version, rows = there[key]  # noqa: PLW2901 - readers have what came before
            found[key] = Piece(key, state, version, stands, run_id, backfill, time, rows, reason)
        return found

    def collected_by(self, dataset: str, backfill: str) -> frozenset[str]:
        """Keys of the pieces that a backfill brought, as far as they were not taken back or replaced."""
        sql = "SELECT piece FROM pieces WHERE dataset = ? AND backfill = ? AND state = 'collected'"
        return frozenset(key for (key,) in self._database.query(sql, (dataset, backfill)))

    def all(self, dataset: str | None = None, *, limit: int = 50, before: str | None = None) -> list[Backfill]:
        """Newest first, of one dataset or of all; `before`: those that are older than this one."""
        asked = {"b.dataset = ?": dataset, "b.backfill < ?": before}
        given = {sql: value for sql, value in asked.items() if value is not None}
        where = f"WHERE {' AND '.join(given)}" if given else ""
        return self._backfills(f"{where} {_BY} ORDER BY b.backfill DESC LIMIT ?", (*given.values(), limit))

    def running(self) -> list[Backfill]:
        """Those that are not over, oldest first."""
        return self._backfills(f"WHERE b.state = 'running' {_BY} ORDER BY b.backfill", ())

    def waiting(self) -> list[tuple[str, str | None]]:
        """Those that are not over, oldest first, each with the moment until which it is paused; asked often."""
        sql = "SELECT backfill, paused_until FROM backfills WHERE state = 'running' ORDER BY backfill"
        return [(row[0], row[1]) for row in self._database.query(sql)]

    def one(self, backfill: str) -> Backfill | None:
        found = self._backfills(f"WHERE b.backfill = ? {_BY}", (backfill,))
        return found[0] if found else None

    def state(self, backfill: str) -> str | None:
        """Only that; asked often."""
        rows = self._database.query("SELECT state FROM backfills WHERE backfill = ?", (backfill,))
        return str(rows[0][0]) if rows else None

    def of(self, backfill: str, state: str | None = None) -> list[Part]:
        """Its pieces in their order; all, or those of one state."""
        where, values = ("", (backfill,)) if state is None else ("AND state = ?", (backfill, state))
        sql = "SELECT piece, state, run_id, rows, reason, tries FROM backfill_pieces WHERE backfill = ?"
        return [Part(*row) for row in self._database.query(f"{sql} {where} ORDER BY number", values)]

    def _backfills(self, where: str, values: Sequence[Any]) -> list[Backfill]:
        found = self._database.query(f"{_COUNTS} {where}", values)
        return [Backfill(*(*row[:7], orjson.loads(row[7]), *map(int, row[8:]))) for row in found]
