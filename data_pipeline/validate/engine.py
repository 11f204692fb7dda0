"""Judge a batch by its rules: one pass over its record batches, mergeable states, a verdict at the end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from data_pipeline.validate.kernels.duplicates import duplicates
from data_pipeline.validate.plan import plan_of
from data_pipeline.validate.quarantine import Marks, split
from data_pipeline.validate.report import Report, RuleOutcome
from data_pipeline.validate.rules import Rule
from data_pipeline.validate.states import RuleState, States
from data_pipeline.validate.surroundings import NOTHING_AROUND, Surroundings

if TYPE_CHECKING:
    from data_pipeline.batch import Batch
    from utils.arrow import pa

__all__ = ["Validation", "judge", "observe", "validate"]


@dataclass(frozen=True, slots=True)
class Validation:
    """The verdict on one batch, and which of its rows are good.

    Attributes:
        states: What the verdict was made from; parts merge with `judge([part.states, ...])`.
        without: Columns that good rows do not keep (the schema contract discards them).
    """

    report: Report
    states: States
    marks: tuple[Marks, ...]
    without: frozenset[str] = frozenset()

    def split(self, batch: "Batch") -> "Iterator[tuple[pa.RecordBatch, pa.RecordBatch | None]]":
        """Good and bad rows of the batch that was validated, one pair a record batch; see `quarantine.split`.

        Raises:
            ValueError: it is another batch (its parts have other numbers of rows).
        """
        return split(batch.schema, batch.batches(), self.marks, self.without)


def validate(
    batch: "Batch", rules: Sequence[Rule], *, now: datetime, surroundings: Surroundings = NOTHING_AROUND
) -> Validation:
    """Judge a batch. Memory: a bit a row for each broken rule, beside what the batch holds itself.

    Args:
        now: The run's moment, aware UTC; taken once a run, kept in the report.
        surroundings: What rules look at beside the batch.
    """
    states = observe(batch, rules, now=now, surroundings=surroundings)
    report, marks = _verdict(states)
    return Validation(report, states, marks)


def observe(
    batch: "Batch", rules: Sequence[Rule], *, now: datetime, surroundings: Surroundings = NOTHING_AROUND
) -> States:
    """The states of all rules after this batch, to be merged with those of other parts."""
    plan = plan_of(rules if isinstance(rules, tuple) else tuple(rules), batch.schema)
    return plan.observe(batch.batches(), now, surroundings)


def judge(parts: Sequence[States]) -> Report:
    """The report on all parts together; the same for any split into parts and any order.

    Raises:
        ValueError: there are no parts, or they were judged by other rules or at another moment.
    """
    if not parts:
        raise ValueError("nothing to judge: no parts were given")
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.merge(part)
    return _verdict(whole)[0]


def _verdict(states: States) -> tuple[Report, tuple[Marks, ...]]:
    rules, residues = states.rules, states.residues
    masks = [dict(residue.masks) for residue in residues]
    outcomes = []
    for index, (rule, state) in enumerate(zip(rules, states.of_rules, strict=True)):
        if rule.kind == "unique" and not state.problems:
            of, found = duplicates([residue.keys[index] for residue in residues])
            failed = 0
            for mine, mask in zip(masks, found, strict=True):
                if mask is not None and (count := mask.true_count):
                    failed += count
                    if rule.quarantines:
                        mine[index] = mask
            outcomes.append(_outcome(rule, failed, of))
        elif rule.judges_rows:
            outcomes.append(_outcome(rule, state.failed, state.of, "; ".join(sorted(state.problems))))
        else:
            outcomes.append(_batch_outcome(rule, state, states))
    if any(masks):
        marks = tuple(Marks.of(r.rows, rules, mine, r.unparsed) for r, mine in zip(residues, masks, strict=True))
    else:
        marks = tuple([Marks(residue.rows, (), None, residue.unparsed) for residue in residues])
    quarantined = sum([mark.bad.true_count for mark in marks if mark.bad is not None])
    return Report(states.rows, quarantined, states.now, tuple(outcomes)), marks


def _outcome(rule: Rule, failed: int, of: int, detail: str = "", **seen: Any) -> RuleOutcome:
    passed = not failed or failed / of <= rule.tolerance
    return RuleOutcome(
        rule.id,
        rule.kind,
        rule.columns,
        rule.severity,
        rule.dimension,
        rule.weight,
        rule.tolerance,
        failed,
        of,
        passed,
        detail,
        **seen,
    )


def _batch_outcome(rule: Rule, state: RuleState, states: States) -> RuleOutcome:
    if state.problems:
        return _outcome(rule, 1, 1, "; ".join(sorted(state.problems)))
    if rule.kind == "row_count":
        detail = _row_count_detail(states.rows, rule.params["min"], rule.params["max"])
        return _outcome(rule, int(bool(detail)), 1, detail)
    if not states.rows or state.gathered is None:
        return _outcome(rule, 0, 0, "no rows, so there is nothing to judge")
    found = state.gathered.found(rule, states.now)
    return _outcome(rule, found.failed, found.of, found.detail, observed=found.observed, limit_s=found.limit_s)


def _row_count_detail(rows: int, least: int | None, most: int | None) -> str:
    if least is not None and rows < least:
        return f"{rows} rows, at least {least} expected"
    return f"{rows} rows, at most {most} expected" if most is not None and rows > most else ""
