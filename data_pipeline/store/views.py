"""Questions to the read models of runs, datasets, versions and providers; `projection.py` keeps them up to date."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from data_pipeline.dataset import FileSeen
from data_pipeline.store import decisions, run_views
from data_pipeline.store.decisions import Decisions
from data_pipeline.store.quarantine_views import Quarantined, Quarantines
from data_pipeline.store.run_views import Run
from utils.database import Database

_OF_BACKFILLS = '%"backfill":%'
"""Dataset runs that older pieces were collected in: they say nothing of how a dataset fares."""


@dataclass(frozen=True, slots=True)
class Version:
    """A stored batch of a dataset, or the table that it is part of.

    `state`: `accepted`; `damaged`: was accepted, and its files are not as they were written; `held`: waits for a
    decision; `rejected`: never was what readers see; `rolled_back`: is so no more. See `is_accepted`.
    `rows`: of the table, if there is one; `body`: provenance, quality and report, and what the next collection asks by.
    """

    dataset: str
    version: str
    state: str
    time: str
    rows: int
    size: int
    path: str
    body: dict[str, Any]

    @property
    def is_accepted(self) -> bool:
        """Whether readers see it, or may come to see it when newer ones are damaged or taken back."""
        return self.state in {"accepted", "damaged"}

    @property
    def age(self) -> tuple[str, str]:
        """What versions are ordered by: when they came to be accepted (or held), which need not be when they came."""
        return self.time, self.version


@dataclass(frozen=True, slots=True)
class Current:
    """Where a dataset stands: its last run, and the accepted version that readers see."""

    dataset: str
    provider: str
    run_id: str
    status: str
    time: str
    runs: int
    failures: int
    fence: int
    version: str | None
    collected_at: str | None
    data_time: str | None


OUT_OF_TURN = 20
"""So many runs may have come since a run came late: the id of a missed occurrence's run says when it was due."""


def _came(version: Version) -> tuple[float, str]:
    """What "newest" goes by: when its run began, by its id, or when its batch came, whichever is later.

    A run of a missed occurrence has the id of the past, and rows of a replay or a rollback were collected long ago.
    """
    collected = version.body.get("collected_at")
    try:
        began = int(version.version.replace("-", "")[:12], 16) / 1000  # UUIDv7: milliseconds since the epoch
    except ValueError:
        began = 0.0
    return max(began, datetime.fromisoformat(collected).timestamp() if collected else 0.0), version.version


