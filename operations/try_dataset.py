"""Run one dataset and look at what would come of it; nothing is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.asking import Question, question
from data_pipeline.batch import Batch
from data_pipeline.bringing import Answers, Bringer
from data_pipeline.dataset import Collected
from data_pipeline.errors import PipelineError
from data_pipeline.judging import Judged, judged
from data_pipeline.python_values import rows_of
from data_pipeline.store.gate import Verdict
from data_pipeline.store.views import Version
from data_pipeline.validate.engine import validate
from data_pipeline.validate.report import RuleOutcome, utc_text
from data_pipeline.validate.rules import BATCH_KINDS, Rule
from integrated_system import IntegratedSystem
from operations.sample import plain, sample
from utils.resilience.errors import RejectedError

EXAMPLES = 3
"""Rows that are shown for each broken rule."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that something broke, with the first rows that did."""

    outcome: RuleOutcome
    examples: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        found = self.outcome
        figures = {"rule": found.rule, "severity": found.severity, "failed": found.failed, "of": found.of}
        return {**figures, "detail": found.detail, "examples": list(self.examples)}


@dataclass(frozen=True, slots=True)
class Tried:
    """One collection, judged."""

    dataset: DatasetSettings
    judged: Judged
    broken: tuple[Broken, ...] = ()

    @property
    def batch(self) -> Batch:
        return self.judged.batch

    @property
    def verdict(self) -> Verdict:
        return self.judged.verdict

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know; rules on the whole table are judged by a run only."""
        later = [rule.id for rule in self.dataset.rules if rule.scope == "dataset"]
        table = (f"not judged here, but by a run on its whole table: {', '.join(later)}",) if later else ()
        return (*self.batch.provenance.notes, *table)

    def to_json(self) -> dict[str, Any]:
        provenance, report, seen = self.batch.provenance, self.judged.report, sample(self.batch)
        return {
            "dataset": self.dataset.name,
            "provider": provenance.provider,
            "accepted": self.verdict.accepted,
            "reason": self.verdict.reason or None,
            "partial": provenance.partial,
            "rows": report.rows - report.quarantined,
            "quarantined": report.quarantined,
            "columns": seen.columns,
            "sample": seen.rows,
            "quality": self.judged.quality.to_json(),
            "failed_rules": [broken.to_json() for broken in self.broken],
            "collected_at": utc_text(provenance.collected_at),
            "data_time": utc_text(provenance.data_time) if provenance.data_time else None,
            "attempts": provenance.attempts,
            "size": provenance.size,
            "notes": list(self.notes),
        }


def try_dataset(system: IntegratedSystem, name: str) -> Tried:
    """Collect, parse, validate, score. No version, no event of a run, no cursor, no ledger, no cache.

    It is asked like the first time: an incremental dataset from its beginning, of pieces only the newest. Its columns
    are held against the table that is there.

    Raises:
        ConfigError: no such dataset.
        PipelineError: nothing usable came.
    """
    dataset, now = system.settings.dataset(name), system.clock.now()
    asked = question(dataset, None, now=now, fresh=True, full=False, ledger=dict)
    asked = replace(asked, asked=asked.asked[-1:])
    try:
        provider = system.collector.provider_of(dataset)
        answers = _bringer(system).collect(dataset, asked, provider=provider, now=now, number=0)
    except RejectedError as error:
        raise PipelineError(f"{name}: {error}", hint=error.hint) from error
    return _judged(system, dataset, asked, answers, system.results.last_good(system.views.current_of(name)))


def tried(system: IntegratedSystem, dataset: DatasetSettings, collected: Collected) -> Tried:
    """What the line would make of a collection, as the first batch of a dataset. Closes it."""
    return _judged(system, dataset, Question(), Answers((("", collected),)), None)


def _judged(
    system: IntegratedSystem, dataset: DatasetSettings, asked: Question, answers: Answers, last_good: Version | None
) -> Tried:
    brought = _bringer(system).parse(dataset, asked, answers)
    rules = system.pipeline.rules_of(dataset)
    found = judged(
        brought,
        dataset,
        rules,
        asked,
        last_good,
        now=system.clock.now(),
        around=system.pipeline.around(brought, dataset, last_good),
        columns_of=lambda version: system.results.schema(version.path),
        pieces_of=lambda version: {part.partition for part in system.results.manifest(version).parts},
    )
    return Tried(dataset, found, tuple(_broken(found, rules)))


def _bringer(system: IntegratedSystem) -> Bringer:
    return Bringer(system.collector, clock=system.clock, memory_limit=system.settings.app.memory_limit)


def _broken(found: Judged, rules: Sequence[Rule]) -> list[Broken]:
    outcomes = [outcome for outcome in found.report.outcomes if outcome.failed]
    return [Broken(outcome, _examples(found, rules, outcome)) for outcome in outcomes]


def _examples(found: Judged, rules: Sequence[Rule], outcome: RuleOutcome) -> tuple[dict[str, Any], ...]:
    """The first rows that broke a rule: their numbers, and the cells that it looked at; or the worst groups."""
    rule = next((rule for rule in rules if rule.id == outcome.rule), None)
    if rule is None or outcome.kind in BATCH_KINDS:
        return tuple(map(dict, outcome.examples[:EXAMPLES]))
    # Rows that break a warning are not set apart; asked as an error, the same rule shows them.
    alone = validate(found.batch, (replace(rule, severity="error"),), now=found.report.now)
    rows: list[dict[str, Any]] = []
    for _, bad in alone.split(found.batch):
        if bad is not None:
            names = [name for name in bad.schema.names if name in (*rule.columns, "_row")]
            rows += rows_of(bad.select(names).slice(0, EXAMPLES - len(rows)))
        if len(rows) >= EXAMPLES:
            break
    return tuple({"row": row.pop("_row"), **{name: plain(value) for name, value in row.items()}} for row in rows)
