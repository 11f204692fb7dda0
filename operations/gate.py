"""The gate by hand: accept a batch that was held, or reject it; give readers an earlier version again."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.candidates import Candidates
from data_pipeline.dataset import DatasetRun, Origin
from data_pipeline.errors import DatasetBusy
from data_pipeline.fallback import from_version, quality_from
from data_pipeline.objective import noted
from data_pipeline.promises import Promises
from data_pipeline.publish.attempt import Attempt
from data_pipeline.recorder import refuse_if_lost
from data_pipeline.store.gate import accepted_over
from data_pipeline.store.views import Current, Version
from data_pipeline.validate.report import Report
from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from operations.deciding import (
    accepted_since,
    alone_at,
    candidate_of,
    refuse_empty,
    refuse_stale,
    standing,
    target_of,
)
from operations.publish import publish_pending
from operations.quarantine import put_back
from operations.retention import RETENTION
from utils.ages import ages
from utils.database import Connection, StateError
from utils.events import NewEvent, uuid7
from utils.storage import StorageError

__all__ = ["Decided", "accept", "reject", "rollback"]


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision did.

    Attributes:
        decision: `accepted`, `rejected` or `rolled_back`.
        version: The version it is about; of `rolled_back` the new one, that has the rows of `restores`.
        before: The version that readers saw; None: none.
        current: The version that they see now.
        rows: Of what they see now.
        over: Why the gate had held the batch.
        withdrawn: The versions that were taken back.
        publications: What went to sinks.
    """

    dataset: str
    decision: str
    version: str
    before: str | None
    current: str | None
    rows: int
    actor: str
    reason: str
    over: str = ""
    restores: str | None = None
    withdrawn: tuple[str, ...] = ()
    publications: tuple[Attempt, ...] = ()

    def to_json(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self.__slots__}
        return {
            **found,
            "withdrawn": list(self.withdrawn),
            "publications": [attempt.to_json() for attempt in self.publications],
        }


@operation("operator")
def accept(
    system: IntegratedSystem,
    actor: Actor,
    name: str,
    version: str | None = None,
    *,
    reason: str = "",
    force: bool = False,
) -> Decided:
    """Let readers see a batch that the gate held: it becomes last good, and goes to the sinks.

    A table gets its rows as in the run that brought them; the cursor moves with them. What was rolled back may be
    accepted again, where each version is a whole one; it comes as a new version with its rows.

    Args:
        version: Default: the newest that is held.
        reason: Why; it stands in the log.
        force: Also when it would take the place of newer rows.

    Raises:
        ConfigError: no such dataset.
        PipelineError: nothing is held, it was decided already, or it is older than what readers see.
        StoreError: its file is damaged or gone.
        DatasetBusy: the dataset runs just now.
    """
    dataset = system.settings.dataset(name)
    return _published(system, dataset, lambda: _accept(system, actor, dataset, version, reason, force=force))


@operation("operator")
def reject(
    system: IntegratedSystem, actor: Actor, name: str, version: str | None = None, *, reason: str = ""
) -> Decided:
    """Turn away a batch that the gate held: readers will never see it. Its rows are kept as long as a held one's.

    Args:
        version: Default: the newest that is held.

    Raises:
        ConfigError: no such dataset.
        PipelineError: nothing is held, or it was decided already.
        DatasetBusy: the dataset runs just now.
    """
    dataset = system.settings.dataset(name)
    with alone_at(system, name) as fence:
        candidate = candidate_of(system, dataset, version, "reject")
        current, over = standing(system, name), str(candidate.body["reason"])
        stands = system.results.newest(current)
        words = f"the new batch was rejected by {actor.name}: {over}{_because(reason)}"
        if stands is not None:
            words += f"; serving {from_version(stands, confirmed_at=current.collected_at).words}"
        seen = {"reason": words} if current.run_id == candidate.version else {}
        data = {"version": candidate.version, "path": candidate.path, "over": over, "seen": seen}
        _tell(system, "batch.rejected", candidate, current, fence, {**data, "actor": actor.name, "reason": reason})
    now, rows = current.version, stands.rows if stands is not None else 0
    return Decided(name, "rejected", candidate.version, now, now, rows, actor.name, reason, over)


