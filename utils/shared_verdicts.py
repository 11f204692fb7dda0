"""The breakers' verdicts and trials, shared by the processes of a state directory and kept over restarts."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from utils.resilience.shared_state import Verdict
from utils.resilience.trial import Lent, Trial
from utils.sqlite import SqliteDatabase

SCHEMA = """
CREATE TABLE verdicts (
    name TEXT PRIMARY KEY, state TEXT NOT NULL, opened_at REAL NOT NULL, open_until REAL NOT NULL,
    times_opened INTEGER NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID
"""

# 9e999 is infinite: what had been opened by hand before there was a column for it.
HELD_AND_TRIALS = """
ALTER TABLE verdicts ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE verdicts ADD COLUMN trial TEXT;
UPDATE verdicts SET held = 1 WHERE state = 'open' AND open_until = 9e999
"""

MIGRATIONS = (SCHEMA, HELD_AND_TRIALS)

_ALL = "SELECT name, state, opened_at, open_until, times_opened, reason, held, trial FROM verdicts"
_PUT = (
    "INSERT OR REPLACE INTO verdicts (name, state, opened_at, open_until, times_opened, reason, held, trial)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


class SharedVerdicts:
    """`SharedState` over SQLite. Looking whether something changed costs 3 microseconds, a change some 50."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._known: tuple[int, dict[str, Verdict]] = (-1, {})

    def load(self, name: str) -> Verdict | None:
        # Few circuits ever moved, while a run may meet a thousand providers: one query serves them all.
        version = self.version()
        if self._known[0] != version:
            self._known = (version, self.all())
        return self._known[1].get(name)

    def all(self) -> dict[str, Verdict]:
        """Every verdict by name."""
        found = {row[0]: _verdict(row) for row in self._database.query(_ALL + " ORDER BY name")}
        return {name: verdict for name, verdict in found.items() if verdict is not None}

    def change(self, name: str, step: Callable[[Verdict | None], Verdict]) -> None:
        def replace(connection: sqlite3.Connection) -> None:
            row = connection.execute(_ALL + " WHERE name = ?", (name,)).fetchone()
            stored = None if row is None else _verdict(row)
            verdict = step(stored)
            if verdict != stored:
                connection.execute(_PUT, _row(name, verdict))

        # From the read on nobody else writes: of many who claim the last permit one gets it.
        self._database.change(replace)

    def save(self, name: str, verdict: Verdict) -> None:
        """Replace the verdict of `name`, whatever it was: by hand."""
        self.change(name, lambda _: verdict)

    def version(self) -> int:
        return self._database.changes()


def _row(name: str, verdict: Verdict) -> tuple[Any, ...]:
    trial = verdict.trial
    return (
        name,
        verdict.state,
        verdict.opened_at,
        verdict.open_until,
        verdict.times_opened,
        verdict.reason,
        int(verdict.held),
        None if trial is None else json.dumps({"began": trial.began, "lent": trial.lent, "codes": trial.codes}),
    )


def _verdict(row: tuple[Any, ...]) -> Verdict | None:
    """None for one that was damaged: that counts as none, and the next decision replaces it."""
    _, state, opened_at, open_until, times_opened, reason, held, text = row
    trial = None
    try:
        if text is not None:
            kept = json.loads(text)
            trial = Trial(kept["began"], tuple(Lent(*lent) for lent in kept["lent"]), tuple(kept["codes"]))
        return Verdict(state, opened_at, open_until, times_opened, reason, bool(held), trial)
    except (ValueError, TypeError, KeyError):
        return None
