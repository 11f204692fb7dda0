"""Runs as the log has them: asked for, begun, over; and those that wait, in the order in which they are begun.

A part of the pipeline's views (`views.py`), projected from the same events.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from utils.database import Database, Statement
from utils.events import Event

__all__ = ["FORGET", "HANDLERS", "MOST_CRASHES", "SCHEMA", "Run", "find", "past", "runs", "waiting"]

SCHEMA = """
ALTER TABLE runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_waiting ON runs (priority DESC, queued_at, run_id) WHERE status = 'queued';
CREATE INDEX runs_waiting_longest ON runs (queued_at, run_id) WHERE status = 'queued'
"""
"""A migration of issue 7. The indexes hold only what waits: a run that is begun at once writes neither."""

MOST_CRASHES = 3
"""How often the process of a queued run may die before the run is begun no more."""

# Put again: it was broken off and goes on. What it waits for since it was asked for first counts.
_QUEUED = """
INSERT INTO runs (run_id, status, queued_at, actor, request, priority) VALUES (?, 'queued', ?, ?, ?, ?)
ON CONFLICT (run_id) DO UPDATE SET status = 'queued', finished_at = NULL,
    queued_at = coalesce(runs.queued_at, excluded.queued_at) WHERE runs.status IN ('crashed', 'interrupted')
"""
_STARTED = """
INSERT INTO runs (run_id, status, started_at, actor, owner, request, priority) VALUES (?, 'running', ?, ?, ?, ?, ?)
ON CONFLICT (run_id) DO UPDATE SET status = 'running', started_at = coalesce(runs.started_at, excluded.started_at),
    finished_at = NULL, owner = excluded.owner, request = excluded.request
"""
# A process that was stopped may not have noticed that its run was called off.
_FINISHED = """
UPDATE runs SET finished_at = ?2, summary = ?3,
    status = CASE WHEN status = 'cancelled' AND ?1 = 'interrupted' THEN status ELSE ?1 END
WHERE run_id = ?4
"""
# A run that was taken for dead may have finished meanwhile; what it said of itself stands.
_CRASHED = """
UPDATE runs SET status = 'crashed', finished_at = ?, crashes = crashes + 1
WHERE run_id = ? AND status IN ('queued', 'running')
"""
_CANCELLED = """
UPDATE runs SET status = 'cancelled', finished_at = ?
WHERE run_id = ? AND status IN ('queued', 'running', 'crashed', 'interrupted')
"""

# A run stays, whole, as long as it is some dataset's last, or has not ended.
_PAST = """
FROM runs WHERE status NOT IN ('queued', 'running') AND run_id NOT IN (SELECT run_id FROM datasets)
    AND coalesce(finished_at, started_at, queued_at) < ?
