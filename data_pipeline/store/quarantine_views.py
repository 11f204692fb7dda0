"""What waits in quarantine, and what became of it: replayed into the dataset, or dropped.

A part of the pipeline's views (`views.py`), projected from the same events.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import orjson

from utils.database import Connection, Database, StateError, Statement, upsert
from utils.events import Event

__all__ = ["SCHEMA", "Quarantined", "Quarantines", "dropped", "put_back", "refuse_if_moved", "replayed", "set_aside"]

SCHEMA = """
ALTER TABLE quarantine ADD COLUMN replayed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN seen TEXT NOT NULL DEFAULT '{}'
"""
"""A migration of issue 6. `seen`: what the run that brought the rows looks like since some of them joined."""

_COLUMNS = "dataset, run_id, time, rows, path, state, reasons"
_SET_ASIDE = upsert("quarantine", _COLUMNS, key="dataset, run_id")
_LEFT = """
UPDATE quarantine SET rows = ?, path = ?, state = CASE WHEN ? > 0 THEN 'waiting' ELSE ? END, reasons = ?,
    replayed = replayed + ?, dropped = dropped + ?
WHERE dataset = ? AND run_id = ?
"""
_BACK = """
UPDATE quarantine SET rows = ?, path = ?, state = 'waiting', reasons = ?, replayed = replayed - ?, seen = '{}'
WHERE dataset = ? AND run_id = ?
"""
_SEEN = "UPDATE quarantine SET seen = ? WHERE dataset = ? AND run_id = ?"
_MOVED = """
UPDATE datasets SET version = ?, data_time = ?, fence = CASE WHEN fence < ? THEN ? ELSE fence END WHERE dataset = ?
"""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The rows of one batch that were set aside.

    Attributes:
        run_id: The run that brought the batch.
        time: When they were set aside, RFC 3339.
        rows: How many are left.
        path: Where they lie in storage.
        state: `waiting` while any is left; else `replayed` or `dropped`, by what took the last of them.
        reasons: How many of those that are left broke which rule.
        replayed, dropped: How many joined the dataset since, and how many were given up.
    """

    dataset: str
    run_id: str
    time: str
    rows: int
    path: str
    state: Literal["waiting", "replayed", "dropped"]
    reasons: dict[str, int]
    replayed: int = 0
    dropped: int = 0

    @property
    def waits(self) -> bool:
        return self.rows > 0

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def set_aside(event: Event) -> Iterable[Statement]:
    data = event.data
    what = (data["rows"], data["path"], "waiting", _text(data["reasons"]))
    return [(_SET_ASIDE, (event.subject, data["run_id"], event.time, *what))]


def replayed(event: Event) -> Iterable[Statement]:
    """Rows joined the dataset, as a new version; those that still fail have new reasons."""
    data = event.data
    statements = [_left(event, "replayed", data["accepted"], 0)]
    if (version := data.get("version")) is not None:
        fence = data["fence"]
        statements.append((_MOVED, (version, data["data_time"], fence, fence, event.subject)))
        statements.append((_SEEN, (_text(data["seen"]), event.subject, data["run_id"])))
    return statements


def put_back(event: Event) -> Iterable[Statement]:
    """A rollback takes rows back that had joined: they wait again."""
    for one in event.data.get("requarantined", ()):
        left = (one["left"], one["path"], _text(one["reasons"]), one["back"])
        yield _BACK, (*left, event.subject, one["run_id"])


def dropped(event: Event) -> Iterable[Statement]:
    return [_left(event, "dropped", 0, event.data["dropped"])]


def refuse_if_moved(connection: Connection, entry: Quarantined) -> None:
    """Refuse, inside a transaction, to speak of rows that somebody else replayed or dropped meanwhile.

    Raises:
        StateError: they are not as they were read.
    """
    sql = "SELECT rows, path FROM quarantine WHERE dataset = ? AND run_id = ?"
    row = connection.execute(sql, (entry.dataset, entry.run_id)).fetchone()
    if row is None or (row[0], row[1]) != (entry.rows, entry.path):
        raise StateError(
            f"{entry.dataset}: the quarantined rows of run {entry.run_id} were replayed or dropped meanwhile",
            hint="look at them again: `quarantine list`",
        )


class Quarantines:
    """Queries over what is in quarantine."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, dataset: str | None = None) -> list[Quarantined]:
        """Newest first, of one dataset or of all; also those of which no row is left."""
        where = "" if dataset is None else "WHERE dataset = ?"
        sql = f"SELECT {_COLUMNS}, replayed, dropped FROM quarantine {where} ORDER BY run_id DESC, dataset"  # noqa: S608
        found = self._database.query(sql, () if dataset is None else (dataset,))
        return [Quarantined(*(*row[:6], orjson.loads(row[6]), *row[7:])) for row in found]

    def seen(self) -> "dict[tuple[str, str], Callable[[dict[str, Any]], dict[str, Any]]]":
        """By dataset and run: how to see a dataset run of which rows joined, or were given up, since."""
        sql = "SELECT dataset, run_id, rows, replayed, seen FROM quarantine WHERE replayed > 0 OR dropped > 0"
        found = ((key, (rows, joined, orjson.loads(seen))) for *key, rows, joined, seen in self._database.query(sql))
        return {(key[0], key[1]): partial(_seen, *told) for key, told in found}

    def one(self, dataset: str, run_id: str) -> Quarantined | None:
        return next((entry for entry in self.all(dataset) if entry.run_id == run_id), None)


def _seen(left: int, joined: int, seen: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    if not run["accepted"]:
        return {**run, "quarantined": left}  # what it served was another batch
    return {**run, **seen, "rows": run["rows"] + joined, "quarantined": left}


def _left(event: Event, emptied_by: str, replayed: int, dropped: int) -> Statement:
    data = event.data
    left = (data["left"], data["path"], data["left"], emptied_by, _text(data["reasons"]))
    return _LEFT, (*left, replayed, dropped, event.subject, data["run_id"])


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
