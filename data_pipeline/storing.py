"""STORE: a judged batch becomes a version, a part of a table, or a candidate; or it is what we have already."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from config.datasets import DatasetSettings
from data_pipeline.asking import Question, keeps_a_table
from data_pipeline.bringing import Brought
from data_pipeline.delivery import Delivery
from data_pipeline.entering import Entering, change_of, entering
from data_pipeline.errors import PipelineError
from data_pipeline.fallback import Served
from data_pipeline.judging import Judged, Rules, with_table_rules
from data_pipeline.outcome import Outcome
from data_pipeline.store.decisions import Content
from data_pipeline.store.gate import Verdict, decided
from data_pipeline.store.results import Results
from data_pipeline.store.views import Version
from data_pipeline.store.written import Written

if TYPE_CHECKING:
    from data_pipeline.batch import Batch
    from data_pipeline.in_slices import TableWork
    from data_pipeline.pipeline import RunContext
    from data_pipeline.store.merge import Change
    from data_pipeline.validate.report import Report
    from data_pipeline.validate.rules import Rule
    from utils.arrow import pa

TableJudge = Callable[["TableWork", "Sequence[Rule]"], "Report | None"]

__all__ = ["Storing", "TableJudge", "nothing_new"]


class Storing:
    """Writes what the gate accepts or holds. Thread-safe.

    Attributes:
        judge_table: Judges large tables elsewhere; None: they are judged here. It may give None, too: not this one.
    """

    def __init__(self, results: Results, *, memory_limit: int) -> None:
        self._results = results
        self._memory_limit = memory_limit
        self.judge_table: TableJudge | None = None

    def store(
        self,
        delivery: Delivery,
        found: Judged,
        brought: Brought,
        question: Question,
        last_good: Version | None,
        rules: Rules,
        run: "RunContext",
        served: Callable[[], Served | None],
    ) -> Outcome:
        """What comes of the batch.

        Args:
            served: Gives what readers get in its place.

        Raises:
            PipelineError: it cannot be written, or does not go together with its table.
        """
        dataset = delivery.dataset
        same = last_good is not None and not run.full and _known_already(found, last_good, dataset)
        found = _with_decisions(found, dataset, last_good if same else None, run)
        if same and found.verdict.accepted and last_good and last_good.body["fingerprint"] == dataset.fingerprint:
            return delivery.unchanged(last_good, found)
        if same and found.verdict.accepted and last_good and _stands_there(dataset, question):
            return delivery.unchanged(last_good, found)
        written, mine = None, entering(found, brought, dataset, question)
        if found.verdict.accepted:
            found, written = self._written(found, mine, question, last_good, rules, dataset, run)
        if written is None:
            written = self._results.write(
                found.batch, found.validation, dataset=dataset.name, run_id=run.files, accepted=False
            )

        def unwritten(error: PipelineError) -> Outcome:
            return delivery.fallen_back(served(), error)

        if found.verdict.accepted:
            return delivery.accepted(found, written, unchanged=same, otherwise=unwritten)
        return delivery.held(found, written, served(), entering=mine, otherwise=unwritten)

    def _written(
        self,
        found: Judged,
        mine: Entering | None,
        question: Question,
        last_good: Version | None,
        rules: Rules,
        dataset: DatasetSettings,
        run: "RunContext",
    ) -> tuple[Judged, Written | None]:
        """The version, and the verdict once the rules on the whole table are judged; None when they hold the batch.

        A table that is written and then held is named by nobody; maintenance removes it.
        """
        change: Change | None = None
        notes: tuple[str, ...] = ()
        if mine is not None:
            bad = partial(_bad_rows, found) if found.report.quarantined else None
            change, notes = change_of(mine, dataset, found.batch.schema, reach=question.reach, bad=bad)
        written = self._results.write(
            found.batch,
            found.validation,
            dataset=dataset.name,
            run_id=run.files,
            accepted=True,
            change=change,
            base=last_good,
        )
        if notes := (*notes, *written.notes):
            told = replace(found.batch.provenance, notes=(*found.batch.provenance.notes, *notes))
            found = replace(found, batch=found.batch.with_provenance(told))
        if not rules.of_table:
            return found, written
        table = self._results.batch(written.good.path, found.batch.provenance, memory_limit=self._memory_limit)
        of_table = None
        if self.judge_table is not None:
            work = _work(found, written, table, last_good, dataset, run)
            of_table = self.judge_table(work, rules.of_table)
        has_last_good = last_good is not None
        found = with_table_rules(
            found, table, rules.of_table, dataset, now=run.now, has_last_good=has_last_good, told=of_table
        )
        return found, written if found.verdict.accepted else None


def _work(
    found: Judged,
    written: Written,
    table: "Batch",
    last_good: Version | None,
    dataset: DatasetSettings,
    run: "RunContext",
) -> "TableWork":
    from data_pipeline.in_slices import TableWork

    provenance = found.batch.provenance
    pieces = tuple(key for key, _ in provenance.pieces)
    before = "" if last_good is None else last_good.version
    return TableWork(dataset.name, written.good.path, table.rows, run.now, before, provenance.content_sha256, pieces)


def _with_decisions(found: Judged, dataset: DatasetSettings, same: Version | None, run: "RunContext") -> Judged:
    """The same under what people decided about the very content: it was accepted by hand, or taken back.

    Args:
        same: The version that readers see, if it has this content.
    """
    if same is not None:
        if not found.verdict.accepted and same.body["fingerprint"] == dataset.fingerprint:
            return replace(found, verdict=decided(found.verdict, found.report, same.body))
        return found
    if not run.withdrawn or not found.verdict.accepted:
        return found
    content = found.batch.provenance.content_sha256
    version = run.withdrawn.get(Content(dataset.name, dataset.fingerprint, content, found.standing.pieces))
    if version is None:
        return found
    return replace(
        found, verdict=Verdict(False, reason=f"it is the content of version {version}, which was rolled back")
    )


def _bad_rows(found: Judged) -> "Iterator[pa.RecordBatch]":
    return (bad for _, bad in found.validation.split(found.batch) if bad is not None)


def nothing_new(brought: Brought, dataset: DatasetSettings, question: Question) -> bool:
    """Whether an incremental collection came back empty: then the table is confirmed, for it holds all there is."""
    asked = question.asked[0]
    asked_from = asked is not None and asked.cursor is not None
    return dataset.incremental is not None and asked_from and not brought.batch.rows and not _partial(brought)


def _partial(brought: Brought) -> bool:
    return brought.batch.provenance.partial


def _stands_there(dataset: DatasetSettings, question: Question) -> bool:
    """Whether the rows of a batch that is known would be added once more: nothing recognises them."""
    by_itself = dataset.incremental is None and dataset.partition is None
    return dataset.write == "append" and by_itself and not question.anew and not (question.replay and dataset.key)


def _known_already(found: Judged, last_good: Version, dataset: DatasetSettings) -> bool:
    """Whether a batch has the very content that the last version came with."""
    body, provenance = last_good.body, found.batch.provenance
    if body["content_sha256"] != provenance.content_sha256 or tuple(body.get("pieces", ())) != found.standing.pieces:
        return False
    if not keeps_a_table(dataset):
        return True
    # Files of the same content are news all the same: each of them is one more delivery. Not where they are a piece,
    # which takes its own place.
    delivered = bool(provenance.files) and dataset.partition is None
    return not (delivered or body.get("partial") or provenance.partial)