"""
FORGET = (
    f"DELETE FROM dataset_runs WHERE run_id IN (SELECT run_id {_PAST})",  # noqa: S608 - our own
    f"DELETE {_PAST}",
)
"""Statements that forget the runs that ended before a time."""

_ALL = (
    "SELECT run_id, status, queued_at, started_at, finished_at, actor, owner, request, summary, priority, crashes"
    " FROM runs"
)


def _queued(event: Event) -> Iterable[Statement]:
    data = event.data
    return [(_QUEUED, (event.subject, event.time, data["actor"], _text(data), data.get("priority", 0)))]


def _started(event: Event) -> Iterable[Statement]:
    data = event.data
    row = (event.subject, event.time, data["actor"], data["owner"], _text(data), data.get("priority", 0))
    return [(_STARTED, row)]


def _finished(event: Event) -> Iterable[Statement]:
    return [(_FINISHED, (event.data["status"], event.time, _text(event.data), event.subject))]


def _crashed(event: Event) -> Iterable[Statement]:
    return [(_CRASHED, (event.time, event.subject))]


def _cancelled(event: Event) -> Iterable[Statement]:
    return [(_CANCELLED, (event.time, event.subject))]


HANDLERS: Mapping[str, Callable[[Event], Iterable[Statement]]] = {
    "run.queued": _queued,
    "run.started": _started,
    "run.finished": _finished,
    "run.crashed": _crashed,
    "run.cancelled": _cancelled,
}


@dataclass(frozen=True, slots=True)
class Run:
    """A stored run. `status`: queued running succeeded degraded failed crashed cancelled interrupted.

    Attributes:
        queued_at: When it was put into the queue; None: it was begun at once.
        crashes: How often its process died.
    """

    run_id: str
    status: str
    queued_at: str | None
    started_at: str | None
    finished_at: str | None
    actor: str
    owner: str | None
    request: dict[str, Any]
    summary: dict[str, Any] | None
    priority: int = 0
    crashes: int = 0

    @property
    def may_go_on(self) -> bool:
        """Whether it waits, is at work, or was broken off: it can be called off."""
        return self.status in {"queued", "running", "crashed", "interrupted"}


def find(database: Database, run_id: str) -> Run | None:
    rows = _runs(database, "WHERE run_id = ?", (run_id,))
    return rows[0] if rows else None


def runs(database: Database, *, limit: int, status: str | None, before: str | None = None) -> list[Run]:
    """Newest first; `before`: those whose ids are smaller."""
    older, values = ("", ()) if before is None else ("run_id < ?", (before,))
    if status is None:
        return _runs(database, f"{older and 'WHERE '}{older} ORDER BY run_id DESC LIMIT ?", (*values, limit))
    # Nearly all runs have one status, so SQLite holds the index for useless; but what is asked for are the others.
    where = f"INDEXED BY runs_by_status WHERE status = ?{older and ' AND '}{older} ORDER BY run_id DESC LIMIT ?"
    return _runs(database, where, (status, *values, limit))


def waiting(
    database: Database, *, limit: int, oldest: bool = False, passed: int = 0, without: Sequence[str] = ()
) -> list[Run]:
    """Queued runs in the order in which they are begun: by priority, then age; `oldest`: by age alone.

    Args:
        passed: So many of the first ones are left out.
        without: Runs of one of these datasets and no other are left out before.
    """
    index, order = ("runs_waiting_longest", "") if oldest else ("runs_waiting", "priority DESC, ")
    # SQLite takes the index of all statuses, and sorts.
    but = " AND request NOT LIKE ? ESCAPE '!'" * len(without)
    where = f"INDEXED BY {index} WHERE status = 'queued'{but} ORDER BY {order}queued_at, run_id LIMIT ? OFFSET ?"
    return _runs(database, where, (*map(_of_one, without), limit, passed))


def _of_one(dataset: str) -> str:
    """What requests of this dataset and no other are like, for `LIKE … ESCAPE '!'`."""
    found = f'"datasets":{_text([dataset])}'
    for one in "!%_":
        found = found.replace(one, f"!{one}")
    return f"%{found}%"


def past(database: Database, before: str, *, at_most: int) -> tuple[str, int]:
    """Which runs may be forgotten of those that ended before a time: all before another time, and how many.

    So few that hardly more than `at_most` dataset runs are among them.
    """
    size = "(SELECT count(*) FROM dataset_runs WHERE dataset_runs.run_id = runs.run_id)"
    sql = f"SELECT coalesce(finished_at, started_at, queued_at), {size} {_PAST} ORDER BY 1"
    count = sizes = 0
    last = ""
    for time, more in database.query(sql, (before,)):
        if sizes + more > at_most and count and time > last:
            return time, count
        count, sizes, last = count + 1, sizes + more, time
    return before, count


def _runs(database: Database, where: str, values: Sequence[Any]) -> list[Run]:
    found = database.query(f"{_ALL} {where}", values)
    return [Run(*(*row[:7], orjson.loads(row[7]), orjson.loads(row[8]) if row[8] else None, *row[9:])) for row in found]


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
