"""Is everything all right? One sentence in words, then every dataset, worst first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from config.datasets import DatasetSettings
from data_pipeline.collect.network_events import last_told
from data_pipeline.fallback import from_version
from data_pipeline.promise_views import Holding
from data_pipeline.run_queue.request import Because
from data_pipeline.store.upstreams import Upstream
from data_pipeline.store.views import Current, Views
from integrated_system import IntegratedSystem
from monitoring.alerting.incident import Incident
from monitoring.alerting.views import Incidents
from operations.moments import past_moment
from operations.objectives import Stand, stands
from operations.promises import PromiseStand, Promising
from operations.words import ages, duration, listed, moment
from utils.database import Database
from utils.events import rfc3339
from utils.events.cursors import Standing

ORDER = {"failed": 0, "degraded": 1, "never ran": 2, "skipped": 3, "succeeded": 4}
_OF_INCIDENT = ("id", "kind", "about", "severity", "state", "opened_at", "datasets")
_STATES = {"opened": "open", "half_opened": "half_open"}
"""What a circuit is after an event of that name; `closed` is both."""


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """Where a dataset stands at this moment; ages in seconds, judged now.

    `objective`, `promise`: None when none is declared; of a dataset that never ran there is no promise to judge.

    `held`: the candidate that waits for somebody to accept or reject it, where it came after what readers get.

    `blocked`: which dataset that it depends on keeps it from running, and why; of a past moment nobody looks.
    """

    dataset: str
    provider: str
    status: str
    origin: str
    rows: int
    quarantined: int
    collected_at: str | None
    age_s: float | None
    data_time: str | None
    data_age_s: float | None
    score: float | None
    ran_at: str | None
    failures: int
    reason: str | None
    objective: Stand | None = None
    held: str | None = None
    promise: PromiseStand | None = None
    blocked: str | None = None

    @property
    def at_risk(self) -> bool:
        """Whether its promise will break before anything mends it; `reason` says why where nothing else is wrong."""
        return self.promise is not None and self.promise.state == "at_risk"

    def to_json(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__slots__}
        told["promise"] = self.promise.to_json() if self.promise else None
        return {**told, "objective": self.objective.to_json() if self.objective else None}


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the whole system.

    Attributes:
        network_away_since: As the last run found our own network; None: not away.
        consumers: Who follows the log; of a past moment nobody, as the log does not keep it.
        incidents: Those that are not over, the most urgent first.
        as_of: The past moment whose state it is; None: now.
    """

    sentence: str
    datasets: tuple[DatasetStatus, ...]
    last_run: dict[str, Any] | None
    breakers: dict[str, dict[str, Any]]
    queued: int
    network_away_since: str | None = None
    consumers: tuple[Standing, ...] = ()
    as_of: str | None = None
    incidents: tuple[Incident, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "sentence": self.sentence,
            "datasets": [dataset.to_json() for dataset in self.datasets],
            "last_run": self.last_run,
            "breakers": self.breakers,
            "queued": self.queued,
            "network_away_since": self.network_away_since,
            "consumers": [_consumer(consumer) for consumer in self.consumers],
            "as_of": self.as_of,
            "incidents": [{name: getattr(one, name) for name in _OF_INCIDENT} for one in self.incidents],
        }


def _consumer(standing: Standing) -> dict[str, Any]:
    """Without `running`, which in this document is only ever the state of a run; `events consumers` has it."""
    return {name: value for name, value in standing.to_json().items() if name != "running"}


def status(system: IntegratedSystem, *, as_of: str | None = None) -> Status:
    """How every declared dataset stands, or stood at a past moment (RFC 3339), worst first.

    What is declared and promised is what the configuration says today, also for the past: the log has the state only.

    Raises:
        UsageError: the moment cannot be read, or has not come yet.
    """
    if as_of is None:
        consumers = tuple(system.cursors.standing())
        now = system.clock.now()
        return _status(system, system.views, system.database, now, _away_since(system, None), consumers, None)
    then = past_moment(as_of, system.clock.now())
    until = rfc3339(then)
    database = system.past.at(then)
    return _status(system, Views(database), database, then, _away_since(system, until), (), until)


