"""The services: programs of ours and their parts, what is checked, who serves the data; how each stands, what it does.

What is the state comes from the log, what are figures from the history; so whoever asks is told the same, in whichever
process.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from data_pipeline.store.run_views import Run
from integrated_system import IntegratedSystem
from monitoring.service_views import Instance, ServiceRow, Services
from operations.breakers import listed
from operations.presence import EVERY_S, LABEL, is_gone
from operations.service_checks import FAILED, RESPONSE
from utils.events import rfc3339
from utils.history.series import labels_of, subject_of

__all__ = ["FIGURES", "FRESH_S", "Service", "measured", "services"]

Kind = Literal["program", "part", "check", "provider", "other"]

FIGURES = ("cpu_percent", "memory_bytes", "response_s", "requests_per_s", "error_rate")

FRESH_S = 3 * EVERY_S
"""Older figures are of a program that is not there any more."""

LOOKS = 120
"""Of a check, so many looks are counted."""

RUNS = 20
"""Of a provider, the requests of so many runs."""

_OF_BREAKERS = {"closed": "running", "half_open": "recovering", "open": "unavailable"}


@dataclass(frozen=True, slots=True)
class Service:
    """How a service stands.

    Attributes:
        kind: `program` (a command that stays), `part` (of a program), `check` (of the configuration), `provider`,
            `other` (what else was told).
        state: `running slow recovering unavailable stopped died unknown`; died: its process is gone without a word.
        since: RFC 3339; None: nobody knows.
        reason: The last thing that was told of it.
        instances: Processes that run it now; of a program only.
        starts, outages, died, away_s: How often it was started, was unavailable, ended without a word; for how many
            seconds it was unavailable, all in all.
        cpu_percent: Of one core; of a part, of its own thread. `memory_bytes`: resident; of a program only.
        response_s: Mean time of an answer; of a part, of a step; of a provider, of a collection.
        requests_per_s, error_rate: Requests (steps, looks) a second, and the share of them that failed, 0..1.
        measured_at: Of which moment the figures are, RFC 3339: of the minute before it; of a check, of its last 120
            looks; of a provider, of the last 20 runs.
    """

    service: str
    kind: Kind
    state: str
    since: str | None = None
    reason: str = ""
    instances: int = 0
    starts: int = 0
    outages: int = 0
    died: int = 0
    away_s: float = 0.0
    cpu_percent: float | None = None
    memory_bytes: float | None = None
    response_s: float | None = None
    requests_per_s: float | None = None
    error_rate: float | None = None
    measured_at: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def services(system: IntegratedSystem) -> list[Service]:
    """Every service there is: programs first, then parts, checks, providers, others; each by name.

    Raises:
        StateError: the state cannot be read.
    """
    rows = {row.service: row for row in Services(system.database).all()}
    found = [*_ours(system, rows), *_checks(system, rows), *_providers(system)]
    known = {one.service for one in found if one.kind != "provider"}
    others = (_of(row, "other") for name, row in rows.items() if name not in known)
    order: tuple[Kind, ...] = ("program", "part", "check", "provider", "other")
    return sorted((*found, *others), key=lambda one: (order.index(one.kind), one.service))


def _ours(system: IntegratedSystem, rows: Mapping[str, ServiceRow]) -> Iterator[Service]:
    """Programs and their parts: those that the log knows, and those of which there are figures."""
    figures = measured(system)
    instances: dict[str, list[Instance]] = {}
    for one in Services(system.database).instances():
        instances.setdefault(one.service, []).append(one)
    names = {name for name in (*rows, *figures) if name.startswith(("program/", "serve/"))}
    for name in names:
        row, (at, values) = rows.get(name), figures.get(name, (None, {}))
        fresh = at is not None and system.clock.time() - at <= FRESH_S
        if name.startswith("program/"):
            here = [one for one in instances.get(name, ()) if not is_gone(one.owner, system.clock)]
            told = _of(row, "program") if row is not None else Service(name, "program", "unknown")
            if not here and told.state == "running":
                told = replace(told, state="died", reason="its process is gone, and did not say that it ended")
            told = replace(told, instances=len(here))
        else:
            told = Service(name, "part", "running") if row is None else _of(row, "part")
            if told.state == "running" and not fresh:
                told = replace(told, state="stopped", since=None, reason="")
        yield _with(told, at, values) if fresh else told


def measured(system: IntegratedSystem) -> dict[str, tuple[float, dict[str, float]]]:
    """The newest figures of programs and parts, by name: when (epoch seconds), and the values that there are."""
    begins = subject_of({LABEL: ""}).removesuffix('"}')
    subjects = {one: labels_of(one)[LABEL] for one in system.history.subjects() if one.startswith(begins)}
    found: dict[str, tuple[float, dict[str, float]]] = {}
    for block in system.history.blocks(subjects, last=1):
        at = float(block.times[-1])
        values = {
            name.removeprefix("service_"): float(value)
            for name, value in zip(block.metrics, block.values[-1], strict=True)
            if value == value  # noqa: PLR0124 - NaN: there is none
        }
        found[subjects[block.subject]] = (at, values)
    return found


def _checks(system: IntegratedSystem, rows: Mapping[str, ServiceRow]) -> Iterator[Service]:
    """What the configuration names; how often it was looked at, and how long the answers took."""
    names = [check.name for check in system.settings.monitor.health]
    kinds = {check.name: check.kind for check in system.settings.monitor.health}
    blocks = system.history.blocks([subject_of({"check": name}) for name in names], last=LOOKS) if names else []
    series = {(labels_of(one.subject)["check"], metric): one for one in blocks for metric in one.metrics}
    for name in names:
        row, looks = rows.get(name), series.get((name, FAILED))
        told = _of(row, "check") if row is not None else Service(name, "check", "running" if looks else "unknown")
        if looks is not None:
            times, failed = looks.series(FAILED)
            span = float(times[-1] - times[0])
            values = {"error_rate": float(failed.mean())}
            if span > 0.0:
                values["requests_per_s"] = (len(times) - 1) / span
            if (answers := series.get((name, RESPONSE))) is not None:
                _, seconds = answers.series(RESPONSE)
                values["response_s"] = float(seconds.mean())
            told = _with(told, float(times[-1]), values)
        yield replace(told, reason=told.reason or kinds[name])


def _providers(system: IntegratedSystem) -> Iterator[Service]:
    """Who serves the data, by the last runs."""
    runs = [run for run in system.views.runs(limit=RUNS) if run.summary]
    latest = system.views.latest()
    for breaker in listed(system):
        name = breaker.provider
        told = Service(name, "provider", _OF_BREAKERS[breaker.state], reason=breaker.reason)
        took = [
            float(body["duration_s"])
            for body in latest.values()
            if body.get("provider") == name and body.get("origin") == "provider"
        ]
        requests, failures, seconds, at = _asked(runs, name)
        values: dict[str, float] = {"response_s": sum(took) / len(took)} if took else {}
        if requests:
            values["error_rate"] = min(1.0, failures / requests)
            if seconds > 0.0:
                values["requests_per_s"] = requests / seconds
        yield replace(_with(told, None, values), measured_at=at)


def _asked(runs: list[Run], provider: str) -> tuple[float, float, float, str | None]:
    """Requests, failures, seconds of the runs that asked a provider, and when the newest of them ended."""
    requests = failures = seconds = 0.0
    newest: str | None = None
    for run in runs:
        counts = (run.summary or {}).get("providers", {}).get(provider)
        if not counts or not counts.get("requests"):
            continue
        requests += counts["requests"]
        failures += counts.get("failures", 0.0)
        seconds += (run.summary or {}).get("duration_s", 0.0)
        newest = max(newest or "", run.finished_at or run.started_at or "")
    return requests, failures, seconds, newest or None


def _of(row: ServiceRow, kind: Kind) -> Service:
    return Service(
        row.service,
        kind,
        row.state,
        row.since,
        row.reason,
        starts=row.starts,
        outages=row.outages,
        died=row.died,
        away_s=row.away_s,
    )


def _with(told: Service, at: float | None, values: Mapping[str, float]) -> Service:
    when = None if at is None else rfc3339(datetime.fromtimestamp(at, UTC))
    known: dict[str, Any] = {name: round(values[name], 6) for name in FIGURES if name in values}
    return replace(told, **known, measured_at=when)