@operation("operator")
def rollback(
    system: IntegratedSystem, actor: Actor, name: str, version: str | None = None, *, reason: str = ""
) -> Decided:
    """Give readers an earlier accepted version again. It goes to the sinks; the next run begins where it stood.

    Its rows become a new version, so that each version has one moment. Those accepted after it are taken back: they
    are served no more, and a batch of the same content is held.

    Args:
        version: Default: the one before what readers see.

    Raises:
        ConfigError: no such dataset.
        PipelineError: there is no such version, or none before; or readers see it already.
        StoreError: it is damaged or gone.
        DatasetBusy: the dataset runs just now.
    """
    dataset = system.settings.dataset(name)
    return _published(system, dataset, lambda: _roll_back(system, actor, dataset, version, reason))


def _accept(
    system: IntegratedSystem, actor: Actor, dataset: DatasetSettings, version: str | None, reason: str, *, force: bool
) -> Decided:
    name = dataset.name
    with alone_at(system, name) as fence:
        candidate = candidate_of(system, dataset, version, "accept")
        current = standing(system, name)
        refuse_empty(dataset, candidate)
        newer = accepted_since(system, candidate)
        if newer and not force:
            refuse_stale(system, dataset, candidate, newer)
        system.results.check(candidate)
        if candidate.state == "rolled_back":
            return _brought_back(system, actor, dataset, candidate, current, fence, reason)
        body = Candidates(system.storage, system.results).enter(
            dataset,
            candidate,
            system.results.newest(current),
            bad=_quarantined(system, candidate),
            late=bool(newer) and not force,
        )
        if newer and "files" in body:
            known = system.views.ledger(name)
            body["files"] = [file for file in body["files"] if file[0] not in known]
        over = str(candidate.body["reason"])
        body |= {"actor": actor.name, "reason": reason, "over": over, "accepted_by": actor.name}
        words = accepted_over(actor.name, over) + _because(reason)
        seen = _seen(system, dataset, body, "provider", int(body["rows"]), words)
        system.results.flush()
        _tell(system, "batch.accepted", candidate, current, fence, {**body, **seen, "before": current.version})
    if candidate.path.startswith("held/"):
        with suppress(StateError, StorageError):  # maintenance finds it
            system.storage.delete(candidate.path)
    rows = int(body.get("table_rows", body["rows"]))
    return Decided(
        name, "accepted", candidate.version, current.version, candidate.version, rows, actor.name, reason, over
    )


def _brought_back(
    system: IntegratedSystem,
    actor: Actor,
    dataset: DatasetSettings,
    candidate: Version,
    current: Current,
    fence: int,
    reason: str,
) -> Decided:
    """What was rolled back is what readers get after all, as a new version: sinks had it, and have it no more."""
    over = f"version {candidate.version} was rolled back"
    body = {**_restoring(system, candidate, actor, reason), "over": over, "reinstates": candidate.version}
    words = accepted_over(actor.name, over) + _because(reason)
    seen = _seen(system, dataset, body, "provider", candidate.rows, words)
    _tell(system, "batch.accepted", candidate, current, fence, {**body, **seen, "before": current.version})
    now, who = body["version"], (actor.name, reason, over)
    return Decided(
        dataset.name, "accepted", now, current.version, now, candidate.rows, *who, restores=candidate.version
    )


