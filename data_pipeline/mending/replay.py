"""Quarantined rows through the line once more: judged, held against the gate, written as a part of the dataset."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from config.datasets import DatasetSettings
from data_pipeline.asking import keeps_a_table
from data_pipeline.dataset import Provenance, Quality
from data_pipeline.drift import Drift
from data_pipeline.errors import BatchNotDelivered, PipelineError
from data_pipeline.judging import Rules
from data_pipeline.mending.belonging import Belonging, belonging, last_batch, refuse_pieces
from data_pipeline.mending.cells import typed
from data_pipeline.mending.joining import Joining
from data_pipeline.mending.judging import Judge, Passed, stored
from data_pipeline.score import coverage, score
from data_pipeline.store.gate import judge
from data_pipeline.store.quarantine_files import Aside, counted
from data_pipeline.store.quarantine_views import Quarantined
from data_pipeline.store.results import Results
from data_pipeline.store.surroundings import Neighbours
from data_pipeline.store.views import Version, Views
from data_pipeline.store.written import Written
from data_pipeline.validate.engine import validate
from data_pipeline.validate.quarantine import PARTITION
from data_pipeline.validate.report import Report
from utils.arrow import pa
from utils.storage import Storage

if TYPE_CHECKING:
    from data_pipeline.validate.surroundings import Surroundings

__all__ = ["Mended", "Outcome", "Replay"]


@dataclass(frozen=True, slots=True)
class Mended:
    """Rows that somebody mended in a file: their numbers, ascending, and the texts of the cells written anew."""

    numbers: tuple[int, ...]
    cells: "Mapping[str, pa.Array]"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a replay; written in storage, not yet told in the log.

    Attributes:
        replayed: How many rows were judged.
        accepted: Numbers of those that join the dataset.
        left: What stays in quarantine, with the rules that each breaks now.
        body: What the event of the new version says; None: no row joins, so there is none.
        quality: Of the new version, where it takes the place of another.
        drifts: Columns that the table did not have.
    """

    replayed: int
    accepted: tuple[int, ...]
    left: Aside
    body: dict[str, Any] | None = None
    quality: Quality | None = None
    drifts: tuple[Drift, ...] = ()

    @property
    def reasons(self) -> dict[str, int]:
        return counted(self.left.rows)


