"""Read models of schedules: where each stands, what became of every occurrence, who leads, which files were seen.

Projected from the event log like all views; emptying the tables and replaying the log gives the same rows.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from data_pipeline.scheduling.occurrence import Occurrence
from data_pipeline.scheduling.policy import Busy
from utils.database import Connection, Database, Statement, upsert
from utils.events import Event, rfc3339

__all__ = ["LEADER", "SCHEMA", "FileLook", "Led", "ScheduleViews", "Schedules", "Seen", "Skipped", "Standing"]

SCHEMA = """
CREATE TABLE schedules (
    dataset TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, since TEXT NOT NULL, handled TEXT NOT NULL, paused_at TEXT,
    paused_by TEXT, put_off TEXT, put_off_for TEXT, overdue TEXT, last_due TEXT, last_run TEXT) WITHOUT ROWID;
CREATE TABLE occurrences (
    id TEXT PRIMARY KEY, schedule TEXT NOT NULL, due TEXT NOT NULL, last TEXT NOT NULL, number INTEGER NOT NULL,
    outcome TEXT NOT NULL, words TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE leaders (
    name TEXT PRIMARY KEY, fence INTEGER NOT NULL, owner TEXT NOT NULL, since TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE schedule_files (
    dataset TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL,
    PRIMARY KEY (dataset, path)) WITHOUT ROWID
"""
# An occurrence is known by its id, which begins with its time: the table grows at its end.

LEADER = "SELECT fence, owner, since FROM leaders WHERE name = 'scheduler'"

_SET = """
INSERT INTO schedules (dataset, fingerprint, since, handled) VALUES (?1, ?2, ?3, ?3)
ON CONFLICT (dataset) DO UPDATE SET
    fingerprint = excluded.fingerprint, since = excluded.since, handled = excluded.handled, put_off = NULL,
    put_off_for = NULL, overdue = NULL
"""
_PAUSED = """
INSERT INTO schedules (dataset, fingerprint, since, handled, paused_at, paused_by) VALUES (?1, '', ?2, ?2, ?2, ?3)
ON CONFLICT (dataset) DO UPDATE SET paused_at = excluded.paused_at, paused_by = excluded.paused_by
"""
_RESUMED = """
UPDATE schedules SET paused_at = NULL, paused_by = NULL, put_off = NULL, put_off_for = NULL, handled = ?
WHERE dataset = ?
"""
_HANDLED = """
UPDATE schedules SET put_off = NULL, put_off_for = NULL, handled = CASE WHEN handled > ?1 THEN handled ELSE ?1 END
WHERE dataset = ?2
"""
_RAN = """
UPDATE schedules SET last_due = ?, last_run = ? WHERE dataset = ?
"""
_PUT_OFF = "UPDATE schedules SET put_off = ?, put_off_for = ? WHERE dataset = ?"
_OVERDUE = "UPDATE schedules SET overdue = ? WHERE dataset = ?"
_OCCURRENCE = """
INSERT INTO occurrences (id, schedule, due, last, number, outcome, words) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_ELECTED = upsert("leaders", "name, fence, owner, since", key="name")
_FILE = upsert("schedule_files", "dataset, path, size, modified", key="dataset, path")
_FORGET_FILE = "DELETE FROM schedule_files WHERE dataset = ? AND path = ?"
_OF_SCHEDULES = frozenset({"schedule", "after", "on_file"})
_AT_ONCE = 500
"""Ids in one statement."""

_STANDING = (
    "dataset, fingerprint, since, handled, paused_at, paused_by, put_off, put_off_for, overdue, last_due, last_run"
)
_BEFORE = """
SELECT 1 FROM schedules s JOIN runs r ON r.run_id = s.last_run
WHERE s.dataset IN ({}) AND s.last_due <= ? AND r.status IN ('queued', 'running') LIMIT 1
"""
_SKIPPED = """
SELECT schedule, outcome, sum(number) FROM occurrences WHERE id >= ? AND outcome <> 'queued'
GROUP BY schedule, outcome ORDER BY schedule, outcome
"""
_NEWEST_SKIPPED = """
SELECT schedule, words FROM occurrences
WHERE id IN (SELECT max(id) FROM occurrences WHERE id >= ? AND outcome <> 'queued' GROUP BY schedule)
"""
_OPEN = """
SELECT o.schedule, o.id, r.status FROM runs r INDEXED BY runs_by_status JOIN occurrences o ON o.id = r.run_id
WHERE r.status IN ('queued', 'running') ORDER BY o.id
"""


class ScheduleViews:
    """The projection: one event in, the statements that bring the views up to date out."""

    name = "schedules"
    tables: Sequence[str] = ("schedules", "occurrences", "leaders", "schedule_files")

    @property
    def types(self) -> Collection[str]:
        return _HANDLERS

    def apply(self, event: Event) -> Iterable[Statement]:
        """What an event changes; nothing for most."""
        handler = _HANDLERS.get(event.type)
        return () if handler is None else handler(event)


def _set(event: Event) -> Iterable[Statement]:
    return [(_SET, (event.subject, event.data["fingerprint"], event.data["since"]))]


def _removed(event: Event) -> Iterable[Statement]:
    yield "DELETE FROM schedules WHERE dataset = ?", (event.subject,)
    yield "DELETE FROM schedule_files WHERE dataset = ?", (event.subject,)


def _paused(event: Event) -> Iterable[Statement]:
    return [(_PAUSED, (event.subject, event.data["since"], event.data["actor"]))]


def _resumed(event: Event) -> Iterable[Statement]:
    return [(_RESUMED, (event.data["since"], event.subject))]


def _skipped(event: Event) -> Iterable[Statement]:
    data = event.data
    first = data.get("due") or data["first"]
    last = data.get("last", first)
    row = (data["id"], event.subject, first, last, data.get("count", 1), data["reason"], data["words"])
    yield _OCCURRENCE, row
    if "cause" not in data:
        yield _HANDLED, (last, event.subject)


def _queued(event: Event) -> Iterable[Statement]:
    because = event.data.get("because") or {}
    kind, schedule, due = because.get("kind"), because.get("schedule"), because.get("due")
    if kind not in _OF_SCHEDULES or not schedule or not due:
        return
    yield _OCCURRENCE, (event.subject, schedule, due, due, 1, "queued", because.get("what", ""))
    yield _RAN, (due, event.subject, schedule)
    if kind == "schedule":
        yield _HANDLED, (due, schedule)


def _put_off(event: Event) -> Iterable[Statement]:
    return [(_PUT_OFF, (event.data["until"], event.data["provider"], event.subject))]


def _overdue(event: Event) -> Iterable[Statement]:
    return [(_OVERDUE, (event.data["closes"], event.subject))]


def _elected(event: Event) -> Iterable[Statement]:
    return [(_ELECTED, (event.subject, event.data["fence"], event.data["owner"], event.time))]


def _files(event: Event) -> Iterable[Statement]:
    yield from ((_FILE, (event.subject, *file)) for file in event.data.get("files", ()))
    yield from ((_FORGET_FILE, (event.subject, path)) for path in event.data.get("gone", ()))


def _maintained(event: Event) -> Iterable[Statement]:
    if before := event.data.get("runs_before"):
        yield "DELETE FROM occurrences WHERE last < ?", (before,)


_HANDLERS: Mapping[str, Callable[[Event], Iterable[Statement]]] = {
    "schedule.set": _set,
    "schedule.removed": _removed,
    "schedule.paused": _paused,
    "schedule.resumed": _resumed,
    "schedule.skipped": _skipped,
    "schedule.put_off": _put_off,
    "schedule.files_seen": _files,
    "run.queued": _queued,
    "dataset.overdue": _overdue,
    "leader.elected": _elected,
    "maintenance.finished": _maintained,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a schedule stands; moments UTC.

    Attributes:
        fingerprint: Of what it was set to; "" when it was paused before anybody ever saw to it.
        since: When it was set: nothing before counts.
        handled: Every occurrence up to here has become a run or was skipped.
        put_off: Until when its occurrence waits, because the circuit of `put_off_for` is open.
        overdue: When its last window closed that brought no data.
        last_due, last_run: The last occurrence that was run.
    """

    dataset: str
    fingerprint: str
    since: datetime
    handled: datetime
    paused_at: datetime | None
    paused_by: str
    put_off: datetime | None
    put_off_for: str
    overdue: datetime | None
    last_due: datetime | None
    last_run: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of an occurrence, or of `number` in a row up to `last`.

    `outcome`: `queued`, or the reason why it was skipped; `id` is that of its run, too.
    """

    id: str
    schedule: str
    due: datetime
    last: datetime
    number: int
    outcome: str
    words: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """How many occurrences were skipped, by the reason; and the words of the newest."""

    counts: dict[str, int]
    words: str


@dataclass(frozen=True, slots=True)
class Led:
    """The newest leader: its number, its process, and since when it leads."""

    fence: int
    owner: str
    since: datetime


@dataclass(frozen=True, slots=True)
class FileLook:
    """A file as it was when it was looked at: bytes, and nanoseconds since 1970 when it was changed last."""

    path: str
    size: int
    modified: int


class Schedules:
    """Queries over the read models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, Standing]:
        """Every schedule that was ever seen to and is still declared, by its dataset."""
        rows = self._database.query(f"SELECT {_STANDING} FROM schedules")  # noqa: S608 - our own
        return {row[0]: _standing(row) for row in rows}

    def of(self, dataset: str) -> Standing | None:
        """One schedule; None when nobody has seen to it yet."""
        rows = self._database.query(f"SELECT {_STANDING} FROM schedules WHERE dataset = ?", (dataset,))  # noqa: S608
        return _standing(rows[0]) if rows else None

    def paused(self) -> frozenset[str]:
        """The schedules that are paused."""
        rows = self._database.query("SELECT dataset FROM schedules WHERE paused_at IS NOT NULL")
        return frozenset(row[0] for row in rows)

    def busy(self) -> dict[str, Busy]:
        """The schedules with runs that are not over."""
        found: dict[str, tuple[list[str], list[str]]] = {}
        for schedule, run_id, status in self._database.query(_OPEN):
            found.setdefault(schedule, ([], []))[status == "queued"].append(run_id)
        return {name: Busy(tuple(running), tuple(waiting)) for name, (running, waiting) in found.items()}

    def occurrences(
        self, *, schedule: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> list[Seen]:
        """What became of occurrences whose time lies from `since` on, before `until`; oldest first."""
        where = ["1 = 1"]
        values: list[str] = []
        if since is not None:
            where, values = [*where, "id >= ?"], [*values, _id_at(since)]
        if until is not None:
            where, values = [*where, "id < ?"], [*values, _id_at(until)]
        if schedule is not None:
            where, values = [*where, "schedule = ?"], [*values, schedule]
        sql = f"SELECT id, schedule, due, last, number, outcome, words FROM occurrences WHERE {' AND '.join(where)}"  # noqa: S608 - our own
        rows = self._database.query(f"{sql} ORDER BY id", values)
        return [Seen(row[0], row[1], _moment(row[2]), _moment(row[3]), *row[4:]) for row in rows]

    def skipped(self, since: datetime) -> dict[str, Skipped]:
        """What was skipped of each schedule, of occurrences from a time on."""
        least = _id_at(since)
        found: dict[str, dict[str, int]] = {}
        for schedule, reason, number in self._database.query(_SKIPPED, (least,)):
            found.setdefault(schedule, {})[reason] = int(number)
        words = dict(self._database.query(_NEWEST_SKIPPED, (least,)))
        return {name: Skipped(counts, words.get(name, "")) for name, counts in found.items()}

    def is_before(self, datasets: Sequence[str], due: datetime) -> bool:
        """Whether the last occurrence of one of these, due by then, is a run that is not over."""
        marks = ", ".join("?" * len(datasets))
        return bool(self._database.query(_BEFORE.format(marks), (*datasets, rfc3339(due))))

    def known(self, ids: Sequence[str]) -> set[str]:
        """Which of these occurrences were seen to before."""
        found: set[str] = set()
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            sql = f"SELECT id FROM occurrences WHERE id IN ({', '.join('?' * len(some))})"  # noqa: S608 - marks only
            found.update(row[0] for row in self._database.query(sql, some))
        return found

    def delivered(self, dataset: str, since: datetime, until: datetime) -> bool:
        """Whether something new was accepted within a time, or came of an occurrence in it."""
        sql = "SELECT version, time FROM versions WHERE dataset = ? AND time >= ? AND state IN ('accepted', 'damaged')"
        first, last, end = _id_at(since), _id_at(until), rfc3339(until)
        found = self._database.query(sql, (dataset, rfc3339(since)))
        return any(time < end or first <= version < last for version, time in found)

    def files(self, dataset: str) -> dict[str, FileLook]:
        """The files that a schedule has seen, by path."""
        sql = "SELECT path, size, modified FROM schedule_files WHERE dataset = ?"
        return {row[0]: FileLook(*row) for row in self._database.query(sql, (dataset,))}

    def leader(self) -> Led | None:
        """The newest leader, alive or not; None when there never was one."""
        rows = self._database.query(LEADER)
        return Led(rows[0][0], rows[0][1], _moment(rows[0][2])) if rows else None


def paused(connection: Connection) -> set[str]:
    """The schedules that are paused, in a transaction."""
    return {row[0] for row in connection.execute("SELECT dataset FROM schedules WHERE paused_at IS NOT NULL", ())}


def _standing(row: Sequence[str | None]) -> Standing:
    dataset, fingerprint, since, handled, paused_at, paused_by, put_off, put_off_for, overdue, due, run = row
    return Standing(
        dataset=dataset or "",
        fingerprint=fingerprint or "",
        since=_moment(since or ""),
        handled=_moment(handled or ""),
        paused_at=_moment(paused_at) if paused_at else None,
        paused_by=paused_by or "",
        put_off=_moment(put_off) if put_off else None,
        put_off_for=put_off_for or "",
        overdue=_moment(overdue) if overdue else None,
        last_due=_moment(due) if due else None,
        last_run=run or "",
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _id_at(moment: datetime) -> str:
    """The least id that an occurrence of this moment can have."""
    return Occurrence(moment, "").run_id[:13] if moment.timestamp() > 0 else rfc3339(moment)[:0]
