"""The quality report of a run: for every dataset its score, its rules, some rows that broke them, and what changed.

One model, three faces: JSON (`to_json`, format 1), a page (`report_page.py`), Markdown (`report_markdown.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from config.errors import ConfigError
from data_pipeline.dataset import Quality
from data_pipeline.detect.feedback_views import FeedbackGiven
from data_pipeline.errors import PipelineError
from data_pipeline.store.run_views import Run
from data_pipeline.store.views import Version
from data_pipeline.validate.report import Report, RuleOutcome
from integrated_system import IntegratedSystem
from operations.advice import advice
from operations.changes import Change, between, drifted
from operations.objectives import Stand, stands
from operations.sampled import Sampled, sampled
from utils.events import rfc3339

__all__ = ["FORMAT", "ColumnReport", "DatasetReport", "RuleReport", "RunReport", "report", "report_of", "rule_report"]

FORMAT = 1
"""Grows when a field of the JSON changes its meaning or goes; new fields may come at any time."""

_WORST = {"failed": 0, "degraded": 1, "skipped": 2, "succeeded": 3}
_SEVERITIES = ("critical", "error", "warning")


@dataclass(frozen=True, slots=True)
class RuleReport:
    """A rule and what came of it: `failed` of the `of` rows (or batches) it judged. `passed`: within its tolerance."""

    rule: str
    kind: str
    columns: tuple[str, ...]
    severity: str
    dimension: str
    failed: int
    of: int
    tolerance: float
    passed: bool
    detail: str

    @property
    def share(self) -> float:
        """Of the judged ones, that failed."""
        return self.failed / self.of if self.of else 0.0

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__} | {
            "columns": list(self.columns),
            "share": self.share,
        }


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """The figures of one column of the batch, and of the version before where it had the column."""

    column: str
    figures: dict[str, float | None]
    before: dict[str, float | None] | None

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """One dataset's part.

    Attributes:
        run: The dataset run, as `run --json` tells it.
        version: The batch that is reported on; None: none came. `state`: accepted, held, …
        provenance: Where the batch came from, and what was noted when it was read.
        figures: What was measured of it, by name; `profile`: each of its columns.
        before: The accepted version before it, with its rows and score.
    """

    dataset: str
    description: str
    owner: str
    runbook: str
    run: dict[str, Any]
    version: str | None = None
    state: str | None = None
    quality: Quality | None = None
    rules: tuple[RuleReport, ...] = ()
    samples: Sampled | None = None
    figures: dict[str, float | None] | None = None
    profile: tuple[ColumnReport, ...] = ()
    advice: tuple[dict[str, Any], ...] = ()
    anomalies: tuple[dict[str, Any], ...] = ()
    before: dict[str, Any] | None = None
    changes: tuple[Change, ...] = ()
    provenance: dict[str, Any] | None = None
    objective: Stand | None = None

    @property
    def status(self) -> str:
        return str(self.run["status"])

    @property
    def broken(self) -> tuple[RuleReport, ...]:
        """The rules that something broke, worst first."""
        return tuple(rule for rule in self.rules if rule.failed)

    def to_json(self) -> dict[str, Any]:
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **found,
            "quality": self.quality.to_json() if self.quality else None,
            "rules": [rule.to_json() for rule in self.rules],
            "samples": self.samples.to_json() if self.samples else None,
            "profile": [column.to_json() for column in self.profile],
            "advice": list(self.advice),
            "anomalies": list(self.anomalies),
            "changes": [change.to_json() for change in self.changes],
            "objective": self.objective.to_json() if self.objective else None,
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run and its datasets, worst first. Times RFC 3339."""

    run_id: str
    status: str
    actor: str
    started_at: str | None
    finished_at: str | None
    duration_s: float | None
    generated_at: str
    name: str
    datasets: tuple[DatasetReport, ...]

    def to_json(self) -> dict[str, Any]:
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"format": FORMAT, **found, "datasets": [dataset.to_json() for dataset in self.datasets]}


def report(system: IntegratedSystem, asked: str | None = None) -> RunReport:
    """The report of a run, or of a dataset's last run.

    Args:
        asked: The id of a run, or the name of a dataset; None: the last run.

    Raises:
        ConfigError: it is neither.
        PipelineError: nothing has run yet, or the dataset never ran.
    """
    run, only = _asked(system, asked)
    bodies = [body for body in system.views.dataset_runs(run.run_id) if only in {None, body["dataset"]}]
    bodies.sort(key=lambda body: (_WORST.get(body["status"], 9), body["dataset"]))
    now = system.clock.now()
    objectives = stands(system.settings.datasets, system.database, now)
    summary = run.summary or {}
    return RunReport(
        run_id=run.run_id,
        status=run.status,
        actor=run.actor,
        started_at=run.started_at,
        finished_at=run.finished_at,
        duration_s=summary.get("duration_s"),
        generated_at=rfc3339(now),
        name=system.settings.app.name,
        datasets=tuple(_dataset(system, run, body, objectives.get(body["dataset"])) for body in bodies),
    )


def report_of(system: IntegratedSystem, dataset: str) -> DatasetReport:
    """The part of one dataset, of its last run.

    Raises:
        ConfigError: no such dataset.
        PipelineError: it never ran.
    """
    system.settings.dataset(dataset)
    run, _ = _asked(system, dataset)
    bodies = (body for body in system.views.dataset_runs(run.run_id) if body["dataset"] == dataset)
    if (body := next(bodies, None)) is None:
        raise PipelineError(f"{dataset}: its last run is not kept any more", hint=f"run it: `run {dataset}`")
    found = stands([system.settings.dataset(dataset)], system.database, system.clock.now())
    return _dataset(system, run, body, found.get(dataset))


