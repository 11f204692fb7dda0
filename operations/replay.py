"""Quarantined rows back into their dataset: `quarantine replay`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.datasets import DatasetSettings
from data_pipeline.errors import PipelineError
from data_pipeline.publish.attempt import Attempt
from data_pipeline.recorder import refuse_if_lost
from data_pipeline.store.quarantine_views import Quarantined, refuse_if_moved
from data_pipeline.store.views import Current
from data_pipeline.validate.report import Report
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from operations.deciding import alone_at
from operations.publish import publish_pending
from operations.quarantine import files_of, nothing
from utils.cache.cache import Entry
from utils.database import Connection, StateError
from utils.events import NewEvent, uuid7

if TYPE_CHECKING:
    from data_pipeline.mending.replay import Mended, Outcome

__all__ = ["Replayed", "Replays", "replay"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one batch's rows.

    Attributes:
        run_id: The run that brought them.
        replayed: How many were judged anew.
        accepted: How many joined the dataset.
        failing: How many of those judged stay in quarantine.
        left: How many wait there now.
        reasons: How many of those broke which rule.
        version: What readers see with the accepted rows in it; None: there are none.
        missing: Rows of the file that wait in quarantine no more.
        skipped: Why nothing was replayed; None: it was.
    """

    run_id: str
    replayed: int = 0
    accepted: int = 0
    failing: int = 0
    left: int = 0
    reasons: dict[str, int] | None = None
    version: str | None = None
    missing: int = 0
    skipped: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Replays:
    """What a replay did, batch by batch, oldest first. `publications`: what went to sinks."""

    dataset: str
    replays: tuple[Replayed, ...]
    publications: tuple[Attempt, ...] = ()

    @property
    def accepted(self) -> int:
        return sum(one.accepted for one in self.replays)

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "replayed": sum(one.replayed for one in self.replays),
            "accepted": self.accepted,
            "failing": sum(one.failing for one in self.replays),
            "replays": [one.to_json() for one in self.replays],
            "publications": [attempt.to_json() for attempt in self.publications],
        }


@operation("operator")
def replay(
    system: IntegratedSystem,
    actor: Actor,
    dataset: str,
    run_id: str | None = None,
    *,
    file: Path | None = None,
    reason: str = "",
    force: bool = False,
) -> Replays:
    """Put quarantined rows under the rules as they are now; those that pass join the dataset, the others stay.

    Each batch is judged, accepted and told in one transaction of its own. A replay that was broken off, or is done
    twice, adds no row twice.

    Args:
        run_id: Of this run only; default: all that wait, oldest first.
        file: Rows as `quarantine show --output` wrote them, mended: only these are replayed, with their cells.
        force: Also where newer rows took the place of the batch, and what the gate would hold.

    Raises:
        ConfigError: no such dataset.
        PipelineError: nothing of the run waits; or nothing could be replayed at all.
        DatasetBusy: the dataset runs just now.
    """
    settings = system.settings.dataset(dataset)
    known = [entry for entry in system.views.quarantined(dataset) if run_id in {None, entry.run_id}]
    if run_id is not None and not known:
        raise nothing(dataset, run_id)
    waiting = sorted((entry for entry in known if entry.waits), key=lambda entry: entry.run_id)
    if settings.publish:
        system.outbox.declare([settings])
    by_hand = _mended(system, settings, run_id, file)
    done: list[Replayed] = []
    refused: PipelineError | None = None
    for entry in waiting:
        mended, missing = by_hand(entry)
        if mended is not None and not mended.numbers:
            if missing:
                done.append(Replayed(entry.run_id, left=entry.rows, reasons=entry.reasons, missing=missing))
            continue
        try:
            one = _replayed(system, actor, settings, entry, mended, reason=reason, force=force)
        except PipelineError as error:
            if error.transient or run_id is not None:
                raise
            refused = error
            one = Replayed(entry.run_id, left=entry.rows, reasons=entry.reasons, skipped=str(error))
        done.append(replace(one, missing=missing))
    if refused is not None and all(one.skipped for one in done):
        raise refused
    return Replays(dataset, tuple(done), tuple(publish_pending(system, [settings])))


