"""Judge a batch by its rules: one pass over its record batches, mergeable states, a verdict at the end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from data_pipeline.validate.kernels.binding import gathers
from data_pipeline.validate.kernels.columns import CannotJudge, where_true
from data_pipeline.validate.kernels.gathered import Found
from data_pipeline.validate.kernels.row_count import Counted
from data_pipeline.validate.plan import plan_of
from data_pipeline.validate.quarantine import Marks, sampled, split
from data_pipeline.validate.report import Report, RuleOutcome
from data_pipeline.validate.rules import Rule
from data_pipeline.validate.states import RuleState, States
from data_pipeline.validate.surroundings import NOTHING_AROUND, Surroundings
from utils.arrow import pa

if TYPE_CHECKING:
    from data_pipeline.batch import Batch

__all__ = ["Validation", "judge", "observe", "validate"]


@dataclass(frozen=True, slots=True)
class Validation:
    """The verdict on one batch, and which of its rows are good.

    Attributes:
        without: Columns that good rows do not keep (the schema contract discards them).
    """

    report: Report
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
    """Judge a batch.

    Memory, beside what the batch holds itself: a bit a row for each broken rule, and the keys of `unique` rules up to a
    quarter of the batch's memory limit; more of them go to a file.

    Args:
        now: The run's moment, aware UTC; taken once a run, kept in the report.
        surroundings: What rules look at beside the batch.

    Raises:
        StoreError: the keys need a file, and it cannot be written.
    """
    states = observe(batch, rules, now=now, surroundings=surroundings)
    report, marks = _verdict(states)
    if report.quarantined:
        report = replace(report, samples=sampled(marks))
    return Validation(report, marks)


def observe(
    batch: "Batch",
    rules: Sequence[Rule],
    *,
    now: datetime,
    surroundings: Surroundings = NOTHING_AROUND,
    part: str | None = None,
) -> States:
    """The states of all rules after this batch, to be merged with those of other parts.

    Args:
        part: What these rows are called; a part of the same name is not merged with it. None: nothing else is.
    """
    plan = plan_of(rules if isinstance(rules, tuple) else tuple(rules), batch.schema)
    return plan.observe(batch, now, surroundings, part)


def judge(parts: Sequence[States]) -> Report:
    """The report on all parts together; the same for any split into parts and any order.

    Rules that need the order of the rows (`monotonic`) need the parts in theirs. Samples of rows are not in it: their
    numbers mean nothing beside those of other parts.

    Raises:
        ValueError: there are no parts, or they do not belong together (see `States.merge`), or rows must be looked at
            again that are not at hand (see `states_from_bytes`).
    """
    if not parts:
        raise ValueError("nothing to judge: no parts were given")
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.merge(part)
    return _verdict(whole)[0]


def _verdict(states: States) -> tuple[Report, tuple[Marks, ...]]:
    rules, residues = states.rules, states.residues
    masks: list[dict[int, Any]] = [dict(residue.masks) for residue in residues]
    outcomes = []
    for index, (rule, state) in enumerate(zip(rules, states.of_rules, strict=True)):
        if not rule.judges_rows:
            outcomes.append(_batch_outcome(rule, state, states))
        elif state.gathered is None and (state.of or not state.problems):
            outcomes.append(_outcome(rule, state.failed, state.of, _words(state)))
        elif gathers(rule):
            outcomes.append(_late_outcome(index, rule, state, states, masks))
        else:
            outcomes.append(_tallied_outcome(rule, state, states))
    if any(masks):
        marks = tuple(Marks.of(r.rows, rules, mine, r.unparsed) for r, mine in zip(residues, masks, strict=True))
    else:
        marks = tuple([Marks(residue.rows, (), None, residue.unparsed) for residue in residues])
    quarantined = sum([mark.bad.true_count for mark in marks if mark.bad is not None])
    return Report(states.rows, quarantined, states.now, tuple(outcomes)), marks


def _late_outcome(index: int, rule: Rule, state: RuleState, states: States, masks: list[dict[int, Any]]) -> RuleOutcome:
    """Of a rule that knows only after all rows which ones fail; a second look at them adds to the masks."""
    if state.problems:
        return _unjudged(index, rule, _words(state), states, masks)
    gathered: Any = state.gathered
    found = gathered.found(rule, states.now)
    if not found.failed or (gathered.certain and not rule.quarantines):
        return _outcome_of(rule, found)
    failed = 0
    try:
        for mine, mask in zip(masks, gathered.failing(lambda: states.again(index)), strict=True):
            if mask is not None and (count := mask.true_count):
                failed += count
                if rule.quarantines:
                    mine[index] = where_true(mask)
    except CannotJudge as error:
        return _unjudged(index, rule, str(error), states, masks)
    return _outcome_of(rule, gathered.found(rule, states.now)._replace(failed=failed))


def _tallied_outcome(rule: Rule, state: RuleState, states: States) -> RuleOutcome:
    """Of a rule that judges row by row and counts by segment; the masks are there."""
    if state.problems or state.gathered is None:
        return _outcome(rule, state.failed, state.of, _words(state))
    return _outcome_of(rule, state.gathered.found(rule, states.now))


def _unjudged(index: int, rule: Rule, words: str, states: States, masks: list[dict[int, Any]]) -> RuleOutcome:
    """What is not known to be good is not good: every row fails."""
    if rule.quarantines:
        for mine, residue in zip(masks, states.residues, strict=True):
            mine[index] = pa.repeat(pa.scalar(True), residue.rows)
    return _outcome(rule, states.rows, states.rows, words)


def _words(state: RuleState) -> str:
    return "; ".join(sorted(state.problems)) if state.problems else ""


def _outcome_of(rule: Rule, found: Found) -> RuleOutcome:
    failed, of, passed = found.failed, found.of, found.passed
    if passed is None:
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
        found.detail,
        found.observed,
        found.limit_s,
        found.segments,
        found.examples,
    )


def _outcome(rule: Rule, failed: int, of: int, detail: str = "") -> RuleOutcome:
    return _outcome_of(rule, Found(failed, of, detail))


def _batch_outcome(rule: Rule, state: RuleState, states: States) -> RuleOutcome:
    if state.problems:
        return _outcome(rule, 1, 1, _words(state))
    gathered = state.gathered
    if rule.kind == "row_count" and not rule.by and gathered is None:
        gathered = Counted(0 if rule.where else states.rows)
    elif not states.rows or gathered is None:
        return _outcome(rule, 0, 0, "no rows, so there is nothing to judge")
    return _outcome_of(rule, gathered.found(rule, states.now))
