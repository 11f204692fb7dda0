"""VALIDATE and SCORE: a batch held against its contract, its rules, its cursor, and the gate's verdict on it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from config.datasets import DatasetSettings
from data_pipeline.asking import Question, newest_piece
from data_pipeline.batch import Batch
from data_pipeline.bringing import Brought
from data_pipeline.dataset import UNPARSED, Quality
from data_pipeline.errors import StoreError
from data_pipeline.fallback import dated
from data_pipeline.incremental import Cursor, moved, reached
from data_pipeline.partitions import reached as reached_piece
from data_pipeline.profile import Profile, Profiler, passed_over, sketches_of
from data_pipeline.score import coverage, score
from data_pipeline.store.gate import Objection, Verdict, judge
from data_pipeline.store.views import Version
from data_pipeline.validate.engine import Validation, validate
from data_pipeline.validate.quarantine import sampled
from data_pipeline.validate.report import Report
from data_pipeline.validate.rules import Rule, implied_type_rules
from utils.events import rfc3339

if TYPE_CHECKING:
    from data_pipeline.drift import Contracted, Drift
    from data_pipeline.store.surroundings import Around
    from utils.arrow import pa

__all__ = ["Judged", "Rules", "Standing", "judged", "stored_columns", "with_table_rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a dataset by what they look at: the batch, or the whole table that it becomes part of."""

    of_batch: tuple[Rule, ...]
    of_table: tuple[Rule, ...] = ()

    @classmethod
    def of(cls, dataset: DatasetSettings) -> "Rules":
        """The declared rules, and those that declared column types imply. A declared one takes their place."""
        mine = tuple(rule for rule in dataset.rules if rule.scope != "dataset")
        table = tuple(rule for rule in dataset.rules if rule.scope == "dataset")
        said = {rule.id for rule in mine if rule.kind == "type"}
        implied = (rule for rule in implied_type_rules(dataset.columns) if rule.id not in said)
        return cls((*implied, *mine), table)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the next collection will want to know of a version; part of its event.

    Attributes:
        layout: Fingerprint of the configuration that decides what the columns are.
        columns: Fingerprint of the batch's columns.
        cursor: The newest value stored; the next collection begins there.
        reach: The newest value of a row, when it lies beyond the cursor.
        partition: The newest piece that was collected whole.
        pieces: Keys of the pieces in the batch.
        content_since: When the provider first sent this content, if it did so before; RFC 3339.
        looked_at: Dataset -> the version of it that rules looked at.
    """

    layout: str
    columns: str
    cursor: Cursor | None = None
    reach: Cursor | None = None
    partition: str | None = None
    pieces: tuple[str, ...] = ()
    content_since: str | None = None
    looked_at: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Without what is not there: most datasets have neither cursor nor pieces."""
        found: dict[str, Any] = {"layout": self.layout, "columns": self.columns}
        if self.cursor is not None:
            found["cursor"] = self.cursor.to_json()
        if self.reach is not None:
            found["reach"] = self.reach.to_json()
        if self.partition is not None:
            found["partition"] = self.partition
        if self.pieces:
            found["pieces"] = list(self.pieces)
        if self.content_since is not None:
            found["content_since"] = self.content_since
        if self.looked_at:
            found["looked_at"] = dict(self.looked_at)
        return found


@dataclass(frozen=True, slots=True)
class Judged:
    """A batch and all that was found out about it. `around`: what its rules may look at beside it."""

    batch: Batch
    validation: Validation
    report: Report
    quality: Quality
    profile: Profile
    verdict: Verdict
    standing: Standing
    around: "Around"
    drifts: "tuple[Drift, ...]" = ()
    objection: Objection | None = None
    adds: bool = False
    short: str = ""