@dataclass(frozen=True, slots=True)
class Replay:
    """Replays rows of one dataset.

    Args:
        current: The version that readers see.
        name: Of the version that may come of it.
        force: Also where newer rows took the place of the batch, or the gate would hold what comes of it.
    """

    dataset: DatasetSettings
    current: Version | None
    name: str
    now: datetime
    force: bool
    results: Results = field(repr=False)
    storage: Storage = field(repr=False)
    views: Views = field(repr=False)
    neighbours: Neighbours = field(repr=False)
    memory_limit: int = 10**9

    def run(self, entry: Quarantined, aside: Aside, mended: Mended | None, told: Mapping[str, Any]) -> Outcome:
        """What comes of the rows, or of those that were mended.

        Args:
            told: Who asked, and why; it stands with the new version.

        Raises:
            Superseded: newer rows took the place of the batch.
            BatchNotDelivered: the gate would hold what comes of it. Nothing has changed.
            PipelineError: a mended cell cannot be read, or the columns are others by now.
        """
        place = belonging(
            self.dataset,
            entry,
            aside,
            self.current,
            views=self.views,
            results=self.results,
            storage=self.storage,
            force=self.force,
        )
        assert self.current is not None
        chosen = _chosen(aside, mended)
        picked = aside.rows.take(pa.array(chosen))
        ours = typed(picked, self.dataset, place.table, mended.cells if mended is not None else {})
        self._refuse_other_columns(ours, place)
        numbers = aside.numbers[chosen]
        rules = Rules.of(self.dataset)
        mine = tuple(rule for rule in rules.of_batch if rule.judges_rows or not place.alone)
        court = Judge(
            dataset=self.dataset,
            place=place,
            rules=mine,
            provenance=_provenance(self.current),
            now=self.now,
            memory_limit=self.memory_limit,
            contracted=self.current.body.get("layout") == self.dataset.layout,
            around=self._around(),
        )
        passed = court.passed(ours, numbers)
        reasons = {int(numbers[at]): why for at, why in passed.reasons.items()}
        accepted = tuple(int(numbers[at]) for at in passed.positions)
        left = aside.with_reasons(reasons).without(accepted=accepted)
        if passed.whole is None or passed.rows is None:
            return Outcome(len(chosen), (), left)
        joining = Joining(self.dataset, self.current, self.name, results=self.results, storage=self.storage)
        written = self._written(joining, entry, passed, picked)
        body = joining.body(
            written,
            passed.rows,
            {**told, "run_id": entry.run_id, "accepted": len(accepted)},
            self.results.schema(written.good.path),
        )
        report, quality = self._verdict(passed, written, rules)
        if not keeps_a_table(self.dataset):
            report = self._honest(court, aside, mended, place, left, report)
            quality = score(report, coverage(report, place.table.names))
            joining.judged(body, report, quality)
        whole = quality if not keeps_a_table(self.dataset) else None
        return Outcome(len(chosen), accepted, left, body, whole, passed.drifts)

    def _around(self) -> "Callable[[], Surroundings]":
        return lambda: self.neighbours.of(self.dataset.name, self.current)

    def _refuse_other_columns(self, ours: "pa.Table", place: Belonging) -> None:
        """Rows whose columns were named or arranged in another way are none of this table's."""
        assert self.current is not None
        if self.current.body.get("layout") == self.dataset.layout:
            return
        lacking = [name for name in self.dataset.columns if name not in ours.schema.names and name in place.table.names]
        if lacking:
            raise PipelineError(
                f"{self.dataset.name}: the quarantined rows have no column `{lacking[0]}`: the configuration names the "
                "columns in another way now",
                hint=f"collect them again: `run {self.dataset.name} --fresh`",
            )

    def _written(self, joining: Joining, entry: Quarantined, passed: Passed, picked: "pa.Table") -> Written:
        assert passed.whole is not None
        assert passed.rows is not None
        assert passed.validation is not None
        assert self.current is not None
        if not keeps_a_table(self.dataset):
            return joining.whole(stored(passed.whole, passed.validation.without), passed.rows)
        if self.dataset.partition is None:
            is_last = last_batch(self.current) == entry.run_id
            return joining.table(passed.rows, force=self.force, is_last=is_last)
        if PARTITION not in picked.schema.names:
            raise PipelineError(
                f"{self.dataset.name}: nobody knows to which piece these rows belong: an earlier release kept them",
                hint=f"collect the piece again, or give them up: `quarantine drop {self.dataset.name}`",
            )
        keys = picked.column(PARTITION).take(pa.array(passed.positions, pa.int64())).to_pylist()
        if not self.force:
            refuse_pieces(entry, keys, self.current, views=self.views, results=self.results)
        return joining.pieces(passed.rows, keys)

    def _verdict(self, passed: Passed, written: Written, rules: Rules) -> tuple[Report, Quality]:
        """The gate's, on what readers would get; of a table also by the rules on all of it.

        Raises:
            BatchNotDelivered: it would be held.
        """
        assert passed.validation is not None
        assert self.current is not None
        report = passed.validation.report
        if rules.of_table:
            table = self.results.batch(written.good.path, _provenance(self.current), memory_limit=self.memory_limit)
            told = validate(table, rules.of_table, now=self.now, surroundings=self._around()())
            report = replace(report, outcomes=(*report.outcomes, *told.report.outcomes))
        quality = score(report)
        verdict = judge(report, quality, _provenance(self.current), self.dataset, has_last_good=True)
        if not verdict.accepted and not self.force:
            raise BatchNotDelivered(
                f"{self.dataset.name}: with these rows the gate would hold what readers get: {verdict.reason}",
                hint="mend the rows or the rules; or let them join all the same: --force",
            )
        return report, quality

    def _honest(
        self, court: Judge, aside: Aside, mended: Mended | None, place: Belonging, left: Aside, report: Report
    ) -> Report:
        """Of the batch as it is now: rows that still wait are counted in it as failing, or its score would lie."""
        waiting = left.rows.num_rows
        if waiting:
            cells = _spread(aside, mended)
            every = typed(aside.rows, self.dataset, place.table, cells)
            _, validation, _, _ = court.judged(every, aside.numbers)
            of_table = report.outcomes[len(validation.report.outcomes) :]
            report = replace(validation.report, outcomes=(*validation.report.outcomes, *of_table))
        return replace(report, quarantined=waiting, samples={})


def _chosen(aside: Aside, mended: Mended | None) -> Any:
    """Positions of the rows that are replayed."""
    if mended is None:
        return np.arange(aside.rows.num_rows)
    return np.nonzero(np.isin(aside.numbers, np.asarray(mended.numbers, np.int64)))[0]


def _spread(aside: Aside, mended: Mended | None) -> "dict[str, pa.Array]":
    """Mended cells at the places that their rows have among all that wait."""
    if mended is None:
        return {}
    at = {number: position for position, number in enumerate(mended.numbers)}
    positions = pa.array([at.get(number) for number in aside.numbers.tolist()], pa.int64())
    return {name: cells.take(positions) for name, cells in mended.cells.items()}


def _provenance(version: Version) -> Provenance:
    body = version.body
    return Provenance(body["provider"], datetime.fromisoformat(body["collected_at"]), body["content_sha256"])
