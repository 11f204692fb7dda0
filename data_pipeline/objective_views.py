"""Read models of objectives: since when a dataset is good and until when it is fresh, and which objectives burn.

Projected from the event log like all views; emptying the tables and replaying the log gives the same rows. A dataset
that is as it should be has one row, however often it runs: a new one begins when something turns.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from data_pipeline.objective import Pace, Span, micros
from utils.database import Connection, Database, Statement, upsert
from utils.events import Event

__all__ = ["SCHEMA", "Burning", "ObjectiveViews", "Objectives", "burning_pace"]

SCHEMA = """
CREATE TABLE objective_spans (
    dataset TEXT NOT NULL, began INTEGER NOT NULL, good INTEGER NOT NULL, fresh_until INTEGER NOT NULL,
    PRIMARY KEY (dataset, began)) WITHOUT ROWID;
CREATE TABLE objectives_burning (
    dataset TEXT NOT NULL, objective TEXT NOT NULL, pace TEXT NOT NULL, since TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (dataset, objective)) WITHOUT ROWID
"""

_LAST = "(SELECT max(began) FROM objective_spans WHERE dataset = ?1)"
# ?1 the dataset, ?2 the time of the event, ?3 whether it is good (NULL: nothing is said), ?4 until when it is fresh.
_EXTEND = f"""
UPDATE objective_spans SET fresh_until = CASE WHEN ?4 > ?2 THEN ?4 ELSE ?2 END
WHERE dataset = ?1 AND began = {_LAST} AND fresh_until >= ?2 AND good = coalesce(?3, good)
"""  # noqa: S608 - our own
# Of a clock that was set back, what it repeats counts once.
_BEGIN = f"""
INSERT INTO objective_spans (dataset, began, good, fresh_until)
SELECT CAST(?1 AS TEXT),
    coalesce((SELECT max(began) FROM objective_spans WHERE dataset = ?1 AND began > ?2), ?2),
    coalesce(?3, (SELECT good FROM objective_spans WHERE dataset = ?1 AND began = {_LAST}), 1), ?4
WHERE NOT EXISTS (
    SELECT 1 FROM objective_spans WHERE dataset = ?1 AND began = {_LAST} AND good = coalesce(?3, good)
        AND (fresh_until >= ?2 OR ?4 <= ?2))
ON CONFLICT (dataset, began) DO UPDATE SET good = excluded.good, fresh_until = excluded.fresh_until
"""  # noqa: S608 - our own
_FORGET = """
DELETE FROM objective_spans WHERE dataset = ?1
    AND began < (SELECT max(began) FROM objective_spans WHERE dataset = ?1 AND began <= ?2)
"""
_BURNS = upsert("objectives_burning", "dataset, objective, pace, since, body", key="dataset, objective")
_ENDED = "DELETE FROM objectives_burning WHERE dataset = ? AND objective = ?"

_SAY = frozenset(
    {
        "dataset.collected",
        "dataset.served",
        "dataset.degraded",
        "dataset.failed",
        "batch.accepted",
        "batch.rejected",
        "version.rolled_back",
    }
)
"""Events that may say what became of a dataset's objective; those of datasets without one do not."""


@dataclass(frozen=True, slots=True)
class Burning:
    """An objective that burns too fast: since when, and how it stood when that was told."""

    dataset: str
    objective: str
    pace: Pace
    since: str
    told: dict[str, Any]


class ObjectiveViews:
    """The projection: one event in, the statements that bring the views up to date out."""

    name = "objectives"
    tables: Sequence[str] = ("objective_spans", "objectives_burning")
    types: Collection[str] = frozenset(("objective.burning", *_SAY))

    def apply(self, event: Event) -> Iterable[Statement]:
        if event.type == "objective.burning":
            data = event.data
            if data["state"] == "ended":
                return [(_ENDED, (event.subject, data["objective"]))]
            body = orjson.dumps(data).decode()
            return [(_BURNS, (event.subject, data["objective"], data["pace"], data["since"], body))]
        if event.type not in _SAY or (said := event.data.get("objective")) is None:
            return ()
        at = micros(datetime.fromisoformat(event.time))
        until = micros(datetime.fromisoformat(said["fresh_until"])) if said["fresh_until"] else 0
        good = None if said["good"] is None else int(said["good"])
        row = (event.subject, at, good, until)
        horizon = at - round(said["over_s"] * 1_000_000)
        return [(_EXTEND, row), (_BEGIN, row), (_FORGET, (event.subject, horizon))]


class Objectives:
    """Queries over the read models."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def spans(self, datasets: Sequence[str]) -> dict[str, list[Span]]:
        """Of each of these datasets, oldest first."""
        found: dict[str, list[Span]] = {name: [] for name in datasets}
        if datasets:
            marks = ", ".join("?" * len(datasets))
            sql = f"SELECT * FROM objective_spans WHERE dataset IN ({marks}) ORDER BY dataset, began"  # noqa: S608
            for name, began, good, until in self._database.query(sql, tuple(datasets)):
                found[name].append(Span(began, bool(good), until))
        return found

    def burning(self) -> dict[tuple[str, str], Burning]:
        """By dataset and objective."""
        rows = self._database.query("SELECT dataset, objective, pace, since, body FROM objectives_burning")
        return {(row[0], row[1]): Burning(row[0], row[1], row[2], row[3], orjson.loads(row[4])) for row in rows}


def burning_pace(connection: Connection, dataset: str, objective: str) -> str | None:
    """How fast an objective burns as far as the log tells; to be asked in the transaction that tells more."""
    sql = "SELECT pace FROM objectives_burning WHERE dataset = ? AND objective = ?"
    row = connection.execute(sql, (dataset, objective)).fetchone()
    return None if row is None else str(row[0])