def _asked(system: IntegratedSystem, asked: str | None) -> tuple[Run, str | None]:
    """The run that is meant, and the one dataset of it, if only that."""
    if asked is None:
        runs = system.views.runs(limit=1)
        if not runs:
            raise PipelineError("nothing has run yet", hint="run the datasets first: `run`")
        return runs[0], None
    if (run := system.views.run(asked)) is not None:
        return run, None
    try:
        system.settings.dataset(asked)
    except ConfigError as error:
        last = [run.run_id for run in system.views.runs(limit=3)]
        kept = f" The last runs are {', '.join(last)}." if last else ""
        raise ConfigError(error.problems, hint=f"Name a dataset, or a run by its whole id.{kept}") from error
    current = system.views.current_of(asked)
    if current is None or (run := system.views.run(current.run_id)) is None:
        raise PipelineError(f"{asked}: it never ran, so there is nothing to report", hint=f"run it: `run {asked}`")
    return run, asked


def _dataset(system: IntegratedSystem, run: Run, body: dict[str, Any], objective: Stand | None) -> DatasetReport:
    name = body["dataset"]
    declared = next((dataset for dataset in system.settings.datasets if dataset.name == name), None)
    described = (declared.description, declared.owner, declared.runbook) if declared is not None else ("", "", "")
    told = {key: value for key, value in body.items() if key not in {"fence", "objective"}}
    plain = DatasetReport(name, *described, told, objective=objective)
    version = _reported(system, run, body)
    if version is None:
        return plain
    judged = system.results.report(version)
    quality = Quality.from_json(version.body["quality"])
    if version.version != run.run_id and run.started_at is not None:
        judged = judged.rejudged(datetime.fromisoformat(run.started_at))
        if body["quality"] is not None:
            quality = Quality.from_json(body["quality"])
    before = _before(system, version)
    newest = system.views.collected_last(name)
    is_newest = newest is not None and newest.version == version.version and declared is not None
    return DatasetReport(
        name,
        *described,
        told,
        version=version.version,
        state=version.state,
        quality=quality,
        rules=tuple(sorted(map(rule_report, judged.outcomes), key=_rank)),
        samples=sampled(system, version, judged),
        figures=version.body["measured"],
        profile=_profile(version, before),
        advice=tuple(one.to_json() for one in advice(system, name)) if is_newest else (),
        anomalies=_anomalies(system, name, run.run_id),
        before=None if before is None else _summed_up(before),
        changes=tuple(_changes(system, before, version)),
        provenance=_provenance(version),
        objective=objective,
    )


def _anomalies(system: IntegratedSystem, name: str, run_id: str) -> tuple[dict[str, Any], ...]:
    """What was told of the run, but for what people have said is fine, or is not to count."""
    found = [one for one in system.views.anomalies(dataset=name, limit=1000) if one.get("run_id") == run_id]
    said = FeedbackGiven(system.database).all() if found else ()
    if not said:
        return tuple(found)
    from data_pipeline.detect.feedback import answered

    return tuple(one for one in found if not answered(said, name, one["metric"], one["time"]))


def _reported(system: IntegratedSystem, run: Run, body: dict[str, Any]) -> Version | None:
    """The batch that the run brought, or the one that it confirmed."""
    own = system.views.version(body["dataset"], run.run_id)
    if own is None and body["accepted"] and body["version"]:
        return system.views.version(body["dataset"], body["version"])
    return own


def _before(system: IntegratedSystem, version: Version) -> Version | None:
    versions = system.views.versions(version.dataset)
    accepted = [one for one in versions if one.state in {"accepted", "damaged"} and one.time < version.time]
    return max(accepted, key=lambda one: one.time, default=None)


def _summed_up(version: Version) -> dict[str, Any]:
    rows = Report.from_json(version.body["report"]).rows
    return {"version": version.version, "time": version.time, "rows": rows, "score": version.body["quality"]["score"]}


def _profile(version: Version, before: Version | None) -> tuple[ColumnReport, ...]:
    """Of batches that an earlier release measured nothing is known of single columns."""
    old = {} if before is None else before.body.get("profile", {})
    mine = version.body.get("profile", {})
    return tuple(ColumnReport(name, figures, old.get(name)) for name, figures in mine.items())


def _changes(system: IntegratedSystem, before: Version | None, version: Version) -> list[Change]:
    if before is None:
        return []
    drifts = system.events.read(type="schema.drifted", subject=version.dataset, since=before.time)
    mine = [event for event in drifts if event.data["run_id"] == version.version]
    return [*drifted(mine), *between(before, version)]


_TOLD = ("provider", "source", "collected_at", "data_time", "content_sha256", "fingerprint", "notes", "validators")


def _provenance(version: Version) -> dict[str, Any]:
    body = version.body
    found = {name: body.get(name) for name in _TOLD}
    files: Iterable[Sequence[Any]] = body.get("files", ())
    return {**found, "path": version.path, "sha256": body["sha256"], "files": [str(file[0]) for file in files]}


def rule_report(outcome: RuleOutcome) -> RuleReport:
    """What came of a rule, as reports tell it."""
    return RuleReport(
        rule=outcome.rule,
        kind=outcome.kind,
        columns=outcome.columns,
        severity=outcome.severity,
        dimension=outcome.dimension,
        failed=outcome.failed,
        of=outcome.of,
        tolerance=outcome.tolerance,
        passed=outcome.passed,
        detail=outcome.detail,
    )


def _rank(rule: RuleReport) -> tuple[bool, bool, int, float, str]:
    """Worst first: broken beyond its tolerance, then by severity and share."""
    return not rule.failed, rule.passed, _SEVERITIES.index(rule.severity), -rule.share, rule.rule
