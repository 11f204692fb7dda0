"""Keep the house in order: purge, prune, sweep, compact, verify, check; says what it freed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from integrated_system import IntegratedSystem
from operations import pruning
from operations.actor import Actor, operation
from operations.copies import settle_copies
from operations.health import health
from operations.housekeeping import left_first, turn
from operations.logs import tidy_logs
from operations.objectives import tell_burning
from operations.performance import watched
from operations.plugins import let_work
from operations.promises import judge_promises
from operations.publish import publish_pending
from operations.retention import forget_runs, seal_events
from operations.room import is_full
from operations.shedding import shed_now
from operations.step import Step
from operations.words import size
from utils.database import StateError
from utils.events import NewEvent, rfc3339
from utils.events.lasting import lasts
from utils.storage import StorageError


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What a maintenance did. `left`: steps for which the time was over; they come first next time."""

    dry_run: bool
    steps: tuple[Step, ...]
    left: tuple[str, ...] = field(default=())

    @property
    def freed(self) -> int:
        return sum(step.freed for step in self.steps)

    @property
    def well(self) -> bool:
        """Whether the checks among the steps found nothing wrong."""
        return all(step.well for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "freed_bytes": self.freed,
            "steps": [step.to_json() for step in self.steps],
            "left": list(self.left),
        }


@operation("operator")
def maintain(
    system: IntegratedSystem,
    actor: Actor,
    *,
    dry_run: bool = False,
    rebuild: bool = False,
    whole: bool = False,
    seconds: float | None = None,
) -> Maintenance:
    """Do all that is due.

    Args:
        dry_run: Only say what would go.
        rebuild: Also empty the views and replay the log into them, from the newest snapshot on.
        whole: Rebuild them, and from the first event on.
        seconds: Start no further step after this long (a `run` spends at most 5 s on it).

    Raises:
        Busy: another process is at it.
    """
    rebuilt = _views(system, whole) if rebuild or whole else None
    if dry_run:
        return _maintain(system, actor, dry_run=True, rebuilt=None, seconds=seconds)
    with turn(system):
        return _maintain(system, actor, dry_run=False, rebuilt=rebuilt, seconds=seconds)


def _maintain(
    system: IntegratedSystem,
    actor: Actor,
    *,
    dry_run: bool,
    rebuilt: Callable[[], Step] | None,
    seconds: float | None,
) -> Maintenance:
    gone: list[str] = []
    forgotten: list[str] = []
    started = system.clock.monotonic()

    def in_time() -> bool:
        return seconds is None or system.clock.monotonic() - started <= seconds

    steps: list[tuple[str, Callable[[], Step]]] = [
        ("runs", lambda: _runs(system, dry_run)),
        ("past_runs", lambda: forget_runs(system, forgotten, dry_run=dry_run)),
        ("leases", lambda: _leases(system, dry_run)),
        ("temporary", lambda: pruning.temporary(system, dry_run=dry_run)),
        ("cache", lambda: pruning.cache(system, dry_run=dry_run)),
        ("publish", lambda: _publish(system, dry_run)),
        ("versions", lambda: pruning.versions(system, gone, dry_run=dry_run)),
        ("raw", lambda: pruning.raw(system, dry_run=dry_run)),
        ("quarantine", lambda: _quarantine(system, dry_run, gone)),
        ("objectives", lambda: _objectives(system, dry_run)),
        ("plugins", lambda: _plugins(system, dry_run)),
        ("logs", lambda: tidy_logs(system, dry_run=dry_run)),
        ("history", lambda: _history(system, dry_run, seconds)),
        ("events", lambda: seal_events(system, dry_run=dry_run, in_time=in_time)),
        ("snapshots", lambda: _snapshots(system, dry_run, in_time)),
        ("database", lambda: _database(system, dry_run)),
        ("performance", lambda: watched(system, dry_run=dry_run)),
        ("health", lambda: _health(system)),
        ("alerts", lambda: _alerts(system, dry_run)),
    ]
    if system.settings.storage.in_bucket:  # after what is past its time has gone: it is not to be sent again
        place = [name for name, _ in steps].index("objectives")
        steps.insert(place, ("copies", lambda: settle_copies(system, dry_run=dry_run, in_time=in_time)))
    if is_full(system):
        steps.insert(0, ("disk", lambda: _disk(system, actor, dry_run)))
    elif not dry_run:
        _has_room(system)
    if seconds is None:
        steps.insert(0, ("storage", lambda: _storage(system)))
    if rebuilt is not None:
        steps.insert(0, ("views", rebuilt))
    if seconds is None:
        steps.append(("log", lambda: _log(system)))
    done: list[Step] = []
    left: list[str] = []
    for name, step in left_first(system, steps):
        if in_time():
            done.append(_tried(name, step))
        else:
            left.append(name)
    result = Maintenance(dry_run, tuple(done), tuple(left))
    if not dry_run:
        data = {"actor": actor.name, "removed": gone, **result.to_json()}
        if forgotten:
            (data["runs_before"],) = forgotten
        system.events.append([NewEvent("maintenance.finished", "maintenance", data, source="operations")])
    return result