def _roll_back(
    system: IntegratedSystem, actor: Actor, dataset: DatasetSettings, version: str | None, reason: str
) -> Decided:
    name = dataset.name
    with alone_at(system, name, RETENTION) as fence:
        current = standing(system, name)
        target = target_of(system, current, version)
        taken = [one for one in system.views.versions(name) if one.is_accepted and one.age > target.age]
        body = {
            **_restoring(system, target, actor, reason),
            "withdrawn": [one.version for one in taken],
            "requarantined": put_back(system, name, taken),
            "before": current.version,
        }
        served = from_version(target, confirmed_at=None)
        words = f"rolled back by {actor.name}{_because(reason)}; serving {served.words}"
        seen = _seen(system, dataset, body, "last_good", target.rows, words)
        _tell(system, "version.rolled_back", target, current, fence, {**body, **seen})
    restored = body["version"]
    return Decided(
        name,
        "rolled_back",
        restored,
        current.version,
        restored,
        target.rows,
        actor.name,
        reason,
        restores=target.version,
        withdrawn=tuple(body["withdrawn"]),
    )


def _restoring(system: IntegratedSystem, target: Version, actor: Actor, reason: str) -> dict[str, Any]:
    """What the event of a new version says that has the rows of an earlier one."""
    return {
        **{key: value for key, value in target.body.items() if key not in _OF_ANOTHER_EVENT},
        "version": uuid7(system.clock.time()),
        "added": "",
        "restores": target.version,
        "actor": actor.name,
        "reason": reason,
    }


_OF_ANOTHER_EVENT = frozenset({"run_id", "batch", "files", "objective", "withdrawn", "requarantined", "reinstates"})
"""What the event of a version says of how it came: its files were read then, its rows were added then."""

_SEEN = (
    *("status", "origin", "accepted", "partial", "unchanged", "rows", "quarantined", "collected_at", "data_time"),
    *("content_sha256", "version", "quality", "failed_rules", "reason", "error"),
)


def _seen(
    system: IntegratedSystem, dataset: DatasetSettings, body: dict[str, Any], origin: Origin, rows: int, words: str
) -> dict[str, Any]:
    """What the dataset looks like from now on, for `status` and for its objective."""
    report, now = Report.from_json(body["report"]), system.clock.now()
    copy_age, data_age = ages(body["collected_at"], body["data_time"], now)
    run = DatasetRun(
        dataset=dataset.name,
        provider=body["provider"],
        status="degraded",
        origin=origin,
        accepted=origin == "provider",
        partial=bool(body.get("partial")),
        rows=rows,
        quarantined=report.quarantined,
        collected_at=body["collected_at"],
        age_s=copy_age,
        data_time=body["data_time"],
        data_age_s=data_age,
        content_sha256=body["content_sha256"],
        version=body["version"],
        quality=quality_from(body["quality"]),
        failed_rules=report.failed_rules(),
        reason=words,
    )
    told = run.to_json()
    until = Promises(system.settings).holds_until(dataset, run.collected_at, run.data_time, now)
    return {"seen": {name: told[name] for name in _SEEN}, **noted(dataset, run, until)}


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _quarantined(system: IntegratedSystem, candidate: Version) -> str | None:
    """Where the rows of a candidate are that broke a rule."""
    entry = system.views.quarantines.one(candidate.dataset, candidate.version)
    return None if entry is None else entry.path


def _tell(
    system: IntegratedSystem, kind: str, about: Version, current: Current, fence: int, data: dict[str, Any]
) -> None:
    """Into the log, if the version still stands as it was looked at."""

    def unchanged(connection: Connection) -> None:
        refuse_if_lost(connection, about.dataset, fence)
        sql = "SELECT state FROM versions WHERE dataset = ? AND version = ?"
        if connection.execute(sql, (about.dataset, about.version)).fetchone() != (about.state,):
            raise DatasetBusy(f"{about.dataset}: version {about.version} was removed just now", hint="try again")

    event = NewEvent(kind, about.dataset, {**data, "last_run": current.run_id, "fence": fence}, source="operations")
    system.events.append([event], guard=unchanged)


def _published(system: IntegratedSystem, dataset: DatasetSettings, decide: Callable[[], Decided]) -> Decided:
    """Decide, then hand the version that readers see now to the sinks; one that fails gets it later."""
    if dataset.publish:
        system.outbox.declare([dataset])
    decided = decide()
    return replace(decided, publications=tuple(publish_pending(system, [dataset])))