def judged(
    brought: Brought,
    dataset: DatasetSettings,
    rules: Sequence[Rule],
    question: Question,
    last_good: Version | None,
    *,
    now: datetime,
    around: "Around",
    columns_of: "Callable[[Version], pa.Schema]",
    pieces_of: Callable[[Version], set[str | None]],
) -> Judged:
    """Everything that can be said of a batch before it is stored.

    Args:
        last_good: The version that readers see: its columns are the contract.
        around: What rules may look at beside the batch.
        columns_of: Gives the columns of a stored version, asked only when they may differ.
        pieces_of: Gives the keys of the pieces in a stored version, asked only when a batch is partial.
    """
    batch, settings = brought.batch, dataset.incremental
    contracted = _contracted(batch, dataset, question, last_good, columns_of)
    objection = None
    drifts: tuple[Drift, ...] = ()
    if contracted is not None:
        batch, drifts, objection = contracted.batch, contracted.drifts, contracted.objection
    sketches = sketches_of(dataset.profile)
    profiler = Profiler(batch.schema, sketches)
    validation = validate(profiler.over(batch), rules, now=now, surroundings=around)
    if contracted is not None:
        validation = contracted.judged(validation)
    batch = dated(dataset, batch, validation)
    if any(sketches) and (words := passed_over(sketches, batch.schema)):
        batch = batch.with_provenance(replace(batch.provenance, notes=(*batch.provenance.notes, *words)))
    # Of everything the greatest value is the cursor, also when it is smaller than one that was stored by mistake.
    cursor = None if question.full and not batch.provenance.partial else question.cursor
    if settings is not None and objection is None and batch.rows:
        good = (good for good, _ in validation.split(batch))
        cursor, objection = moved(cursor, settings, good, batch.schema)
    known = None if question.anew else question.reach
    cursor, reach = reached(cursor, known, question.cursor, partial=batch.provenance.partial)
    keys = tuple(key for key, _ in brought.pieces or ())
    columns = stored_columns(batch.schema, validation.without)
    standing = Standing(
        dataset.layout,
        columns.fingerprint,
        cursor,
        reach,
        _whole_until(dataset, question, newest_piece(dataset, last_good), brought),
        keys,
        None if (since := around.unchanged_since()) is None else rfc3339(since),
        around.looked_at,
    )
    adds = dataset.write != "replace" and dataset.partition is None and not question.anew
    if keys and batch.provenance.partial and last_good is not None:
        adds = not pieces_of(last_good).intersection(keys)
    report = validation.report
    if report.quarantined:
        report = replace(report, samples=sampled(validation.marks))
    quality = score(report, coverage(report, columns.names))
    verdict = judge(
        report,
        quality,
        batch.provenance,
        dataset,
        has_last_good=last_good is not None,
        objection=objection,
        adds=adds,
        short=brought.short,
    )
    profile = profiler.profile
    return Judged(
        batch, validation, report, quality, profile, verdict, standing, around, drifts, objection, adds, brought.short
    )


def with_table_rules(
    found: Judged,
    table: Batch,
    rules: Sequence[Rule],
    dataset: DatasetSettings,
    *,
    now: datetime,
    has_last_good: bool,
    told: Report | None = None,
) -> Judged:
    """The same, with the rules that look at the whole table judged too. Their rows are told, and stay in the table.

    Args:
        told: What they say, where the table was judged elsewhere.
    """
    if told is None:
        told = validate(table, rules, now=now, surroundings=found.around).report
    report = replace(found.report, outcomes=(*found.report.outcomes, *told.outcomes))
    quality = score(report, coverage(report, stored_columns(found.batch.schema, found.validation.without).names))
    verdict = judge(
        report,
        quality,
        found.batch.provenance,
        dataset,
        has_last_good=has_last_good,
        objection=found.objection,
        adds=found.adds,
        short=found.short,
    )
    return replace(found, report=report, quality=quality, verdict=verdict)


def _whole_until(dataset: DatasetSettings, question: Question, before: str | None, brought: Brought) -> str | None:
    """The newest piece without a gap behind it; of pieces that somebody named only those that leave none."""
    if question.named and dataset.partition is not None:
        keys = [key for key, _ in brought.pieces or ()]
        came = keys[: keys.index(brought.newest) + 1] if brought.newest is not None else []
        return reached_piece(dataset.partition, before, frozenset(came))
    return max((key for key in (before, brought.newest) if key is not None), default=None)


class _Columns(NamedTuple):
    """The stored columns of a schema."""

    fingerprint: str
    names: frozenset[str]


_layouts: "dict[tuple[pa.Schema, frozenset[str]], _Columns]" = {}
_MOST_LAYOUTS = 4096


def stored_columns(schema: "pa.Schema", without: frozenset[str]) -> _Columns:
    """The stored columns and their fingerprint, made once a schema."""
    key = (schema, without)
    found = _layouts.get(key)
    if found is None:
        if len(_layouts) >= _MOST_LAYOUTS:
            _layouts.clear()
        kept = [(f.name, str(f.type)) for f in schema if f.name != UNPARSED and f.name not in without]
        fingerprint = hashlib.sha256(repr(kept).encode()).hexdigest()[:16]
        found = _layouts[key] = _Columns(fingerprint, frozenset(name for name, _ in kept))
    return found


def _contracted(
    batch: Batch,
    dataset: DatasetSettings,
    question: Question,
    last_good: Version | None,
    columns_of: "Callable[[Version], pa.Schema]",
) -> "Contracted | None":
    """The batch under the schema contract; None where there is nothing to hold it against, or nothing differs."""
    if last_good is None or question.anew or last_good.body.get("layout") != dataset.layout:
        return None  # a configuration that was changed says itself what the columns are
    if last_good.body["columns"] == stored_columns(batch.schema, frozenset()).fingerprint or not batch.rows:
        return None
    from data_pipeline.drift import contract

    try:
        columns = columns_of(last_good)
    except StoreError:
        if question.full:
            return None  # a table that is damaged is built of what comes
        raise
    return contract(batch, columns, dataset.drift)