def _tried(name: str, step: Callable[[], Step]) -> Step:
    """A storage that is away costs the steps that need it, not the others."""
    try:
        return step()
    except StorageError as error:
        return Step(name, detail=f"given up: {error}", well=False)


def _runs(system: IntegratedSystem, dry_run: bool) -> Step:
    crashed = [] if dry_run else system.runner.recover()
    return Step("runs", len(crashed), detail="crashed runs marked")


def _leases(system: IntegratedSystem, dry_run: bool) -> Step:
    freed = [] if dry_run else system.leases.free_dead()
    return Step("leases", len(freed), detail="leases of dead processes freed")


def _disk(system: IntegratedSystem, actor: Actor, dry_run: bool) -> Step:
    """A disk that is full: what is within its retention goes, too, as far as it can be had again."""
    found = shed_now(system, actor, dry_run=dry_run)
    return Step("disk", sum(step.count for step in found.steps), found.freed, found.words)


def _has_room(system: IntegratedSystem) -> None:
    """Who was told that the disk was full hears that it is not. That it fills is the monitor's, and so is its end."""
    log, over = system.events, "host.disk_relieved"
    shed = lasts(log, "disk", "disk.shed", over, "protector.relieved")
    if shed and not lasts(log, "disk", "host.disk_filling", over):
        log.append([NewEvent(over, "disk", {"path": str(system.state_dir)}, "operations")])


def _publish(system: IntegratedSystem, dry_run: bool) -> Step:
    """Hand waiting versions to their sinks, for all datasets."""
    datasets = [dataset for dataset in system.settings.datasets if dataset.publish]
    if dry_run:
        count = sum(len(system.outbox.pending(dataset)) for dataset in datasets)
        return Step("publish", count, detail="versions would be published")
    done = publish_pending(system, datasets)
    waiting = sorted({attempt.sink for attempt in done if attempt.error is not None})
    detail = "versions published" + (f"; waiting for {', '.join(waiting)}" if waiting else "")
    return Step("publish", sum(attempt.error is None for attempt in done), detail=detail)


def _storage(system: IntegratedSystem) -> Step:
    """Read every accepted version, and compare it with what the log says of it; not well when that is news."""
    system.results.forget()
    kept = [version for version in system.views.versions() if version.is_accepted]
    damaged = [(version, found) for version in kept if (found := system.results.damage(version)) is not None]
    told = "; ".join(dict.fromkeys(str(found) for _, found in damaged))
    detail = f"versions read, {len(damaged)} are damaged: {told}" if damaged else "versions are as they were written"
    return Step("storage", len(kept), detail=detail, well=all(version.state == "damaged" for version, _ in damaged))


def _quarantine(system: IntegratedSystem, dry_run: bool, gone: list[str]) -> Step:
    """Drop quarantined rows past their age, then the oldest beyond the size; and files whose rows have left.

    Nothing else ever drops rows that wait, however full the disk.
    """
    keep = system.settings.retention.quarantine
    oldest = _before(system, keep.age)
    count = freed = kept = waiting = 0
    entries = system.views.quarantined()  # newest first
    needed = {told["kept"] for version in system.views.versions() if (told := version.body.get("replayed"))}
    for entry in entries:
        size = system.storage.size(entry.path) if entry.waits and system.storage.exists(entry.path) else 0
        if entry.time >= oldest and kept + size <= keep.size:
            kept += size
            if entry.waits:
                needed.add(entry.path)
            continue
        count, waiting = count + 1, waiting + entry.rows
        gone.append(entry.path)
    # A replay that is going on writes its file before its event names it; one that was killed never names it.
    before = system.clock.now() - timedelta(seconds=pruning.TEMPORARY_AGE)
    named = {entry.path for entry in entries}
    for blob in list(system.storage.list("quarantine/")):
        if blob.path not in needed and (blob.path in named or blob.modified < before):
            freed += blob.size
            if not dry_run:
                system.storage.delete(blob.path)
    detail = "quarantined rows past their retention removed"
    return Step("quarantine", count, freed, detail + (f"; nobody replayed {waiting:,} of them" if waiting else ""))


