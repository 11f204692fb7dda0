"""Run one dataset and look at what would come of it; nothing is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.batch import Batch
from data_pipeline.collect.resilient import Asked
from data_pipeline.dataset import Collected, Quality
from data_pipeline.errors import PipelineError
from data_pipeline.fallback import dated
from data_pipeline.parse.parse import parse
from data_pipeline.score import score
from data_pipeline.store import gate
from data_pipeline.validate.engine import Validation, validate
from data_pipeline.validate.report import RuleOutcome, utc_text
from data_pipeline.validate.rules import BATCH_KINDS, Rule
from integrated_system import IntegratedSystem
from operations.sample import plain, sample
from utils.resilience.deadline import deadline
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
    """One collection, judged. `verdict`: what the gate would say of it."""

    dataset: DatasetSettings
    batch: Batch
    validation: Validation
    quality: Quality
    verdict: gate.Verdict
    broken: tuple[Broken, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        return self.batch.provenance.notes

    def to_json(self) -> dict[str, Any]:
        provenance, report, seen = self.batch.provenance, self.validation.report, sample(self.batch)
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
            "quality": self.quality.to_json(),
            "failed_rules": [broken.to_json() for broken in self.broken],
            "collected_at": utc_text(provenance.collected_at),
            "data_time": utc_text(provenance.data_time) if provenance.data_time else None,
            "attempts": provenance.attempts,
            "size": provenance.size,
            "notes": list(self.notes),
        }


def try_dataset(system: IntegratedSystem, name: str) -> Tried:
    """Collect, parse, validate, score. No version, no event of a run, no cursor, no ledger, no cache.

    An incremental dataset is asked from its beginning.

    Raises:
        ConfigError: no such dataset.
        PipelineError: nothing usable came.
    """
    dataset = system.settings.dataset(name)
    incremental = dataset.incremental
    asked = Asked(full=True)
    if incremental is not None:
        asked = Asked(cursor=incremental.initial, cursor_format=incremental.format, full=True)
    with deadline(dataset.resilience.deadline, system.clock):
        try:
            collected = system.collector.collect(
                dataset,
                provider=system.collector.provider_of(dataset),
                now=system.clock.now(),
                number=0,
                validators={},
                asked=asked,
            )
        except RejectedError as error:
            raise PipelineError(f"{name}: {error}", hint=error.hint) from error
        return judged(system, dataset, collected)


def judged(system: IntegratedSystem, dataset: DatasetSettings, collected: Collected) -> Tried:
    """What the line would make of a collection. Closes it."""
    now = system.clock.now()
    try:
        batch = parse(
            collected,
            dataset=dataset.name,
            options=dataset.parse,
            columns=dataset.columns,
            zone=dataset.zone or "UTC",
            ambiguous=dataset.ambiguous,
            nonexistent=dataset.nonexistent,
            data_time=dataset.data_time,
            memory_limit=system.settings.app.memory_limit,
        )
    finally:
        collected.close()
    rules = system.pipeline.rules_of(dataset)
    validation = validate(batch, rules, now=now)
    batch = dated(dataset, batch, validation)
    quality = score(validation.report)
    verdict = gate.judge(validation.report, quality, batch.provenance, dataset, has_last_good=False)
    return Tried(dataset, batch, validation, quality, verdict, tuple(_broken(batch, rules, validation)))


def _broken(batch: Batch, rules: Sequence[Rule], validation: Validation) -> list[Broken]:
    found = [outcome for outcome in validation.report.outcomes if outcome.failed]
    return [Broken(outcome, _examples(batch, rules, outcome, validation)) for outcome in found]


def _examples(
    batch: Batch, rules: Sequence[Rule], outcome: RuleOutcome, validation: Validation
) -> tuple[dict[str, Any], ...]:
    """The first rows that broke a rule: their numbers, and the cells that it looked at."""
    if outcome.kind in BATCH_KINDS:
        return ()
    rule = next(rule for rule in rules if rule.id == outcome.rule)
    # Rows that break a warning are not set apart; asked as an error, the same rule shows them.
    alone = validate(batch, (replace(rule, severity="error"),), now=validation.report.now)
    rows: list[dict[str, Any]] = []
    for _, bad in alone.split(batch):
        if bad is not None:
            names = [name for name in bad.schema.names if name in (*rule.columns, "_row")]
            rows += bad.select(names).slice(0, EXAMPLES - len(rows)).to_pylist()
        if len(rows) >= EXAMPLES:
            break
    return tuple({"row": row.pop("_row"), **{name: plain(value) for name, value in row.items()}} for row in rows)