def _replayed(
    system: IntegratedSystem,
    actor: Actor,
    dataset: DatasetSettings,
    entry: Quarantined,
    mended: "Mended | None",
    *,
    reason: str,
    force: bool,
) -> Replayed:
    """One batch: judged and written, then told in one transaction with the version that comes of it."""
    from data_pipeline.mending.replay import Replay
    from data_pipeline.store.surroundings import Neighbours

    files, name = files_of(system), uuid7(system.clock.time())
    with alone_at(system, dataset.name) as fence:
        current = system.views.current_of(dataset.name)
        line = Replay(
            dataset,
            system.results.newest(current),
            name,
            system.clock.now(),
            force,
            results=system.results,
            storage=system.storage,
            views=system.views,
            neighbours=Neighbours(system.distinct, system.results, system.views, system.settings),
            memory_limit=system.settings.app.memory_limit,
        )
        who = {"actor": actor.name, "reason": reason, **({"force": True} if force else {})}
        aside = files.read(entry)
        found = line.run(entry, aside, mended, who)
        changed = bool(found.accepted) or found.left.rows.column("_rules") != aside.rows.column("_rules")
        path = files.write(entry, found.left, name) if changed else entry.path
        if found.body is not None:
            found.body["replayed"]["kept"] = files.keep(entry, aside, found.left, name)
        told = _told(dataset, entry, found, who, path, fence)
        system.results.flush()
        system.events.append(told, guard=_standing(current, entry, fence))
        files.forget(entry.path, path, left=found.left.rows.num_rows)
        if found.body is not None and current is not None:
            _refresh(system, current, found.body)
    return Replayed(
        entry.run_id,
        found.replayed,
        len(found.accepted),
        found.replayed - len(found.accepted),
        found.left.rows.num_rows,
        found.reasons,
        None if found.body is None else name,
    )


def _told(
    dataset: DatasetSettings, entry: Quarantined, found: "Outcome", who: dict[str, Any], path: str, fence: int
) -> list[NewEvent]:
    events = []
    data: dict[str, Any] = {
        "run_id": entry.run_id,
        **who,
        "replayed": found.replayed,
        "accepted": len(found.accepted),
        "failing": found.replayed - len(found.accepted),
        "left": found.left.rows.num_rows,
        "reasons": found.reasons,
        "path": path,
        "fence": fence,
    }
    if found.body is not None:
        version = found.body["version"]
        seen: dict[str, Any] = {"version": version, "data_time": found.body["data_time"]}
        if found.quality is not None:
            failed = Report.from_json(found.body["report"]).failed_rules()
            seen |= {"quality": found.quality.to_json(), "failed_rules": [rule.to_json() for rule in failed]}
        data |= {"version": version, "data_time": found.body["data_time"], "seen": seen}
        events += [NewEvent("schema.drifted", dataset.name, {"run_id": version, **d.to_json()}) for d in found.drifts]
        if found.quality is not None:
            report = found.body["report"]
            scored = {**found.quality.to_json(), "rows": report["rows"], "quarantined": report["quarantined"]}
            events.append(NewEvent("quality.scored", dataset.name, {"run_id": version, **scored}))
        events.append(NewEvent("batch.accepted", dataset.name, found.body))
    events.append(NewEvent("quarantine.replayed", dataset.name, data))
    return [replace(event, source="operations") for event in events]


def _standing(current: Current | None, entry: Quarantined, fence: int) -> Callable[[Connection], None]:
    """Refuse, inside the transaction, what was made of something that is not so any more."""

    def check(connection: Connection) -> None:
        refuse_if_lost(connection, entry.dataset, fence)
        refuse_if_moved(connection, entry)
        row = connection.execute("SELECT version FROM datasets WHERE dataset = ?", (entry.dataset,)).fetchone()
        if (row[0] if row else None) != (current.version if current else None):
            raise StateError(f"{entry.dataset}: readers see another version by now", hint="try again")

    return check


def _refresh(system: IntegratedSystem, before: Current, body: dict[str, Any]) -> None:
    """What the cache serves within its TTL is the version with the mended rows; it grows no younger by them."""
    key = f"result:{before.dataset}"
    hit = system.cache.get(key)
    if hit is None or hit.value["version"] != before.version or hit.expires_at is None:
        return
    left = (hit.expires_at - system.clock.now()).total_seconds()
    if left > 0:
        rows = body.get("table_rows", body["rows"])
        value = {**hit.value, "version": body["version"], "rows": rows, "data_time": body["data_time"]}
        system.cache.set_many([Entry(key, value, left)])


def _mended(
    system: IntegratedSystem,
    dataset: DatasetSettings,
    run_id: str | None,
    file: Path | None,
) -> "Callable[[Quarantined], tuple[Mended | None, int]]":
    """Gives the mended rows of each batch, and how many rows of it in the file wait no more."""
    if file is None:
        return lambda _: (None, 0)
    from data_pipeline.mending.file import MendedFile

    found = MendedFile.read(file, dataset, run_id)
    known = {entry.run_id for entry in system.views.quarantined(dataset.name)}
    if strange := sorted(set(found.runs) - known):
        raise PipelineError(
            f"{file}: no row of run {strange[0]} was ever in quarantine of {dataset.name}",
            hint="`_batch` names the run that brought a row; leave it as `quarantine show --output` wrote it",
        )
    files = files_of(system)
    return lambda entry: found.of(files.read(entry)) if entry.run_id in found.runs else (found.none(), 0)
