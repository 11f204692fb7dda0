"""Several pieces that were judged one by one, as one batch: their reports, figures and verdicts together."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from data_pipeline.backfill.line import Came
from data_pipeline.bringing import Brought
from data_pipeline.judging import Judged, stored_columns
from data_pipeline.pieces import good_rows, together
from data_pipeline.score import coverage, score
from data_pipeline.store.gate import Verdict
from data_pipeline.validate.report import FailingSegment, Report, RuleOutcome, Segments

if TYPE_CHECKING:
    from data_pipeline.profile import Profile

__all__ = ["Whole", "merged", "whole"]

MOST_REASONS = 5
"""Doubts that are told of a version; each piece's own stands with it."""

WORST = 10
"""Failing segments and groups that are named, the worst ones."""


class Whole:
    """What several pieces are together. `pieces`: key and good rows of each, in the order of the rows."""

    __slots__ = ("brought", "judged", "pieces")

    def __init__(self, judged: Judged, brought: Brought, pieces: tuple[tuple[str, int], ...]) -> None:
        self.judged = judged
        self.brought = brought
        self.pieces = pieces


def whole(came: Sequence[Came]) -> Whole:
    """These pieces, all accepted or a single one, in this order.

    Their rows are not judged again: what was counted of each adds up. A rule on a whole batch (`row_count`) was judged
    of each piece, so it is told of as many as there are pieces.
    """
    first = came[0].judged
    batch, pieces = together([(one.key, one.judged.batch) for one in came])
    brought = Brought(batch, pieces)
    if len(came) == 1:
        found = replace(first, batch=batch)
        return Whole(found, brought, good_rows(pieces, found.validation))
    from data_pipeline.validate.engine import Validation
    from data_pipeline.validate.quarantine import sampled

    judgements = [one.judged for one in came]
    marks = tuple(mark for one in judgements for mark in one.validation.marks)
    without = frozenset[str]().union(*(one.validation.without for one in judgements))
    report = merged([one.report for one in judgements])
    if report.quarantined:
        report = replace(report, samples=sampled(marks))
    columns = stored_columns(batch.schema, without)
    profile: Profile = first.profile
    for one in judgements[1:]:
        profile = profile.merge(one.profile)
    doubts = [f"{one.key}: {one.judged.verdict.reason}" for one in came if one.judged.verdict.reason]
    told = "; ".join(doubts[:MOST_REASONS]) + (f"; and {more} more" if (more := len(doubts) - MOST_REASONS) > 0 else "")
    looked_at = {name: version for one in judgements for name, version in one.standing.looked_at.items()}
    found = replace(
        first,
        batch=batch,
        validation=Validation(report, marks, without),
        report=report,
        quality=score(report, coverage(report, columns.names)),
        profile=profile,
        verdict=Verdict(accepted=True, degraded=bool(doubts), reason=told),
        standing=replace(
            first.standing,
            columns=columns.fingerprint,
            pieces=tuple(one.key for one in came),
            content_since=None,
            looked_at=looked_at,
        ),
        drifts=tuple(dict.fromkeys(drift for one in judgements for drift in one.drifts)),
    )
    return Whole(found, brought, good_rows(pieces, found.validation))


def merged(reports: Sequence[Report]) -> Report:
    """One report of the pieces' reports. A rule that some have nothing to say of counts where it does."""
    of_rules: dict[str, list[RuleOutcome]] = {}
    for report in reports:
        for outcome in report.outcomes:
            of_rules.setdefault(outcome.rule, []).append(outcome)
    return Report(
        sum(report.rows for report in reports),
        sum(report.quarantined for report in reports),
        max(report.now for report in reports),
        tuple(_outcome(outcomes) for outcomes in of_rules.values()),
        tuple(dict.fromkeys(note for report in reports for note in report.notes)),
    )


def _outcome(of_pieces: Sequence[RuleOutcome]) -> RuleOutcome:
    judged = [one for one in of_pieces if one.of]
    observed = [one.observed for one in of_pieces if one.observed is not None]
    limits = [one.limit_s for one in of_pieces if one.limit_s is not None]
    details = list(dict.fromkeys(one.detail for one in of_pieces if one.detail and (one.failed or not judged)))
    return of_pieces[0]._replace(
        failed=sum(one.failed for one in of_pieces),
        of=sum(one.of for one in of_pieces),
        passed=all(one.passed for one in of_pieces),
        detail="; ".join(details[:MOST_REASONS]),
        # The most patient reading: what is judged again later (`rejudged`) is the newest of them.
        observed=max(observed, default=None),
        limit_s=max(limits, default=None),
        segments=_segments([one.segments for one in of_pieces if one.segments is not None]),
        examples=tuple(example for one in of_pieces for example in one.examples)[:WORST],
    )


def _segments(of_pieces: Sequence[Segments]) -> Segments | None:
    if not of_pieces:
        return None
    worst: list[FailingSegment] = sorted(
        (segment for one in of_pieces for segment in one.worst),
        key=lambda segment: (-segment.failed / segment.of, -segment.failed),
    )
    failed, of = sum(one.failed for one in of_pieces), sum(one.of for one in of_pieces)
    return Segments(failed, of, tuple(worst[:WORST]))
