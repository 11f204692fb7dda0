"""Since when a rule is broken, from the reports of the batches before."""

from collections.abc import Sequence
from typing import NamedTuple

from data_pipeline.advice.patterns import Finding
from data_pipeline.advice.words import percent
from data_pipeline.validate.report import Report, RuleOutcome

__all__ = ["Earlier", "shares", "since"]


class Earlier(NamedTuple):
    """The report of a batch that came before, of which run and when (RFC 3339)."""

    run_id: str
    time: str
    report: Report


def since(outcome: RuleOutcome, earlier: Sequence[Earlier]) -> Finding | None:
    """Whether the rule is newly broken, or since when; None where nothing is known of the time before.

    Args:
        earlier: Newest first.
    """
    known = [(one, mine) for one in earlier if (mine := _of(one, outcome)) is not None]
    if not earlier or not outcome.of:
        return None
    if not known:
        return Finding("since", "No batch before was judged by this rule.", outcome.failed)
    broken = 0
    while broken < len(known) and known[broken][1].failed:
        broken += 1
    if not broken:
        kept = "the batch before" if len(known) == 1 else f"the {len(known)} batches before"
        return Finding("since", f"This is new: {kept} kept it.", outcome.failed)
    first = known[broken - 1][0]
    when = f"{first.time[:16].replace('T', ' ')} UTC (run {first.run_id})"
    if broken == len(known):
        text = f"It was broken in every batch that is remembered, since {when}"
    else:
        text = f"It is broken since {when}, {broken + 1} batches in a row"
    usual = max(mine.failed / mine.of for _, mine in known[:broken] if mine.of)
    if outcome.failed / outcome.of > 2 * usual:
        text += f", but never so often: by {percent(usual)} at most"
    return Finding("since", f"{text}.", outcome.failed)


def shares(outcome: RuleOutcome, earlier: Sequence[Earlier]) -> list[float]:
    """The shares of rows that broke the rule in the batches before, where some did."""
    found = [_of(one, outcome) for one in earlier]
    return [mine.failed / mine.of for mine in found if mine is not None and mine.failed and mine.of]


def _of(one: Earlier, outcome: RuleOutcome) -> RuleOutcome | None:
    """The same rule's outcome then; None when there was no such rule, or nothing for it to judge."""
    return next((mine for mine in one.report.outcomes if mine.rule == outcome.rule and mine.of), None)
