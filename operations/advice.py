"""What to do about the rules that a dataset's last batch broke, with the lines to paste."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from config.datasets import DatasetSettings
from data_pipeline.advice.advise import Advice, Rows, advise
from data_pipeline.advice.past import Earlier
from data_pipeline.errors import StoreError
from data_pipeline.store.views import Version
from data_pipeline.validate.report import Report
from data_pipeline.validate.rules import Rule
from integrated_system import IntegratedSystem

if TYPE_CHECKING:
    from utils.arrow import pa

REMEMBERED = 50
"""Batches before the last one that are asked since when a rule is broken."""

_LOOK_AROUND = frozenset({"references", "change"})
"""Kinds that cannot be judged again by the rows alone."""


def advice(system: IntegratedSystem, dataset: str, *, most_rows: int | None = None) -> list[Advice]:
    """One piece of advice a broken rule of the batch collected last, held or accepted; worst first. Empty when all is
    well, and then nothing is read but the log's view.

    Args:
        most_rows: Of larger batches the good rows are not read, so nothing is said by comparing with them; and when
            more than that were set aside, only the report speaks. None: all is read, however much; 0: nothing but the
            last report, not even those before it.
    """
    settings = system.settings.dataset(dataset)
    last = system.views.collected_last(dataset)
    if last is None:
        return []
    report = system.results.report(last)
    if not report.failed_rules():
        return []
    rules = {rule.id: rule for rule in system.pipeline.rules_of(settings)}
    rules |= {rule.id: rule for rule in settings.rules}
    before = system.views.versions(dataset, limit=REMEMBERED + 1) if most_rows != 0 else []
    past = [one for one in before if one.version < last.version]
    earlier = [Earlier(one.version, one.time, Report.from_json(one.body["report"])) for one in past]
    looks = most_rows is None or report.rows <= most_rows
    bad = most_rows is None or report.quarantined <= most_rows
    beside = Rows(
        good=_readable(_batches(system, last)) if looks else None,
        warned=_readable(_warned(system, last, report, rules)) if looks else (),
        time=settings.data_time or "",
        files=len(last.body.get("files", ())) or 1,
        na_values=tuple(settings.parse.na_values) if _has_text_cells(settings, last) else None,
    )
    rows = _readable(_quarantined(system, last)) if bad else None
    return advise(report, rows, earlier, rules=rules, beside=beside)


def _has_text_cells(settings: DatasetSettings, version: Version) -> bool:
    """Whether the provider sends text that is parsed; a Parquet file or a database has values already."""
    sends = settings.collect.kind in {"http", "file", "object_store"} and settings.parse.format not in {
        "parquet",
        "arrow",
    }
    return sends and not str(version.body["source"]).lower().endswith((".parquet", ".arrow", ".feather"))


def notes(system: IntegratedSystem, dataset: str) -> list[str]:
    """What was guessed, cut or missing when the dataset's last batch was read."""
    system.settings.dataset(dataset)
    last = system.views.collected_last(dataset)
    return [] if last is None else [str(note) for note in last.body["notes"]]


def _batches(system: IntegratedSystem, version: Version) -> "Iterator[pa.RecordBatch]":
    return system.results.batches(version.body.get("batch") or version.path)


def _quarantined(system: IntegratedSystem, version: Version) -> "Iterator[pa.RecordBatch]":
    for entry in system.views.quarantined(version.dataset):
        if entry.run_id == version.version and entry.waits:
            yield from system.results.batches(entry.path)


def _warned(
    system: IntegratedSystem, version: Version, report: Report, rules: dict[str, Rule]
) -> "Iterator[pa.RecordBatch]":
    """Rows that broke a warning are not set aside: they are found by judging the good rows once more."""
    from data_pipeline.batch import Batch
    from data_pipeline.dataset import Provenance
    from data_pipeline.validate.engine import validate

    names = [outcome.rule for outcome in report.outcomes if outcome.failed and outcome.severity == "warning"]
    wanted = [rules[name] for name in names if name in rules and rules[name].judges_rows]
    wanted = [rule for rule in wanted if rule.scope == "batch" and rule.kind not in _LOOK_AROUND]
    if not wanted:
        return
    path = version.body.get("batch") or version.path
    schema = system.results.schema(path)
    provenance = Provenance(version.body["provider"], report.now)
    batch = Batch(
        schema, lambda: system.results.batches(path), rows=report.rows, nbytes=version.size, provenance=provenance
    )
    asked = tuple(replace(rule, severity="error") for rule in wanted)
    for _, bad in validate(batch, asked, now=report.now).split(batch):
        if bad is not None:
            yield bad


def _readable(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    """What can be read of the rows: a file that is gone or damaged leaves less to say, and is no reason to fail."""
    try:
        yield from batches
    except StoreError:
        return