def _status(
    system: IntegratedSystem,
    views: Views,
    database: Database,
    now: datetime,
    away_since: str | None,
    consumers: tuple[Standing, ...],
    as_of: str | None,
) -> Status:
    datasets = _datasets(system, system.settings.datasets, views, database, now)
    datasets.sort(key=_worst_first)
    runs = views.runs(limit=1)
    last = runs[0] if runs else None
    told = (
        None
        if last is None
        else {
            "run_id": last.run_id,
            "status": last.status,
            "because": Because.from_json(last.request.get("because") or {}).to_json(),
            "started_at": last.started_at,
            "finished_at": last.finished_at,
            "duration_s": (last.summary or {}).get("duration_s"),
        }
    )
    moved = views.breakers().items()
    breakers = {
        name: {**body, "state": _STATES.get(body["state"], body["state"])}
        for name, body in moved
        if body["state"] != "closed" or body.get("held")
    }
    queued = len(views.runs(limit=1000, status="queued"))
    incidents = tuple(Incidents(database).active())
    return Status(sentence(datasets), tuple(datasets), told, breakers, queued, away_since, consumers, as_of, incidents)


@dataclass(frozen=True, slots=True)
class Listed:
    """The datasets of a status, worst first, and its first sentence."""

    sentence: str
    datasets: tuple[DatasetStatus, ...]

    def to_json(self) -> dict[str, Any]:
        return {"sentence": self.sentence, "datasets": [dataset.to_json() for dataset in self.datasets]}


def listed_datasets(system: IntegratedSystem) -> Listed:
    """How every declared dataset stands now, without the rest of a status."""
    datasets = statuses_of(system, system.settings.datasets)
    datasets.sort(key=_worst_first)
    return Listed(sentence(datasets), tuple(datasets))


def _worst_first(dataset: DatasetStatus) -> tuple[int, str]:
    return ORDER[dataset.status], dataset.dataset


def status_of(system: IntegratedSystem, name: str) -> DatasetStatus:
    """Where one dataset stands now.

    Raises:
        ConfigError: it is not declared.
    """
    (found,) = statuses_of(system, [system.settings.dataset(name)])
    return found


def statuses_of(system: IntegratedSystem, datasets: Sequence[DatasetSettings]) -> list[DatasetStatus]:
    """Where these datasets stand now, in this order; nothing is read of others."""
    return _datasets(system, datasets, system.views, system.database, system.clock.now())


class _Beside(NamedTuple):
    """What is not told by a dataset's own runs; see `DatasetStatus`."""

    objective: Stand | None
    held: str | None
    blocked: str | None


def _datasets(
    system: IntegratedSystem, asked: Sequence[DatasetSettings], views: Views, database: Database, now: datetime
) -> list[DatasetStatus]:
    # Of the whole configuration all that is known is read: the views hold hardly more.
    names = [dataset.name for dataset in asked] if len(asked) < len(system.settings.datasets) else None
    latest, current = views.latest(names), views.current(names)
    damaged, held = set(views.damaged()), views.decisions.held()
    objectives = stands(asked, database, now)
    promising = Promising(system, database, now)
    found = []
    upstreams: dict[str, Upstream] = {}
    for dataset in asked:
        stood = current.get(dataset.name)
        seen = _seen(system, views, latest.get(dataset.name), stood, damaged)
        looks = bool(dataset.depends_on) and views is system.views
        stops = system.upstreams.of(dataset, upstreams).blocked if looks else None
        blocked = None if stops is None else str(stops).removeprefix("blocked: ")
        beside = _Beside(objectives.get(dataset.name), held.get(dataset.name), blocked)
        found.append(_dataset(system, dataset, seen, stood, now, promising, beside))
    return found


def _away_since(system: IntegratedSystem, until: str | None) -> str | None:
    if not system.settings.network.canaries:
        return None
    last = last_told(system.events, until=until)
    return last.time if last is not None and last.type == "network.away" else None


def sentence(datasets: Sequence[DatasetStatus]) -> str:
    """Everything in one sentence, what matters most first."""
    if not datasets:
        return "No dataset is declared yet: `config init` writes a first configuration."
    never = [dataset.dataset for dataset in datasets if dataset.status == "never ran"]
    if len(never) == len(datasets):
        return f"Nothing has run yet: {_count(datasets)} wait{'s' * (len(datasets) == 1)} for the first `run`."
    failed = [dataset for dataset in datasets if dataset.status == "failed"]
    degraded = [dataset for dataset in datasets if dataset.status == "degraded"]
    good = len(datasets) - len(failed) - len(degraded) - len(never)
    at_risk = [dataset for dataset in datasets if dataset.at_risk]
    parts = []
    if failed:
        parts.append(f"{_count(failed)} failed ({listed([d.dataset for d in failed])})")
    if degraded:
        parts.append(f"{_count(degraded)} degraded ({'; '.join(_copies(degraded))})")
    if never:
        parts.append(f"{len(never)} never ran ({listed(never)})")
    if at_risk:
        parts.append(f"{_promises(at_risk)} at risk ({'; '.join(_left(at_risk))})")
    whole = f"{good} of {len(datasets)} datasets delivered as they should"
    if not parts:
        return (
            "The one dataset delivered as it should."
            if len(datasets) == 1
            else f"All {len(datasets)} datasets delivered as they should."
        )
    # Whether to get up: a degraded dataset still serves its readers within what it promised, a failed one does not.
    waits = " Nothing failed: it can wait." if degraded and not failed else ""
    return f"{whole}; {', '.join(parts)}.{waits}"