def _objectives(system: IntegratedSystem, dry_run: bool) -> Step:
    """Where nothing runs, data grows old all the same."""
    told = 0 if dry_run else tell_burning(system) + judge_promises(system)
    return Step("objectives", told, detail="objectives that began or ended to burn, promises that turned")


def _plugins(system: IntegratedSystem, dry_run: bool) -> Step:
    """Sample their numbers, let their handlers see what they have not seen."""
    if dry_run:
        return Step("plugins", detail="numbers would be sampled, handlers called")
    worked = let_work(system)
    detail = "events handled by plug-ins" + (f"; {'; '.join(worked.failed)}" if worked.failed else "")
    return Step("plugins", worked.handled, detail=detail)


def _history(system: IntegratedSystem, dry_run: bool, seconds: float | None) -> Step:
    """Roll up what waits (beside a run no longer than it may take), then drop what is past its time."""
    from utils.history.rollups import Kept

    keep = system.settings.retention.history
    if dry_run:
        return Step("history", detail="metric points would be rolled up, and those past their retention removed")
    started, rolled = system.clock.monotonic(), 0
    while points := system.history.roll_up():
        rolled += points
        if seconds is not None and system.clock.monotonic() - started > seconds / 2:
            break
    dropped = system.history.retain(system.clock.time(), Kept(raw=keep.raw, minute=keep.minute, hour=keep.hour))
    return Step("history", dropped, detail=f"metric points past their retention removed; {rolled:,} rolled up")


def _views(system: IntegratedSystem, whole: bool) -> Callable[[], Step]:
    """Empty the views, and replay the log into them."""

    def rebuilt() -> Step:
        count = system.events.rebuild() if whole else system.snapshots.rebuild()
        since = "" if count == system.events.head()[0] else " since the newest snapshot"
        return Step("views", count, detail=f"events replayed{since}")

    return rebuilt


def _snapshots(system: IntegratedSystem, dry_run: bool, in_time: Callable[[], bool]) -> Step:
    """Keep what the views were, so that nobody has to replay the whole log."""
    if dry_run or is_full(system):
        return Step("snapshots", detail="would be made when the log has grown enough" if dry_run else "no room for any")
    try:
        made = system.snapshots.make(go_on=in_time)
    except StateError as error:
        return Step("snapshots", detail=f"none was made: {error}", well=False)
    return Step("snapshots", made, detail=f"made; all of them take {size(system.snapshots.size())}")


def _database(system: IntegratedSystem, dry_run: bool) -> Step:
    if dry_run:
        return Step("database", detail="would be compacted")
    done = "left to the server" if system.database.batches else "write-ahead log folded in"
    return Step("database", freed=system.database.tidy(), detail=done)


def _health(system: IntegratedSystem) -> Step:
    found = health(system)
    if len(found.services):
        from operations.service_checks import note_services

        note_services(system, found.services)
    sick = [f"{check.name}: {check.detail}" for check in found.failed]
    return Step("health", len(sick), detail="; ".join(sick) or "healthy", well=not sick)


def _alerts(system: IntegratedSystem, dry_run: bool) -> Step:
    """Tell what is to be told, and forget what was told long ago."""
    from operations.alerting import deliver

    if dry_run:
        return Step("alerts", detail="what waits would be sent")
    forgotten = system.alert_outbox.forget()
    done = deliver(system, thorough=True)
    left = f"; {done.waiting} wait" if done.waiting else ""
    return Step("alerts", done.sent, detail=f"messages sent{left}; {forgotten} of long ago forgotten")


def _log(system: IntegratedSystem) -> Step:
    found = system.events.verify()
    return Step(
        "log", found.events, detail=found.fault or f"the chain is whole, head {found.head}", well=found.fault is None
    )


def _before(system: IntegratedSystem, seconds: float) -> str:
    return rfc3339(system.clock.now() - timedelta(seconds=seconds))