class Views:
    """Queries over the read models."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.decisions = Decisions(database)
        self.quarantines = Quarantines(database)

    def current(self, datasets: Sequence[str] | None = None) -> dict[str, Current]:
        """Where these datasets stand; default: all."""
        where, values = decisions.only(datasets)
        sql = f"SELECT * FROM datasets{where and f' WHERE {where}'}"  # noqa: S608 - marks only
        return {row[0]: Current(*row) for row in self._database.query(sql, values)}

    def current_of(self, dataset: str) -> Current | None:
        rows = self._database.query("SELECT * FROM datasets WHERE dataset = ?", (dataset,))
        return Current(*rows[0]) if rows else None

    def run(self, run_id: str) -> Run | None:
        return run_views.find(self._database, run_id)

    def runs(self, *, limit: int = 20, status: str | None = None, before: str | None = None) -> list[Run]:
        """Newest first; `before`: those that are older than this one."""
        return run_views.runs(self._database, limit=limit, status=status, before=before)

    def waiting(self, *, limit: int, oldest: bool = False, passed: int = 0, without: Sequence[str] = ()) -> list[Run]:
        """Queued runs in the order in which they are begun: by priority, then age; `oldest`: by age alone."""
        return run_views.waiting(self._database, limit=limit, oldest=oldest, passed=passed, without=without)

    def past_runs(self, before: str, *, at_most: int) -> tuple[str, int]:
        """Which runs may be forgotten of those that ended before a time: all before another time, and how many.

        So few that hardly more than `at_most` dataset runs are among them.
        """
        return run_views.past(self._database, before, at_most=at_most)

    def dataset_runs(self, run_id: str) -> list[dict[str, Any]]:
        """The dataset runs of a run, as their events told them, each with the `time` of that."""
        sql = "SELECT time, body FROM dataset_runs WHERE run_id = ? ORDER BY dataset"
        return [{**orjson.loads(body), "time": time} for time, body in self._database.query(sql, (run_id,))]

    def latest(self, datasets: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
        """Each dataset's last dataset run that was not skipped, as it is seen since somebody decided about it.

        Or since rows that it had set aside joined the dataset.

        Args:
            datasets: Only of these; None, or very many: of all.
        """
        # Crossed, so that SQLite begins with the few datasets, and not with all that ever ran.
        sql = (
            "SELECT d.dataset, d.run_id, r.body, r.time FROM datasets d CROSS JOIN dataset_runs r"
            " WHERE r.run_id = d.run_id AND r.dataset = d.dataset"
        )
        where, values = decisions.only(datasets)
        if where:
            sql += f" AND d.{where}"
        seen, mended = self.decisions.seen(), self.quarantines.seen()
        found = {}
        for name, run_id, body, time in self._database.query(sql, values):
            run = {**orjson.loads(body), **seen.get((name, run_id), {}), "time": time}
            # A run that sent the same again, or served the copy, delivered the batch of another run.
            batch = run["version"] if run["accepted"] and (name, run["version"]) in mended else run_id
            found[name] = mended[name, batch](run) if (name, batch) in mended else run
        return found

    def recent(self, dataset: str, *, limit: int = 20) -> list[dict[str, Any]]:
        """A dataset's last runs, newest first; without those of backfills."""
        sql = "SELECT time, body FROM dataset_runs WHERE dataset = ? AND body NOT LIKE ? ORDER BY run_id DESC LIMIT ?"
        rows = self._database.query(sql, (dataset, _OF_BACKFILLS, limit + OUT_OF_TURN))
        rows.sort(key=lambda row: row[0], reverse=True)
        return [{**orjson.loads(body), "time": time} for time, body in rows[:limit]]

    def runs_of(self, dataset: str, *, limit: int, before: str | None = None) -> list[dict[str, Any]]:
        """A dataset's runs, those of backfills as well, the newest run first; `before`: older than this run."""
        older = " AND run_id < ?" if before is not None else ""
        sql = f"SELECT time, body FROM dataset_runs WHERE dataset = ?{older} ORDER BY run_id DESC LIMIT ?"  # noqa: S608
        values = (dataset, *([before] if before is not None else []), limit)
        return [{**orjson.loads(body), "time": time} for time, body in self._database.query(sql, values)]

    def last_turn(self, dataset: str) -> dict[str, Any] | None:
        """What came of a dataset when it last came to its turn, as it is seen since somebody decided about it.

        A turn that did not come is passed over (interrupted, running elsewhere); one that was blocked is told.
        """
        # Not the newest run id: that of a missed occurrence says when it was due.
        sql = (
            "SELECT time, run_id, status FROM dataset_runs WHERE dataset = ? AND body NOT LIKE ?"
            " ORDER BY run_id DESC LIMIT ?"
        )
        one = "SELECT body FROM dataset_runs WHERE run_id = ? AND dataset = ?"
        for _, run_id, status in sorted(self._database.query(sql, (dataset, _OF_BACKFILLS, OUT_OF_TURN)), reverse=True):
            rows = self._database.query(one, (run_id, dataset))
            body = orjson.loads(rows[0][0]) if rows else None
            if body is not None and (status != "skipped" or body["error"] is not None):
                return {**body, **self.decisions.seen_of(dataset, run_id), "run_id": run_id}
        return None

    def version(self, dataset: str, version: str) -> Version | None:
        rows = self._versions("WHERE dataset = ? AND version = ?", (dataset, version))
        return rows[0] if rows else None

    def versions(self, dataset: str | None = None, *, limit: int | None = None) -> list[Version]:
        """Newest first, of one dataset (the last `limit`, if given) or of all, dataset by dataset."""
        if dataset is None:
            found = self._versions("", ())
        elif limit is None:
            found = self._versions("WHERE dataset = ?", (dataset,))
        else:
            newest = (dataset, limit + OUT_OF_TURN)
            found = self._versions("WHERE dataset = ? ORDER BY version DESC LIMIT ?", newest)
        found.sort(key=_came, reverse=True)
        return sorted(found, key=lambda version: version.dataset)[:limit]

    def collected_last(self, dataset: str) -> Version | None:
        """The batch that the provider sent last: the newest, or what readers see if it was sent again since then."""
        newest = next(iter(self.versions(dataset, limit=1)), None)
        if newest is None or newest.is_accepted:
            return newest
        current = self.current_of(dataset)
        if current is None or current.version is None or (current.collected_at or "") <= newest.time:
            return newest
        return self.version(dataset, current.version) or newest

    def damaged(self) -> list[tuple[str, str]]:
        """Dataset and version where what readers should see was found damaged."""
        sql = (
            "SELECT d.dataset, d.version FROM datasets d JOIN versions v ON v.version = d.version"
            " AND v.dataset = d.dataset WHERE v.state = 'damaged' ORDER BY d.dataset"
        )
        return [(dataset, version) for dataset, version in self._database.query(sql)]

    def ledger(self, dataset: str) -> dict[str, FileSeen]:
        """The files that went into accepted batches of a dataset, by path."""
        sql = "SELECT path, size, modified, sha256 FROM files WHERE dataset = ?"
        return {row[0]: FileSeen(*row) for row in self._database.query(sql, (dataset,))}

    def quarantined(self, dataset: str | None = None) -> list[Quarantined]:
        """What was set aside of each batch, newest first; also where no row is left."""
        return self.quarantines.all(dataset)

    def breakers(self) -> dict[str, dict[str, Any]]:
        """Each provider whose breaker ever moved: its state, since when, and why."""
        found = self._database.query("SELECT provider, state, time, body FROM breakers")
        return {name: {"state": state, "since": time, **orjson.loads(body)} for name, state, time, body in found}

    def anomalies(self, *, dataset: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """Newest first."""
        where = "" if dataset is None else "WHERE dataset = ?"
        sql = f"SELECT dataset, time, body FROM anomalies {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        values: Sequence[Any] = (limit,) if dataset is None else (dataset, limit)
        return [
            {"dataset": name, "detected_at": time, **orjson.loads(body)}
            for name, time, body in self._database.query(sql, values)
        ]

    def _versions(self, where: str, values: Sequence[Any]) -> list[Version]:
        found = self._database.query(f"SELECT * FROM versions {where}", values)  # noqa: S608
        return [Version(*(*row[:7], orjson.loads(row[7]))) for row in found]