def _promises(datasets: Sequence[DatasetStatus]) -> str:
    return "1 promise" if len(datasets) == 1 else f"{len(datasets)} promises"


def _left(datasets: Sequence[DatasetStatus]) -> list[str]:
    """The promises that break next, and in what time."""
    stands = sorted((one.promise.left_s or 0.0, one.dataset) for one in datasets if one.promise is not None)
    more = [f"and {len(stands) - 5} more"] if len(stands) > 5 else []
    return [f"{name} breaks in {duration(left)}" for left, name in stands[:5]] + more


def _count(datasets: Sequence[DatasetStatus]) -> str:
    return "1 dataset" if len(datasets) == 1 else f"{len(datasets)} datasets"


def _copies(degraded: Sequence[DatasetStatus]) -> list[str]:
    by_origin: dict[str, list[DatasetStatus]] = {}
    for dataset in degraded:
        by_origin.setdefault(dataset.origin, []).append(dataset)
    words = []
    for origin, those in sorted(by_origin.items()):
        names = listed([dataset.dataset for dataset in those])
        if origin == "last_good":
            oldest = min(dataset.collected_at or "" for dataset in those)
            words.append(f"{names}: last good of {moment(oldest or None)}")
        elif origin == "snapshot":
            words.append(f"{names}: shipped snapshot")
        else:
            words.append(f"{names}: delivered with doubts")
    return words


def _seen(
    system: IntegratedSystem,
    views: Views,
    body: dict[str, Any] | None,
    current: Current | None,
    damaged: set[tuple[str, str]],
) -> dict[str, Any] | None:
    """The last dataset run; in it the copy that readers get, when what they should get was found damaged since."""
    if body is None or current is None or (current.dataset, current.version) not in damaged:
        return body
    from data_pipeline.store.results import Results  # only for what is damaged: it brings Arrow

    results = system.results if views is system.views else Results(system.storage, views)
    copy = results.last_good(current)
    if copy is not None and copy.version == current.version:
        return body  # it was put back
    words = f"version {current.version} is damaged"
    if copy is None:
        return {
            **body,
            "status": "failed",
            "origin": "none",
            "rows": 0,
            "reason": f"{words}, and there is no other copy",
        }
    served = from_version(copy, confirmed_at=None)
    worse = "failed" if body["status"] == "failed" else "degraded"
    seen = {"collected_at": served.collected_at, "data_time": served.data_time, "rows": served.rows}
    quality = served.quality.to_json() if served.quality else None
    return {
        **body,
        **seen,
        "status": worse,
        "origin": served.origin,
        "quality": quality,
        "reason": f"{words}; serving {served.words}",
    }


def _dataset(
    system: IntegratedSystem,
    dataset: DatasetSettings,
    body: dict[str, Any] | None,
    current: Current | None,
    now: datetime,
    promising: Promising,
    beside: _Beside,
) -> DatasetStatus:
    provider = body["provider"] if body else system.collector.provider_of(dataset)
    if body is None:
        return DatasetStatus(
            *(dataset.name, provider, "never ran", "none", 0, 0, None, None, None, None, None, None, 0, None),
            objective=beside.objective,
            held=beside.held,
            blocked=beside.blocked,
        )
    state, reason = body["status"], body["reason"]
    copy_age, data_age = ages(body["collected_at"], body["data_time"], now)
    has = Holding(dataset.name, state, body["run_id"], body["collected_at"], body["data_time"])
    promise = promising.judged(dataset, has)
    if state != "failed" and promise is not None and promise.state == "broken":
        # Nothing has to run for a promise to break: time alone does it.
        state, reason = "failed", promise.judged.words
    elif reason is None and promise is not None:
        reason = promise.judged.words or None
    quality = body["quality"] or {}
    return DatasetStatus(
        dataset=dataset.name,
        provider=provider,
        status=state,
        origin=body["origin"],
        rows=body["rows"],
        quarantined=body["quarantined"],
        collected_at=body["collected_at"],
        age_s=copy_age,
        data_time=body["data_time"],
        data_age_s=data_age,
        score=quality.get("score"),
        ran_at=body["time"],
        failures=current.failures if current else 0,
        reason=reason,
        objective=beside.objective,
        held=beside.held,
        promise=promise,
        blocked=beside.blocked,
    )
